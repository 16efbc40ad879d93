//! The cluster roles of the components that are not controllers: scheduler, nodes, proxies, DNS, approvers.
//!
//! `bootstrap` assembles them; the Node authorizer takes [`NODE_RULES`] as its fallback.

use super::build::{EVENTS, READ, READ_UPDATE, READ_WRITE, RoleRow, RuleRow, on, role};

/// What a node may do before the Node authorizer narrows it to what concerns the node.
pub(super) const NODE_RULES: &[RuleRow] = &[
    on("authentication.k8s.io", "tokenreviews", "create"),
    on("authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews", "create"),
    on("core", "services", READ),
    on("core", "nodes", "get list watch create"),
    on("core", "nodes/status", "update patch"),
    on("core", "nodes", "update patch"),
    EVENTS,
    on("core", "pods", READ),
    on("core", "pods", "create delete"),
    on("core", "pods/status", "update patch"),
    on("core", "pods/eviction", "create"),
    on("core", "configmaps secrets", READ),
    on("core", "persistentvolumeclaims persistentvolumes", "get"),
    on("core", "endpoints", "get"),
    on("certificates.k8s.io", "certificatesigningrequests", "get list watch create"),
    on("coordination.k8s.io", "leases", "get create update patch delete"),
    on("storage.k8s.io", "volumeattachments", "get"),
    on("core", "serviceaccounts/token", "create"),
    on("core", "persistentvolumeclaims/status", "get update patch"),
    on("storage.k8s.io", "csidrivers", READ),
    on("storage.k8s.io", "csinodes", "get create update patch delete"),
    on("node.k8s.io", "runtimeclasses", READ),
    on("resource.k8s.io", "resourceclaims", "get"),
    on("resource.k8s.io", "resourceslices", "deletecollection"),
    on("certificates.k8s.io", "clustertrustbundles", READ),
    on("core", "serviceaccounts", "get"),
    on("certificates.k8s.io", "podcertificaterequests", "get list watch create"),
];

/// Roles with rules, by name.
pub(super) const COMPONENT_ROLES: &[RoleRow] = &[
    role(
        "system:auth-delegator",
        &[
            on("authentication.k8s.io", "tokenreviews", "create"),
            on("authorization.k8s.io", "subjectaccessreviews", "create"),
        ],
    ),
    // Permissions asked for by the controller that approves requests, never used on an endpoint.
    role(
        "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
        &[on("certificates.k8s.io", "certificatesigningrequests/nodeclient", "create")],
    ),
    role(
        "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
        &[on("certificates.k8s.io", "certificatesigningrequests/selfnodeclient", "create")],
    ),
    role(
        "system:certificates.k8s.io:kube-apiserver-client-approver",
        &[on("certificates.k8s.io", "signers", "approve").named("kubernetes.io/kube-apiserver-client")],
    ),
    role(
        "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver",
        &[on("certificates.k8s.io", "signers", "approve")
            .named("kubernetes.io/kube-apiserver-client-kubelet")],
    ),
    role(
        "system:certificates.k8s.io:kubelet-serving-approver",
        &[on("certificates.k8s.io", "signers", "approve").named("kubernetes.io/kubelet-serving")],
    ),
    role(
        "system:certificates.k8s.io:legacy-unknown-approver",
        &[on("certificates.k8s.io", "signers", "approve").named("kubernetes.io/legacy-unknown")],
    ),
    role(
        "system:heapster",
        &[on("core", "events namespaces nodes pods", READ), on("extensions", "deployments", READ)],
    ),
    role("system:kube-aggregator", &[on("core", "endpoints services", READ)]),
    role(
        "system:kube-controller-manager",
        &[
            EVENTS,
            on("coordination.k8s.io", "leases", "create"),
            on("coordination.k8s.io", "leases", "get update").named("kube-controller-manager"),
            on("core", "secrets serviceaccounts", "create"),
            on("core", "secrets", "delete"),
            on("core", "configmaps namespaces secrets serviceaccounts", "get"),
            on("core", "secrets serviceaccounts", "update"),
            on("authentication.k8s.io", "tokenreviews", "create"),
            on("authorization.k8s.io", "subjectaccessreviews", "create"),
            on("*", "*", "list watch"),
            on("core", "serviceaccounts/token", "create"),
        ],
    ),
    role("system:kube-dns", &[on("core", "endpoints services", "list watch")]),
    role(
        "system:kube-scheduler",
        &[
            EVENTS,
            on("coordination.k8s.io", "leases", "create"),
            on("coordination.k8s.io", "leases", "get list watch update").named("kube-scheduler"),
            on("coordination.k8s.io", "leasecandidates", READ_WRITE),
            on("core", "nodes", READ),
            on("core", "pods", "get list watch delete"),
            on("core", "bindings pods/binding", "create"),
            on("core", "pods/status", "update patch"),
            on("core", "replicationcontrollers services", READ),
            on("apps extensions", "replicasets", READ),
            on("apps", "statefulsets", READ),
            on("policy", "poddisruptionbudgets", READ),
            on("core", "persistentvolumeclaims persistentvolumes", READ),
            on("authentication.k8s.io", "tokenreviews", "create"),
            on("authorization.k8s.io", "subjectaccessreviews", "create"),
            on("storage.k8s.io", "csinodes", READ),
            on("storage.k8s.io", "volumeattachments", READ),
            on("core", "namespaces", READ),
            on("storage.k8s.io", "csidrivers", READ),
            on("storage.k8s.io", "csistoragecapacities", READ),
            on("resource.k8s.io", "deviceclasses", READ),
            on("resource.k8s.io", "resourceclaims", READ_UPDATE),
            on("resource.k8s.io", "resourceclaims/status", READ_UPDATE),
            on("core", "pods/finalizers", "update"),
            on("resource.k8s.io", "resourceslices", READ),
            on("resource.k8s.io", "resourceclaims", "create delete"),
            on("resource.k8s.io", "devicetaintrules", READ),
            on("resource.k8s.io", "resourceclaims/binding", "update patch"),
        ],
    ),
    role(
        "system:kubelet-api-admin",
        &[
            on("core", "nodes", READ),
            on("core", "nodes", "proxy"),
            on("core", "nodes/log nodes/metrics nodes/proxy nodes/stats", "*"),
            on("core", "nodes/configz nodes/healthz nodes/pods", "*"),
        ],
    ),
    role(
        "system:node-bootstrapper",
        &[on("certificates.k8s.io", "certificatesigningrequests", "get list watch create")],
    ),
    role(
        "system:node-problem-detector",
        &[on("core", "nodes", "get"), on("core", "nodes/status", "patch"), EVENTS],
    ),
    role(
        "system:node-proxier",
        &[
            on("core", "endpoints services", "list watch"),
            on("core", "nodes", READ),
            EVENTS,
            on("networking.k8s.io", "servicecidrs", "list watch"),
            on("discovery.k8s.io", "endpointslices", "list watch"),
        ],
    ),
    // Claims are updated to set lock annotations on them; events are watched for the outcome of provisioning.
    role(
        "system:persistent-volume-provisioner",
        &[
            on("core", "persistentvolumes", "get list watch create delete"),
            on("core", "persistentvolumeclaims", "get list watch update"),
            on("storage.k8s.io", "storageclasses", READ),
            on("core", "events", "watch"),
            EVENTS,
        ],
    ),
    role(
        "system:volume-scheduler",
        &[
            on("core", "persistentvolumes", READ_UPDATE),
            on("storage.k8s.io", "storageclasses", READ),
            on("core", "persistentvolumeclaims", READ_UPDATE),
        ],
    ),
];
