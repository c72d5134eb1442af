//! Calls `fuzz_targets::payload` with the inputs that the fuzzer makes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::payload(bytes));
