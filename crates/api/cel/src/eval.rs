//! Evaluation: what an expression is worth, given its variables. Errors of parts that do not decide the whole do not count.

mod access;
mod fold;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::check::{Environment, is_type_name, type_value};
use crate::cost::{self, Budget};
use crate::error::EvalError;
use crate::functions;
use crate::patterns::Patterns;
use crate::syntax::{Entry, Expr, Node, operator};
use crate::value::{Key, Message, Value};

/// One evaluation.
pub(crate) struct Evaluation<'a> {
    pub(crate) environment: &'a Environment,
    /// Those that the expression writes down.
    pub(crate) patterns: &'a Patterns,
    /// In the order of the environment.
    pub(crate) variables: &'a [Value],
    /// The variables of macros, the innermost last.
    pub(crate) scope: Vec<(Arc<str>, Value)>,
    pub(crate) budget: &'a mut Budget,
}

impl Evaluation<'_> {
    pub(crate) fn of(&mut self, expr: &Expr) -> Result<Value, EvalError> {
        match &expr.node {
            Node::Literal(value) => Ok(value.clone()),
            Node::Ident(name) => {
                self.budget.spend(1)?;
                self.ident(name)
            }
            Node::Select { operand, field, optional } => {
                let operand = self.of(operand)?;
                self.budget.spend(1)?;
                access::select(&operand, field, *optional)
            }
            Node::Has { operand, field } => {
                let operand = self.of(operand)?;
                access::has(&operand, field).map(Value::Bool)
            }
            Node::Call { function, target, arguments } => self.call(function, target.as_deref(), arguments),
            Node::List(elements) => self.list(elements),
            Node::Map(entries) => {
                self.budget.spend(30)?;
                self.entries(entries).map(|entries| Value::Map(Arc::new(entries)))
            }
            Node::Message { name, fields } => {
                self.budget.spend(40)?;
                let fields = self.entries(fields)?;
                Message::new(name.clone(), fields).map(|made| Value::Message(Arc::new(made)))
            }
            Node::Fold(fold) => self.fold(fold),
            Node::Bind { variable, value, result } => {
                let value = self.of(value)?;
                self.within(&[(variable, value)], |this| this.of(result))
            }
            Node::WithOptional { target, variable, result, flat } => match self.of(target)? {
                Value::Optional(None) => Ok(Value::Optional(None)),
                Value::Optional(Some(content)) => {
                    let found = self.within(&[(variable, (*content).clone())], |this| this.of(result))?;
                    Ok(if *flat { found } else { Value::Optional(Some(Arc::new(found))) })
                }
                _ => Err(EvalError::NoSuchOverload),
            },
        }
    }

    fn ident(&self, name: &str) -> Result<Value, EvalError> {
        if let Some((_, value)) = self.scope.iter().rev().find(|(known, _)| &**known == name) {
            return Ok(value.clone());
        }
        match self.environment.find(name) {
            Some((index, _)) => {
                let value = self.variables.get(index).cloned();
                value.ok_or_else(|| EvalError::other(format!("no such attribute(s): {name}")))
            }
            None if is_type_name(name) || self.environment.message(name).is_some() => Ok(type_value(name)),
            None => Err(EvalError::other(format!("no such attribute(s): {name}"))),
        }
    }

    /// With variables of a macro.
    fn within<T>(&mut self, variables: &[(&Arc<str>, Value)], work: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.scope.len();
        self.scope.extend(variables.iter().map(|(name, value)| ((*name).clone(), value.clone())));
        let result = work(self);
        self.scope.truncate(outer);
        result
    }

    fn boolean(&mut self, expr: &Expr) -> Result<bool, EvalError> {
        match self.of(expr)? {
            Value::Bool(value) => Ok(value),
            _ => Err(EvalError::NoSuchOverload),
        }
    }

    fn call(
        &mut self,
        function: &str,
        target: Option<&Expr>,
        arguments: &[Expr],
    ) -> Result<Value, EvalError> {
        match (function, arguments) {
            (operator::AND, terms) => return self.logical(terms, false),
            (operator::OR, terms) => return self.logical(terms, true),
            (operator::CONDITIONAL, [condition, then, otherwise]) => {
                let chosen = if self.boolean(condition)? { then } else { otherwise };
                return self.of(chosen);
            }
            ("or", [other]) => {
                if let Some(first @ Value::Optional(Some(_))) =
                    target.map(|target| self.of(target)).transpose()?
                {
                    return Ok(first);
                }
                return self.of(other);
            }
            ("orValue", [other]) => {
                return match target.map(|target| self.of(target)).transpose()? {
                    Some(Value::Optional(Some(value))) => Ok((*value).clone()),
                    Some(Value::Optional(None)) => self.of(other),
                    _ => Err(EvalError::NoSuchOverload),
                };
            }
            _ => {}
        }
        let mut values = Vec::with_capacity(arguments.len() + 1);
        for expr in target.into_iter().chain(arguments) {
            values.push(self.of(expr)?);
        }
        self.budget.spend(cost::of_call(function, &values))?;
        if let Some(answer) = self.patterns.answer(function, &values) {
            return Ok(answer);
        }
        match function {
            operator::INDEX => access::index(&values, false),
            operator::OPTIONAL_INDEX => access::index(&values, true),
            _ => functions::call(function, &values),
        }
    }

    /// `&&` and `||`: a term that decides, decides, whatever went wrong with others.
    fn logical(&mut self, terms: &[Expr], decides: bool) -> Result<Value, EvalError> {
        let mut failed = None;
        for term in terms {
            match self.boolean(term) {
                Ok(value) if value == decides => return Ok(Value::Bool(decides)),
                Ok(_) => {}
                Err(EvalError::CostExceeded) => return Err(EvalError::CostExceeded),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(Value::Bool(!decides)), Err)
    }

    fn list(&mut self, elements: &[(Expr, bool)]) -> Result<Value, EvalError> {
        self.budget.spend(10)?;
        let mut list = Vec::with_capacity(elements.len());
        for (element, optional) in elements {
            match (self.of(element)?, optional) {
                (Value::Optional(content), true) => list.extend(content.map(|content| (*content).clone())),
                (value, _) => list.push(value),
            }
        }
        Ok(Value::List(list.into()))
    }

    fn entries(&mut self, entries: &[Entry]) -> Result<BTreeMap<Key, Value>, EvalError> {
        let mut map = BTreeMap::new();
        for Entry { key, value, optional } in entries {
            let key = self.of(key)?;
            let key = Key::of(&key).ok_or_else(|| EvalError::other("unsupported key type"))?;
            let value = match (self.of(value)?, optional) {
                (Value::Optional(None), true) => continue,
                (Value::Optional(Some(content)), true) => (*content).clone(),
                (value, _) => value,
            };
            if map.contains_key(&key) {
                return Err(EvalError::other(format!("Failed with repeated key: {key}")));
            }
            map.insert(key, value);
        }
        Ok(map)
    }
}
