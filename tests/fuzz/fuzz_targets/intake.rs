//! Calls `fuzz_targets::intake` with whatever the fuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::intake(bytes));
