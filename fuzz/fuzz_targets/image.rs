//! Any bytes as what a registry or an archive holds: a manifest or an index, a configuration, a reference, a digest.
#![no_main]

use node_image::config::ConfigFile;
use node_image::digest::Digest;
use node_image::manifest::Document;
use node_image::reference::Reference;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = Document::parse(data);
    if let Ok(config) = ConfigFile::parse(data) {
        ConfigFile::parse(&config.encode()).expect("what was written is read");
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = text.parse::<Digest>();
        if let Ok(reference) = text.parse::<Reference>() {
            assert_eq!(reference.to_string().parse::<Reference>().as_ref(), Ok(&reference));
        }
    }
});
