//! The hash of a template that names its ReplicaSet, or the revision of a DaemonSet.
//!
//! Upstream hashes Go's printed form of the struct, which only Go can print; a set is recognised by its template, a revision by its
//! data, neither by its name, so any stable hash serves. This one is FNV-1a over the template's JSON, in upstream's alphabet.

use api_meta::names;
use api_types::core::v1::PodTemplateSpec;

/// The label of a ReplicaSet that carries the hash.
pub(super) const LABEL: &str = "pod-template-hash";

/// The longest name of either.
const NAME_BYTES: usize = 253;

/// The hash of a template; collisions are resolved by counting them.
pub(super) fn hash(template: &PodTemplateSpec, collisions: Option<i32>) -> String {
    let mut bytes = Vec::new();
    api_codec::json::encode(template, None, &mut bytes);
    if let Some(collisions) = collisions {
        bytes.extend(collisions.to_le_bytes());
    }
    let hash =
        bytes.iter().fold(0x811c_9dc5u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    names::safe_encode(&hash.to_string())
}

/// The name of what an owner has for the hash.
pub(super) fn name(owner: &str, hash: &str) -> String {
    let longest = NAME_BYTES - 1 - hash.len();
    format!("{}-{hash}", &owner[..owner.floor_char_boundary(longest)])
}

#[cfg(test)]
mod tests {
    use api_meta::names::SUFFIX_ALPHABET;

    use super::*;

    #[test]
    fn the_hash_is_stable_and_counts_collisions() {
        let template = PodTemplateSpec::default();
        assert_eq!(hash(&template, None), hash(&template, None));
        assert_ne!(hash(&template, None), hash(&template, Some(1)));
        assert!(hash(&template, None).bytes().all(|byte| SUFFIX_ALPHABET.contains(&byte)));
        assert_eq!(name(&"a".repeat(300), "xyz").len(), NAME_BYTES);
    }
}
