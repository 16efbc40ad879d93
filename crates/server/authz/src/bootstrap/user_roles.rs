//! The cluster roles meant for people and for every client: admin, edit, view, discovery, health and metrics.
//!
//! `bootstrap` assembles them. `admin`, `edit` and `view` have no rules of their own: the controller of aggregated roles
//! fills them from the `system:aggregate-to-*` roles here and from those that users label alike.

use super::build::{READ, READ_WRITE, RoleRow, WRITE, on, role, urls};

/// The aggregated roles, and the label that marks them as part of the next larger one.
pub(super) const AGGREGATED: &[(&str, Option<&str>)] =
    &[("admin", None), ("edit", Some("admin")), ("view", Some("edit"))];

/// Roles with rules, by name.
pub(super) const USER_ROLES: &[RoleRow] = &[
    role("cluster-admin", &[on("*", "*", "*"), urls("*", "*")]),
    role(
        "system:aggregate-to-admin",
        &[
            on("authorization.k8s.io", "localsubjectaccessreviews", "create"),
            on("rbac.authorization.k8s.io", "rolebindings roles", READ_WRITE),
        ],
    ),
    // Not the status of things, nor quotas and limits: those belong to the system.
    role(
        "system:aggregate-to-edit",
        &[
            on("core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy", READ),
            on("core", "serviceaccounts", "impersonate"),
            on("core", "pods pods/attach pods/exec pods/portforward pods/proxy", WRITE),
            on("core", "pods/eviction", "create"),
            on(
                "core",
                "configmaps persistentvolumeclaims replicationcontrollers replicationcontrollers/scale \
                 secrets serviceaccounts services services/proxy",
                WRITE,
            ),
            on("core", "serviceaccounts/token", "create"),
            on("core events.k8s.io", "events", WRITE),
            on(
                "apps",
                "daemonsets deployments deployments/rollback deployments/scale replicasets \
                 replicasets/scale statefulsets statefulsets/scale",
                WRITE,
            ),
            on("autoscaling", "horizontalpodautoscalers", WRITE),
            on("batch", "cronjobs jobs", WRITE),
            on(
                "extensions",
                "daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies \
                 replicasets replicasets/scale replicationcontrollers/scale",
                WRITE,
            ),
            on("policy", "poddisruptionbudgets", WRITE),
            on("networking.k8s.io", "ingresses networkpolicies", WRITE),
            on("coordination.k8s.io", "leases", READ_WRITE),
            on("resource.k8s.io", "resourceclaims resourceclaimtemplates", WRITE),
        ],
    ),
    role(
        "system:aggregate-to-view",
        &[
            on(
                "core",
                "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods \
                 replicationcontrollers replicationcontrollers/scale serviceaccounts services \
                 services/status",
                READ,
            ),
            on(
                "core",
                "bindings limitranges namespaces/status pods/log pods/status \
                 replicationcontrollers/status resourcequotas resourcequotas/status",
                READ,
            ),
            on("core", "namespaces", READ),
            on("core events.k8s.io", "events", READ),
            on("discovery.k8s.io", "endpointslices", READ),
            on(
                "apps",
                "controllerrevisions daemonsets daemonsets/status deployments deployments/scale \
                 deployments/status replicasets replicasets/scale replicasets/status statefulsets \
                 statefulsets/scale statefulsets/status",
                READ,
            ),
            on("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", READ),
            on("batch", "cronjobs cronjobs/status jobs jobs/status", READ),
            on(
                "extensions",
                "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses \
                 ingresses/status networkpolicies replicasets replicasets/scale replicasets/status \
                 replicationcontrollers/scale",
                READ,
            ),
            on("policy", "poddisruptionbudgets poddisruptionbudgets/status", READ),
            on("networking.k8s.io", "ingresses ingresses/status networkpolicies", READ),
            on("resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates", READ),
        ],
    ),
    role(
        "system:basic-user",
        &[
            on("authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", "create"),
            on("authentication.k8s.io", "selfsubjectreviews", "create"),
        ],
    ),
    role(
        "system:discovery",
        &[urls(
            "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/",
            "get",
        )],
    ),
    // The single health checks may tell more than whether the server is healthy, so discovery has no "/*" here.
    role(
        "system:monitoring",
        &[
            urls(
                "/flagz /healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/* \
                 /statusz",
                "get",
            ),
            on("core", "nodes/metrics", "get"),
        ],
    ),
    // Also for the unauthenticated: health and version, nothing else.
    role("system:public-info-viewer", &[urls("/healthz /livez /readyz /version /version/", "get")]),
    // With the trailing slashes that clients generated from old OpenAPI documents use.
    role(
        "system:service-account-issuer-discovery",
        &[urls(
            "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks \
                 /openid/v1/jwks/",
            "get",
        )],
    ),
    role("system:cluster-trust-bundle-discovery", &[on("certificates.k8s.io", "clustertrustbundles", READ)]),
];
