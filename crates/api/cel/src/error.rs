//! What goes wrong when an expression is compiled or evaluated, in upstream's words.

use std::fmt;
use std::sync::Arc;

/// One thing that is wrong with an expression, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// In bytes from the beginning of the text.
    pub at: usize,
    /// What.
    pub what: String,
}

pub(crate) fn fault(at: usize, what: impl Into<String>) -> Fault {
    Fault { at, what: what.into() }
}

/// Everything that is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// Each thing, with the line that it is in.
    text: String,
}

impl CompileError {
    pub(crate) fn new(source: &str, faults: &[Fault]) -> CompileError {
        let shown: Vec<String> = faults.iter().map(|fault| shown(source, fault)).collect();
        CompileError { text: shown.join("\n") }
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for CompileError {}

/// As cel-go shows a fault: its line and column, then the line with a mark below.
fn shown(source: &str, fault: &Fault) -> String {
    let before = source.get(..fault.at).unwrap_or(source);
    let line = before.matches('\n').count();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before[start..].chars().count();
    let snippet = source[start..].lines().next().unwrap_or_default().replace('\t', " ");
    let dots = ".".repeat(column);
    format!("ERROR: <input>:{}:{}: {}\n | {snippet}\n | {dots}^", line + 1, column + 1, fault.what)
}

/// Why an evaluation has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A map or object has no such key.
    #[error("no such key: {0}")]
    NoSuchKey(String),
    /// A function does not take values of these types.
    #[error("no such overload")]
    NoSuchOverload,
    /// The evaluation was given up.
    #[error("operation cancelled: actual cost limit exceeded")]
    CostExceeded,
    /// Anything else.
    #[error("{0}")]
    Other(Arc<str>),
}

impl EvalError {
    pub(crate) fn other(what: impl fmt::Display) -> EvalError {
        EvalError::Other(what.to_string().into())
    }
}
