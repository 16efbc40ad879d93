//! Macros that go through lists and maps.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Evaluation;
use crate::error::EvalError;
use crate::syntax::{Fold, FoldKind};
use crate::value::{Key, Value};

/// What an iteration costs beyond what it evaluates: cel-go looks up its accumulator.
const ITERATION: u64 = 2;

impl Evaluation<'_> {
    pub(super) fn fold(&mut self, fold: &Fold) -> Result<Value, EvalError> {
        let range = self.of(&fold.range)?;
        match fold.kind {
            FoldKind::All => self.any(fold, &range, false),
            FoldKind::Exists => self.any(fold, &range, true),
            FoldKind::ExistsOne => {
                let mut count = 0;
                self.each(fold, &range, |this, _, _| {
                    count += u64::from(this.boolean(&fold.step)?);
                    Ok(())
                })?;
                Ok(Value::Bool(count == 1))
            }
            FoldKind::Filter => {
                let mut kept = Vec::new();
                self.each(fold, &range, |this, key, value| {
                    if this.boolean(&fold.step)? {
                        // Of a map with one variable, its keys.
                        kept.push(if matches!(range, Value::List(_)) { value.clone() } else { key.clone() });
                    }
                    Ok(())
                })?;
                Ok(Value::List(kept.into()))
            }
            FoldKind::Map => {
                let mut made = Vec::new();
                self.each(fold, &range, |this, _, _| {
                    made.push(this.of(&fold.step)?);
                    Ok(())
                })?;
                Ok(Value::List(made.into()))
            }
            FoldKind::TransformMap | FoldKind::TransformMapEntry => self.map(fold, &range),
        }
    }

    fn map(&mut self, fold: &Fold, range: &Value) -> Result<Value, EvalError> {
        let mut map: BTreeMap<Key, Value> = BTreeMap::new();
        self.each(fold, range, |this, key, _| {
            let step = this.of(&fold.step)?;
            if fold.kind == FoldKind::TransformMap {
                map.insert(Key::of(key).ok_or(EvalError::NoSuchOverload)?, step);
                return Ok(());
            }
            let Value::Map(entries) = step else { return Err(EvalError::NoSuchOverload) };
            for (key, value) in entries.iter() {
                if map.insert(key.clone(), value.clone()).is_some() {
                    return Err(EvalError::other(format!("insert failed: key {key} already exists")));
                }
            }
            Ok(())
        })?;
        Ok(Value::Map(Arc::new(map)))
    }

    /// `all` and `exists`: one that decides, decides, whatever went wrong with others.
    fn any(&mut self, fold: &Fold, range: &Value, decides: bool) -> Result<Value, EvalError> {
        let (mut failed, mut found) = (None, false);
        let outcome = self.each(fold, range, |this, _, _| {
            match this.boolean(&fold.step) {
                Ok(value) if value == decides => {
                    found = true;
                    // Ends the iteration; nobody sees it.
                    return Err(EvalError::NoSuchOverload);
                }
                Ok(_) => {}
                Err(EvalError::CostExceeded) => return Err(EvalError::CostExceeded),
                Err(error) => failed = failed.take().or(Some(error)),
            }
            Ok(())
        });
        match (found, outcome, failed) {
            (true, _, _) => Ok(Value::Bool(decides)),
            (false, Err(error), _) | (false, Ok(()), Some(error)) => Err(error),
            (false, Ok(()), None) => Ok(Value::Bool(!decides)),
        }
    }

    /// Goes through the elements that the filter lets pass, with the macro's variables set.
    fn each(
        &mut self,
        fold: &Fold,
        range: &Value,
        mut step: impl FnMut(&mut Self, &Value, &Value) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let mut one = |this: &mut Self, key: Value, value: Value| {
            this.budget.spend(ITERATION)?;
            let bound = match (fold.variables.as_slice(), range) {
                ([first, second], _) => vec![(first, key.clone()), (second, value.clone())],
                ([only], Value::List(_)) => vec![(only, value.clone())],
                ([only], _) => vec![(only, key.clone())],
                _ => Vec::new(),
            };
            this.within(&bound, |this| {
                let passes = fold.filter.as_ref().map_or(Ok(true), |filter| this.boolean(filter))?;
                if passes { step(this, &key, &value) } else { Ok(()) }
            })
        };
        match range {
            Value::List(list) => list
                .iter()
                .enumerate()
                .try_for_each(|(index, value)| one(self, Value::Int(index as i64), value.clone())),
            Value::Map(map) => map.iter().try_for_each(|(key, value)| one(self, key.value(), value.clone())),
            _ => Err(EvalError::NoSuchOverload),
        }
    }
}
