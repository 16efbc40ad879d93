//! What an expression uses of a variable, so that nothing else of it need be made a value.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::syntax::{Expr, Node};

/// What an expression uses of a variable, or of a field of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    whole: bool,
    fields: BTreeMap<Arc<str>, Used>,
}

impl Used {
    /// All of it.
    pub const WHOLE: &'static Used = &Used { whole: true, fields: BTreeMap::new() };

    /// Whether all of it is used.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// What is used of a field; `None` if the field is not used, not even asked for.
    pub fn field(&self, name: &str) -> Option<&Used> {
        if self.whole { Some(Used::WHOLE) } else { self.fields.get(name) }
    }

    /// Adds what another expression uses.
    pub fn add(&mut self, other: &Used) {
        self.whole |= other.whole;
        for (name, used) in &other.fields {
            self.fields.entry(name.clone()).or_default().add(used);
        }
    }

    fn at(&mut self, path: &[Arc<str>]) -> &mut Used {
        path.iter().fold(self, |used, name| used.fields.entry(name.clone()).or_default())
    }

    /// Adds what an expression uses of a variable. Where a macro gives the name to something else, more may be added than is used.
    pub(crate) fn collect(&mut self, expr: &Expr, variable: &str) {
        if let Some(path) = path(expr, variable) {
            self.at(&path).whole = true;
            return;
        }
        if let Node::Has { operand, field } = &expr.node
            && let Some(mut path) = path(operand, variable)
        {
            path.push(field.clone());
            self.at(&path);
            return;
        }
        expr.node.children(&mut |child| self.collect(child, variable));
    }
}

/// The fields by which an expression leads on from a variable.
fn path(expr: &Expr, variable: &str) -> Option<Vec<Arc<str>>> {
    match &expr.node {
        Node::Ident(name) => (**name == *variable).then(Vec::new),
        Node::Select { operand, field, .. } => {
            let mut path = path(operand, variable)?;
            path.push(field.clone());
            Some(path)
        }
        _ => None,
    }
}
