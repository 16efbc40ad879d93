//! What a node may do, resource by resource.
//!
//! Refusals are never final: the Node authorizer has no opinion then, and RBAC may still allow. Reasons are upstream's.

use std::sync::LazyLock;

use api_meta::quote;
use api_types::rbac::v1::PolicyRule;

use super::graph::{Graph, Kind};
use super::node_of;
use crate::rbac::rules_allow;
use crate::{Attributes, Authorize, Decision, bootstrap};

const LEASE_NAMESPACE: &str = "kube-node-lease";

static RULES: LazyLock<Vec<PolicyRule>> = LazyLock::new(bootstrap::node_rules);

/// `Ok` allows, `Err` says why not; an empty reason is upstream's too.
type Verdict = Result<(), String>;

impl Authorize for Graph {
    fn authorize(&self, request: &Attributes<'_>) -> Decision {
        let Some(node) = node_of(request) else { return Decision::no_opinion("") };
        if node.is_empty() {
            return Decision::no_opinion(format!("unknown node for user {}", quote::go(request.user)));
        }
        match (Asking { graph: self, node, request }).verdict() {
            Ok(()) => Decision::allow(""),
            Err(reason) => Decision::NoOpinion { reason },
        }
    }
}

/// A request of a node.
struct Asking<'a> {
    graph: &'a Graph,
    node: &'a str,
    request: &'a Attributes<'a>,
}

impl Asking<'_> {
    fn verdict(&self) -> Verdict {
        let request = self.request;
        if !request.is_resource_request {
            return self.by_rules();
        }
        match (request.api_group, request.resource) {
            ("", "secrets") => self.read(Kind::Secret),
            ("", "configmaps") => self.read(Kind::ConfigMap),
            ("", "persistentvolumeclaims") => self.claim(),
            ("", "persistentvolumes") => self.get_alone(|| self.graph.uses_volume(self.node, request.name)),
            ("resource.k8s.io", "resourceclaims") => self.get(Kind::ResourceClaim),
            ("storage.k8s.io", "volumeattachments") => {
                self.get_alone(|| self.graph.has_attachment(self.node, request.name))
            }
            ("", "serviceaccounts") => self.service_account(),
            ("coordination.k8s.io", "leases") => self.lease(),
            ("storage.k8s.io", "csinodes") => self.csi_node(),
            ("resource.k8s.io", "resourceslices") => self.resource_slice(),
            ("", "nodes") => self.node_object(),
            ("", "pods") => self.pod(),
            ("certificates.k8s.io", "podcertificaterequests") => self.certificate_request(),
            _ => self.by_rules(),
        }
    }

    fn by_rules(&self) -> Verdict {
        if rules_allow(self.request, &*RULES) { Ok(()) } else { refuse("") }
    }

    /// Reading single secrets, config maps and service accounts.
    fn read(&self, kind: Kind) -> Verdict {
        if !matches!(self.request.verb, "get" | "list" | "watch") {
            return refuse("can only read resources of this type");
        }
        if !self.request.subresource.is_empty() {
            return refuse("cannot read subresource");
        }
        if self.request.namespace.is_empty() {
            return refuse("can only read namespaced object of this type");
        }
        self.needed(kind)
    }

    fn get(&self, kind: Kind) -> Verdict {
        self.only_get()?;
        self.needed(kind)
    }

    /// Getting one object without a namespace.
    fn get_alone(&self, related: impl FnOnce() -> bool) -> Verdict {
        self.only_get()?;
        self.related(|| self.request.namespace.is_empty() && related())
    }

    fn only_get(&self) -> Verdict {
        if self.request.verb != "get" {
            return refuse("can only get individual resources of this type");
        }
        if self.request.subresource.is_empty() { Ok(()) } else { refuse("cannot get subresource") }
    }

    fn needed(&self, kind: Kind) -> Verdict {
        self.related(|| self.graph.needs(self.node, kind, self.request.namespace, self.request.name))
    }

    fn related(&self, related: impl FnOnce() -> bool) -> Verdict {
        if self.request.name.is_empty() {
            return refuse("No Object name found");
        }
        if related() { Ok(()) } else { Err(self.unrelated()) }
    }

    fn unrelated(&self) -> String {
        format!("no relationship found between node '{}' and this object", self.node)
    }

    fn claim(&self) -> Verdict {
        if self.request.subresource != "status" {
            return self.get(Kind::PersistentVolumeClaim);
        }
        if !matches!(self.request.verb, "update" | "patch") {
            return refuse("can only get/update/patch this type");
        }
        self.needed(Kind::PersistentVolumeClaim)
    }

    /// Reading the account of a pod of the node, or creating a token of it.
    fn service_account(&self) -> Verdict {
        let Attributes { verb, subresource, name, .. } = *self.request;
        if verb == "get" && subresource.is_empty() {
            return self.read(Kind::ServiceAccount);
        }
        if verb != "create" || name.is_empty() {
            return refuse("can only create tokens for individual service accounts");
        }
        if subresource != "token" {
            return refuse("can only create token subresource of serviceaccount");
        }
        self.needed(Kind::ServiceAccount)
    }

    fn lease(&self) -> Verdict {
        let Attributes { verb, namespace, name, .. } = *self.request;
        if !matches!(verb, "get" | "create" | "update" | "patch" | "delete") {
            return refuse("can only get, create, update, patch, or delete a node lease");
        }
        if namespace != LEASE_NAMESPACE {
            return Err(format!(
                "can only access leases in the {} system namespace",
                quote::go(LEASE_NAMESPACE)
            ));
        }
        // A creation's name is not known here yet; admission checks it.
        if verb != "create" && name != self.node {
            return refuse("can only access node lease with the same name as the requesting node");
        }
        Ok(())
    }

    fn csi_node(&self) -> Verdict {
        let Attributes { verb, subresource, name, .. } = *self.request;
        match subresource {
            "" if matches!(verb, "get" | "create" | "update" | "patch" | "delete") => {}
            "" => return refuse("can only get, create, update, patch, or delete a CSINode"),
            "status" => return refuse("CSINode status access requires CSIVolumeHealth feature"),
            _ => return refuse("cannot authorize CSINode subresources"),
        }
        // A creation's name is not known here yet; admission checks it.
        if verb != "create" && name != self.node {
            return refuse("can only access CSINode with the same name as the requesting node");
        }
        Ok(())
    }

    fn resource_slice(&self) -> Verdict {
        let request = self.request;
        if !request.subresource.is_empty() {
            return refuse("cannot authorize ResourceSlice subresources");
        }
        match request.verb {
            // Admission checks the new slice's node.
            "create" => Ok(()),
            "get" | "update" | "patch" | "delete" => {
                self.related(|| request.namespace.is_empty() && self.graph.has_slice(self.node, request.name))
            }
            "watch" | "list" | "deletecollection" if request.selects_field("spec.nodeName", self.node) => {
                Ok(())
            }
            "watch" | "list" | "deletecollection" => {
                refuse("can only list/watch/deletecollection resourceslices with nodeName field selector")
            }
            _ => refuse(
                "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, \
                 delete, deletecollection",
            ),
        }
    }

    fn certificate_request(&self) -> Verdict {
        let Attributes { verb, subresource, namespace, name, .. } = *self.request;
        if !subresource.is_empty() {
            return refuse("nodes may not access the status subresource of PodCertificateRequests");
        }
        match verb {
            // Admission checks the new request's pod and node.
            "create" => Ok(()),
            "get" => self.related(|| self.graph.has_certificate_request(self.node, namespace, name)),
            "list" | "watch" if self.request.selects_field("spec.nodeName", self.node) => Ok(()),
            "list" | "watch" => {
                refuse("can only list/watch podcertificaterequests with nodeName field selector")
            }
            _ => Err(format!("nodes may not {verb} podcertificaterequests")),
        }
    }

    /// The node's own object. Reading goes by name, not by the graph, so that a node can look before it registers.
    fn node_object(&self) -> Verdict {
        let Attributes { verb, subresource, name, .. } = *self.request;
        match (subresource, verb) {
            // Admission limits a node to its own object.
            ("", "create" | "update" | "patch") | ("status", "update" | "patch") => Ok(()),
            ("", "get" | "list" | "watch") if name == self.node => Ok(()),
            ("", "get" | "list" | "watch") if name.is_empty() => {
                Err(format!("node '{}' cannot read all nodes, only its own Node object", self.node))
            }
            ("", "get" | "list" | "watch") => {
                Err(format!("node '{}' cannot read '{name}', only its own Node object", self.node))
            }
            _ => refuse(""),
        }
    }

    fn pod(&self) -> Verdict {
        let Attributes { verb, subresource, namespace, name, .. } = *self.request;
        let runs_it = || self.graph.runs_pod(self.node, namespace, name);
        match (subresource, verb) {
            ("", "get") => self.related(runs_it),
            ("", "list" | "watch") if self.request.selects_field("spec.nodeName", self.node) => Ok(()),
            ("", "list" | "watch") if !name.is_empty() => self.related(runs_it),
            ("", "list" | "watch") => refuse("can only list/watch pods with spec.nodeName field selector"),
            // Mirror pods, status and evictions: admission limits a node to pods of its own.
            ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create") => Ok(()),
            _ => refuse(""),
        }
    }
}

fn refuse(reason: &str) -> Verdict {
    Err(reason.to_owned())
}
