//! The roles and bindings of the bootstrap policy.

use api_record::Record;
use api_types::object_meta;
use client::{Resource, Status};
use futures_util::future::try_join_all;
use server_authz::bootstrap::{join_bindings, join_roles, policy, settings_binding, settings_role};
use server_authz::reconcile::{Action, Reconcile};

use crate::limits::ATTEMPTS;
use crate::writer::{Writer, contended};

const fn rbac(plural: &'static str) -> Resource {
    Resource::of("rbac.authorization.k8s.io", "v1", plural)
}

static CLUSTER_ROLES: Resource = rbac("clusterroles");
static CLUSTER_ROLE_BINDINGS: Resource = rbac("clusterrolebindings");
static ROLES: Resource = rbac("roles");
static ROLE_BINDINGS: Resource = rbac("rolebindings");

/// Brings all roles and bindings to the policy, each kind at once: the store commits them in groups.
pub(crate) async fn reconcile(writer: &Writer<'_>, joining: bool) -> Result<(), Status> {
    let mut policy = policy();
    if joining {
        policy.cluster_roles.extend(join_roles());
        policy.cluster_role_bindings.extend(join_bindings());
        policy.roles.push(settings_role());
        policy.role_bindings.push(settings_binding());
    }
    try_join_all(policy.cluster_roles.iter().map(|role| one(writer, &CLUSTER_ROLES, role))).await?;
    let bindings = &policy.cluster_role_bindings;
    try_join_all(bindings.iter().map(|binding| one(writer, &CLUSTER_ROLE_BINDINGS, binding))).await?;
    try_join_all(policy.roles.iter().map(|role| one(writer, &ROLES, role))).await?;
    try_join_all(policy.role_bindings.iter().map(|binding| one(writer, &ROLE_BINDINGS, binding))).await?;
    Ok(())
}

async fn one<T: Reconcile + Record + Clone>(
    writer: &Writer<'_>,
    resource: &Resource,
    wanted: &T,
) -> Result<(), Status> {
    let Some(meta) = object_meta(wanted) else { return Ok(()) };
    for _ in 0..ATTEMPTS {
        let existing: Option<T> = writer.get(resource, &meta.namespace, &meta.name).await?;
        let done = match T::reconcile(existing.as_ref(), wanted) {
            Action::Nothing => true,
            Action::Create(object) => writer.create(resource, Box::new(object)).await?,
            Action::Update(object) => writer.update(resource, "", &object).await?,
            Action::Recreate(object) => {
                if let Some(existing) = &existing {
                    writer.delete(resource, existing).await?;
                }
                writer.create(resource, Box::new(object)).await?
            }
            Action::Protected => {
                tracing::warn!(kind = %resource, name = %meta.name, "bootstrap.protected");
                true
            }
        };
        if done {
            return Ok(());
        }
    }
    Err(contended(resource, &meta.name))
}
