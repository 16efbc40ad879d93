//! Roles and their bindings inside `kube-system` and `kube-public`.
//!
//! `bootstrap` assembles them.

use super::build::{EVENTS, READ, RoleRow, on, role};

use super::build::SubjectRow::{Account, User};
use super::build::{BindingRow, bind};

/// Roles of `kube-system`.
pub(super) const SYSTEM_ROLES: &[RoleRow] = &[
    role(
        "extension-apiserver-authentication-reader",
        &[on("core", "configmaps", READ).named("extension-apiserver-authentication")],
    ),
    role(
        "system::leader-locking-kube-controller-manager",
        &[
            on("coordination.k8s.io", "leases", "get list watch create update"),
            on("coordination.k8s.io", "leasecandidates", "get list watch create update"),
        ],
    ),
    role(
        "system::leader-locking-kube-scheduler",
        &[
            on("coordination.k8s.io", "leases", "get list watch create update"),
            on("coordination.k8s.io", "leasecandidates", "get list watch create update"),
        ],
    ),
    role("system:controller:bootstrap-signer", &[on("core", "secrets", READ)]),
    role("system:controller:cloud-provider", &[on("core", "configmaps", "get list watch create")]),
    role("system:controller:token-cleaner", &[on("core", "secrets", "get list watch delete"), EVENTS]),
];

/// Roles of `kube-public`.
pub(super) const PUBLIC_ROLES: &[RoleRow] = &[role(
    "system:controller:bootstrap-signer",
    &[on("core", "configmaps", READ), on("core", "configmaps", "update").named("cluster-info"), EVENTS],
)];

/// Bindings of `kube-system`.
pub(super) const SYSTEM_BINDINGS: &[BindingRow] = &[
    bind(
        "system::extension-apiserver-authentication-reader",
        &[User("system:kube-controller-manager"), User("system:kube-scheduler")],
    )
    .of_role("extension-apiserver-authentication-reader"),
    bind(
        "system::leader-locking-kube-controller-manager",
        &[
            User("system:kube-controller-manager"),
            Account("kube-controller-manager"),
            Account("leader-election-controller"),
        ],
    ),
    bind(
        "system::leader-locking-kube-scheduler",
        &[User("system:kube-scheduler"), Account("kube-scheduler")],
    ),
    bind("system:controller:bootstrap-signer", &[Account("bootstrap-signer")]),
    bind("system:controller:cloud-provider", &[Account("cloud-provider")]),
    bind("system:controller:token-cleaner", &[Account("token-cleaner")]),
];

/// Bindings of `kube-public`.
pub(super) const PUBLIC_BINDINGS: &[BindingRow] =
    &[bind("system:controller:bootstrap-signer", &[Account("bootstrap-signer")])];
