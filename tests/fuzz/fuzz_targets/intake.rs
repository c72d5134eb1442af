//! Calls `fuzz_targets::intake` with the inputs that the fuzzer makes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::intake(bytes));
