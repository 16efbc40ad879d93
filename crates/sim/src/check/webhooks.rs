//! What a webhook refuses is never stored; what must be heard by one is not stored without, and what may be is stored without only when that
//! one has failed.

use std::sync::Arc;

use api_types::core::v1::ConfigMap;

use super::Check;
use crate::history::{Change, History};
use crate::webhook::{SPACE, Unheard};

/// Heeded webhooks.
pub struct Webhooks(pub Arc<Unheard>);

impl Check for Webhooks {
    fn name(&self) -> &'static str {
        "webhooks"
    }

    fn changed(&mut self, _: &History, change: &Change) -> Result<(), String> {
        let Some(after) = change.after::<ConfigMap>().filter(|_| change.namespace == SPACE) else {
            return Ok(());
        };
        let said = |key: &str| after.data.get(key).map(String::as_str).unwrap_or_default();
        let attempt = said("attempt");
        let may_fail = after.metadata.labels.get("policy").is_some_and(|policy| policy == "Ignore");
        let excused = |marks| may_fail && self.0.has(marks, attempt);
        if said("wish") == "deny" && !excused(false) {
            return Err(format!("attempt {attempt} is stored, and was refused"));
        }
        if said("marked") != attempt && !excused(true) {
            return Err(format!("attempt {attempt} is stored without its mark"));
        }
        Ok(())
    }
}
