//! A quota never says that less is used than there is: its controller gives back what has gone, and no charge for what is there.
//! In the end it says exactly what is used.

use api_types::core::v1::{Pod, ResourceQuota, Service};

use super::Check;
use crate::history::{Change, History};

/// Kept charges.
pub struct Quotas;

/// How many objects count, by what a quota calls them. Pods that are being deleted may count or not, by the time.
fn there(history: &History, namespace: &str, going: bool) -> [(&'static str, i64); 2] {
    let pods = history.all::<Pod>().filter(|pod| {
        let meta = &pod.metadata;
        meta.namespace == namespace
            && !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
            && (going || meta.deletion_timestamp.is_none())
    });
    let services = history.all::<Service>().filter(|service| service.metadata.namespace == namespace);
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    [("pods", number(pods.count())), ("services", number(services.count()))]
}

fn used(quota: &ResourceQuota, name: &str) -> Option<i64> {
    quota.status.used.get(name).map(api_record::scalar::Quantity::units)
}

impl Check for Quotas {
    fn name(&self) -> &'static str {
        "quotas"
    }

    fn changed(&mut self, history: &History, change: &Change) -> Result<(), String> {
        let (Some(before), Some(after)) = (change.before::<ResourceQuota>(), change.after::<ResourceQuota>())
        else {
            return Ok(());
        };
        for (name, there) in there(history, &change.namespace, false) {
            let (Some(before), Some(after)) = (used(before, name), used(after, name)) else { continue };
            if after < there && after < before {
                return Err(format!(
                    "quota {} went from {before} to {after} {name} at {}, and there are {there}",
                    change.name, change.revision
                ));
            }
        }
        Ok(())
    }
}

/// Looks at what quotas say once nothing changes any more.
///
/// # Errors
/// What is not so.
pub fn exact(history: &History) -> Result<(), String> {
    for quota in history.all::<ResourceQuota>() {
        for (name, there) in there(history, &quota.metadata.namespace, true) {
            let said = used(quota, name);
            if said != Some(there) {
                return Err(format!(
                    "quota {} says {said:?} {name}, and there are {there}",
                    quota.metadata.name
                ));
            }
        }
    }
    Ok(())
}
