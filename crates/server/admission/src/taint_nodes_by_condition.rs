//! TaintNodesByCondition: a new node takes no pods before it has been seen ready.

use api_meta::Status;
use api_record::Record;
use api_types::core::v1::{Node, Taint};
use client::BoxFuture;
use server_registry::admit::{Attributes, Operation};

use crate::Plugin;
use crate::plugin::is_about;

/// Taints new nodes as not ready; the node controller takes the taint away.
pub struct TaintNodesByCondition;

impl Plugin for TaintNodesByCondition {
    fn mutate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        let about = is_about(attributes, "", "nodes") && attributes.subresource.is_empty();
        if let Some(node) = object.downcast_mut::<Node>()
            && about
            && attributes.operation == Operation::Create
        {
            taint(node);
        }
        Box::pin(async { Ok(()) })
    }
}

fn taint(node: &mut Node) {
    let (key, effect) = ("node.kubernetes.io/not-ready", "NoSchedule");
    if !node.spec.taints.iter().any(|taint| taint.key == key && taint.effect == effect) {
        node.spec.taints.push(Taint { key: key.into(), effect: effect.into(), ..Taint::default() });
    }
}
