//! What a pod says of its volumes: the claims that it uses, and disks that cannot be attached twice.

use api_types::core::v1::{Pod, Volume};
use api_volume::pod::Use;

use super::ClaimKey;

/// The volumes of a pod that matter for where it can run.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Claims {
    pub(crate) namespace: String,
    pub(crate) uses: Vec<Use>,
    pub(crate) disks: Vec<Disk>,
}

/// A disk that a pod names itself, by what makes it the same as another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Disk {
    Gce { name: String, read_only: bool },
    Aws { id: String },
    Iscsi { name: String, read_only: bool },
    Rbd { monitors: Vec<String>, pool: String, image: String, read_only: bool },
}

impl Claims {
    /// Those of a pod; `None` for the many that have none.
    pub(crate) fn of(pod: &Pod) -> Option<Claims> {
        let uses: Vec<Use> = api_volume::pod::claims(pod).collect();
        let disks: Vec<Disk> = pod.spec.volumes.iter().filter_map(Disk::of).collect();
        let any = !uses.is_empty() || !disks.is_empty();
        any.then(|| Claims { namespace: pod.metadata.namespace.clone(), uses, disks })
    }

    /// The key of a claim that it uses.
    pub(crate) fn key(&self, used: &Use) -> ClaimKey {
        (self.namespace.clone(), used.claim.clone())
    }

    /// The keys of the claims that it names itself.
    pub(crate) fn named(&self) -> impl Iterator<Item = ClaimKey> + '_ {
        self.uses.iter().filter(|used| !used.is_ephemeral).map(|used| self.key(used))
    }

    /// Whether it uses a claim.
    pub(crate) fn uses(&self, of: &ClaimKey) -> bool {
        self.namespace == of.0 && self.uses.iter().any(|used| used.claim == of.1)
    }

    /// Whether a disk of it cannot be attached beside one of another pod's on the same node.
    pub(crate) fn collides(&self, other: &Claims) -> bool {
        self.disks.iter().any(|own| other.disks.iter().any(|theirs| own.collides(theirs)))
    }
}

impl Disk {
    fn of(volume: &Volume) -> Option<Disk> {
        let source = &volume.volume_source;
        if let Some(disk) = &source.gce_persistent_disk {
            return Some(Disk::Gce { name: disk.pd_name.clone(), read_only: disk.read_only });
        }
        if let Some(disk) = &source.aws_elastic_block_store {
            return Some(Disk::Aws { id: disk.volume_id.clone() });
        }
        if let Some(disk) = &source.iscsi {
            return Some(Disk::Iscsi { name: disk.iqn.clone(), read_only: disk.read_only });
        }
        let disk = source.rbd.as_ref()?;
        Some(Disk::Rbd {
            monitors: disk.ceph_monitors.to_vec(),
            pool: disk.rbd_pool.clone(),
            image: disk.rbd_image.clone(),
            read_only: disk.read_only,
        })
    }

    fn collides(&self, other: &Disk) -> bool {
        match (self, other) {
            (Disk::Gce { name, read_only }, Disk::Gce { name: theirs, read_only: reads })
            | (Disk::Iscsi { name, read_only }, Disk::Iscsi { name: theirs, read_only: reads }) => {
                name == theirs && !(*read_only && *reads)
            }
            (Disk::Aws { id }, Disk::Aws { id: theirs }) => id == theirs,
            (
                Disk::Rbd { monitors, pool, image, read_only },
                Disk::Rbd { monitors: seen, pool: other_pool, image: other_image, read_only: reads },
            ) => {
                monitors.iter().any(|monitor| seen.contains(monitor))
                    && pool == other_pool
                    && image == other_image
                    && !(*read_only && *reads)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_attached_once_unless_all_only_read() {
        let gce = |name: &str, read_only| Disk::Gce { name: name.into(), read_only };
        let rbd = |monitor: &str, image: &str| Disk::Rbd {
            monitors: vec![monitor.into(), "c".into()],
            pool: "p".into(),
            image: image.into(),
            read_only: false,
        };
        for (one, other, expected) in [
            (gce("a", false), gce("a", true), true),
            (gce("a", true), gce("a", true), false),
            (gce("a", false), gce("b", false), false),
            (gce("a", false), Disk::Iscsi { name: "a".into(), read_only: false }, false),
            (Disk::Aws { id: "a".into() }, Disk::Aws { id: "a".into() }, true),
            (rbd("a", "i"), rbd("b", "i"), true),
            (rbd("a", "i"), rbd("a", "j"), false),
        ] {
            assert_eq!(one.collides(&other), expected, "{one:?} {other:?}");
        }
    }
}
