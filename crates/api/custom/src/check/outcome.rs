//! What came of judging a value: errors, and how much was right, which tells the nearest of several schemas.

use api_meta::field::FieldError;

use crate::limits::MAX_ERRORS;

#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) errors: Vec<FieldError>,
    /// How many checks were passed.
    pub(super) matched: usize,
}

impl Outcome {
    pub(super) fn wrong(error: FieldError) -> Outcome {
        Outcome { errors: vec![error], matched: 0 }
    }

    pub(super) fn matched() -> Outcome {
        Outcome { errors: Vec::new(), matched: 1 }
    }

    pub(super) fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    /// Takes in another, whose errors that are known already count once.
    pub(super) fn merge(&mut self, other: Outcome) {
        self.matched += other.matched;
        for error in other.errors {
            if self.errors.len() < MAX_ERRORS && !self.errors.contains(&error) {
                self.errors.push(error);
            }
        }
    }

    /// The same, and counts that there was something to judge.
    pub(super) fn count(&mut self, other: Outcome) {
        self.merge(other);
        self.matched += 1;
    }
}
