//! What rules may know of a value, from its schema: types, and how large it may be (`apiserver/pkg/cel/common/schemas.go`,
//! `apiextensions-apiserver/pkg/apiserver/schema/cel/model`).

use std::collections::BTreeMap;
use std::sync::Arc;

use api_cel::{ObjectType, Sizes, Type as CelType, escape};

use super::value::is_format;
use crate::limits::REQUEST_BYTES;
use crate::node::Checks;
use crate::{Additional, Node, Type};

/// How long names of objects are at most.
const NAME: i64 = 253;

/// What rules may know of a value.
#[derive(Clone, Debug)]
pub struct Declared {
    kind: Kind,
    /// The greatest number of elements or characters.
    most: u64,
    /// The shortest that it can be written, in bytes.
    least_bytes: u64,
}

#[derive(Clone, Debug)]
enum Kind {
    Simple(CelType),
    List(Box<Declared>),
    Map(Box<Declared>),
    Object(BTreeMap<Arc<str>, Declared>),
}

impl Declared {
    /// What rules may know of values of a schema; `None` if they may know nothing. `root` says that it is a whole object, whose kind
    /// and names are known.
    pub fn of(node: &Node, root: bool) -> Option<Declared> {
        match node.type_ {
            Type::IntOrString => {
                let most = longest(node).map_or(REQUEST_BYTES - 2, |length| length.saturating_mul(4));
                Some(simple(CelType::Dyn, most, 1))
            }
            Type::Array => {
                let items = node.items.as_deref()?;
                let items = Declared::of(items, items.embedded)?;
                let most = sized(node, |checks| checks.max_items)
                    .unwrap_or((REQUEST_BYTES - 2) / (items.least_bytes + 1));
                Some(Declared { kind: Kind::List(Box::new(items)), most, least_bytes: 2 })
            }
            Type::Object => object(node, root),
            Type::String => Some(text(node)),
            Type::Boolean => Some(simple(CelType::Bool, 0, 4)),
            Type::Number => Some(simple(CelType::Double, 0, 1)),
            Type::Integer => Some(simple(CelType::Int, 0, 1)),
            Type::Any => None,
        }
    }

    /// The same of a field, an entry or an element, where that is known.
    pub fn field(&self, name: &str) -> Option<&Declared> {
        match &self.kind {
            Kind::Object(fields) => fields.get(&*escape(name)?),
            _ => None,
        }
    }

    /// The same of what is in a list or a map.
    pub fn content(&self) -> Option<&Declared> {
        match &self.kind {
            Kind::List(content) | Kind::Map(content) => Some(content),
            _ => None,
        }
    }

    /// Its type. Types of objects are told apart by names, which are made of this one.
    pub fn type_(&self, name: &str) -> CelType {
        match &self.kind {
            Kind::Simple(of) => of.clone(),
            Kind::List(items) => CelType::list(items.type_(&format!("{name}.@idx"))),
            Kind::Map(values) => CelType::map(values.type_(&format!("{name}.@elem"))),
            Kind::Object(fields) => {
                let fields =
                    fields.iter().map(|(field, of)| (&**field, of.type_(&format!("{name}.{field}"))));
                ObjectType::of(name, fields)
            }
        }
    }

    /// How often it may be in an object at most, by its size alone.
    pub(super) fn cardinality(&self) -> u64 {
        REQUEST_BYTES / (self.least_bytes + 1)
    }
}

impl Sizes for Declared {
    fn largest(&self, path: &[Arc<str>]) -> Option<u64> {
        let mut at = self;
        for step in path.iter().skip(1) {
            at = match (&at.kind, &**step) {
                (Kind::List(content) | Kind::Map(content), "@items" | "@values") => content,
                // Nothing is said of the length of keys.
                (Kind::Map(_), "@keys") => return Some(0),
                (Kind::Object(fields), name) => fields.get(name)?,
                _ => return None,
            };
        }
        Some(at.most)
    }
}

fn simple(of: CelType, most: u64, least_bytes: u64) -> Declared {
    Declared { kind: Kind::Simple(of), most, least_bytes }
}

/// A number that a schema gives; what is below zero is none.
fn sized(node: &Node, read: impl Fn(&Checks) -> Option<i64>) -> Option<u64> {
    node.checks.as_deref().and_then(read).map(|size| u64::try_from(size).unwrap_or(0))
}

fn longest(node: &Node) -> Option<u64> {
    sized(node, |checks| checks.max_length)
}

fn text(node: &Node) -> Declared {
    let longest = longest(node);
    if is_format(node, "byte") {
        return simple(CelType::Bytes, longest.unwrap_or(REQUEST_BYTES - 2), 2);
    }
    if is_format(node, "duration") {
        return simple(CelType::Duration, 32, 3);
    }
    if is_format(node, "date") {
        return simple(CelType::Timestamp, 12, 12);
    }
    if is_format(node, "date-time") {
        return simple(CelType::Timestamp, 32, 21);
    }
    // A character takes up to four bytes.
    let most = longest.map(|length| length.saturating_mul(4)).or_else(|| {
        let known =
            node.checks.as_deref().map(|checks| &checks.enumeration).filter(|known| !known.is_empty())?;
        known.iter().filter_map(|one| one.as_str()).map(|one| one.len() as u64).max().or(Some(0))
    });
    simple(CelType::String, most.unwrap_or(REQUEST_BYTES - 2), 2)
}

fn object(node: &Node, root: bool) -> Option<Declared> {
    if let Additional::Schema(schema) = &node.additional
        && !root
    {
        let values = Declared::of(schema, schema.embedded)?;
        let most = sized(node, |checks| checks.max_properties)
            .unwrap_or((REQUEST_BYTES - 2) / (values.least_bytes + 6));
        return Some(Declared { kind: Kind::Map(Box::new(values)), most, least_bytes: 2 });
    }
    let required = node.checks.as_deref().map(|checks| &checks.required[..]).unwrap_or_default();
    let mut least_bytes = 2;
    let mut fields = BTreeMap::new();
    let mut add = |name: &str, of: Declared, has_default: bool| {
        if required.iter().any(|own| own == name) && !has_default {
            least_bytes += name.len() as u64 + of.least_bytes + 4;
        }
        if let Some(name) = escape(name) {
            fields.insert(name.into(), of);
        }
    };
    let implied = root && !has_meta(node);
    for (name, own) in &node.properties {
        if implied && crate::prune::META.contains(&name.as_str()) {
            continue;
        }
        if let Some(of) = Declared::of(own, own.embedded) {
            add(name, of, own.default.is_some());
        }
    }
    if implied {
        let names = |name: &str, longest_name: i64| {
            let own = node.properties.get("metadata").and_then(|meta| meta.properties.get(name));
            let own = own.and_then(longest);
            let most = own.map_or(longest_name.unsigned_abs(), |own| own.min(longest_name.unsigned_abs()));
            (Arc::from(name), simple(CelType::String, most * 4, 2))
        };
        let metadata = BTreeMap::from([names("name", NAME), names("generateName", NAME - 1)]);
        for name in ["apiVersion", "kind"] {
            add(name, simple(CelType::String, REQUEST_BYTES - 2, 2), false);
        }
        add("metadata", Declared { kind: Kind::Object(metadata), most: 0, least_bytes: 2 }, false);
    }
    Some(Declared { kind: Kind::Object(fields), most: 0, least_bytes })
}

/// Whether a schema says itself what kind and names are.
pub(super) fn has_meta(node: &Node) -> bool {
    let is = |node: &Node, name: &str, of: Type| node.properties.get(name).is_some_and(|own| own.type_ == of);
    is(node, "kind", Type::String)
        && is(node, "apiVersion", Type::String)
        && node.properties.get("metadata").is_some_and(|meta| {
            meta.type_ == Type::Object
                && is(meta, "name", Type::String)
                && is(meta, "generateName", Type::String)
        })
}
