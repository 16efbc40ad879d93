//! The rules of a schema in CEL (`x-kubernetes-validations`), beside its structure (`apiserver/schema/cel/validation.go`).
//!
//! Made once for a schema, when an object is first judged. Values are made of JSON only as far as the rules of a place use them. Used by the
//! row, for the defaults of a schema, and (the declarations, the costs) by the validation of definitions.

mod declare;
mod field_path;
mod rule;
mod run;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;

use api_cel::{Used, escape};

use crate::{Additional, Node, Type};

pub use declare::Declared;
pub use field_path::normalized as field_path;
pub use rule::{Compiled, compile_rules};
pub use run::{Judged, Run, Spent, Whole};

/// The rules of a schema and of what is below it.
#[derive(Debug)]
pub struct Rules {
    /// Its own; an error if they cannot be compiled at all.
    own: Result<Vec<Compiled>, &'static str>,
    /// It is a whole object, whose kind and names are known.
    root: bool,
    /// What its own use of a value.
    used: Used,
    /// And of what that was.
    used_old: Used,
    properties: BTreeMap<String, Rules>,
    additional: Option<Box<Rules>>,
    items: Option<Box<Rules>>,
}

impl Rules {
    /// The rules of a schema; `None` if it has none. `root` says that it is that of a whole object.
    pub fn of(node: &Node, root: bool) -> Option<Rules> {
        let declared = if node.finds.rules { Declared::of(node, root) } else { None };
        Rules::below(node, root, declared.as_ref())
    }

    fn below(node: &Node, root: bool, declared: Option<&Declared>) -> Option<Rules> {
        if !node.finds.rules {
            return None;
        }
        let own = match declared {
            Some(declared) => Ok(compile_rules(node, declared)),
            None if node.rules.is_empty() => Ok(Vec::new()),
            None => Err("failed to convert to declType for CEL validation rules"),
        };
        let mut rules = Rules {
            root,
            used: Used::default(),
            used_old: Used::default(),
            properties: BTreeMap::new(),
            additional: None,
            items: None,
            own,
        };
        for compiled in rules.own.iter().flatten() {
            rules.used.add(&compiled.used("self"));
            rules.used_old.add(&compiled.used("oldSelf"));
        }
        for (name, property) in &node.properties {
            let below = match (escape(name), declared) {
                // What is not known to rules has none.
                (Some(_), declared) => declared
                    .and_then(|declared| declared.field(name))
                    .and_then(|declared| Rules::below(property, property.embedded, Some(declared))),
                (None, _) => Rules::of(property, property.embedded),
            };
            rules.properties.extend(below.map(|below| (name.clone(), below)));
        }
        let content = declared.and_then(Declared::content);
        let boxed = |node: &Node| Rules::below(node, node.embedded, content).map(Box::new);
        rules.items = node.items.as_deref().and_then(boxed);
        if let Additional::Schema(schema) = &node.additional {
            rules.additional = boxed(schema);
        }
        Some(rules)
    }

    /// What errors call the type of a value.
    fn type_name(&self, node: &Node) -> &'static str {
        if self.root { Type::Object.name() } else { node.type_.written() }
    }
}

/// How often the values of a schema may be in an object at most, by its size alone.
pub fn cardinality(declared: &Declared) -> u64 {
    declared.cardinality()
}
