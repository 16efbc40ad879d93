//! The object of a custom resource: typed metadata, and a tree.

use api_record::{
    Carries, Field, Flags, JsonForm, ListKind, Merge, Record, Ref, Schema, Shape, Slot, Tree, Typed, Value,
};
use api_types::meta::v1::{OBJECT_META, ObjectMeta};

/// An object of any custom resource. Its `kind` and `apiVersion` are those it is asked for in, so it does not hold them.
#[derive(Clone, Default)]
pub struct CustomObject {
    /// The metadata.
    pub metadata: ObjectMeta,
    /// All other fields.
    pub fields: Tree,
}

/// The one field that all custom resources have; the rest is in [`Record::rest`].
static SCHEMA: Schema = Schema {
    name: Ref::Static("CustomObject"),
    package: Ref::Static("custom"),
    type_meta: true,
    json: JsonForm::Object,
    atomic: false,
    carries: Carries { defaults: false, gates: false, rules: false },
    wire_order: Ref::Static(&[]),
    fields: Ref::Static(&[Field::new(
        "metadata",
        0,
        Shape::Record(Ref::Static(&OBJECT_META)),
        Flags(Flags::OMIT_EMPTY),
        ListKind::Unset,
        Merge::NONE,
        None,
        &[],
        &[],
    )]),
};

impl CustomObject {
    /// The whole object as JSON has it, without `kind` and `apiVersion`.
    pub fn whole(&self) -> Tree {
        let mut whole = self.fields.clone();
        whole.insert("metadata".to_owned(), self.metadata());
        whole
    }

    /// The metadata as JSON has it.
    pub fn metadata(&self) -> serde_json::Value {
        let mut text = Vec::new();
        api_codec::json::encode(&self.metadata, None, &mut text);
        // What the codec writes is JSON.
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

impl Record for CustomObject {
    fn schema(&self) -> &Schema {
        &SCHEMA
    }
    fn get(&self, field: usize) -> Value<'_> {
        match field {
            0 => Value::Record(&self.metadata),
            _ => panic!("CustomObject has no field {field}"),
        }
    }
    fn slot(&mut self, field: usize) -> Slot<'_> {
        match field {
            0 => Slot::Record(&mut self.metadata),
            _ => panic!("CustomObject has no field {field}"),
        }
    }
    fn rest(&self) -> Option<&Tree> {
        Some(&self.fields)
    }
    fn rest_mut(&mut self) -> Option<&mut Tree> {
        Some(&mut self.fields)
    }
    fn boxed_clone(&self) -> Box<dyn Record> {
        Box::new(self.clone())
    }
    fn assign(&mut self, other: &dyn Record) {
        self.clone_from(other.downcast_ref().expect("records of one type are assigned to each other"));
    }
}

impl Typed for CustomObject {
    const SCHEMA: &'static Schema = &SCHEMA;
}
