//! The cluster role of each controller, `system:controller:NAME`, bound to the service account NAME of `kube-system`.
//!
//! `bootstrap` assembles them. Roles of controllers behind gates that are off by default in 1.37 are absent:
//! `podgroup-protection-controller`, `resourcepoolstatusrequest-controller`, `storage-version-garbage-collector`.

use super::build::{EVENTS, READ, READ_UPDATE, RoleRow, on, role};

/// Rules by the controller's name, without the prefix.
pub(super) const CONTROLLER_ROLES: &[RoleRow] = &[
    role(
        "attachdetach-controller",
        &[
            on("core", "persistentvolumeclaims persistentvolumes", "list watch"),
            on("core", "nodes", READ),
            on("core", "nodes/status", "update patch"),
            on("core", "pods", "list watch"),
            EVENTS,
            on("storage.k8s.io", "volumeattachments", "get list watch create delete"),
            on("storage.k8s.io", "csidrivers", READ),
            on("storage.k8s.io", "csinodes", READ),
        ],
    ),
    role(
        "certificate-controller",
        &[
            on("certificates.k8s.io", "certificatesigningrequests", "get list watch delete"),
            on("certificates.k8s.io", 
                "certificatesigningrequests/approval certificatesigningrequests/status",
                "update"),
            on("certificates.k8s.io", 
                "signers",
                "approve").named("kubernetes.io/kube-apiserver-client-kubelet"),
            on("certificates.k8s.io", 
                "signers",
                "sign").named("kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet kubernetes.io/kubelet-serving kubernetes.io/legacy-unknown"),
            on("authorization.k8s.io", "subjectaccessreviews", "create"),
            EVENTS,
        ],
    ),
    // It copies rules that it does not hold, hence "escalate".
    role(
        "clusterrole-aggregation-controller",
        &[
            on("rbac.authorization.k8s.io", "clusterroles", "escalate get list watch update patch"),
        ],
    ),
    role(
        "cronjob-controller",
        &[
            on("batch", "cronjobs", "get list watch update"),
            on("batch", "jobs", "get list watch create update patch delete"),
            on("batch", "cronjobs/status", "update"),
            on("batch", "cronjobs/finalizers", "update"),
            on("core", "pods", "list watch delete"),
            EVENTS,
        ],
    ),
    role(
        "daemon-set-controller",
        &[
            on("apps extensions", "daemonsets", READ),
            on("apps extensions", "daemonsets/status", "update"),
            on("apps extensions", "daemonsets/finalizers", "update"),
            on("core", "nodes", "list watch"),
            on("core", "pods", "list watch create patch delete"),
            on("core", "pods/binding", "create"),
            on("apps", "controllerrevisions", "get list watch create update patch delete"),
            EVENTS,
        ],
    ),
    role(
        "deployment-controller",
        &[
            on("apps extensions", "deployments", "get list watch update"),
            on("apps extensions", "deployments/status", "update"),
            on("apps extensions", "deployments/finalizers", "update"),
            on("apps extensions", "replicasets", "get list watch create update patch delete"),
            on("core", "pods", "get list watch update"),
            EVENTS,
        ],
    ),
    role(
        "device-taint-eviction-controller",
        &[
            on("core", "pods", "get list watch delete"),
            on("core", "pods/status", "update patch"),
            on("resource.k8s.io", "resourceclaims", READ),
            on("resource.k8s.io", "resourceslices", READ),
            on("resource.k8s.io", "deviceclasses", READ),
            EVENTS,
            on("resource.k8s.io", "devicetaintrules/status", "update patch"),
            on("resource.k8s.io", "devicetaintrules", READ),
        ],
    ),
    role(
        "disruption-controller",
        &[
            on("apps extensions", "deployments", READ),
            on("apps extensions", "replicasets", READ),
            on("core", "replicationcontrollers", READ),
            on("policy", "poddisruptionbudgets", READ),
            on("apps", "statefulsets", READ),
            on("policy", "poddisruptionbudgets/status", "update"),
            on("core", "pods/status", "update patch"),
            on("*", "*/scale", "get"),
            EVENTS,
        ],
    ),
    role(
        "endpoint-controller",
        &[
            on("core", "pods services", READ),
            on("core", "endpoints", "get list watch create update delete"),
            on("core", "endpoints/restricted", "create"),
            EVENTS,
        ],
    ),
    // Its slices are owned by the service and block its deletion, which needs the finalizers.
    role(
        "endpointslice-controller",
        &[
            on("core", "nodes pods services", READ),
            on("core", "services/finalizers", "update"),
            on("discovery.k8s.io", "endpointslices", "get list watch create update delete"),
            EVENTS,
        ],
    ),
    // Its slices are owned by services and endpoints and block their deletion.
    role(
        "endpointslicemirroring-controller",
        &[
            on("core", "endpoints services", READ),
            on("core", "services/finalizers", "update"),
            on("core", "endpoints/finalizers", "update"),
            on("discovery.k8s.io", "endpointslices", "get list watch create update delete"),
            EVENTS,
        ],
    ),
    role(
        "ephemeral-volume-controller",
        &[
            on("core", "pods", READ),
            on("core", "pods/finalizers", "update"),
            on("core", "persistentvolumeclaims", "get list watch create"),
            EVENTS,
        ],
    ),
    role(
        "expand-controller",
        &[
            on("core", "persistentvolumes", READ_UPDATE),
            on("core", "persistentvolumeclaims/status", "update patch"),
            on("core", "persistentvolumeclaims", READ),
            EVENTS,
        ],
    ),
    // Anything may be owned.
    role(
        "generic-garbage-collector",
        &[
            on("*", "*", "get list watch update patch delete"),
            EVENTS,
        ],
    ),
    role(
        "horizontal-pod-autoscaler",
        &[
            on("autoscaling", "horizontalpodautoscalers", READ),
            on("autoscaling", "horizontalpodautoscalers/status", "update"),
            on("*", "*/scale", "get update"),
            on("core", "pods", "list watch"),
            on("metrics.k8s.io", "pods", "list watch"),
            on("custom.metrics.k8s.io", "*", READ),
            on("external.metrics.k8s.io", "*", READ),
            EVENTS,
        ],
    ),
    role(
        "job-controller",
        &[
            on("batch", "jobs", READ_UPDATE),
            on("batch", "jobs/status", "update"),
            on("batch", "jobs/finalizers", "update"),
            on("core", "pods", "list watch create patch delete"),
            EVENTS,
        ],
    ),
    role(
        "kube-apiserver-serving-clustertrustbundle-publisher",
        &[
            on("certificates.k8s.io", "signers", "attest").named("kubernetes.io/kube-apiserver-serving"),
            on("certificates.k8s.io", "clustertrustbundles", "list watch create update delete"),
            EVENTS,
        ],
    ),
    role(
        "legacy-service-account-token-cleaner",
        &[
            on("core", "configmaps", "get").named("kube-apiserver-legacy-service-account-token-tracking"),
            on("core", "secrets", "patch delete"),
        ],
    ),
    role(
        "namespace-controller",
        &[
            on("core", "namespaces", "get list watch delete"),
            on("core", "namespaces/finalize namespaces/status", "update"),
            on("*", "*", "get list watch delete deletecollection"),
        ],
    ),
    role(
        "node-controller",
        &[
            on("core", "nodes", "get list watch update patch delete"),
            on("core", "nodes/status", "update patch"),
            on("core", "pods/status", "update patch"),
            on("core", "pods", "get list watch delete"),
            on("coordination.k8s.io", "leases", READ),
            EVENTS,
        ],
    ),
    role(
        "persistent-volume-binder",
        &[
            on("core", "persistentvolumes", "get list watch create update delete"),
            on("core", "persistentvolumes/status", "update"),
            on("core", "persistentvolumeclaims", "get list watch update"),
            on("core", "persistentvolumeclaims/status", "update"),
            on("core", "pods", "get list watch create delete"),
            on("storage.k8s.io", "storageclasses", READ),
            on("core", "nodes", "list watch"),
            EVENTS,
            on("core", "events", "watch"),
        ],
    ),
    role(
        "pod-garbage-collector",
        &[
            on("core", "pods", "list watch delete"),
            on("core", "nodes", READ),
            on("core", "pods/status", "patch"),
        ],
    ),
    role(
        "podcertificaterequestcleaner",
        &[
            on("certificates.k8s.io", "podcertificaterequests", "get list watch delete"),
        ],
    ),
    role(
        "pv-protection-controller",
        &[
            on("core", "persistentvolumes", "get list watch update"),
            EVENTS,
        ],
    ),
    role(
        "pvc-protection-controller",
        &[
            on("core", "persistentvolumeclaims", "get list watch update"),
            on("core", "persistentvolumeclaims/status", "update"),
            on("core", "pods", READ),
            EVENTS,
        ],
    ),
    role(
        "replicaset-controller",
        &[
            on("apps extensions", "replicasets", "get list watch update"),
            on("apps extensions", "replicasets/status", "update"),
            on("apps extensions", "replicasets/finalizers", "update"),
            on("core", "pods", "list watch create patch delete"),
            EVENTS,
        ],
    ),
    role(
        "replication-controller",
        &[
            on("core", "replicationcontrollers", "get list watch update"),
            on("core", "replicationcontrollers/status", "update"),
            on("core", "replicationcontrollers/finalizers", "update"),
            on("core", "pods", "list watch create patch delete"),
            EVENTS,
        ],
    ),
    role(
        "resource-claim-controller",
        &[
            on("core", "pods", READ),
            on("core", "pods/finalizers", "update"),
            on("resource.k8s.io", "resourceclaims", "get list watch create delete"),
            on("resource.k8s.io", "resourceclaims resourceclaims/status", "update patch"),
            on("core", "pods/status", "update patch"),
            EVENTS,
            on("resource.k8s.io", "resourceclaims/binding", "update patch"),
        ],
    ),
    // Anything may be counted.
    role(
        "resourcequota-controller",
        &[
            on("*", "*", "list watch"),
            on("core", "resourcequotas/status", "update"),
            EVENTS,
        ],
    ),
    role(
        "root-ca-cert-publisher",
        &[
            on("core", "configmaps", "create update"),
            EVENTS,
        ],
    ),
    role(
        "route-controller",
        &[
            on("core", "nodes", "list watch"),
            on("core", "nodes/status", "patch"),
            EVENTS,
        ],
    ),
    role(
        "selinux-warning-controller",
        &[
            EVENTS,
            on("core", "persistentvolumes", READ),
            on("core", "persistentvolumeclaims", READ),
            on("core", "pods", READ),
            on("storage.k8s.io", "csidrivers", READ),
        ],
    ),
    role(
        "service-account-controller",
        &[
            on("core", "serviceaccounts", "create"),
            EVENTS,
        ],
    ),
    role(
        "service-cidrs-controller",
        &[
            on("networking.k8s.io", "servicecidrs", READ_UPDATE),
            on("networking.k8s.io", "servicecidrs/finalizers", "update patch"),
            on("networking.k8s.io", "servicecidrs/status", "update patch"),
            on("networking.k8s.io", "ipaddresses", READ),
            EVENTS,
        ],
    ),
    role(
        "service-controller",
        &[
            on("core", "services", READ),
            on("core", "services/status", "update patch"),
            on("core", "nodes", "list watch"),
            EVENTS,
        ],
    ),
    role(
        "statefulset-controller",
        &[
            on("core", "pods", "list watch"),
            on("apps", "statefulsets", READ),
            on("apps", "statefulsets/status", "update"),
            on("apps", "statefulsets/finalizers", "update"),
            on("core", "pods", "get create update patch delete"),
            on("apps", "controllerrevisions", "get list watch create update patch delete"),
            on("core", "persistentvolumeclaims", "get list watch create"),
            on("core", "persistentvolumeclaims", "update delete"),
            on("core", "pods/finalizers", "update"),
            EVENTS,
        ],
    ),
    role(
        "storage-version-migrator-controller",
        &[
            on("*", "*", "list patch"),
            on("apiextensions.k8s.io", "customresourcedefinitions", "get"),
            on("apiextensions.k8s.io", "customresourcedefinitions/status", "patch"),
            on("storagemigration.k8s.io", "storageversionmigrations/status", "update"),
        ],
    ),
    role(
        "ttl-after-finished-controller",
        &[
            on("batch", "jobs", "get list watch delete"),
            EVENTS,
        ],
    ),
    role(
        "ttl-controller",
        &[
            on("core", "nodes", "list watch update patch"),
            EVENTS,
        ],
    ),
    role(
        "validatingadmissionpolicy-status-controller",
        &[
            on("admissionregistration.k8s.io", "validatingadmissionpolicies", READ),
            on("admissionregistration.k8s.io", "validatingadmissionpolicies/status", "get update patch"),
            EVENTS,
        ],
    ),
    role(
        "volumeattributesclass-protection-controller",
        &[
            on("core", "persistentvolumeclaims", READ),
            on("core", "persistentvolumes", READ),
            on("storage.k8s.io", "volumeattributesclasses", "get list watch update"),
            EVENTS,
        ],
    ),
];
