#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trackfs_fuzz::document::hold(input));
