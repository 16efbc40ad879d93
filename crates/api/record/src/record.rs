//! The record itself, and what can be done to any two of them.

use std::any::Any;
use std::fmt;

use crate::{Schema, Slot, Tree, Value};

/// An object or a part of one, as a row of fields.
pub trait Record: Any + Send + Sync {
    /// What the fields are.
    fn schema(&self) -> &Schema;

    /// Reads a field.
    ///
    /// # Panics
    /// If the schema has no field of that index.
    fn get(&self, field: usize) -> Value<'_>;

    /// Opens a field for writing.
    ///
    /// # Panics
    /// If the schema has no field of that index.
    fn slot(&mut self, field: usize) -> Slot<'_>;

    /// What it holds besides the fields of its schema, by JSON name; `None` for the records that hold nothing else, which
    /// are all but custom resources.
    fn rest(&self) -> Option<&Tree> {
        None
    }

    /// The same for writing.
    fn rest_mut(&mut self) -> Option<&mut Tree> {
        None
    }

    /// A copy of the whole.
    fn boxed_clone(&self) -> Box<dyn Record>;

    /// Makes this a copy of `other`.
    ///
    /// # Panics
    /// If `other` is of another type.
    fn assign(&mut self, other: &dyn Record);
}

impl dyn Record {
    /// The field of this JSON name, [`Value::Nil`] if there is none; does not look into inlined records.
    pub fn field(&self, name: &str) -> Value<'_> {
        self.schema().index_of(name).map_or(Value::Nil, |index| self.get(index))
    }

    /// Itself as a record of the type `T`.
    pub fn downcast_ref<T: Record>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }

    /// Itself as a record of the type `T`.
    pub fn downcast_mut<T: Record>(&mut self) -> Option<&mut T> {
        (self as &mut dyn Any).downcast_mut()
    }
}

impl Clone for Box<dyn Record> {
    fn clone(&self) -> Self {
        (**self).boxed_clone()
    }
}

impl PartialEq for dyn Record {
    fn eq(&self, other: &dyn Record) -> bool {
        equal(self, other)
    }
}

impl fmt::Debug for dyn Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.schema();
        let mut out = f.debug_struct(&schema.name);
        for (index, field) in schema.fields.iter().enumerate() {
            let value = self.get(index);
            if !value.is_empty() {
                out.field(&field.name, &value);
            }
        }
        for (name, value) in self.rest().into_iter().flatten() {
            out.field(name, value);
        }
        out.finish()
    }
}

/// A record whose schema is known from its type.
pub trait Typed: Record + Default + Clone {
    /// The type's schema.
    const SCHEMA: &'static Schema;
}

/// Whether two records have the same schema and equal fields.
pub fn equal(left: &dyn Record, right: &dyn Record) -> bool {
    std::ptr::eq(left.schema(), right.schema())
        && (0..left.schema().fields.len()).all(|index| left.get(index) == right.get(index))
        && left.rest() == right.rest()
}
