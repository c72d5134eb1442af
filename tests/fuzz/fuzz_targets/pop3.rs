//! Calls `fuzz_targets::pop3` with whatever the fuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::pop3(bytes));
