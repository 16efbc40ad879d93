//! Where in the schema a strategic merge stands.

use api_record::{Field, Merge, Schema, Shape};

use crate::PatchError;

/// The type of an object: a record, or something whose entries the schema does not tell apart.
#[derive(Clone, Copy)]
pub(super) enum Scope<'a> {
    Record(&'a Schema),
    Other(&'a Shape),
}

impl<'a> Scope<'a> {
    fn of(shape: &'a Shape) -> Scope<'a> {
        match shape {
            Shape::Record(schema) => Scope::Record(schema),
            other => Scope::Other(other),
        }
    }

    fn field(self, key: &str) -> Result<&'a Field, PatchError> {
        match self {
            Scope::Record(schema) => find(schema, &|name| name == key)
                .or_else(|| find(schema, &|name| name.eq_ignore_ascii_case(key)))
                .ok_or_else(|| {
                    PatchError::Mismatch(format!(
                        "unable to find api field in struct {} for the json field {}",
                        &*schema.name,
                        api_meta::quote::go(key)
                    ))
                }),
            Scope::Other(shape) => Err(PatchError::Mismatch(format!(
                "merging an object in json but data type is not struct, instead is: {}",
                go_kind(shape)
            ))),
        }
    }

    /// The type of an object in this field.
    pub(super) fn object(self, key: &str) -> Result<Scope<'a>, PatchError> {
        self.field(key).map(|field| Scope::of(&field.shape))
    }

    /// The type of the elements of a list in this field, and how the list is merged.
    pub(super) fn list(self, key: &str) -> Result<(Scope<'a>, &'a Merge), PatchError> {
        let field = self.field(key)?;
        match &field.shape {
            Shape::List(element) | Shape::Items(element) => match &**element {
                Shape::List(_) | Shape::Items(_) => {
                    Err(PatchError::Mismatch("unexpected slice of slice".to_owned()))
                }
                element => Ok((Scope::of(element), &field.merge)),
            },
            _ => Err(PatchError::Mismatch("expected slice or array type, but got: struct".to_owned())),
        }
    }
}

/// The field of a fitting name, also among those of inlined records.
fn find<'a>(schema: &'a Schema, fits: &dyn Fn(&str) -> bool) -> Option<&'a Field> {
    schema.fields.iter().find_map(|field| match &field.shape {
        Shape::Record(inlined) if field.inline => find(inlined, fits),
        _ => fits(&field.name).then_some(field),
    })
}

fn go_kind(shape: &Shape) -> &'static str {
    match shape {
        Shape::Map(_) => "map",
        Shape::List(_) | Shape::Items(_) | Shape::Bytes => "slice",
        Shape::String => "string",
        Shape::Bool => "bool",
        Shape::Int32 => "int32",
        Shape::Int64 => "int64",
        Shape::Float => "float64",
        _ => "struct",
    }
}
