//! Macros that go through something, or into an optional value.

use std::sync::Arc;

use super::{Bindings, Checker};
use crate::syntax::{Expr, Fold, FoldKind};
use crate::types::Type;

impl Checker<'_> {
    pub(super) fn fold(&mut self, fold: &Fold) -> Type {
        let range = self.of(&fold.range);
        let two = fold.variables.len() == 2;
        let types = match (&range, two) {
            (Type::List(element), true) => vec![Type::Int, (**element).clone()],
            (Type::List(element), false) => vec![(**element).clone()],
            (Type::Map(key, value), true) => vec![(**key).clone(), (**value).clone()],
            (Type::Map(key, _), false) => vec![(**key).clone()],
            (Type::Dyn | Type::Open, _) => vec![Type::Dyn; fold.variables.len()],
            (other, _) => {
                let what = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                self.wrong(fold.range.at, what);
                vec![Type::Dyn; fold.variables.len()]
            }
        };
        let outer = self.scope.len();
        self.scope.extend(fold.variables.iter().cloned().zip(types.iter().cloned()));
        if let Some(filter) = &fold.filter {
            self.condition(filter);
        }
        let condition =
            matches!(fold.kind, FoldKind::All | FoldKind::Exists | FoldKind::ExistsOne | FoldKind::Filter);
        let step = if condition { self.condition(&fold.step) } else { self.of(&fold.step) };
        self.scope.truncate(outer);
        match fold.kind {
            FoldKind::All | FoldKind::Exists | FoldKind::ExistsOne => Type::Bool,
            FoldKind::Filter => match range {
                // Of a map, its keys.
                Type::Map(key, _) => Type::List(key),
                Type::List(_) => range,
                _ => Type::list(Type::Dyn),
            },
            FoldKind::Map => Type::list(step),
            FoldKind::TransformMap => {
                let key = types.into_iter().next().unwrap_or(Type::Dyn);
                Type::Map(Arc::new(key), Arc::new(step))
            }
            FoldKind::TransformMapEntry => match step {
                Type::Map(..) | Type::Dyn | Type::Open => step,
                other => {
                    self.wrong(fold.step.at, format!("expected type 'map(dyn, dyn)' but found '{other}'"))
                }
            },
        }
    }

    fn condition(&mut self, expr: &Expr) -> Type {
        let found = self.of(expr);
        if !Bindings::default().assign(&Type::Bool, &found) {
            self.wrong(expr.at, format!("expected type 'bool' but found '{found}'"));
        }
        Type::Bool
    }

    pub(super) fn with_optional(
        &mut self,
        target: &Expr,
        variable: &Arc<str>,
        result: &Expr,
        flat: bool,
    ) -> Type {
        let content = match self.of(target) {
            Type::Optional(content) => (*content).clone(),
            Type::Dyn | Type::Open => Type::Dyn,
            other => self.wrong(target.at, format!("expected type 'optional_type(dyn)' but found '{other}'")),
        };
        self.scope.push((variable.clone(), content));
        let found = self.of(result);
        self.scope.pop();
        match found {
            Type::Optional(_) | Type::Dyn | Type::Open if flat => found,
            other if flat => {
                self.wrong(result.at, format!("expected type 'optional_type({other})' but found '{other}'"))
            }
            other => Type::optional(other),
        }
    }
}
