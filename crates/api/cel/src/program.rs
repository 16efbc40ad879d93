//! An expression that was compiled: parsed, checked, and ready to be evaluated as often as wanted.

use crate::check::{self, Environment};
use crate::cost::Budget;
use crate::error::{CompileError, EvalError};
use crate::estimate::{self, Range, Sizes};
use crate::eval::Evaluation;
use crate::parse;
use crate::patterns::Patterns;
use crate::syntax::{Expr, Node};
use crate::types::Type;
use crate::used::Used;
use crate::value::Value;

/// A compiled expression.
#[derive(Debug)]
pub struct Program {
    expr: Expr,
    environment: Environment,
    result: Type,
    patterns: Patterns,
}

impl Program {
    /// Compiles an expression.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn compile(source: &str, environment: &Environment) -> Result<Program, CompileError> {
        let expr = parse::parse(source).map_err(|fault| CompileError::new(source, &[fault]))?;
        let mut expr = with_dotted_names(expr, environment);
        expr.number(0);
        let checked =
            check::check(&expr, environment).map_err(|faults| CompileError::new(source, &faults))?;
        let result = checked.of(&expr).clone();
        let patterns = Patterns::of(&expr);
        Ok(Program { expr, environment: environment.clone(), result, patterns })
    }

    /// What an evaluation may cost, given how large the variables and what is in them may be.
    pub fn estimate(&self, sizes: &dyn Sizes) -> Range {
        match check::check(&self.expr, &self.environment) {
            Ok(checked) => estimate::estimate(&self.expr, &checked, sizes),
            // It was checked when it was compiled.
            Err(_) => Range::UNKNOWN,
        }
    }

    /// Whether it uses a variable of its environment.
    pub fn uses(&self, variable: &str) -> bool {
        self.expr.uses(variable)
    }

    /// What it uses of a variable, and perhaps more.
    pub fn used(&self, variable: &str) -> Used {
        let mut used = Used::default();
        used.collect(&self.expr, variable);
        used
    }

    /// What it answers, as far as it is known.
    pub fn result(&self) -> &Type {
        &self.result
    }

    /// Evaluates it with the variables in the order of its environment, at the cost of the budget.
    ///
    /// # Errors
    /// When it has no value, or costs too much.
    pub fn evaluate(&self, variables: &[Value], budget: &mut Budget) -> Result<Value, EvalError> {
        let mut evaluation = Evaluation {
            environment: &self.environment,
            patterns: &self.patterns,
            variables,
            scope: Vec::new(),
            budget,
        };
        evaluation.of(&self.expr)
    }
}

/// A variable may have a dotted name, which was parsed as a field.
fn with_dotted_names(mut expr: Expr, environment: &Environment) -> Expr {
    if let Some(name) = parse::type_name(&expr)
        && name.contains('.')
        && (environment.find(&name).is_some() || environment.message(&name).is_some())
    {
        return Expr::new(expr.at, Node::Ident(name.into()));
    }
    expr.node.children_mut(&mut |child| {
        let whole = std::mem::replace(child, Expr::new(0, Node::Literal(Value::Null)));
        *child = with_dotted_names(whole, environment);
    });
    expr
}
