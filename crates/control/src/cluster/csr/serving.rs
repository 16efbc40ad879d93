//! Approving nodes' serving certificates, which upstream leaves to administrators.
//!
//! A node gets the certificate of its own names: it must ask as itself, and every name and address must be among those that
//! its Node object shows. This is the rule of the widely used `kubelet-csr-approver`. Everything else stays pending, for a person.
//! Apart from the other controller, as the permission to approve is a signer's: this one may approve no other.

use std::net::IpAddr;
use std::sync::Arc;

use api_types::certificates::v1::CertificateSigningRequest;
use api_types::core::v1::Node;
use base::time::Time;
use client::reconcile::{Controller, Plan, Wires, World};

use super::{Serving, Signer, approval, has, is_issued};

const NODES: &str = "system:nodes";
const NODE_PREFIX: &str = "system:node:";
const MESSAGE: &str =
    "Auto approving kubelet serving certificate: its names and addresses are those of the node.";

/// The controller that approves them.
pub struct KubeletServing {
    signer: Arc<dyn Signer>,
}

impl KubeletServing {
    /// A controller that has this signer read requests.
    pub fn new(signer: Arc<dyn Signer>) -> KubeletServing {
        KubeletServing { signer }
    }
}

impl Controller for KubeletServing {
    const NAME: &'static str = "kubelet-serving-approver";
    type Key = String;

    fn wire(&self, wires: &mut Wires<String>) {
        wires.maps::<CertificateSigningRequest>(|request, _| vec![request.metadata.name.clone()]);
        // A node may ask before it has said where it is.
        wires.maps::<Node>(|node, world| {
            let own = |request: &&CertificateSigningRequest| {
                is_pending(request) && node_of(request) == Some(&node.metadata.name)
            };
            let waiting = world.all::<CertificateSigningRequest>().filter(own);
            waiting.map(|request| request.metadata.name.clone()).collect()
        });
    }

    fn plan(&self, key: &String, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(request) = world.get::<CertificateSigningRequest>("", key) else { return plan };
        let node = node_of(request).filter(|_| is_pending(request));
        let Some(node) = node.and_then(|name| world.get::<Node>("", name)) else { return plan };
        let asked = self.signer.serving(&request.spec);
        if asked.is_some_and(|asked| asked.user == request.spec.username && shows(node, &asked)) {
            plan.stage([approval(request, MESSAGE, now)]);
        }
        plan
    }
}

fn is_pending(request: &CertificateSigningRequest) -> bool {
    !is_issued(request) && !["Approved", "Denied", "Failed"].iter().any(|type_| has(request, type_))
}

/// The name of the node that asks; `None` if it is none.
fn node_of(request: &CertificateSigningRequest) -> Option<&str> {
    let name = request.spec.username.strip_prefix(NODE_PREFIX)?;
    request.spec.groups.iter().any(|group| group == NODES).then_some(name)
}

/// Whether every name and address that is asked for is one of the node's.
fn shows(node: &Node, asked: &Serving) -> bool {
    let addresses = &node.status.addresses;
    let is_host = |host: &String| {
        let mut named = addresses.iter().filter(|own| !own.type_.ends_with("IP"));
        named.any(|own| own.address.eq_ignore_ascii_case(host))
    };
    let is_address =
        |address: &IpAddr| addresses.iter().any(|own| own.address.parse::<IpAddr>().ok() == Some(*address));
    asked.hosts.iter().all(is_host) && asked.addresses.iter().all(is_address)
}
