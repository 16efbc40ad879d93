//! The role of the server's own node: the label by which `kubectl get nodes` shows `control-plane`. A node may not give it to itself
//! (NodeRestriction), so the server does, as K3s does.
//!
//! Once for each Node object and start: whoever takes the label away has taken it away until then.

use std::sync::Arc;

use api_types::core::v1::Node;
use base::drain;
use base::error::Chain;
use client::{Api, Body, Caller, PatchKind, RawView, Request, Resource, Scope, Status, Target, Verb};
use server_local::Local;

const NODES: Resource = Resource::of("", "v1", "nodes");

/// What is merged into the node.
const PATCH: &[u8] = br#"{"metadata":{"labels":{"node-role.kubernetes.io/control-plane":"true"}}}"#;

/// Gives the label to the node of this name, each time that it registers, until asked to finish.
pub async fn keep(local: Local, name: String, mut drain: drain::Watch) {
    let view = local.shared_view(Scope::all(NODES));
    let mut changed = view.changed();
    let mut labelled = None;
    loop {
        let uid = uid(&view, &name);
        if uid.is_some() && uid != labelled {
            match label(&local, &name).await {
                Ok(()) => labelled = uid,
                // It was deleted meanwhile, or the next change of the node, seconds away, finds it unlabelled still.
                Err(status) => tracing::warn!(node = name, error = %Chain(&status), "node.role"),
            }
        }
        tokio::select! {
            () = drain.signaled() => return,
            more = changed.changed() => if more.is_err() { return },
        }
    }
}

fn uid(view: &RawView, name: &str) -> Option<String> {
    let snapshot = view.snapshot();
    Some(snapshot.get("", name)?.downcast_ref::<Node>()?.metadata.uid.clone())
}

async fn label(local: &Local, name: &str) -> Result<(), Status> {
    let target = Target {
        resource: NODES,
        namespace: String::new(),
        name: name.to_owned(),
        subresource: String::new(),
    };
    let mut patch = Request::new(Verb::Patch, target);
    patch.body = Body::Patch(PatchKind::Merge, PATCH.into());
    let server = Caller::new("system:apiserver", &["system:masters", "system:authenticated"]);
    let api: Arc<dyn Api> = Arc::new(local.clone());
    api.call(&server, patch).await.map(drop)
}
