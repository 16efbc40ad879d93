//! Routes to the pods of other nodes, from the view of Nodes.

use std::sync::Arc;

use api_types::core::v1::Node;
use base::drain;
use base::error::Chain;
use client::view::typed;
use client::{Snapshot, View};
use net_pod::peers::Peer;

use crate::core::{Core, blocking};
use crate::limits;

/// The other nodes that have a range of pods and an address.
fn peers(nodes: &Snapshot, own: &str) -> Vec<Peer> {
    let others = typed::<Node>(nodes.iter()).filter(|node| node.metadata.name != own);
    let peer = |node: &Node| Peer {
        addresses: node
            .status
            .addresses
            .iter()
            .filter(|address| address.type_ == "InternalIP")
            .filter_map(|address| address.address.parse().ok())
            .collect(),
        pod_cidrs: node.spec.pod_cidrs.iter().filter_map(|text| text.parse().ok()).collect(),
    };
    others.map(peer).filter(|peer| !peer.addresses.is_empty() && !peer.pod_cidrs.is_empty()).collect()
}

/// Keeps the node's share of the pod network up to date. `ready` hears once it first is.
pub(crate) async fn run(
    core: Arc<Core>,
    nodes: View<Node>,
    mut drain: drain::Watch,
    ready: tokio::sync::watch::Sender<bool>,
) {
    let mut changes = nodes.raw().changed();
    let mut done: Option<Vec<Peer>> = None;
    loop {
        changes.borrow_and_update();
        let snapshot = nodes.snapshot();
        let wanted = peers(&snapshot, &core.config.node_name);
        let mut again = core.clock.sleep(limits::NETWORK_CHECK);
        // Before the view has synced every peer would lose its routes.
        if snapshot.is_synced() && done.as_ref() == Some(&wanted) {
            mend(&core, wanted).await;
        } else if snapshot.is_synced() {
            let (network, list) = (core.network(), wanted.clone());
            match blocking(move || Ok(network?.sync_node(&list)?)).await {
                Ok(()) => {
                    done = Some(wanted);
                    core.health.say_network(Ok(()));
                    ready.send_replace(true);
                }
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "the node's share of the pod network is not ready");
                    core.health.say_network(Err(error.text()));
                    again = core.clock.sleep(limits::SYNC_RETRY);
                }
            }
        }
        tokio::select! {
            () = drain.signaled() => return,
            Ok(()) = changes.changed() => {}
            () = again => {}
        }
    }
}

/// Gives back what other programs took away since it was last looked at.
async fn mend(core: &Core, peers: Vec<Peer>) {
    let network = core.network();
    match blocking(move || Ok(network?.mend(&peers)?)).await {
        Ok(0) => {}
        Ok(count) => tracing::warn!(count, "addresses or routes of pods had gone, and are given again"),
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "what others took of the pod network cannot be given back");
        }
    }
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::NodeAddress;
    use client::Revision;

    use super::*;

    #[test]
    fn peers_are_the_other_nodes_that_can_be_reached() {
        let node = |name: &str, address: &str, cidr: &str| -> Arc<dyn api_record::Record> {
            let mut node = Node::default();
            node.metadata.name = name.into();
            node.status.addresses = vec![NodeAddress { type_: "InternalIP".into(), address: address.into() }];
            node.spec.pod_cidrs = vec![cidr.into()];
            Arc::new(node)
        };
        let nodes = Snapshot::of(
            [
                node("a", "192.0.2.1", "10.0.1.0/24"),
                node("b", "192.0.2.2", "10.0.2.0/24"),
                node("c", "", "10.0.3.0/24"),
            ],
            Revision(1),
        );
        let found = peers(&nodes, "a");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].pod_cidrs, ["10.0.2.0/24".parse().unwrap()]);
    }
}
