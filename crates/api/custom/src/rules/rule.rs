//! One rule, compiled: the expression that must hold, that of its message, and what either may cost
//! (`apiextensions-apiserver/pkg/apiserver/schema/cel/compilation.go`).

use api_cel::{Environment, Program, Type, Used};
use api_types::apiextensions::v1::ValidationRule;

use super::{Declared, field_path};
use crate::Node;

/// A rule, compiled.
#[derive(Debug, Default)]
pub struct Compiled {
    /// The expression; `None` if there is none, or it cannot be compiled.
    pub(super) program: Option<Program>,
    /// Why it cannot be compiled.
    pub error: Option<String>,
    /// It looks at what the value was.
    pub uses_old: bool,
    /// What it may cost for one value.
    pub cost: u64,
    /// The expression of the message.
    pub(super) message: Option<Program>,
    /// Why that cannot be compiled.
    pub message_error: Option<String>,
    /// What the message may cost.
    pub message_cost: u64,
    /// The field that is named in errors, if it is not the value itself.
    pub(super) field_path: Option<String>,
}

impl Compiled {
    /// What the expressions use of the value, and of what it was.
    pub(super) fn used(&self, variable: &str) -> Used {
        let mut used = Used::default();
        for program in self.program.iter().chain(&self.message) {
            used.add(&program.used(variable));
        }
        used
    }
}

/// Compiles the rules of a schema; `declared` is what they may know of its values.
pub fn compile_rules(node: &Node, declared: &Declared) -> Vec<Compiled> {
    if node.rules.is_empty() {
        return Vec::new();
    }
    let of = declared.type_("selfType");
    let environment = |old: Type| Environment::new([("self", of.clone()), ("oldSelf", old)]);
    let plain = environment(of.clone());
    let optional = environment(Type::optional(of.clone()));
    let compile = |rule: &ValidationRule| {
        let environment = if rule.optional_old_self == Some(true) { &optional } else { &plain };
        self::compile(rule, node, declared, environment)
    };
    node.rules.iter().map(compile).collect()
}

fn compile(rule: &ValidationRule, node: &Node, declared: &Declared, environment: &Environment) -> Compiled {
    let mut compiled = Compiled::default();
    if rule.rule.trim().is_empty() {
        return compiled;
    }
    let program = match Program::compile(&rule.rule, environment) {
        Ok(program) if *program.result() == Type::Bool => program,
        Ok(_) => {
            compiled.error = Some("cel expression must evaluate to a bool".to_owned());
            return compiled;
        }
        Err(error) => {
            compiled.error = Some(format!("compilation failed: {error}"));
            return compiled;
        }
    };
    compiled.uses_old = program.uses("oldSelf");
    compiled.cost = program.estimate(declared).max;
    compiled.program = Some(program);
    if !rule.message_expression.is_empty() {
        match Program::compile(&rule.message_expression, environment) {
            Ok(program) if *program.result() == Type::String => {
                compiled.message_cost = program.estimate(declared).max;
                compiled.message = Some(program);
            }
            Ok(_) => {
                compiled.message_error = Some("messageExpression must evaluate to a string".to_owned());
                return compiled;
            }
            Err(error) => {
                compiled.message_error = Some(format!("messageExpression compilation failed: {error}"));
                return compiled;
            }
        }
    }
    if !rule.field_path.is_empty() {
        compiled.field_path = field_path::normalized(&rule.field_path, node).ok();
    }
    compiled
}
