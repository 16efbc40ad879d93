//! Who owns an object, and who among the owners controls it.

use api_types::meta::v1::{ObjectMeta, OwnerReference};

use crate::gvk::{GroupVersion, GroupVersionKind};

/// The reference to the owner that controls the object.
pub fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().find(|reference| reference.controller == Some(true))
}

/// Whether `owner` controls the object.
pub fn is_controlled_by(meta: &ObjectMeta, owner: &ObjectMeta) -> bool {
    controller_of(meta).is_some_and(|reference| reference.uid == owner.uid)
}

/// Whether any owner has this uid.
pub fn is_owned_by(meta: &ObjectMeta, uid: &str) -> bool {
    meta.owner_references.iter().any(|reference| reference.uid == uid)
}

/// A reference that makes `owner` the controller, whose deletion in the foreground waits for the object.
pub fn controller_reference(owner: &ObjectMeta, kind: GroupVersionKind<'_>) -> OwnerReference {
    OwnerReference {
        controller: Some(true),
        block_owner_deletion: Some(true),
        ..owner_reference(owner, kind)
    }
}

/// A reference to `owner` that neither controls nor blocks.
pub fn owner_reference(owner: &ObjectMeta, kind: GroupVersionKind<'_>) -> OwnerReference {
    OwnerReference {
        api_version: kind.api_version(),
        kind: kind.kind.to_owned(),
        name: owner.name.clone(),
        uid: owner.uid.clone(),
        controller: None,
        block_owner_deletion: None,
    }
}

/// The kind that a reference names; `None` if its `apiVersion` is malformed.
pub fn kind_of(reference: &OwnerReference) -> Option<GroupVersionKind<'_>> {
    GroupVersion::parse(&reference.api_version).ok().map(|version| version.kind(&reference.kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_controller_is_the_owner_that_says_so() {
        let owner = ObjectMeta { name: "web".into(), uid: "u1".into(), ..Default::default() };
        let kind = GroupVersionKind { group: "apps", version: "v1", kind: "ReplicaSet" };
        let reference = controller_reference(&owner, kind);
        assert_eq!((reference.api_version.as_str(), kind_of(&reference)), ("apps/v1", Some(kind)));
        let pod = ObjectMeta {
            owner_references: vec![owner_reference(&ObjectMeta::default(), kind), reference],
            ..Default::default()
        };
        assert_eq!(controller_of(&pod).map(|reference| reference.name.as_str()), Some("web"));
        assert!(is_controlled_by(&pod, &owner) && is_owned_by(&pod, "u1"));
        assert!(controller_of(&owner).is_none());
    }
}
