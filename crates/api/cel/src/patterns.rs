//! Patterns that are written down, compiled once for an expression instead of each time that it looks at a text.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;

use crate::syntax::{Expr, Node};
use crate::value::Value;

/// The patterns of an expression, by their text.
#[derive(Debug, Default)]
pub(crate) struct Patterns(BTreeMap<Arc<str>, Regex>);

impl Patterns {
    /// Those that are written down as what `matches` looks for.
    pub(crate) fn of(expr: &Expr) -> Patterns {
        let mut patterns = Patterns::default();
        patterns.collect(expr);
        patterns
    }

    fn collect(&mut self, expr: &Expr) {
        if let Node::Call { function, arguments, .. } = &expr.node
            && &**function == "matches"
            && let Some(Node::Literal(Value::String(text))) = arguments.last().map(|last| &last.node)
            && let Ok(regex) = Regex::new(text)
        {
            self.0.insert(text.clone(), regex);
        }
        expr.node.children(&mut |child| self.collect(child));
    }

    /// What a call answers if it looks for one of them.
    pub(crate) fn answer(&self, function: &str, values: &[Value]) -> Option<Value> {
        match (function, values) {
            ("matches", [Value::String(text), Value::String(pattern)]) => {
                self.0.get(pattern).map(|regex| Value::Bool(regex.is_match(text)))
            }
            _ => None,
        }
    }
}
