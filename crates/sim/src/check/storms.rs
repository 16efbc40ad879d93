//! Nobody asks for ever for what is refused: whoever is refused waits before trying again, longer and longer.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use base::time::Time;
use client::{Answer, Status};

use super::answers::Asked;

/// The span in which refusals are counted.
const SPAN: Duration = Duration::from_secs(10);
/// How often the same write may be refused to the same component in that span. What differs in the names that the server is to make is
/// the same here.
const REFUSALS: usize = 60;

/// What has been refused lately.
#[derive(Default)]
pub struct Storms {
    refused: BTreeMap<String, VecDeque<Time>>,
}

impl Storms {
    /// Notes the answer to a component's request.
    ///
    /// # Errors
    /// If it has been refused too often.
    pub fn answered(
        &mut self,
        now: Time,
        asked: &Asked,
        answer: &Result<Answer, Status>,
    ) -> Result<(), String> {
        let Err(status) = answer else { return Ok(()) };
        if !asked.is_write() {
            return Ok(());
        }
        let subject = asked.subject();
        let refused = self.refused.entry(subject.clone()).or_default();
        refused.push_back(now);
        while refused.front().is_some_and(|first| *first + SPAN < now) {
            refused.pop_front();
        }
        if refused.len() > REFUSALS {
            return Err(format!(
                "{subject} was refused {} times within {} s, the last time with {}",
                refused.len(),
                SPAN.as_secs(),
                status.message
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
