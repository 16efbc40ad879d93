//! Which types can stand where another is wanted.

use std::sync::Arc;

use crate::types::Type;

/// What the parameters of a declaration stand for.
#[derive(Default)]
pub(super) struct Bindings(Vec<(char, Type)>);

impl Bindings {
    /// Whether `found` can stand where `wanted` is asked for. What is not known can stand anywhere.
    pub(super) fn assign(&mut self, wanted: &Type, found: &Type) -> bool {
        match (wanted, found) {
            (Type::Parameter(name), found) => self.bind(*name, found),
            (Type::Dyn | Type::Open, _) | (_, Type::Dyn | Type::Open) => true,
            (Type::List(wanted), Type::List(found)) | (Type::Optional(wanted), Type::Optional(found)) => {
                self.assign(wanted, found)
            }
            (Type::Map(key, value), Type::Map(found_key, found_value)) => {
                self.assign(key, found_key) && self.assign(value, found_value)
            }
            // An absent object is null.
            (Type::Object(_) | Type::Timestamp | Type::Duration | Type::Opaque(_), Type::Null)
            | (Type::Null, Type::Object(_) | Type::Timestamp | Type::Duration | Type::Opaque(_)) => true,
            (wanted, found) => wanted == found,
        }
    }

    fn bind(&mut self, name: char, found: &Type) -> bool {
        let Some(index) = self.0.iter().position(|(known, _)| *known == name) else {
            self.0.push((name, found.clone()));
            return true;
        };
        let bound = self.0[index].1.clone();
        if bound == Type::Dyn {
            return true;
        }
        if *found == Type::Dyn {
            // Nothing is known of the whole, then.
            self.0[index].1 = Type::Dyn;
            return true;
        }
        let fits = self.assign(&bound, found);
        // The more special of the two holds no more than the other.
        if fits && bound == Type::Null {
            self.0[index].1 = found.clone();
        } else if fits {
            self.0[index].1 = closed(&bound, found);
        }
        fits
    }

    /// The type with its parameters replaced.
    pub(super) fn resolve(&self, of: &Type) -> Type {
        match of {
            Type::Parameter(name) => {
                self.0.iter().find(|(known, _)| known == name).map_or(Type::Dyn, |(_, bound)| bound.clone())
            }
            Type::List(element) => Type::List(Arc::new(self.resolve(element))),
            Type::Optional(content) => Type::Optional(Arc::new(self.resolve(content))),
            Type::Map(key, value) => Type::Map(Arc::new(self.resolve(key)), Arc::new(self.resolve(value))),
            other => other.clone(),
        }
    }
}

/// What two types that fit each other come to, where one of them leaves open what the other says.
pub(super) fn closed(one: &Type, other: &Type) -> Type {
    match (one, other) {
        (Type::Open, said) | (said, Type::Open) => said.clone(),
        (Type::List(one), Type::List(other)) => Type::list(closed(one, other)),
        (Type::Optional(one), Type::Optional(other)) => Type::optional(closed(one, other)),
        (Type::Map(key, value), Type::Map(other_key, other_value)) => {
            Type::Map(Arc::new(closed(key, other_key)), Arc::new(closed(value, other_value)))
        }
        (one, _) => one.clone(),
    }
}
