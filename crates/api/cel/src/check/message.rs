//! Messages that are written down: the types that patches are made in (`apiserver/pkg/cel/mutation`).

use super::Checker;
use super::assign::Bindings;
use crate::syntax::{Entry, Node};
use crate::types::{Object, Type};
use crate::value::{JSON_PATCH, OBJECT, Value};

/// The type of this name among those.
pub(super) fn of_patches(name: &str) -> Option<Type> {
    if name == JSON_PATCH {
        let text = ["op", "path", "from"].map(|name| (name, Type::String));
        return Some(Object::of(name, text.into_iter().chain([("value", Type::Dyn)])));
    }
    let is_object = name.strip_prefix(OBJECT).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    is_object.then(|| Object::free(name))
}

impl Checker<'_> {
    pub(super) fn message(&mut self, at: usize, name: &str, fields: &[Entry]) -> Type {
        let Some(whole) = self.environment.message(name) else {
            return self.wrong(at, format!("undeclared reference to '{name}' (in container '')"));
        };
        for Entry { key, value, optional } in fields {
            let mut found = self.of(value);
            if *optional {
                found = self.content(value.at, found);
            }
            let Node::Literal(Value::String(field)) = &key.node else { continue };
            let Type::Object(known) = &whole else { continue };
            let wanted = known.field(field);
            if !Bindings::default().assign(wanted.unwrap_or(&Type::Null), &found) {
                // A field that is not known has no type there, and anything that is not known itself is let pass.
                let wanted = wanted.map(Type::to_string).unwrap_or_default();
                let what =
                    format!("expected type of field '{field}' is '{wanted}' but provided type is '{found}'");
                self.wrong(key.at, what);
            }
        }
        whole
    }
}
