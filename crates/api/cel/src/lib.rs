//! CEL, the Common Expression Language, with the libraries of Kubernetes: what admission policies and match conditions are written in.
//!
//! Layer: above `api-record`, whose quantities it knows. Entry points: [`Program::compile`] for an expression in an [`Environment`] of
//! declared variables, [`Program::evaluate`] for their [`Value`]s, [`Program::estimate`] for what that may cost.
//!
//! Invariants: pure, and bounded in everything: an evaluation ends when its [`Budget`] is spent, expressions have a greatest length and depth
//! (`limits`), and no expression panics. Evaluations know no clock. State: none. Failure: a [`CompileError`] in cel-go's words, or an
//! [`EvalError`].
//!
//! Left out: named time zones (`getHours('Europe/Oslo')`; offsets such as `+02:00` are known), messages other than those of patches.
//! Upstream answered to: the CEL specification, cel-go 0.29, `apiserver/pkg/cel` v0.37.1. How to test: `cargo test -p api-cel`.

mod authorizer;
mod check;
mod cost;
mod declarations;
mod error;
mod escape;
mod estimate;
mod eval;
mod functions;
mod lex;
pub mod limits;
mod parse;
mod patterns;
mod program;
mod syntax;
#[cfg(test)]
mod tests;
mod types;
mod used;
mod value;

pub use authorizer::{Authorize, Check, Decision, Query};
pub use check::Environment;
pub use cost::Budget;
pub use error::{CompileError, EvalError};
pub use escape::escape;
pub use estimate::{Range, Sizes};
pub use parse::is_identifier;
pub use program::Program;
pub use types::{Object as ObjectType, Type};
pub use used::Used;
pub use value::{JSON_PATCH, Key, List, Message, OBJECT, Object, Told, Value};
