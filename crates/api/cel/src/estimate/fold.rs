//! What the macros cost: each stands for a loop, with an accumulator that costs one to look at.

use std::sync::Arc;

use super::{Estimate, Inner, Local, Range, below};
use crate::syntax::{Expr, Fold, FoldKind};
use crate::types::Type;

impl Estimate<'_> {
    pub(super) fn fold(&mut self, expr: &Expr, fold: &Fold) -> Range {
        let start = match fold.kind {
            FoldKind::All | FoldKind::Exists | FoldKind::ExistsOne => 0,
            FoldKind::Filter | FoldKind::Map => 10,
            FoldKind::TransformMap | FoldKind::TransformMapEntry => 30,
        };
        let mut cost = self.cost(&fold.range).and(Range::fixed(start));
        let outer = self.scope.len();
        self.declare(fold);
        let filter = fold.filter.as_ref().map(|filter| self.cost(filter));
        let step = self.cost(&fold.step);
        let each = match (fold.kind, filter) {
            // `@not_strictly_false(acc)`, then `acc && step`, of which the right side may be left out.
            (FoldKind::All, _) => Range::new(3, step.max.saturating_add(3)),
            // `@not_strictly_false(!acc)`, then `acc || step`.
            (FoldKind::Exists, _) => Range::new(4, step.max.saturating_add(4)),
            // `step ? acc + 1 : acc`
            (FoldKind::ExistsOne, _) => step.and(Range::new(1, 2)),
            // `step ? acc + [x] : acc`
            (FoldKind::Filter, _) => step.and(Range::new(1, 13)),
            // `acc + [step]`
            (FoldKind::Map, filter) => filtered(filter, step.and(Range::fixed(12))),
            // `cel.@mapInsert(acc, k, step)`
            (FoldKind::TransformMap, filter) => filtered(filter, step.and(Range::fixed(3))),
            // `cel.@mapInsert(acc, step)`
            (FoldKind::TransformMapEntry, filter) => filtered(filter, step.and(Range::fixed(2))),
        };
        let kept = match fold.kind {
            FoldKind::Map => Some(self.size_or_unknown(&fold.step)),
            FoldKind::Filter => {
                let size = self.scope[outer].size;
                let path = self.scope[outer].path.clone();
                Some(
                    self.sizes
                        .largest(&path)
                        .map(|most| Range::new(0, most))
                        .or(size)
                        .unwrap_or(Range::UNKNOWN),
                )
            }
            _ => None,
        };
        self.scope.truncate(outer);
        let count = self.size_or_unknown(&fold.range);
        // The result: the accumulator, or whether it is one.
        cost = cost.and(Range::fixed(if fold.kind == FoldKind::ExistsOne { 2 } else { 1 }));
        cost = cost.and(count.times(each));
        self.set_size(expr, Some(if start == 0 { Range::fixed(1) } else { count }));
        if let Some(kept) = kept {
            // The accumulator begins as an empty list.
            let value = kept.or(Range::fixed(0));
            self.inner.insert(expr.id, Inner { list: true, key: Range::fixed(1), value });
        }
        cost
    }

    /// Declares the variables of a macro.
    fn declare(&mut self, fold: &Fold) {
        let inner = self.inner(&fold.range);
        let list =
            inner.map_or_else(|| matches!(self.checked.of(&fold.range), Type::List(_)), |inner| inner.list);
        let (key, value) = (inner.map(|inner| inner.key), inner.map(|inner| inner.value));
        let (keys, values) = if list { ("@indices", "@items") } else { ("@keys", "@values") };
        let each = match (fold.variables.as_slice(), list) {
            ([only], true) => vec![(only, "@items", value)],
            ([only], false) => vec![(only, "@keys", key)],
            ([first, second, ..], _) => vec![(first, keys, key), (second, values, value)],
            ([], _) => Vec::new(),
        };
        let path = self.path(&fold.range).to_vec();
        for (name, step, size) in each {
            self.scope.push(Local { name: name.clone(), path: below(&path, step), size });
        }
    }

    /// A name for a value costs what going through an empty list does, the value, and what is made of it.
    pub(super) fn bind(&mut self, expr: &Expr, variable: &Arc<str>, value: &Expr, result: &Expr) -> Range {
        let cost = Range::fixed(10).and(self.cost(value));
        let (path, size) = (self.path(value).to_vec(), self.size(value));
        self.scope.push(Local { name: variable.clone(), path, size });
        let cost = cost.and(self.cost(result));
        let size = self.size(result);
        self.scope.pop();
        self.set_size(expr, size);
        if let Some(inner) = self.inner(result) {
            self.inner.insert(expr.id, inner);
        }
        cost
    }

    /// `target.hasValue() ? optional.of(bind(variable, target.value(), result)) : optional.none()`
    pub(super) fn with_optional(
        &mut self,
        expr: &Expr,
        target: &Expr,
        variable: &Arc<str>,
        result: &Expr,
        flat: bool,
    ) -> Range {
        let asked = self.cost(target).and(Range::fixed(1));
        let content = match self.checked.of(target) {
            Type::Optional(content) => (**content).clone(),
            _ => Type::Dyn,
        };
        let size = super::is_scalar(&content).then_some(Range::fixed(1));
        self.scope.push(Local { name: variable.clone(), path: Vec::new(), size });
        let found = self.cost(result);
        let result_size = self.size_or_unknown(result);
        self.scope.pop();
        // An empty list is gone through, and the value is taken again.
        let bound = Range::fixed(10).and(asked).and(found);
        let chosen = if flat { bound } else { bound.and(Range::fixed(1)) };
        let scalar = super::is_scalar(self.checked.of(expr));
        let none = if scalar { Range::fixed(1) } else { Range::UNKNOWN };
        self.set_size(expr, Some(if flat { result_size.or(none) } else { none }));
        asked.and(chosen.or(Range::fixed(1)))
    }
}

/// `filter ? step : acc`
fn filtered(filter: Option<Range>, step: Range) -> Range {
    filter.map_or(step, |filter| filter.and(step.or(Range::fixed(1))))
}
