//! Any bytes as a patch of a Pod, by each kind of patch: an error or a tree that is written and read again.
#![no_main]

use api_patch::{Document, PatchKind, patch};
use api_record::Typed;
use api_types::core::v1::Pod;

const POD: &[u8] = br#"{"metadata":{"name":"a","labels":{"b":"c"},"finalizers":["x","y"]},"spec":{"containers":[{"name":"a","image":"b","ports":[{"containerPort":80}],"env":[{"name":"E","value":"1"}]}],"tolerations":[{"key":"k"}],"nodeSelector":{"a":"b"}}}"#;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for kind in [PatchKind::Json, PatchKind::Merge, PatchKind::Strategic] {
        let current = Document::parse(POD).expect("the pod is JSON").tree;
        if let Ok(patched) = patch(kind, current, data, Pod::SCHEMA) {
            let text = patched.tree.to_string();
            assert_eq!(Document::parse(text.as_bytes()).expect("a tree is JSON").tree, patched.tree);
        }
    }
});
