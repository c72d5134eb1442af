//! Calls `fuzz_targets::armour` with whatever the fuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz_targets::armour(bytes));
