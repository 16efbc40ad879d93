//! From a pod's claim to a place on this machine. Pure; kubelet's checks before it mounts anything, in its words.

use std::collections::BTreeMap;

use api_record::{Record as _, Value};
use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use api_volume::{matching, pod};

/// Why a claim cannot be mounted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The claim itself.
    #[error("error processing PVC {namespace}/{claim}: {why}")]
    Claim {
        /// Its namespace.
        namespace: String,
        /// Its name.
        claim: String,
        /// What is wrong with it.
        why: String,
    },
    /// The volume that it is bound to.
    #[error("volume {volume:?} cannot be mounted: {why}")]
    Volume {
        /// Its name.
        volume: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Where a volume is on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A path that is made or checked as its type says; its permissions are nobody else's business.
    HostPath {
        /// The path.
        path: String,
        /// A hostPath volume's type.
        type_: String,
    },
    /// A directory that is there and may be given to a pod's group.
    Local {
        /// The path.
        path: String,
    },
}

fn of_claim(claim: &PersistentVolumeClaim, why: impl Into<String>) -> ClaimError {
    let meta = &claim.metadata;
    ClaimError::Claim { namespace: meta.namespace.clone(), claim: meta.name.clone(), why: why.into() }
}

/// The volume of a claim that a pod may use.
///
/// # Errors
/// If the claim is on its way out, not bound, or made for another pod.
pub fn volume_of<'a>(
    of: &Pod,
    claim: &'a PersistentVolumeClaim,
    is_ephemeral: bool,
) -> Result<&'a str, ClaimError> {
    if is_ephemeral {
        pod::is_for(of, claim).map_err(|why| of_claim(claim, why))?;
    }
    if claim.metadata.deletion_timestamp.is_some() {
        return Err(of_claim(claim, "PVC is being deleted"));
    }
    let name = &claim.spec.volume_name;
    if claim.status.phase != "Bound" || name.is_empty() {
        return Err(of_claim(claim, "PVC is not bound"));
    }
    Ok(name)
}

/// Where a claim's volume is, for a node of these labels.
///
/// # Errors
/// If it is another claim's, another node's, a device, or of a kind that this node cannot mount.
pub fn source(
    claim: &PersistentVolumeClaim,
    volume: &PersistentVolume,
    labels: &BTreeMap<String, String>,
) -> Result<Source, ClaimError> {
    let name = &volume.metadata.name;
    let Some(of) = &volume.spec.claim_ref else {
        return Err(of_claim(
            claim,
            format!(
                "found PV object {name:?} but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim"
            ),
        ));
    };
    if of.uid != claim.metadata.uid {
        return Err(of_claim(
            claim,
            format!(
                "found PV object {name:?} but its pv.Spec.ClaimRef.UID {:?} does not point to claim.UID {:?}",
                of.uid, claim.metadata.uid
            ),
        ));
    }
    let wrong = |why: String| ClaimError::Volume { volume: name.clone(), why };
    if volume.spec.volume_mode.as_deref() == Some("Block") {
        return Err(wrong("it has volumeMode Block, but is specified in volumeMounts".to_owned()));
    }
    if !matching::is_reachable(volume, labels) {
        return Err(wrong("no matching NodeSelectorTerms".to_owned()));
    }
    let source = &volume.spec.persistent_volume_source;
    if let Some(host) = &source.host_path {
        return Ok(Source::HostPath {
            path: host.path.clone(),
            type_: host.type_.clone().unwrap_or_default(),
        });
    }
    if let Some(local) = &source.local {
        return Ok(Source::Local { path: local.path.clone() });
    }
    let fields = source.schema().fields.iter().enumerate();
    let kind =
        fields.filter(|(index, _)| !matches!(source.get(*index), Value::Nil)).map(|(_, field)| &*field.name);
    Err(wrong(format!("this node does not support {}", kind.collect::<Vec<_>>().join(", "))))
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::{
        HostPathVolumeSource, LocalVolumeSource, NFSVolumeSource, NodeSelector, NodeSelectorRequirement,
        NodeSelectorTerm, ObjectReference, VolumeNodeAffinity,
    };

    use super::*;

    fn claim() -> PersistentVolumeClaim {
        let mut claim = PersistentVolumeClaim::default();
        (claim.metadata.namespace, claim.metadata.name) = ("shop".into(), "data".into());
        claim.metadata.uid = "u1".into();
        claim.spec.volume_name = "v".into();
        claim.status.phase = "Bound".into();
        claim
    }

    fn volume() -> PersistentVolume {
        let mut volume = PersistentVolume::default();
        volume.metadata.name = "v".into();
        volume.spec.claim_ref = Some(Box::new(ObjectReference { uid: "u1".into(), ..Default::default() }));
        let local = LocalVolumeSource { path: "/mnt/a".into(), fs_type: None };
        volume.spec.persistent_volume_source.local = Some(Box::new(local));
        volume
    }

    fn on(mut volume: PersistentVolume, node: &str) -> PersistentVolume {
        let wanted =
            NodeSelectorRequirement { key: "node".into(), operator: "In".into(), values: vec![node.into()] };
        let term = NodeSelectorTerm { match_expressions: vec![wanted], ..NodeSelectorTerm::default() };
        let required = Some(Box::new(NodeSelector { node_selector_terms: vec![term].into() }));
        volume.spec.node_affinity = Some(Box::new(VolumeNodeAffinity { required }));
        volume
    }

    #[test]
    fn a_claim_has_to_be_bound_and_the_pods_own() {
        let said = |change: fn(&mut PersistentVolumeClaim), is_ephemeral| {
            let mut claim = claim();
            change(&mut claim);
            let mut pod = Pod::default();
            (pod.metadata.namespace, pod.metadata.name) = ("shop".into(), "web".into());
            volume_of(&pod, &claim, is_ephemeral).map(str::to_owned).map_err(|error| error.to_string())
        };
        assert_eq!(said(|_| {}, false).as_deref(), Ok("v"));
        let pending = said(|claim| claim.status.phase = "Pending".into(), false);
        assert_eq!(pending.unwrap_err(), "error processing PVC shop/data: PVC is not bound");
        let going = |claim: &mut PersistentVolumeClaim| {
            claim.metadata.deletion_timestamp = Some(api_record::scalar::Time { seconds: 1 });
        };
        assert_eq!(said(going, false).unwrap_err(), "error processing PVC shop/data: PVC is being deleted");
        assert_eq!(
            said(|_| {}, true).unwrap_err(),
            "error processing PVC shop/data: PVC shop/data was not created for pod shop/web (pod is not owner)"
        );
    }

    #[test]
    fn what_cannot_be_mounted_here_is_refused() {
        let node: BTreeMap<String, String> = [("node".to_owned(), "n1".to_owned())].into();
        let with = |change: fn(&mut PersistentVolume)| {
            let mut volume = volume();
            change(&mut volume);
            volume
        };
        let found =
            |volume: PersistentVolume| source(&claim(), &volume, &node).map_err(|error| error.to_string());
        assert_eq!(found(on(volume(), "n1")), Ok(Source::Local { path: "/mnt/a".into() }));
        let host = found(with(|volume| {
            let path = HostPathVolumeSource { path: "/b".into(), type_: Some("Directory".into()) };
            volume.spec.persistent_volume_source.host_path = Some(Box::new(path));
        }));
        assert_eq!(host, Ok(Source::HostPath { path: "/b".into(), type_: "Directory".into() }));
        for (volume, why) in [
            (on(volume(), "n2"), "volume \"v\" cannot be mounted: no matching NodeSelectorTerms"),
            (
                with(|volume| volume.spec.volume_mode = Some("Block".into())),
                "volume \"v\" cannot be mounted: it has volumeMode Block, but is specified in volumeMounts",
            ),
            (
                with(|volume| volume.spec.claim_ref = None),
                "error processing PVC shop/data: found PV object \"v\" but it has a nil pv.Spec.ClaimRef indicating it is not yet \
                 bound to the claim",
            ),
            (
                with(|volume| {
                    let source = &mut volume.spec.persistent_volume_source;
                    source.local = None;
                    source.nfs = Some(Box::new(NFSVolumeSource::default()));
                }),
                "volume \"v\" cannot be mounted: this node does not support nfs",
            ),
        ] {
            assert_eq!(found(volume).unwrap_err(), why);
        }
    }
}
