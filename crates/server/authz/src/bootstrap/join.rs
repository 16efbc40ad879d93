//! What stock Kubernetes leaves to its installers (kubeadm, K3s): bindings by which nodes join and operators administer.
//!
//! Not part of upstream's bootstrap policy, hence apart from it: the server adds [`join_bindings`] when it runs a
//! cluster of its own, not when it takes over the store of a stock one.

use api_types::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};

use super::build::SubjectRow::{Account, Group, User};
use super::build::{BindingRow, EVENTS, RoleRow, bind, on, role};

/// The group of the operators' own certificates: administrators by a binding, which can be revoked; members of
/// `system:masters` cannot be.
pub const ADMINS_GROUP: &str = "knarr:cluster-admins";

const BINDINGS: &[BindingRow] = &[
    bind("knarr:cluster-admins", &[Group(ADMINS_GROUP)]).of_role("cluster-admin"),
    // Whoever holds a bootstrap token may ask for a node's client certificate,
    bind("knarr:kubelet-bootstrap", &[Group("system:bootstrappers")]).of_role("system:node-bootstrapper"),
    // sees before that whether its name is another's, as kubeadm's `kubeadm:get-nodes` lets it,
    bind("knarr:get-nodes", &[Group("system:bootstrappers")]),
    // has it approved without a person,
    bind("knarr:node-autoapprove-bootstrap", &[Group("system:bootstrappers")])
        .of_role("system:certificates.k8s.io:certificatesigningrequests:nodeclient"),
    // and as a node renews it likewise.
    bind("knarr:node-autoapprove-certificate-rotation", &[Group("system:nodes")])
        .of_role("system:certificates.k8s.io:certificatesigningrequests:selfnodeclient"),
    // A node's agent does what kube-proxy and the cluster's DNS do elsewhere, as the node.
    bind("knarr:node-proxier", &[Group("system:nodes")]).of_role("system:node-proxier"),
    bind("knarr:dns", &[Group("system:nodes")]),
    // The API server as the client of nodes.
    bind("knarr:kubelet-api-admin", &[User("kube-apiserver-kubelet-client")])
        .of_role("system:kubelet-api-admin"),
    // A node's serving certificate is approved when its names are the node's own.
    bind("knarr:kubelet-serving-approver", &[Account("kubelet-serving-approver")]),
    // Directories of nodes as volumes, as a provisioner outside would make them.
    bind("knarr:local-volume-provisioner", &[Account("local-volume-provisioner")]),
    // Upstream's is part of its API server, which may do anything.
    bind("knarr:ipallocator-repair-controller", &[Account("ipallocator-repair-controller")]),
];

/// The ConfigMap of `kube-system` that tells a node of the cluster that it joins.
pub const SETTINGS: &str = "knarr-cluster";

const ROLES: &[RoleRow] = &[
    role("knarr:get-nodes", &[on("core", "nodes", "get")]),
    role(
        "knarr:dns",
        &[
            on("core", "namespaces services", "list watch"),
            on("discovery.k8s.io", "endpointslices", "list watch"),
        ],
    ),
    role(
        "knarr:kubelet-serving-approver",
        &[
            on("certificates.k8s.io", "certificatesigningrequests/approval", "update"),
            on("certificates.k8s.io", "signers", "approve").named("kubernetes.io/kubelet-serving"),
        ],
    ),
    role(
        "knarr:local-volume-provisioner",
        &[
            on("core", "persistentvolumes", "get list watch create patch delete"),
            on("core", "persistentvolumeclaims", "get list watch patch"),
            on("core", "nodes", "get list watch"),
            on("storage.k8s.io", "storageclasses", "get list watch"),
            EVENTS,
        ],
    ),
    role(
        "knarr:ipallocator-repair-controller",
        &[on("networking.k8s.io", "ipaddresses", "create delete"), on("core", "services", "get"), EVENTS],
    ),
];

/// What metrics-server's own manifest lets everybody see who may see pods.
const METRICS_READER: RoleRow =
    role("system:aggregated-metrics-reader", &[on("metrics.k8s.io", "nodes pods", "get list watch")]);

/// The roles that the bindings are of and that stock Kubernetes lacks, to be reconciled like the policy's.
pub fn join_roles() -> Vec<ClusterRole> {
    let mut reader = METRICS_READER.cluster_role("");
    for larger in ["admin", "edit", "view"] {
        super::build::mark_part_of(&mut reader.metadata, larger);
    }
    ROLES.iter().map(|row| row.cluster_role("")).chain([reader]).collect()
}

const SETTINGS_ROLE: RoleRow =
    role("knarr:node-settings", &[on("core", "configmaps", "get").named(SETTINGS)]);
const SETTINGS_BINDING: BindingRow = bind("knarr:node-settings", &[Group("system:nodes")]);

/// The role that lets nodes read [`SETTINGS`].
pub fn settings_role() -> Role {
    SETTINGS_ROLE.role("kube-system")
}

/// The binding of [`settings_role`].
pub fn settings_binding() -> RoleBinding {
    SETTINGS_BINDING.role_binding("kube-system")
}

/// The bindings, to be reconciled like the policy's.
pub fn join_bindings() -> Vec<ClusterRoleBinding> {
    BINDINGS.iter().map(BindingRow::cluster_role_binding).collect()
}
