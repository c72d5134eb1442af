//! Calls `fuzz_targets::payload` with whatever the fuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::payload(bytes));
