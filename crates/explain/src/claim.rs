//! Claims that have no volume yet, or have lost it.

use api_record::scalar::Quantity;
use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use api_types::storage::v1::StorageClass;
use api_volume::annotation::{SELECTED_NODE, STORAGE_PROVISIONER};
use api_volume::{class, matching};

use crate::evidence::Evidence;
use crate::finding::{Finding, Named, few};
use crate::limits::SHOWN;

/// How a claim is, in a few words.
pub(crate) fn state(claim: &PersistentVolumeClaim) -> String {
    let phase = if claim.status.phase.is_empty() { "Pending" } else { &claim.status.phase };
    match claim.spec.volume_name.as_str() {
        "" => phase.to_owned(),
        volume => format!("{phase} to volume {volume}"),
    }
}

/// Why each claim of a pod that has no volume has none.
pub(crate) fn of_pod(pod: &Pod, evidence: &Evidence) -> Vec<Finding> {
    if !evidence.knows::<PersistentVolumeClaim>() {
        return Vec::new();
    }
    let namespace = &pod.metadata.namespace;
    let mut findings = Vec::new();
    for used in api_volume::pod::claims(pod) {
        let named = Named::new("v1", "PersistentVolumeClaim", namespace, &used.claim);
        match evidence.world.get::<PersistentVolumeClaim>(namespace, &used.claim) {
            None if used.is_ephemeral => findings.push(
                Finding::new(
                    "ClaimMissing",
                    "is made for the pod by the controller of ephemeral volumes, and is not there yet",
                )
                .about(named),
            ),
            None => findings.push(
                Finding::new("ClaimMissing", "is not there")
                    .about(named)
                    .remedy(format!("create the claim {}", used.claim)),
            ),
            Some(claim) => {
                let own = explain(claim, evidence).into_iter();
                findings.extend(own.map(|finding| finding.about(named.clone())));
            }
        }
    }
    findings
}

/// Why a claim is not bound.
pub(crate) fn explain(claim: &PersistentVolumeClaim, evidence: &Evidence) -> Vec<Finding> {
    match claim.status.phase.as_str() {
        "Bound" if claim.spec.volume_name.is_empty() => Vec::new(),
        "Bound" => gone(claim, evidence).into_iter().chain(resizing(claim)).collect(),
        "Lost" => vec![Finding::new(
            "Lost",
            format!("its volume {} is gone, with what was on it", claim.spec.volume_name),
        )],
        _ => vec![pending(claim, evidence)],
    }
}

fn gone(claim: &PersistentVolumeClaim, evidence: &Evidence) -> Option<Finding> {
    let volume = &claim.spec.volume_name;
    let is_gone =
        evidence.knows::<PersistentVolume>() && evidence.world.get::<PersistentVolume>("", volume).is_none();
    is_gone.then(|| Finding::new("Lost", format!("its volume {volume} is not there")))
}

fn resizing(claim: &PersistentVolumeClaim) -> Option<Finding> {
    let wanted = matching::requested(claim);
    let has = claim.status.capacity.get(api_volume::STORAGE).cloned().unwrap_or_else(Quantity::default);
    let said = claim.status.conditions.iter().find(|said| said.status == "True");
    (wanted > has && !has.is_zero()).then(|| {
        let how = said.map_or_else(String::new, |said| {
            format!(" ({} {})", said.type_, said.message).trim_end().to_owned()
        });
        Finding::new("Resizing", format!("it asks for {wanted} and has {has}{how}"))
    })
}

fn pending(claim: &PersistentVolumeClaim, evidence: &Evidence) -> Finding {
    if !claim.spec.volume_name.is_empty() {
        let volume = &claim.spec.volume_name;
        return Finding::new(
            "WaitsForVolume",
            format!("it names the volume {volume}, which is not bound to it yet"),
        );
    }
    let name = class::of_claim(claim);
    if name.is_empty() {
        return classless(claim, evidence);
    }
    let Some(class) = evidence.world.get::<StorageClass>("", name) else {
        let finding = Finding::new("ClassMissing", format!("its storage class {name} is not there"));
        let finding = if evidence.knows::<StorageClass>() {
            finding
        } else {
            Finding::new("Unbound", format!("it has no volume yet; its storage class is {name}"))
        };
        return finding.remedy(format!("make the class {name}, or a volume of that class"));
    };
    let chosen = claim.metadata.annotations.get(SELECTED_NODE);
    if class::waits_for_consumer(class) && chosen.is_none() {
        return waits(claim, class, evidence);
    }
    if class.provisioner == api_volume::NO_PROVISIONER {
        return Finding::new(
            "NoVolume",
            format!("nobody makes volumes of class {name}, and none that is there suits"),
        )
        .because(unsuitable(claim, evidence))
        .remedy("make a volume by hand that suits");
    }
    let who = claim.metadata.annotations.get(STORAGE_PROVISIONER).unwrap_or(&class.provisioner);
    let node = chosen.map_or_else(String::new, |node| format!(" for node {node}"));
    let events = evidence.events(&claim.metadata, "PersistentVolumeClaim");
    let failed = events.into_iter().find(|told| told.reason == "ProvisioningFailed");
    Finding::new("Provisioning", format!("{who} is to make its volume{node}"))
        .because(failed.map(|told| Finding::new("ProvisioningFailed", told.message).since(told.time)))
        .remedy(format!("see whether the provisioner {who} runs, and what it says"))
}

fn classless(claim: &PersistentVolumeClaim, evidence: &Evidence) -> Finding {
    let unnamed =
        !class::is_named(claim) && class::default_of(evidence.world.all::<StorageClass>()).is_none();
    let why = if unnamed {
        "it names no storage class, and no class is the default"
    } else {
        "it wants a volume without a class"
    };
    let finding = Finding::new("NoVolume", format!("{why}: it gets a volume that is there, and none suits"))
        .because(unsuitable(claim, evidence));
    match unnamed {
        true => finding.remedy("name a class in spec.storageClassName, or make a class the default"),
        false => finding.remedy("make a volume by hand that suits"),
    }
}

/// Its volume is chosen with the node of the first pod that uses it.
fn waits(claim: &PersistentVolumeClaim, class: &StorageClass, evidence: &Evidence) -> Finding {
    let namespace = &claim.metadata.namespace;
    let pods = evidence.world.in_namespace::<Pod>(namespace);
    let uses = |pod: &&Pod| {
        !control_base::pod::is_terminal(pod)
            && api_volume::pod::claims(pod).any(|used| used.claim == claim.metadata.name)
    };
    let users: Vec<&str> = pods.filter(uses).map(|pod| pod.metadata.name.as_str()).collect();
    let name = &class.metadata.name;
    let finding = Finding::new(
        "WaitForFirstConsumer",
        match users.is_empty() {
            true => format!("class {name} makes volumes once a pod uses the claim, and none does"),
            false => format!(
                "class {name} makes its volume once a pod that uses it gets a node: {}",
                few(&users, SHOWN)
            ),
        },
    );
    match users.first() {
        None => finding.remedy("let a pod use the claim"),
        Some(first) => finding.remedy(format!("knarr why -n {namespace} pod/{first}")),
    }
}

/// Why volumes that are there do not suit; those first that come nearest.
fn unsuitable(claim: &PersistentVolumeClaim, evidence: &Evidence) -> Vec<Finding> {
    let mut found: Vec<(usize, Finding)> = Vec::new();
    for volume in evidence.world.all::<PersistentVolume>() {
        let wrong = wrong(claim, volume);
        let named = Named::new("v1", "PersistentVolume", "", &volume.metadata.name);
        let said = if wrong.is_empty() {
            "suits: the binder has yet to bind it".to_owned()
        } else {
            wrong.join("; ")
        };
        found.push((wrong.len(), Finding::new("VolumeUnsuitable", said).about(named)));
    }
    found.sort_by_key(|(wrong, _)| *wrong);
    if found.is_empty() && evidence.knows::<PersistentVolume>() {
        return vec![Finding::new("NoVolumes", "there are no volumes at all")];
    }
    found.into_iter().map(|(_, finding)| finding).collect()
}

fn wrong(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(of) = volume.spec.claim_ref.as_deref().filter(|_| !api_volume::is_bound_to(volume, claim)) {
        wrong.push(format!("is of claim {}/{}", of.namespace, of.name));
    } else if volume.status.phase != "Available" {
        wrong.push(format!("is {}", volume.status.phase));
    }
    let (own, wanted) = (class::of_volume(volume), class::of_claim(claim));
    if own != wanted {
        wrong.push(match own {
            "" => "has no class".to_owned(),
            own => format!("is of class {own}"),
        });
    }
    let (size, asked) = (matching::capacity(volume), matching::requested(claim));
    if size < asked {
        wrong.push(format!("holds {size}, and {asked} is asked for"));
    }
    if !matching::has_modes(claim, volume) {
        wrong.push(format!("has the access {}", volume.spec.access_modes.join(",")));
    }
    if !matching::has_mode(claim, volume) {
        wrong.push("is of another volumeMode".to_owned());
    }
    if !matching::has_attributes(claim, volume) {
        wrong.push("is of another volumeAttributesClassName".to_owned());
    }
    if let Some(selector) = claim.spec.selector.as_deref() {
        let selector = api_meta::labels::Selector::from_api(Some(selector));
        if !selector.is_ok_and(|selector| selector.matches(&volume.metadata.labels)) {
            wrong.push("has not the labels of the claim's selector".to_owned());
        }
    }
    wrong
}
