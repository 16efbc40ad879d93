//! What an expression may cost, before it is evaluated: from the types of its parts, and how large the variables may be
//! (cel-go's `checker/cost.go`, with the functions of `apiserver/pkg/cel/library/cost.go`).
//!
//! What comes out decides which definitions are accepted, so the sums are upstream's to the last one, its oddities included. Macros
//! are nodes here and loops there; [`fold`] has the cost of what they stand for.

mod call;
mod fold;
mod range;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::check::Checked;
use crate::syntax::{Entry, Expr, Node};
use crate::types::Type;
use crate::value::Value;

pub use range::Range;

/// How large the variables of an expression may be, and what is in them.
pub trait Sizes {
    /// The greatest number of elements or characters at a path: a variable, then fields, `@items`, `@keys` and `@values`.
    fn largest(&self, path: &[Arc<str>]) -> Option<u64>;
}

/// A path from a variable; empty for what is not within one.
type Path = Vec<Arc<str>>;

/// Estimates what an expression costs.
pub fn estimate(expr: &Expr, checked: &Checked, sizes: &dyn Sizes) -> Range {
    let mut estimate = Estimate {
        checked,
        sizes,
        scope: Vec::new(),
        paths: BTreeMap::new(),
        known: BTreeMap::new(),
        inner: BTreeMap::new(),
    };
    estimate.cost(expr)
}

/// How large the keys and values of a container are.
#[derive(Clone, Copy)]
struct Inner {
    list: bool,
    key: Range,
    value: Range,
}

/// A variable that a macro gives.
struct Local {
    name: Arc<str>,
    path: Path,
    size: Option<Range>,
}

struct Estimate<'a> {
    checked: &'a Checked,
    sizes: &'a dyn Sizes,
    scope: Vec<Local>,
    /// Where each expression leads to, by its number.
    paths: BTreeMap<usize, Path>,
    /// Sizes that were found, by the number of the expression.
    known: BTreeMap<usize, Range>,
    /// The same of what is in them.
    inner: BTreeMap<usize, Inner>,
}

impl Estimate<'_> {
    fn cost(&mut self, expr: &Expr) -> Range {
        match &expr.node {
            Node::Literal(_) => Range::fixed(0),
            Node::Ident(name) => {
                let path = self.local(name).map_or_else(|| vec![name.clone()], |local| local.path.clone());
                self.paths.insert(expr.id, path);
                Range::fixed(1)
            }
            Node::Select { operand, optional: true, .. } => self.cost(operand).and(Range::fixed(1)),
            Node::Select { operand, field, optional: false } => {
                let mut cost = self.cost(operand);
                if matches!(self.checked.of(operand), Type::Map(..) | Type::Object(_) | Type::Parameter(_)) {
                    cost = cost.and(Range::fixed(1));
                }
                let path = below(self.path(operand), field);
                self.paths.insert(expr.id, path);
                cost
            }
            Node::Has { operand, .. } => self.cost(operand),
            Node::Call { function, target, arguments } => {
                self.call(expr, function, target.as_deref(), arguments)
            }
            Node::List(elements) => {
                let empty = if elements.is_empty() { Range::fixed(0) } else { Range::EMPTY };
                let (mut cost, mut value) = (Range::fixed(10), empty);
                for (element, _) in elements {
                    cost = cost.and(self.cost(element));
                    value = value.or(self.size_or_unknown(element));
                }
                self.inner.insert(expr.id, Inner { list: true, key: Range::fixed(1), value });
                cost
            }
            Node::Map(entries) => {
                let empty = if entries.is_empty() { Range::fixed(0) } else { Range::EMPTY };
                let (mut cost, mut inner) =
                    (Range::fixed(30), Inner { list: false, key: empty, value: empty });
                for Entry { key, value, .. } in entries {
                    cost = cost.and(self.cost(key)).and(self.cost(value));
                    inner.key = inner.key.or(self.size_or_unknown(key));
                    inner.value = inner.value.or(self.size_or_unknown(value));
                }
                self.inner.insert(expr.id, inner);
                cost
            }
            Node::Message { fields, .. } => {
                fields.iter().fold(Range::fixed(40), |cost, field| cost.and(self.cost(&field.value)))
            }
            Node::Fold(fold) => self.fold(expr, fold),
            Node::Bind { variable, value, result } => self.bind(expr, variable, value, result),
            Node::WithOptional { target, variable, result, flat } => {
                self.with_optional(expr, target, variable, result, *flat)
            }
        }
    }

    fn local(&self, name: &str) -> Option<&Local> {
        self.scope.iter().rev().find(|local| &*local.name == name)
    }

    fn path(&self, expr: &Expr) -> &[Arc<str>] {
        self.paths.get(&expr.id).map(Vec::as_slice).unwrap_or_default()
    }

    fn set_size(&mut self, expr: &Expr, size: Option<Range>) {
        if let Some(size) = size {
            self.known.insert(expr.id, size);
        }
    }

    fn size(&mut self, expr: &Expr) -> Option<Range> {
        if let Some(size) = self.known.get(&expr.id) {
            return Some(*size);
        }
        if let Some(size) = written(expr) {
            return Some(Range::fixed(size));
        }
        let path = self.path(expr);
        if !path.is_empty()
            && let Some(most) = self.sizes.largest(path)
        {
            self.known.insert(expr.id, Range::new(0, most));
            return Some(Range::new(0, most));
        }
        if is_scalar(self.checked.of(expr)) {
            return Some(Range::fixed(1));
        }
        match &expr.node {
            Node::Ident(name) => self.local(name).and_then(|local| local.size),
            _ => None,
        }
    }

    fn size_or_unknown(&mut self, expr: &Expr) -> Range {
        self.size(expr).unwrap_or(Range::UNKNOWN)
    }

    fn inner(&self, expr: &Expr) -> Option<Inner> {
        self.inner.get(&expr.id).copied()
    }
}

fn below(path: &[Arc<str>], name: &str) -> Path {
    path.iter().cloned().chain([name.into()]).collect()
}

/// The size of what is written down.
fn written(expr: &Expr) -> Option<u64> {
    match &expr.node {
        Node::Literal(value) => Some(value.size()),
        Node::List(elements) => Some(elements.len() as u64),
        Node::Map(entries) => Some(entries.len() as u64),
        _ => None,
    }
}

/// Whether all values of a type are of one size.
fn is_scalar(of: &Type) -> bool {
    match of {
        Type::Bool | Type::Double | Type::Duration | Type::Int | Type::Timestamp | Type::Uint => true,
        Type::Optional(content) => is_scalar(content),
        _ => false,
    }
}

/// Something that a function is called with.
struct Part<'e> {
    expr: &'e Expr,
    of: Type,
    path: Path,
    size: Range,
}

impl Part<'_> {
    /// A number that is written down.
    fn number(&self) -> Option<u64> {
        match &self.expr.node {
            Node::Literal(Value::Int(value)) => Some(u64::try_from(*value).unwrap_or(0)),
            _ => None,
        }
    }
}
