//! Admission policies follow what is written of them.

use std::sync::Arc;

use client::{Revision, Scope};
use server_admission::{BINDINGS, POLICIES, ValidatingPolicies};
use server_local::Local;

/// Starts following them, once all that are there are known: nothing that they refuse is taken before.
pub async fn follow(policies: Arc<ValidatingPolicies>, local: &Local) {
    let [own, bindings] = [POLICIES, BINDINGS].map(|resource| local.shared_view(Scope::all(resource)));
    own.reached(Revision(0)).await;
    bindings.reached(Revision(0)).await;
    tokio::spawn(policies.follow(own, bindings));
}
