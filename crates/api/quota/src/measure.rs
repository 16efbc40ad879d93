//! The measure of a resource: which quota names it has, what an object uses of them, which objects a quota is about.

use std::sync::Arc;

use api_meta::resources::add;
use api_record::Record;
use api_types::core::v1::{
    PersistentVolumeClaim, Pod, ResourceQuota, ScopedResourceSelectorRequirement, Service,
};
use api_types::resource::v1::ResourceClaim;
use base::time::Time;

use crate::list::{ResourceList, whole};
use crate::{counts, persistent_volume_claim, pod, resource_claim, scope, service};

/// How the objects of one resource are measured. Objects are of the hub's type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Measure {
    group: String,
    plural: String,
}

/// Whether quotas leave a resource alone: events, and what is not stored.
pub fn is_ignored(group: &str, plural: &str) -> bool {
    match group {
        "" => matches!(plural, "bindings" | "componentstatuses" | "events"),
        "events.k8s.io" => plural == "events",
        "authentication.k8s.io" => matches!(plural, "tokenreviews" | "selfsubjectreviews"),
        "authorization.k8s.io" => true,
        _ => false,
    }
}

impl Measure {
    /// The measure of a resource; `None` if quotas leave it alone.
    pub fn of(group: &str, plural: &str) -> Option<Measure> {
        (!is_ignored(group, plural)).then(|| Measure { group: group.to_owned(), plural: plural.to_owned() })
    }

    fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }

    /// Whether a resource of a quota is one that these objects use.
    pub fn has(&self, name: &str) -> bool {
        match (self.group.as_str(), self.plural.as_str()) {
            ("", "pods") => pod::is_measured(name),
            ("", "services") => service::NAMES.contains(&name),
            ("", "persistentvolumeclaims") => persistent_volume_claim::is_measured(name),
            ("resource.k8s.io", "resourceclaims") => resource_claim::is_measured(name),
            (group, plural) => {
                counts::alias(group, plural) == Some(name)
                    || name.strip_prefix("count/").is_some_and(|of| match of.split_once('.') {
                        Some((own, rest)) => own == plural && rest == group,
                        None => of == plural && group.is_empty(),
                    })
            }
        }
    }

    /// What an object uses at a time.
    pub fn usage(&self, object: &dyn Record, now: Time) -> ResourceList {
        if let Some(pod) = object.downcast_ref::<Pod>() {
            return pod::usage(pod, now);
        }
        if let Some(service) = object.downcast_ref::<Service>() {
            return service::usage(service);
        }
        if let Some(claim) = object.downcast_ref::<PersistentVolumeClaim>() {
            return persistent_volume_claim::usage(claim);
        }
        if let Some(claim) = object.downcast_ref::<ResourceClaim>() {
            return resource_claim::usage(claim);
        }
        let mut used = ResourceList::from([(counts::count_name(&self.group, &self.plural), whole(1))]);
        let alias = counts::alias(&self.group, &self.plural);
        used.extend(alias.map(|alias| (alias.to_owned(), whole(1))));
        used
    }

    /// Whether the object is one of those that a scope is about. Only pods and claims of volumes have scopes.
    fn is_in(&self, object: &dyn Record, selector: &ScopedResourceSelectorRequirement) -> bool {
        if let Some(pod) = object.downcast_ref::<Pod>() {
            return pod::is_in(pod, selector);
        }
        let claim = object.downcast_ref::<PersistentVolumeClaim>();
        claim.is_some_and(|claim| persistent_volume_claim::is_in(claim, selector))
    }

    /// Whether the object fits every scope of a quota.
    pub fn fits(&self, quota: &ResourceQuota, object: &dyn Record) -> bool {
        scope::selectors(quota).all(|selector| self.is_in(object, &selector))
    }

    /// What the object must say, and does not, if a quota counts these resources.
    pub fn unsaid(&self, object: &dyn Record, counted: &[&str]) -> Option<String> {
        object.downcast_ref::<Pod>().and_then(|pod| pod::unsaid(pod, counted))
    }

    /// Whether a write can change what is used. There is no object before it is made.
    pub fn is_touched(&self, subresource: &str, object: &dyn Record, old: Option<&dyn Record>) -> bool {
        let Some(old) = old else { return subresource.is_empty() };
        if self.is("", "pods") {
            let deadline = |pod: &dyn Record| pod.downcast_ref().map(pod::is_terminating);
            return match subresource {
                "" => deadline(object) != deadline(old),
                part => part == "resize",
            };
        }
        match (self.group.as_str(), self.plural.as_str()) {
            ("", "persistentvolumeclaims") => matches!(subresource, "" | "status"),
            ("", "services") | ("resource.k8s.io", "resourceclaims") => subresource.is_empty(),
            _ => false,
        }
    }
}

/// Whether a quota, by what its status says it limits, is about an object.
pub fn applies(measure: &Measure, quota: &ResourceQuota, object: &dyn Record) -> bool {
    quota.status.hard.keys().any(|name| measure.has(name)) && measure.fits(quota, object)
}

/// What all objects of a resource that a quota is about use of what it limits; nothing, where there are none.
pub fn total(
    measure: &Measure,
    quota: &ResourceQuota,
    objects: impl Iterator<Item = Arc<dyn Record>>,
    now: Time,
) -> ResourceList {
    let names = quota.spec.hard.keys().filter(|name| measure.has(name));
    let mut used: ResourceList = names.map(|name| (name.clone(), whole(0))).collect();
    if used.is_empty() {
        return used;
    }
    for object in objects.filter(|object| measure.fits(quota, &**object)) {
        let mut own = measure.usage(&*object, now);
        own.retain(|name, _| used.contains_key(name));
        add(&mut used, &own);
    }
    used
}
