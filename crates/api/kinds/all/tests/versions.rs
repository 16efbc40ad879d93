//! Every version that a kind is served in goes to the hub and back, with upstream's full objects.

#![allow(clippy::disallowed_methods, reason = "tests read the fixtures")]

use std::path::Path;

use api_codec::json;
use api_codec::limits::Limits;
use api_kinds_all::{is_written, row};

/// What the hub says otherwise or not at all: names of `events.k8s.io` and fields of `autoscaling/v1` that are annotations in between have tests of
/// their own.
const APART: [&str; 2] = ["events", "horizontalpodautoscalers"];

#[test]
fn full_objects_come_back_from_the_hub_as_they_were() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../../shared/kubernetes/golden");
    assert!(golden.is_dir(), "the facts about Kubernetes are absent: {} is no folder", golden.display());
    let mut tried = 0;
    for resource in api_types::resources() {
        let gvk = resource.kind;
        let Some(row) = row(gvk.group, resource.plural) else { continue };
        let own = row.versions().iter().find(|own| (own.group, own.version) == (gvk.group, gvk.version));
        let Some(version) = own.filter(|_| !APART.contains(&resource.plural)) else { continue };
        assert!(is_written(gvk.group, gvk.version, resource.plural));
        let name = format!("{}.{}.{}", gvk.group, gvk.version, gvk.kind);
        let text = std::fs::read(golden.join(format!("{name}.json"))).expect("there is a fixture");
        let object_type = api_types::object_type(gvk.group, gvk.version, gvk.kind).expect("there is a type");
        let mut object = (object_type.new)();
        json::decode(&text, &mut *object, None, Limits::RESPONSE).expect("it is an object");
        let hub = (version.to_hub)(object.boxed_clone());
        assert!(std::ptr::eq(hub.schema(), row.schema()), "{name}");
        assert!(*(version.from_hub)(&*hub) == *object, "{name}");
        tried += 1;
    }
    assert!(tried >= 10, "{tried}");
}
