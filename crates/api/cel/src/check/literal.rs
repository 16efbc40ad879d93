//! Text that is written down where a pattern, a moment or a span of time is wanted: what cannot be read is refused at once
//! (cel-go's `ValidateRegexLiterals` and its like).

use super::Checker;
use crate::functions;
use crate::syntax::{Expr, Node};
use crate::value::Value;

impl Checker<'_> {
    pub(super) fn literal(&mut self, function: &str, target: Option<&Expr>, arguments: &[Expr]) {
        let argument = match (function, target, arguments) {
            ("duration" | "timestamp", None, [argument]) => argument,
            ("matches", Some(_), [pattern]) | ("matches", None, [_, pattern]) => pattern,
            _ => return,
        };
        let Node::Literal(Value::String(text)) = &argument.node else { return };
        let is_read = match function {
            "matches" => regex::Regex::new(text).is_ok(),
            _ => functions::call(function, &[Value::String(text.clone())]).is_ok(),
        };
        if !is_read {
            self.wrong(argument.at, format!("invalid {function} argument"));
        }
    }
}
