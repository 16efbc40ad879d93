//! Any bytes as a configuration that is applied to a Pod which others own fields of: an error, or an object to which the
//! same can be applied again.
#![no_main]

use api_codec::json;
use api_codec::limits::Limits;
use api_patch::apply::{Config, Request, Reset, Set, Versions, apply};
use api_record::Record;
use api_record::scalar::Time;
use api_types::core::v1::Pod;

const POD: &[u8] = br#"{"metadata":{"name":"a","labels":{"b":"c"},"managedFields":[{"manager":"m","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{"f:b":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{".":{},"f:image":{},"f:name":{}}}}}}]},"spec":{"containers":[{"name":"a","image":"b","ports":[{"containerPort":80,"protocol":"TCP"}]}],"nodeSelector":{"a":"b"}}}"#;

struct Pods;

impl Versions for Pods {
    fn empty(&self, api_version: &str) -> Option<Box<dyn Record>> {
        (api_version == "v1").then(|| Box::new(Pod::default()) as Box<dyn Record>)
    }

    fn convert(&self, object: &dyn Record, _: &str, to: &str) -> Option<Box<dyn Record>> {
        self.empty(to)?;
        Some(object.boxed_clone())
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(config) = Config::parse(data) else { return };
    let request = Request {
        manager: "fuzz",
        api_version: "v1",
        kind: "Pod",
        subresource: "",
        reset: Reset::Fields(Set::of_fields([])),
        now: Time { seconds: 1 },
        versions: &Pods,
    };
    let mut pod = Pod::default();
    json::decode(POD, &mut pod, None, Limits::RESPONSE).expect("the pod is one");
    let _ = apply(&request, &pod, &config, false);
    if let Ok(once) = apply(&request, &pod, &config, true) {
        apply(&request, &*once, &config, false).expect("its own fields conflict with nothing");
    }
});
