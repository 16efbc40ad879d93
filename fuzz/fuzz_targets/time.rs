//! Any text as a time of either precision and as a duration: an error or a value that is written and read again.
#![no_main]

use api_record::scalar::{Duration, MicroTime, Time};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(time) = text.parse::<Time>() {
        let _ = time.to_string();
    }
    if let Ok(time) = text.parse::<MicroTime>() {
        let _ = time.to_string();
    }
    if let Ok(duration) = text.parse::<Duration>() {
        assert_eq!(duration.to_string().parse(), Ok(duration));
    }
});
