//! The macros: `has`, those that go through lists and maps, with one variable or two, those of optional values, and `cel.bind`.

use std::sync::Arc;

use super::{Parser, type_name};
use crate::error::{Fault, fault};
use crate::syntax::{Expr, Fold, FoldKind, Node};

impl Parser {
    /// A call of a global function, or `has`.
    pub(super) fn call_global(
        &mut self,
        at: usize,
        name: Arc<str>,
        mut arguments: Vec<Expr>,
    ) -> Result<Expr, Fault> {
        if &*name == "has" && arguments.len() == 1 {
            let argument = arguments.remove(0);
            return match argument.node {
                Node::Select { operand, field, optional: false } => {
                    Ok(Expr::new(at, Node::Has { operand, field }))
                }
                _ => Err(fault(argument.at, "invalid argument to has() macro")),
            };
        }
        Ok(Expr::new(at, Node::Call { function: name, target: None, arguments }))
    }

    /// A call of a member function, of a function of a namespace (`lists.range`), or a macro.
    pub(super) fn call_member(
        &mut self,
        at: usize,
        target: Expr,
        name: Arc<str>,
        arguments: Vec<Expr>,
    ) -> Result<Expr, Fault> {
        let node = match (&*name, arguments.len()) {
            ("all" | "exists" | "exists_one" | "existsOne" | "filter", 2)
            | ("map", 2 | 3)
            | ("all" | "exists" | "existsOne", 3)
            | ("transformList" | "transformMap" | "transformMapEntry", 3 | 4) => {
                fold(&name, target, arguments)?
            }
            ("bind", 3) if type_name(&target).is_some_and(|space| space == "cel") => {
                let mut arguments = arguments.into_iter();
                let (Some(variable), Some(value), Some(result)) =
                    (arguments.next(), arguments.next(), arguments.next())
                else {
                    return Err(fault(at, "three arguments are needed"));
                };
                Node::Bind {
                    variable: variable_name(&variable)?,
                    value: Box::new(value),
                    result: Box::new(result),
                }
            }
            ("optMap" | "optFlatMap", 2) => {
                let mut arguments = arguments.into_iter();
                let (Some(variable), Some(result)) = (arguments.next(), arguments.next()) else {
                    return Err(fault(at, "two arguments are needed"));
                };
                Node::WithOptional {
                    target: Box::new(target),
                    variable: variable_name(&variable)?,
                    result: Box::new(result),
                    flat: &*name == "optFlatMap",
                }
            }
            _ => match type_name(&target).filter(|space| is_namespace(space)) {
                Some(space) => {
                    Node::Call { function: format!("{space}.{name}").into(), target: None, arguments }
                }
                None => Node::Call { function: name, target: Some(Box::new(target)), arguments },
            },
        };
        Ok(Expr::new(at, node))
    }
}

/// The namespaces that functions are in.
fn is_namespace(name: &str) -> bool {
    matches!(name, "lists" | "sets" | "optional" | "ip" | "format" | "strings" | "jsonpatch" | "math")
}

fn fold(name: &str, range: Expr, arguments: Vec<Expr>) -> Result<Node, Fault> {
    // One variable: all(x, p), map(x, e), map(x, p, e). Two: all(k, v, p), transformList(k, v, e), transformList(k, v, p, e).
    let two = name.starts_with("transform") || (arguments.len() == 3 && name != "map");
    let kind = match name {
        "all" => FoldKind::All,
        "exists" => FoldKind::Exists,
        "exists_one" | "existsOne" => FoldKind::ExistsOne,
        "filter" => FoldKind::Filter,
        "transformMap" => FoldKind::TransformMap,
        "transformMapEntry" => FoldKind::TransformMapEntry,
        _ => FoldKind::Map,
    };
    let mut variables = Vec::new();
    let mut rest = arguments.into_iter();
    for variable in rest.by_ref().take(if two { 2 } else { 1 }) {
        let name = variable_name(&variable)?;
        if variables.contains(&name) {
            return Err(fault(variable.at, format!("overlapping declaration name: {name}")));
        }
        variables.push(name);
    }
    let first = rest.next().ok_or_else(|| fault(range.at, "too few arguments"))?;
    let (filter, step) = match rest.next() {
        Some(step) => (Some(first), step),
        None => (None, first),
    };
    Ok(Node::Fold(Box::new(Fold { kind, range, variables, filter, step })))
}

fn variable_name(expr: &Expr) -> Result<Arc<str>, Fault> {
    match &expr.node {
        Node::Ident(name) => Ok(name.clone()),
        _ => Err(fault(expr.at, "argument must be a simple name")),
    }
}
