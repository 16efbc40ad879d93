//! `pods/binding`: giving a pod to a node.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_record::scalar::Time;
use api_types::core::v1::{Binding, Pod, PodCondition};
use client::{Answer, Caller, Outcome, Precondition, Request};
use server_registry::admit::{Attributes, Everything, Notes, Operation, Options};
use server_registry::{Owners, Served, Write};

use crate::direct::{Direct, answer as answered, object_of};

/// Binds a pod to the node that the request's Binding names.
pub(crate) async fn answer(
    direct: &Direct,
    who: &Caller,
    served: &Arc<Served>,
    request: Request,
) -> Result<Answer, Status> {
    let Request { target, body, write, .. } = request;
    let mut binding = object_of(body)?;
    let attributes = Attributes {
        caller: who,
        operation: Operation::Create,
        resource: target.resource.clone(),
        subresource: "binding",
        namespace: &target.namespace,
        name: &target.name,
        dry_run: write.dry_run,
        options: Options::Write(&write),
        notes: Notes::default(),
    };
    direct.registry().admit(&attributes, &mut *binding, None).await?;
    let binding: &Binding =
        binding.downcast_ref().ok_or_else(|| Status::bad_request("not a Binding object"))?;
    let now: Time = direct.clock().now().into();
    let change = |current: Option<&dyn Record>| bind(served, &target.name, binding, current, now);
    let precondition = Precondition {
        uid: Some(binding.metadata.uid.clone()).filter(|uid| !uid.is_empty()),
        version: Some(binding.metadata.resource_version.clone()).filter(|version| !version.is_empty()),
    };
    // What a binding sets is nobody's, as upstream has it.
    let write = Write {
        caller: who,
        namespace: &target.namespace,
        name: &target.name,
        subresource: "binding",
        precondition: &precondition,
        options: &write,
        owners: Owners::Said,
        creates: false,
    };
    // What is admitted is the Binding: the pod that it changes is not admitted once more.
    direct.registry().with_admission(Arc::new(Everything)).write(served, &write, &change).await?;
    let mut done = answered(Outcome::Status(Status::success()));
    done.created = true;
    Ok(done)
}

fn bind(
    served: &Served,
    name: &str,
    binding: &Binding,
    current: Option<&dyn Record>,
    now: Time,
) -> Result<Box<dyn Record>, Status> {
    let refused = |why: String| Status::conflict(served.group_resource(), name, why);
    let pod: &Pod = current
        .and_then(|current| current.downcast_ref())
        .ok_or_else(|| Status::not_found(served.group_resource(), name))?;
    let node = &binding.target.name;
    if !matches!(binding.target.kind.as_str(), "" | "Node") || node.is_empty() {
        return Err(Status::bad_request(format!("Binding \"{name}\" is invalid: target must name a Node")));
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return Err(refused(format!("pod {name} is being deleted, cannot be assigned to a host")));
    }
    if !pod.spec.node_name.is_empty() {
        return Err(refused(format!("pod {name} is already assigned to node \"{}\"", pod.spec.node_name)));
    }
    if !pod.spec.scheduling_gates.is_empty() {
        return Err(refused(format!("pod {name} has non-empty .spec.schedulingGates")));
    }
    let mut pod = pod.clone();
    pod.spec.node_name.clone_from(node);
    pod.metadata.annotations.extend(binding.metadata.annotations.clone());
    pod.metadata.labels.extend(binding.metadata.labels.clone());
    let scheduled = PodCondition {
        type_: "PodScheduled".into(),
        status: "True".into(),
        last_transition_time: Some(now),
        ..PodCondition::default()
    };
    match pod.status.conditions.iter_mut().find(|condition| condition.type_ == scheduled.type_) {
        Some(condition) if condition.status == scheduled.status => {}
        Some(condition) => *condition = scheduled,
        None => pod.status.conditions.push(scheduled),
    }
    Ok(Box::new(pod))
}
