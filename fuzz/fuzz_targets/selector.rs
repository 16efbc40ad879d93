//! Any text as a label selector and a field selector: an error or a selector that is written and read again.
#![no_main]

use api_meta::field::Path;
use api_meta::{fields, labels};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(selector) = labels::Selector::parse(text, &Path::NONE) {
        let written = selector.to_string();
        let again = labels::Selector::parse(&written, &Path::NONE).expect("what was written is read");
        assert_eq!(again.to_string(), written);
        let _ = selector.matches(&labels::Labels::from([("a".into(), "b".into()), ("n".into(), "1".into())]));
    }
    if let Ok(selector) = fields::Selector::parse(text) {
        // Terms are sorted as they are written, so that reading them once more may put them in another order, but not twice.
        let again = fields::Selector::parse(&selector.to_string()).expect("what was written is read");
        let settled = fields::Selector::parse(&again.to_string()).expect("what was written is read");
        assert_eq!(settled.to_string(), again.to_string());
        assert_eq!(again.terms().len(), selector.terms().len());
    }
});
