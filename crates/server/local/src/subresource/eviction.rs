//! `pods/eviction`: deleting a pod unless a disruption budget forbids it.
//!
//! Upstream: `pkg/registry/core/pod/storage/eviction.go`. A pod that has not begun or has ended is nobody's loss and is not asked for;
//! of a budget one disruption is taken before the pod goes, as the server itself and by compare-and-swap, so that evictions at the
//! same time cannot take the same one. What is written of the pod passes no admission: the Eviction has.

mod budget;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::gvk::{GroupKind, GroupResource};
use api_meta::labels::Selector;
use api_meta::{Status, conditions};
use api_record::Record;
use api_types::core::v1::{Pod, PodCondition};
use api_types::meta::v1;
use api_types::object_meta;
use api_types::policy::v1::{Eviction, PodDisruptionBudget};
use base::time::Clock;
use client::{
    Answer, Caller, DeleteOptions, ListOptions, Outcome, Precondition, Propagation, Request, WriteOptions,
};
use server_registry::admit::{Attributes, Everything, Notes, Operation, Options};
use server_registry::{Owners, Registry, Served, Write};

use crate::direct::{Direct, answer as answered, missing, object_of};

/// How often a pod is tried to be deleted that somebody else keeps changing (`EvictionsRetry`).
const ATTEMPTS: usize = 20;
/// How long until the next time.
const RETRY: Duration = Duration::from_millis(500);

/// Deletes the pod as the Eviction's options say, if the budget that selects it allows a disruption.
pub(crate) async fn answer(
    direct: &Direct,
    who: &Caller,
    served: &Arc<Served>,
    request: Request,
) -> Result<Answer, Status> {
    let Request { target, body, write, .. } = request;
    let mut object = object_of(body)?;
    let attributes = Attributes {
        caller: who,
        operation: Operation::Create,
        resource: target.resource.clone(),
        subresource: "eviction",
        namespace: &target.namespace,
        name: &target.name,
        dry_run: write.dry_run,
        options: Options::Write(&write),
        notes: Notes::default(),
    };
    direct.registry().admit(&attributes, &mut *object, None).await?;
    let eviction: &Eviction =
        object.downcast_ref().ok_or_else(|| Status::bad_request("not a Eviction object"))?;
    let (asked, dry_run) = options(eviction, &target.name, &write)?;
    let clock = direct.clock();
    let evicting = Evicting {
        registry: direct.registry(),
        clock: &*clock,
        who,
        served,
        namespace: &target.namespace,
        name: &target.name,
        asked,
        dry_run,
    };
    let mut done = answered(Outcome::Status(evicting.carry_out().await?));
    done.created = true;
    Ok(done)
}

/// How the pod is to be deleted, and whether that is only tried.
fn options(eviction: &Eviction, name: &str, write: &WriteOptions) -> Result<(DeleteOptions, bool), Status> {
    if eviction.metadata.name != name {
        return Err(Status::bad_request("name in URL does not match name in Eviction object"));
    }
    let Some(asked) = eviction.delete_options.as_deref() else {
        return Ok((DeleteOptions::default(), write.dry_run));
    };
    if asked.ignore_store_read_error_with_cluster_breaking_potential == Some(true) {
        let at = Path::new("deleteOptions").child("ignoreStoreReadErrorWithClusterBreakingPotential");
        let why = "can not be set for pod eviction, try after removing the option";
        let mut errors = ErrorList::new();
        errors.push(FieldError::invalid(&at, true, why));
        return Err(Status::invalid(GroupKind { group: "policy", kind: "Eviction" }, name, &errors));
    }
    if write.dry_run && !asked.dry_run.is_empty() && asked.dry_run != ["All"] {
        let content = asked.dry_run.join(" ");
        let why = format!("Non-matching dry-run options in request and content: [All] and [{content}]");
        return Err(Status::failure(500, "", why, None));
    }
    Ok((delete_options(asked), write.dry_run || !asked.dry_run.is_empty()))
}

fn delete_options(options: &v1::DeleteOptions) -> DeleteOptions {
    let precondition = options
        .preconditions
        .as_deref()
        .map(|wanted| Precondition { uid: wanted.uid.clone(), version: wanted.resource_version.clone() });
    DeleteOptions {
        grace_seconds: options.grace_period_seconds,
        propagation: options.propagation_policy.as_deref().and_then(|policy| match policy {
            "Orphan" => Some(Propagation::Orphan),
            "Background" => Some(Propagation::Background),
            "Foreground" => Some(Propagation::Foreground),
            _ => None,
        }),
        precondition: precondition.unwrap_or_default(),
    }
}

/// An eviction that admission has let pass.
struct Evicting<'a> {
    registry: &'a Registry,
    clock: &'a dyn Clock,
    who: &'a Caller,
    served: &'a Served,
    namespace: &'a str,
    name: &'a str,
    asked: DeleteOptions,
    dry_run: bool,
}

impl Evicting<'_> {
    /// Evicts, and answers what the client is to be told of it, which can be a failure all the same.
    async fn carry_out(&self) -> Result<Status, Status> {
        let patient = self.asked.precondition.version.is_none();
        let mut attempts = 1..ATTEMPTS;
        let object = loop {
            let object = self.registry.get_hub(self.served, self.namespace, self.name).await?;
            let pod: &Pod = object.downcast_ref().ok_or_else(missing)?;
            if !needs_no_budget(pod) {
                break object;
            }
            let mut options = self.asked.clone();
            if patient && !is_ending(pod) {
                // It may become ready in between, and a budget's.
                options.precondition.version = Some(pod.metadata.resource_version.clone());
            }
            match self.delete(options).await {
                Err(status) if status.is_conflict() && patient && attempts.next().is_some() => {
                    self.clock.sleep(RETRY).await;
                }
                other => return other,
            }
        };
        let pod: &Pod = object.downcast_ref().ok_or_else(missing)?;
        let mut options = self.asked.clone();
        let mut spared = None;
        match &self.budgets(pod).await?[..] {
            [] => {}
            [budget] if budget::spares(budget, pod) => {
                options.precondition.version = Some(pod.metadata.resource_version.clone());
                spared = Some(budget.metadata.name.clone());
            }
            [budget] => self.charge(budget).await?,
            _ => {
                let why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
                return Ok(Status::failure(500, "", why, None));
            }
        }
        match (self.delete(options).await, spared) {
            // It has been changed since, perhaps by having become ready.
            (Err(status), Some(name)) if status.is_conflict() && patient => Err(budget::pending(&name)),
            (other, _) => other,
        }
    }

    /// The budgets that pick a pod.
    async fn budgets(&self, pod: &Pod) -> Result<Vec<PodDisruptionBudget>, Status> {
        let all =
            self.registry.list(self.budget_resource()?, self.namespace, &ListOptions::default()).await?;
        let all = all.items.iter().filter_map(|budget| budget.downcast_ref::<PodDisruptionBudget>());
        let picks = |budget: &&PodDisruptionBudget| {
            let selector = Selector::from_api(budget.spec.selector.as_deref());
            selector.is_ok_and(|selector| selector.matches(&pod.metadata.labels))
        };
        Ok(all.filter(picks).cloned().collect())
    }

    fn budget_resource(&self) -> Result<&Arc<Served>, Status> {
        self.registry.catalog().find("policy", "v1", "poddisruptionbudgets").ok_or_else(missing)
    }

    /// Takes one disruption from a budget, for the pod of this name.
    async fn charge(&self, budget: &PodDisruptionBudget) -> Result<(), Status> {
        let (served, now) = (self.budget_resource()?, self.clock.now());
        if self.dry_run {
            return budget::charged(budget, self.name, now).map(drop);
        }
        let name = &budget.metadata.name;
        let change = |current: Option<&dyn Record>| -> Result<Box<dyn Record>, Status> {
            let budget = current.and_then(|current| current.downcast_ref());
            let budget = budget.ok_or_else(|| Status::not_found(served.group_resource(), name))?;
            Ok(Box::new(budget::charged(budget, self.name, now)?))
        };
        let server = Caller::new("system:apiserver", &["system:masters", "system:authenticated"]);
        let write = Write {
            caller: &server,
            namespace: self.namespace,
            name,
            subresource: "status",
            precondition: &Precondition::default(),
            options: &WriteOptions::default(),
            owners: Owners::Tracked,
            creates: false,
        };
        self.registry.write(served, &write, &change).await.map(drop)
    }

    /// Notes in the pod why it goes, and deletes it.
    async fn delete(&self, mut options: DeleteOptions) -> Result<Status, Status> {
        let registry = self.registry.with_admission(Arc::new(Everything));
        if !self.dry_run {
            let version = self.mark(&registry, &options.precondition).await?;
            if options.precondition.version.is_some() {
                options.precondition.version = Some(version);
            }
        }
        let (namespace, name) = (self.namespace, self.name);
        registry.delete(self.served, self.who, namespace, name, &options, self.dry_run).await?;
        Ok(Status::success())
    }

    /// Answers the version that the pod has then.
    async fn mark(&self, registry: &Registry, precondition: &Precondition) -> Result<String, Status> {
        let now = self.clock.now().into();
        let change = |current: Option<&dyn Record>| -> Result<Box<dyn Record>, Status> {
            let pod = current.and_then(|current| current.downcast_ref::<Pod>());
            let pod = pod.ok_or_else(|| Status::not_found(self.served.group_resource(), self.name))?;
            check(pod, precondition)?;
            let mut pod = pod.clone();
            let condition = PodCondition {
                type_: "DisruptionTarget".into(),
                status: conditions::TRUE.into(),
                reason: "EvictionByEvictionAPI".into(),
                message: "Eviction API: evicting".into(),
                ..PodCondition::default()
            };
            conditions::set(&mut pod.status.conditions, condition, now);
            Ok(Box::new(pod))
        };
        let write = Write {
            caller: self.who,
            namespace: self.namespace,
            name: self.name,
            subresource: "status",
            precondition: &Precondition::default(),
            options: &WriteOptions::default(),
            // Upstream writes it behind what keeps track of owners.
            owners: Owners::Said,
            creates: false,
        };
        let written = registry.write(self.served, &write, &change).await?;
        Ok(object_meta(&*written.object).map(|meta| meta.resource_version.clone()).unwrap_or_default())
    }
}

fn check(pod: &Pod, precondition: &Precondition) -> Result<(), Status> {
    let checks = [
        ("UID", &precondition.uid, &pod.metadata.uid, "deleted and then recreated"),
        ("ResourceVersion", &precondition.version, &pod.metadata.resource_version, "modified"),
    ];
    for (what, wanted, found, fate) in checks {
        if let Some(wanted) = wanted.as_ref().filter(|wanted| !wanted.is_empty() && *wanted != found) {
            let why = format!(
                "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). The object might have been {fate}"
            );
            let resource = GroupResource { group: "", resource: "Pod" };
            return Err(Status::conflict(resource, &pod.metadata.name, why));
        }
    }
    Ok(())
}

fn is_ending(pod: &Pod) -> bool {
    matches!(pod.status.phase.as_str(), "Succeeded" | "Failed") || pod.metadata.deletion_timestamp.is_some()
}

/// Whether the pod can go without anybody's losing it.
fn needs_no_budget(pod: &Pod) -> bool {
    is_ending(pod) || pod.status.phase == "Pending"
}
