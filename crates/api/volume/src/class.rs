//! The storage classes of claims and volumes, and the class of claims that name none.

use std::cmp::Reverse;

use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api_types::meta::v1::ObjectMeta;
use api_types::storage::v1::StorageClass;

const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
const BETA_DEFAULT: &str = "storageclass.beta.kubernetes.io/is-default-class";

/// The class of a claim; empty for none.
pub fn of_claim(claim: &PersistentVolumeClaim) -> &str {
    let annotated = claim.metadata.annotations.get(BETA_CLASS).map(String::as_str);
    annotated.or(claim.spec.storage_class_name.as_deref()).unwrap_or_default()
}

/// Whether a claim says which class it is of, be it none.
pub fn is_named(claim: &PersistentVolumeClaim) -> bool {
    claim.metadata.annotations.contains_key(BETA_CLASS) || claim.spec.storage_class_name.is_some()
}

/// The class of a volume; empty for none.
pub fn of_volume(volume: &PersistentVolume) -> &str {
    volume.metadata.annotations.get(BETA_CLASS).unwrap_or(&volume.spec.storage_class_name)
}

/// Whether claims that name no class are of this one.
pub fn is_default(meta: &ObjectMeta) -> bool {
    [DEFAULT, BETA_DEFAULT].iter().any(|key| meta.annotations.get(*key).is_some_and(|value| value == "true"))
}

/// The class of claims that name none: the newest of those that are marked so, the first by name of equally old ones.
pub fn default_of<'a>(classes: impl Iterator<Item = &'a StorageClass>) -> Option<&'a StorageClass> {
    let age = |class: &&StorageClass| {
        let meta = &class.metadata;
        (Reverse(meta.creation_timestamp.map(|time| time.seconds)), meta.name.clone())
    };
    classes.filter(|class| is_default(&class.metadata)).min_by_key(age)
}

/// Whether volumes of a class are chosen or made only once a pod that uses the claim has a node.
pub fn waits_for_consumer(class: &StorageClass) -> bool {
    class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer")
}

#[cfg(test)]
mod tests {
    use api_record::scalar::Time;

    use super::*;

    #[test]
    fn the_newest_default_counts() {
        let class = |name: &str, seconds: i64, default: &str| {
            let mut class = StorageClass::default();
            class.metadata.name = name.into();
            class.metadata.creation_timestamp = Some(Time { seconds });
            class.metadata.annotations.insert(DEFAULT.into(), default.into());
            class
        };
        let all =
            [class("d", 9, "false"), class("a", 1, "true"), class("c", 5, "true"), class("b", 5, "true")];
        let chosen = default_of(all.iter()).map(|class| class.metadata.name.as_str());
        assert_eq!(chosen, Some("b"));
        assert!(default_of(all[..1].iter()).is_none());
    }

    #[test]
    fn the_old_annotation_goes_before() {
        let mut claim = PersistentVolumeClaim::default();
        assert!(!is_named(&claim) && of_claim(&claim).is_empty());
        claim.spec.storage_class_name = Some("new".into());
        assert!(is_named(&claim) && of_claim(&claim) == "new");
        claim.metadata.annotations.insert(BETA_CLASS.into(), "old".into());
        assert_eq!(of_claim(&claim), "old");
    }
}
