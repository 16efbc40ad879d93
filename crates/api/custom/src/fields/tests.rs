//! Custom resources that many managers write, one after the other.

use std::sync::Arc;

use api_codec::limits::Limits;
use api_codec::{json, yaml};
use api_meta::Status;
use api_patch::apply::atom::Fields;
use api_patch::apply::{Config, Request, Reset, Set, Versions, apply, track};
use api_record::Record;
use api_record::scalar::Time;
use api_types::apiextensions::v1::CustomResourceDefinition;

use super::AllFields;
use crate::CustomObject;

const GROUP: &str = "example.com";

/// A kind by its definition, an object of it, and the clock.
struct World {
    fields: AllFields,
    object: CustomObject,
    seconds: i64,
    version: &'static str,
    subresource: &'static str,
    reset: &'static [&'static str],
}

impl Versions for World {
    fn empty(&self, api_version: &str) -> Option<Box<dyn Record>> {
        self.fields.in_version(api_version).map(|_| Box::new(CustomObject::default()) as Box<dyn Record>)
    }

    fn convert(&self, object: &dyn Record, _: &str, to: &str) -> Option<Box<dyn Record>> {
        self.fields.in_version(to).map(|_| object.boxed_clone())
    }

    fn fields(&self, api_version: &str) -> Option<Arc<Fields>> {
        self.fields.in_version(api_version)
    }
}

fn defined(versions: &[(&str, &str)]) -> AllFields {
    let one = |(name, schema): &(&str, &str)| {
        format!("{{name: {name}, served: true, schema: {{openAPIV3Schema: {schema}}}}}")
    };
    let versions: Vec<String> = versions.iter().map(one).collect();
    let text = format!("spec: {{group: {GROUP}, versions: [{}]}}", versions.join(", "));
    let text = yaml::to_json(text.as_bytes(), Limits::REQUEST).expect("YAML");
    let mut definition = CustomResourceDefinition::default();
    json::decode(&text, &mut definition, None, Limits::REQUEST).expect("a definition");
    AllFields::of(&(Arc::new(definition) as Arc<dyn Record>))
}

impl World {
    /// A kind whose spec has these properties.
    fn new(properties: &str) -> World {
        let schema =
            format!("{{type: object, properties: {{spec: {{type: object, properties: {properties}}}}}}}");
        World::of(defined(&[("v1", &schema)]))
    }

    fn of(fields: AllFields) -> World {
        let object = CustomObject::default();
        World { fields, object, seconds: 0, version: "v1", subresource: "", reset: &[] }
    }

    fn api_version(&self) -> String {
        format!("{GROUP}/{}", self.version)
    }

    fn request<'a>(&'a self, manager: &'a str, api_version: &'a str) -> Request<'a> {
        Request {
            manager,
            api_version,
            kind: "Thing",
            subresource: self.subresource,
            reset: Reset::Fields(Set::of_fields(self.reset.iter().copied())),
            now: Time { seconds: self.seconds },
            versions: self,
        }
    }

    fn try_apply(&mut self, manager: &str, text: &str, force: bool) -> Result<(), Status> {
        self.seconds += 1;
        let version = self.api_version();
        let text = format!("apiVersion: {version}\nkind: Thing\n{text}");
        let config = Config::parse(text.as_bytes()).expect("YAML");
        let object = apply(&self.request(manager, &version), &self.object, &config, force)?;
        self.object = object.downcast_ref::<CustomObject>().expect("a custom object").clone();
        self.object.metadata.uid = "u".into();
        Ok(())
    }

    #[track_caller]
    fn apply(&mut self, manager: &str, text: &str) {
        self.try_apply(manager, text, false).expect("no conflict");
    }

    #[track_caller]
    fn refused(&mut self, manager: &str, text: &str) -> String {
        self.try_apply(manager, text, false).expect_err("refused").message.clone()
    }

    /// Replaces the object, keeping its owners as a client does that sends back what it read.
    fn update(&mut self, manager: &str, text: &str) {
        self.seconds += 1;
        let text = yaml::to_json(text.as_bytes(), Limits::REQUEST).expect("YAML");
        let mut new = CustomObject::default();
        json::decode(&text, &mut new, None, Limits::REQUEST).expect("an object");
        new.metadata.uid.clone_from(&self.object.metadata.uid);
        track(&self.request(manager, &self.api_version()), &self.object, &mut new);
        new.metadata.uid = "u".into();
        self.object = new;
    }

    /// An entry a line: manager, version and fields.
    fn owners(&self) -> Vec<String> {
        let entries = self.object.metadata.managed_fields.iter();
        let shown = entries.map(|entry| {
            let fields = entry.fields_v1.as_ref().map(|raw| String::from_utf8_lossy(raw.text()).into_owned());
            let version = entry.api_version.trim_start_matches("example.com/");
            format!("{} {version} {}", entry.manager, fields.unwrap_or_default())
        });
        shown.collect()
    }

    fn spec(&self) -> String {
        self.object.fields.get("spec").map(ToString::to_string).unwrap_or_default()
    }
}

#[test]
fn fields_have_owners_by_what_the_definition_says_of_them() {
    for (properties, spec, owned) in [
        ("{a: {type: string}, b: {type: integer}}", "{a: x, b: 1}", r#"{"f:a":{},"f:b":{}}"#),
        // Objects by their fields, unless they are said to be one value.
        (
            "{a: {type: object, properties: {b: {type: object, properties: {c: {type: string}}}}}}",
            "{a: {b: {c: x}}}",
            r#"{"f:a":{"f:b":{"f:c":{}}}}"#,
        ),
        (
            "{a: {type: object, x-kubernetes-map-type: atomic, properties: {b: {type: string}}}}",
            "{a: {b: x}}",
            r#"{"f:a":{}}"#,
        ),
        ("{a: {type: object, additionalProperties: {type: string}}}", "{a: {x: w}}", r#"{"f:a":{"f:x":{}}}"#),
        (
            "{a: {type: object, additionalProperties: {type: object, properties: {b: {type: string}}}}}",
            "{a: {x: {b: w}}}",
            r#"{"f:a":{"f:x":{".":{},"f:b":{}}}}"#,
        ),
        // Lists as one value, unless their elements are told apart.
        ("{a: {type: array, items: {type: string}}}", "{a: [x]}", r#"{"f:a":{}}"#),
        (
            "{a: {type: array, x-kubernetes-list-type: set, items: {type: string}}}",
            "{a: [x, w]}",
            r#"{"f:a":{"v:\"w\"":{},"v:\"x\"":{}}}"#,
        ),
        (
            "{a: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [port, protocol], items: {type: object, properties: {port: {type: integer}, protocol: {type: string, default: TCP}, name: {type: string}}}}}",
            "{a: [{port: 80, name: x}]}",
            r#"{"f:a":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:name":{},"f:port":{}}}}"#,
        ),
        // What nothing is said of: objects by their fields, which are members themselves, and lists as one value.
        (
            "{a: {type: object, x-kubernetes-preserve-unknown-fields: true}}",
            "{a: {b: {c: x, d: [{e: f}]}}}",
            r#"{"f:a":{"f:b":{".":{},"f:c":{},"f:d":{}}}}"#,
        ),
        (
            "{a: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {b: {type: object, properties: {c: {type: string}}}}}}",
            "{a: {b: {c: x, d: w}, e: z}}",
            r#"{"f:a":{"f:b":{"f:c":{},"f:d":{}},"f:e":{}}}"#,
        ),
        ("{a: {x-kubernetes-preserve-unknown-fields: true}}", "{a: [1]}", r#"{"f:a":{}}"#),
        ("{a: {x-kubernetes-int-or-string: true}}", "{a: 5}", r#"{"f:a":{}}"#),
        (
            "{a: {type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true}}",
            "{a: {apiVersion: v1, kind: X, metadata: {name: one, labels: {l: m}, finalizers: [z]}, more: 1}}",
            r#"{"f:a":{"f:apiVersion":{},"f:kind":{},"f:metadata":{"f:finalizers":{"v:\"z\"":{}},"f:labels":{"f:l":{}},"f:name":{}},"f:more":{}}}"#,
        ),
    ] {
        let mut world = World::new(properties);
        world.apply("me", &format!("metadata: {{name: one}}\nspec: {spec}"));
        assert_eq!(world.owners(), [format!("me v1 {{\"f:spec\":{owned}}}")], "{properties}");
        // Whoever makes it by other means owns as much, and the objects on the way to it where nothing else does.
        let mut world = World::new(properties);
        world.update("me", &format!("metadata: {{name: one}}\nspec: {spec}"));
        assert!(world.owners()[0].starts_with("me v1 {\"f:spec\":{\".\":{},"), "{:?}", world.owners());
    }
}

#[test]
fn what_does_not_fit_the_definition_is_refused() {
    let keyed = "{a: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [k], items: {type: object, properties: {k: {type: string}}}}}";
    for (properties, spec, why) in [
        ("{a: {type: string}}", "{b: x}", ".spec.b: field not declared in schema"),
        ("{a: {type: string}}", "{a: 1}", ".spec.a: expected string, got &value.valueUnstructured{Value:1}"),
        ("{a: {type: integer}}", "{a: x}", ".spec.a: expected numeric (int or float), got string"),
        ("{a: {type: boolean}}", "{a: x}", ".spec.a: expected boolean, got &{x}"),
        ("{a: {type: object}}", "{a: x}", ".spec.a: expected map, got &{x}"),
        ("{a: {type: array, items: {type: integer}}}", "{a: x}", ".spec.a: expected list, got &{x}"),
        (
            "{a: {type: array, items: {type: integer}}}",
            "{a: [1, x]}",
            ".spec.a[1]: expected numeric (int or float), got string",
        ),
        (keyed, "{a: [{k: x}, {k: x}]}", ".spec.a: duplicate entries for key [k=\"x\"]"),
        (
            keyed,
            "{a: [{}]}",
            ".spec.a: element 0: associative list with keys has an element that omits all key fields [\"k\"] (and doesn't have default values for any key fields)",
        ),
    ] {
        let mut world = World::new(properties);
        let said = world.refused("me", &format!("metadata: {{name: one}}\nspec: {spec}"));
        let wanted = format!("failed to create typed patch object (/one; example.com/v1, Kind=Thing): {why}");
        assert_eq!(said, wanted, "{properties}");
    }
    let mut world = World::new("{a: {type: string}}");
    let said = world.refused("me", "metadata: {name: one, odd: 1}");
    assert!(said.ends_with(".metadata.odd: field not declared in schema"), "{said}");
    let said = world.refused("me", "odd: 1\nmetadata: {name: one}");
    assert!(said.ends_with(".odd: field not declared in schema"), "{said}");
}

#[test]
fn conflicts_are_told_and_forced_and_what_nobody_applies_any_more_goes() {
    let mut world = World::new(
        "{a: {type: string}, b: {type: object, x-kubernetes-preserve-unknown-fields: true}, c: {type: array, x-kubernetes-list-type: set, items: {type: string}}}",
    );
    world.apply("me", "metadata: {name: one, labels: {l: one}}\nspec: {a: x, b: {k: v}, c: [p, q]}");
    assert_eq!(
        world.refused("you", "metadata: {name: one, labels: {l: two}}\nspec: {a: w, b: {k: [1]}, c: [r]}"),
        "Apply failed with 3 conflicts: conflicts with \"me\":\n- .metadata.labels.l\n- .spec.a\n- .spec.b.k"
    );
    world.try_apply("you", "metadata: {name: one}\nspec: {a: w, c: [r]}", true).expect("forced");
    assert_eq!(
        world.owners(),
        [
            r#"me v1 {"f:metadata":{"f:labels":{"f:l":{}}},"f:spec":{"f:b":{"f:k":{}},"f:c":{"v:\"p\"":{},"v:\"q\"":{}}}}"#,
            r#"you v1 {"f:spec":{"f:a":{},"f:c":{"v:\"r\"":{}}}}"#,
        ]
    );
    world.apply("me", "metadata: {name: one}\nspec: {c: [q]}");
    assert_eq!(world.spec(), r#"{"a":"w","c":["q","r"]}"#);
    assert!(world.object.metadata.labels.is_empty());
}

#[test]
fn a_field_that_becomes_another_sort_of_value_is_the_writers() {
    let mut world = World::new("{a: {x-kubernetes-preserve-unknown-fields: true}}");
    world.apply("me", "metadata: {name: one}\nspec: {a: 5}");
    world.update("you", "metadata: {name: one}\nspec: {a: {b: c}}");
    assert_eq!(world.owners(), [r#"you v1 {"f:spec":{"f:a":{".":{},"f:b":{}}}}"#]);
    world.update("her", "metadata: {name: one}\nspec: {a: [b]}");
    assert_eq!(world.owners(), [r#"her v1 {"f:spec":{"f:a":{}}}"#]);
}

#[test]
fn the_status_is_owned_through_its_subresource_alone() {
    let schema = "{type: object, properties: {spec: {type: object, properties: {a: {type: string}}}, status: {type: object, properties: {b: {type: string}}}}}";
    let mut world = World::of(defined(&[("v1", schema)]));
    world.reset = &["status"];
    world.apply("me", "metadata: {name: one}\nspec: {a: x}\nstatus: {b: v}");
    assert_eq!(world.owners(), [r#"me v1 {"f:spec":{"f:a":{}}}"#]);
    (world.reset, world.subresource) = (&["metadata", "spec"], "status");
    world.update("controller", "metadata: {name: one, labels: {l: m}}\nspec: {a: z}\nstatus: {b: w}");
    assert_eq!(
        world.owners(),
        [r#"me v1 {"f:spec":{"f:a":{}}}"#, r#"controller v1 {"f:status":{"f:b":{}}}"#]
    );
}

#[test]
fn owners_are_known_by_version_until_it_is_gone() {
    let atomic = "{type: object, properties: {spec: {type: object, x-kubernetes-map-type: atomic, properties: {a: {type: string}, b: {type: string}}}}}";
    let granular = "{type: object, properties: {spec: {type: object, properties: {a: {type: string}, b: {type: string}}}}}";
    let mut world = World::of(defined(&[("v1", granular), ("v2", atomic)]));
    world.apply("me", "metadata: {name: one}\nspec: {a: x}");
    world.version = "v2";
    assert_eq!(
        world.refused("you", "metadata: {name: one}\nspec: {a: w}"),
        "Apply failed with 1 conflict: conflict with \"me\": .spec.a",
        "in the version of the owner"
    );
    world.apply("you", "metadata: {name: one}\nspec: {a: x}");
    assert_eq!(world.owners(), [r#"you v2 {"f:spec":{}}"#, r#"me v1 {"f:spec":{"f:a":{}}}"#]);
    world.fields = defined(&[("v2", atomic)]);
    world.update("other", "metadata: {name: one, labels: {l: m}}\nspec: {a: x}");
    assert_eq!(
        world.owners(),
        [r#"you v2 {"f:spec":{}}"#, r#"other v2 {"f:metadata":{"f:labels":{".":{},"f:l":{}}}}"#]
    );
    // A schema that has become coarser: whoever owned parts of what is one value now owns the value.
    let mut world = World::of(defined(&[("v1", granular)]));
    world.apply("me", "metadata: {name: one}\nspec: {a: x, b: w}");
    world.fields = defined(&[("v1", atomic)]);
    world.update("you", "metadata: {name: one, labels: {l: m}}\nspec: {a: x, b: w}");
    assert_eq!(world.owners()[0], r#"me v1 {"f:spec":{}}"#);
}
