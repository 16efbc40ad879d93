//! The cluster-wide bindings of the bootstrap policy, other than the controllers' own.
//!
//! `bootstrap` assembles them.

use super::build::SubjectRow::{Account, Group, User};
use super::build::{BindingRow, bind};

/// All of them, by name.
pub(super) const BINDINGS: &[BindingRow] = &[
    bind("cluster-admin", &[Group("system:masters")]),
    bind("system:basic-user", &[Group("system:authenticated")]),
    bind("system:cluster-trust-bundle-discovery", &[Group("system:serviceaccounts")]),
    bind("system:discovery", &[Group("system:authenticated")]),
    bind("system:kube-controller-manager", &[User("system:kube-controller-manager")]),
    bind("system:kube-dns", &[Account("kube-dns")]),
    bind("system:kube-scheduler", &[User("system:kube-scheduler")]),
    bind("system:monitoring", &[Group("system:monitoring")]),
    // Nodes are the Node authorizer's. The binding stays, empty, so that a reconciliation which removes can empty old ones.
    bind("system:node", &[]),
    bind("system:node-proxier", &[User("system:kube-proxy")]),
    bind("system:public-info-viewer", &[Group("system:authenticated"), Group("system:unauthenticated")]),
    // Workloads know the issuer from their own tokens already.
    bind("system:service-account-issuer-discovery", &[Group("system:serviceaccounts")]),
    bind("system:volume-scheduler", &[User("system:kube-scheduler")]),
];
