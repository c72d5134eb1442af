//! Calls `fuzz_targets::pop3` with the inputs that the fuzzer makes.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::pop3(bytes));
