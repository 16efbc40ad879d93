//! The table of all kinds, and what all objects have in common.

use api_record::{Record, Schema, Slot, Typed, Value};

use crate::generated::kinds::OBJECT_TYPES;
use crate::meta::v1::ObjectMeta;

/// A kind as `apiVersion` and `kind` name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupVersionKind<'a> {
    /// The group, empty for the core.
    pub group: &'a str,
    /// The version.
    pub version: &'a str,
    /// The kind.
    pub kind: &'a str,
}

impl GroupVersionKind<'_> {
    /// The kind's `apiVersion`: the version alone for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// A generated type that has a kind.
pub struct ObjectType {
    /// The kind it is served as.
    pub kind: GroupVersionKind<'static>,
    /// Its fields.
    pub schema: &'static Schema,
    /// Makes an empty one.
    pub new: fn() -> Box<dyn Record>,
}

impl ObjectType {
    pub(crate) const fn of<T: Typed>(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
    ) -> ObjectType {
        ObjectType {
            kind: GroupVersionKind { group, version, kind },
            schema: T::SCHEMA,
            new: || Box::new(T::default()),
        }
    }
}

/// All generated kinds, in the order of group, version and name.
pub fn object_types() -> &'static [ObjectType] {
    OBJECT_TYPES
}

/// The type of a kind.
pub fn object_type(group: &str, version: &str, kind: &str) -> Option<&'static ObjectType> {
    let wanted = (group, version, kind);
    let index = OBJECT_TYPES
        .binary_search_by(|row| (row.kind.group, row.kind.version, row.kind.kind).cmp(&wanted))
        .ok()?;
    Some(&OBJECT_TYPES[index])
}

/// An object's metadata; `None` for records that are not objects.
pub fn object_meta(record: &dyn Record) -> Option<&ObjectMeta> {
    let index = record.schema().index_of("metadata")?;
    match record.get(index) {
        Value::Record(meta) => meta.downcast_ref(),
        _ => None,
    }
}

/// An object's metadata for writing; `None` for records that are not objects.
pub fn object_meta_mut(record: &mut dyn Record) -> Option<&mut ObjectMeta> {
    let index = record.schema().index_of("metadata")?;
    match record.slot(index) {
        Slot::Record(meta) => meta.downcast_mut(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_name() {
        let pod = object_type("", "v1", "Pod").expect("there are pods");
        let mut object = (pod.new)();
        object_meta_mut(&mut *object).expect("a pod has metadata").name = "web".into();
        assert_eq!(object_meta(&*object).map(|meta| meta.name.as_str()), Some("web"));
        assert!(object_type("apps", "v1beta1", "Deployment").is_none());
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(object_types().windows(2).all(|pair| pair[0].kind < pair[1].kind));
    }
}
