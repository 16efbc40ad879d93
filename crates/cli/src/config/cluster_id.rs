//! The short name that keeps what several clusters leave on one machine apart: interfaces, nftables tables, cgroups and sockets.
//! Pure; derived from the data directory, so that nothing need be remembered.

use std::fmt;
use std::path::Path;

use sha2::{Digest, Sha256};

/// One to four characters of `[a-z0-9]`, the first a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(String);

impl ClusterId {
    /// The id of the cluster that keeps its state in this directory, an absolute path.
    ///
    /// Two directories may, once in 1.2 million pairs, have the same: [`crate::instance::claim`] refuses the second.
    pub fn of(data_dir: &Path) -> ClusterId {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let digest = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
        let mut rest = digest[..8].iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        let mut id = String::new();
        for place in 0..4 {
            let choices: u64 = if place == 0 { 26 } else { 36 };
            let index = usize::try_from(rest % choices).unwrap_or_default();
            id.push(char::from(LETTERS[index]));
            rest /= choices;
        }
        ClusterId(id)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_lasting_and_apart() {
        let id = |path: &str| ClusterId::of(Path::new(path)).to_string();
        assert_eq!(id("/var/lib/knarr"), id("/var/lib/knarr"));
        assert_ne!(id("/var/lib/knarr"), id("/var/lib/knarr2"));
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..200 {
            let id = id(&format!("/data/{number}"));
            assert_eq!(id.len(), 4);
            assert!(id.starts_with(|c: char| c.is_ascii_lowercase()));
            assert!(id.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()));
            seen.insert(id);
        }
        assert_eq!(seen.len(), 200);
    }
}
