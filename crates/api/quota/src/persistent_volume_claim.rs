//! What a claim of a volume uses: itself and the storage it asks for, in all and of its class.

use std::collections::BTreeSet;

use api_record::scalar::Quantity;
use api_types::core::v1::{PersistentVolumeClaim, ScopedResourceSelectorRequirement};
use api_volume::class;

use crate::list::{ResourceList, whole};
use crate::scope;

const COUNT: &str = "count/persistentvolumeclaims";
const CLAIMS: &str = "persistentvolumeclaims";
const STORAGE: &str = "requests.storage";
const OF_CLASS: &str = ".storageclass.storage.k8s.io/";

pub(crate) fn is_measured(name: &str) -> bool {
    matches!(name, COUNT | CLAIMS | STORAGE)
        || name.split_once(OF_CLASS).is_some_and(|(_, of)| matches!(of, CLAIMS | STORAGE))
}

pub(crate) fn usage(claim: &PersistentVolumeClaim) -> ResourceList {
    let mut used = ResourceList::from([(COUNT.to_owned(), whole(1)), (CLAIMS.to_owned(), whole(1))]);
    let storage = storage(claim);
    used.extend(storage.clone().map(|storage| (STORAGE.to_owned(), storage)));
    let class = class::of_claim(claim);
    if !class.is_empty() {
        used.insert(format!("{class}{OF_CLASS}{CLAIMS}"), whole(1));
        used.extend(storage.map(|storage| (format!("{class}{OF_CLASS}{STORAGE}"), storage)));
    }
    used
}

/// The larger of what is asked for and what has been allocated, in whole bytes.
fn storage(claim: &PersistentVolumeClaim) -> Option<Quantity> {
    let asked = claim.spec.resources.requests.get("storage")?;
    let allocated = claim.status.allocated_resources.get("storage");
    let most = allocated.filter(|allocated| *allocated > asked).unwrap_or(asked);
    let bytes = Quantity::from_units(most.units(), most.format());
    Some(if bytes == *most { most.clone() } else { bytes })
}

/// The classes of attributes that it has, has had last, and is to have.
fn attributes_classes(claim: &PersistentVolumeClaim) -> BTreeSet<&str> {
    let modify = claim.status.modify_volume_status.as_deref();
    let named = [
        claim.spec.volume_attributes_class_name.as_deref(),
        claim.status.current_volume_attributes_class_name.as_deref(),
        modify.map(|status| status.target_volume_attributes_class_name.as_str()),
    ];
    named.into_iter().flatten().filter(|name| !name.is_empty()).collect()
}

pub(crate) fn is_in(claim: &PersistentVolumeClaim, selector: &ScopedResourceSelectorRequirement) -> bool {
    if selector.scope_name != "VolumeAttributesClass" {
        return false;
    }
    let classes = attributes_classes(claim);
    if classes.is_empty() {
        return scope::picks(selector, None);
    }
    classes.into_iter().any(|class| scope::picks(selector, Some(class)))
}
