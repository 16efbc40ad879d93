//! The clients that a cluster starts with, and the names in their certificates.
//!
//! Names and groups are kubeadm's (`cmd/kubeadm/app/constants`); they are what the bootstrap roles of RBAC bind.

use base::time::Time;

use crate::certificate::Template;
use crate::certificate::name::Name;
use crate::certificate::usage::{ExtendedUsage, KeyUsages};
use crate::key::PublicKey;
use crate::limits::{BACKDATE, CERTIFICATE_LIFETIME};

/// A client with a certificate of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Component {
    /// The administrator: `kubernetes-admin` in `kubeadm:cluster-admins`, a group that RBAC binds to `cluster-admin`
    /// and can unbind, unlike `system:masters`.
    Admin,
    /// The administrator whom no policy can lock out: `kubernetes-super-admin` in `system:masters`.
    SuperAdmin,
    /// The scheduler.
    Scheduler,
    /// The controllers.
    ControllerManager,
    /// The service proxy.
    Proxy,
    /// The API server as a client of nodes.
    ApiserverKubeletClient,
    /// The API server as a proxy in front of aggregated API servers; signed by the front-proxy authority.
    FrontProxy,
    /// The agent of a node.
    Node(String),
}

impl Component {
    /// The stem of its files.
    pub fn file(&self) -> String {
        match self {
            Component::Admin => "admin".to_owned(),
            Component::SuperAdmin => "super-admin".to_owned(),
            Component::Scheduler => "scheduler".to_owned(),
            Component::ControllerManager => "controller-manager".to_owned(),
            Component::Proxy => "proxy".to_owned(),
            Component::ApiserverKubeletClient => "apiserver-kubelet-client".to_owned(),
            Component::FrontProxy => "front-proxy-client".to_owned(),
            Component::Node(name) => format!("node-{name}"),
        }
    }

    /// The subject of its certificate: the user's name and groups.
    pub fn subject(&self) -> Name {
        match self {
            Component::Admin => Name::new("kubernetes-admin", &["kubeadm:cluster-admins"]),
            Component::SuperAdmin => Name::new("kubernetes-super-admin", &["system:masters"]),
            Component::Scheduler => Name::new("system:kube-scheduler", &[]),
            Component::ControllerManager => Name::new("system:kube-controller-manager", &[]),
            Component::Proxy => Name::new("system:kube-proxy", &[]),
            Component::ApiserverKubeletClient => {
                Name::new("kube-apiserver-kubelet-client", &["kubeadm:cluster-admins"])
            }
            Component::FrontProxy => Name::new("front-proxy-client", &[]),
            Component::Node(name) => Name::new(&format!("system:node:{name}"), &["system:nodes"]),
        }
    }

    pub(super) fn is_front_proxy(&self) -> bool {
        *self == Component::FrontProxy
    }

    /// What its certificate says.
    pub fn template(&self, public_key: PublicKey, now: Time) -> Template {
        Template {
            subject: self.subject(),
            public_key,
            not_before: now - BACKDATE,
            not_after: now + CERTIFICATE_LIFETIME,
            is_ca: false,
            usages: KeyUsages::DIGITAL_SIGNATURE.with(KeyUsages::KEY_ENCIPHERMENT),
            extended_usages: vec![ExtendedUsage::ClientAuth],
            alternative_names: Vec::new(),
        }
    }
}
