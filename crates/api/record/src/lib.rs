//! What an object is: named fields that can be walked, read and filled without knowing their Rust type.
//!
//! Layer: the lowest of `api`. Every engine (codecs, defaulting, validation, apply, tables, OpenAPI) is written once over
//! [`Record`] and [`Schema`]; the structs of the built-in kinds (`api-types`) and the trees of custom resources implement
//! them. Entry points: [`Record`], [`Schema`], [`Value`].
//!
//! Invariants: `get(i)` and `slot(i)` speak of `schema().fields[i]`, and what they return fits that field's
//! [`Shape`]; nil, empty and zero stay apart wherever upstream's Go types keep them apart.
//! State: none. Failure: an index beyond the fields is a programming error and panics.
//! Upstream: the Go types and struct tags of `k8s.io/api`, whose names, protobuf numbers and list types the schemas carry.

mod record;
mod schema;
mod slice;
mod value;

pub mod scalar;

pub use bytes::Bytes;
pub use record::{Record, Typed, equal};
pub use schema::{
    Carries, Constraint, Field, Flags, JsonForm, Level, ListKind, Merge, Omit, Ref, Rule, Schema, Shape,
};
pub use slice::Slice;

/// The fields of an object without a Rust type, as JSON has them: an explicit null or zero is there, an absent field is not.
pub type Tree = serde_json::Map<String, serde_json::Value>;
pub use value::{FieldType, List, Map, Nullable, Slot, Value};

/// Implements [`Record`] and [`Typed`] for a generated struct: its schema, then each field by its index.
#[macro_export]
macro_rules! record {
    ($type:ident, $schema:ident $(, $index:literal $field:ident)*) => {
        impl $crate::Record for $type {
            fn schema(&self) -> &$crate::Schema {
                &$schema
            }
            fn get(&self, field: usize) -> $crate::Value<'_> {
                match field {
                    $($index => $crate::FieldType::value(&self.$field),)*
                    _ => panic!("{} has no field {field}", stringify!($type)),
                }
            }
            fn slot(&mut self, field: usize) -> $crate::Slot<'_> {
                match field {
                    $($index => $crate::FieldType::slot(&mut self.$field),)*
                    _ => panic!("{} has no field {field}", stringify!($type)),
                }
            }
            fn boxed_clone(&self) -> Box<dyn $crate::Record> {
                Box::new(self.clone())
            }
            fn assign(&mut self, other: &dyn $crate::Record) {
                self.clone_from(other.downcast_ref().expect("records of one type are assigned to each other"));
            }
        }
        impl $crate::Typed for $type {
            const SCHEMA: &'static $crate::Schema = &$schema;
        }
        impl $crate::FieldType for $type {
            fn value(&self) -> $crate::Value<'_> {
                $crate::Value::Record(self)
            }
            fn slot(&mut self) -> $crate::Slot<'_> {
                $crate::Slot::Record(self)
            }
        }
        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                true $(&& self.$field == other.$field)*
            }
        }
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                (self as &dyn $crate::Record).fmt(f)
            }
        }
    };
}
