//! Calls `fuzz_targets::der` with the inputs that the fuzzer makes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::der(bytes));
