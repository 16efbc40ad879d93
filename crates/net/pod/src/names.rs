//! Names of links, tables and files, all distinguished by a cluster's id. Pure.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use host::nft::{Family, Table};

use crate::limits::{CLUSTER_ID_BYTES, LINK_NAME_BYTES};

/// The pod's end of its veth pair.
pub const POD_LINK: &str = "eth0";

/// A short id of a cluster, unique on one machine: one to four of a-z and 0-9.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterId(String);

/// Text that is no cluster id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no cluster id: it has one to four of a-z and 0-9")]
pub struct ClusterIdError(String);

impl FromStr for ClusterId {
    type Err = ClusterIdError;
    fn from_str(text: &str) -> Result<ClusterId, ClusterIdError> {
        let fits = (1..=CLUSTER_ID_BYTES).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if fits { Ok(ClusterId(text.to_owned())) } else { Err(ClusterIdError(text.to_owned())) }
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ClusterId {
    /// What the names of all pods' links begin with. The dash ends the id, so that no id is another's beginning.
    pub fn link_prefix(&self) -> String {
        format!("k{}-", self.0)
    }

    /// The host end of a pod's veth pair: the prefix and as much of a hash of the uid as fits, at least 45 bits.
    pub fn pod_link(&self, uid: &str) -> String {
        const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut name = self.link_prefix();
        let mut hash = fnv(uid.as_bytes());
        while name.len() < LINK_NAME_BYTES {
            let digit = usize::try_from(hash % 32).unwrap_or_default();
            name.push(char::from(DIGITS[digit]));
            hash /= 32;
        }
        name
    }

    /// The VXLAN device.
    pub fn overlay_link(&self) -> String {
        format!("k{}vx", self.0)
    }

    /// The pod network's table.
    pub fn table(&self, family: Family) -> Table {
        Table { family, name: format!("knarr-{}-pod", self.0) }
    }
}

/// Where a pod's namespace is pinned.
pub fn namespace(folder: &Path, uid: &str) -> PathBuf {
    folder.join(uid)
}

/// FNV-1a, 64 bits: stable across releases, as names of what exists must be.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_differ() {
        let cluster: ClusterId = "ab1z".parse().unwrap();
        let names: std::collections::BTreeSet<String> =
            (0..5000).map(|index| cluster.pod_link(&format!("uid-{index}"))).collect();
        assert_eq!(names.len(), 5000);
        assert!(names.iter().all(|name| name.len() == LINK_NAME_BYTES && name.starts_with("kab1z-")));
        assert!(cluster.overlay_link().len() <= LINK_NAME_BYTES);
    }

    #[test]
    fn what_cannot_stand_in_a_name_is_no_id() {
        for text in ["", "abcde", "A", "a-b", "a/b", "é"] {
            assert!(text.parse::<ClusterId>().is_err(), "{text}");
        }
    }
}
