//! `pods/eviction`: deleting a pod unless a disruption budget forbids it.

use std::sync::Arc;

use api_meta::Status;
use api_meta::labels::Selector;
use api_types::core::v1::Pod;
use api_types::policy::v1::{Eviction, PodDisruptionBudget};
use client::{Answer, Caller, DeleteOptions, ListOptions, Outcome, Precondition, Propagation, Request};
use server_registry::Served;
use server_registry::admit::{Attributes, Notes, Operation, Options};

use crate::direct::{Direct, answer as answered, missing, object_of};

/// Deletes the pod as the Eviction's options say, if every budget that selects it still allows a disruption.
pub(crate) async fn answer(
    direct: &Direct,
    who: &Caller,
    served: &Arc<Served>,
    request: Request,
) -> Result<Answer, Status> {
    let Request { target, body, write, .. } = request;
    let mut eviction = object_of(body)?;
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
    direct.registry().admit(&attributes, &mut *eviction, None).await?;
    let eviction: &Eviction =
        eviction.downcast_ref().ok_or_else(|| Status::bad_request("not a Eviction object"))?;
    let registry = direct.registry();
    let object = registry.get_hub(served, &target.namespace, &target.name).await?;
    let pod: &Pod = object.downcast_ref().ok_or_else(missing)?;
    let finished = matches!(pod.status.phase.as_str(), "Succeeded" | "Failed" | "Pending");
    if !finished && pod.metadata.deletion_timestamp.is_none() {
        check_budgets(direct, pod).await?;
    }
    let options = eviction.delete_options.as_deref().map(delete_options).unwrap_or_default();
    registry.delete(served, who, &target.namespace, &target.name, &options, write.dry_run).await?;
    let mut done = answered(Outcome::Status(Status::success()));
    done.created = true;
    Ok(done)
}

async fn check_budgets(direct: &Direct, pod: &Pod) -> Result<(), Status> {
    let registry = direct.registry();
    let Some(budgets) = registry.catalog().find("policy", "v1", "poddisruptionbudgets") else {
        return Ok(());
    };
    let list = registry.list(budgets, &pod.metadata.namespace, &ListOptions::default()).await?;
    let selected: Vec<&PodDisruptionBudget> = list
        .items
        .iter()
        .filter_map(|budget| budget.downcast_ref())
        .filter(|budget: &&PodDisruptionBudget| {
            let selector = Selector::from_api(budget.spec.selector.as_deref());
            selector.is_ok_and(|selector| selector.matches(&pod.metadata.labels))
        })
        .collect();
    match selected[..] {
        [] => Ok(()),
        [budget] if budget.status.disruptions_allowed > 0 => Ok(()),
        [budget] => {
            let needs = format!(
                "The disruption budget {} needs {} healthy pods and has {} currently",
                budget.metadata.name, budget.status.desired_healthy, budget.status.current_healthy
            );
            let message = "Cannot evict pod as it would violate the pod's disruption budget.";
            tracing::debug!(pod = %pod.metadata.name, needs, "eviction.refused");
            Err(Status::too_many_requests(message, 0))
        }
        _ => Err(Status::internal_error(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
        )),
    }
}

fn delete_options(options: &api_types::meta::v1::DeleteOptions) -> DeleteOptions {
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
