//! Bootstrap tokens: the short secrets by which nodes introduce themselves, kept in Secrets of `kube-system`.
//!
//! Follows `plugin/pkg/auth/authenticator/token/bootstrap` and `k8s.io/cluster-bootstrap`. What a bootstrapper may do
//! is RBAC's; [`join`] is the form in which such a token is handed to a node.

pub mod join;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base::random::Random;
use base::time::Time;
use client::Caller;
use subtle::ConstantTimeEq;

/// The type of the Secrets.
pub const SECRET_TYPE: &str = "bootstrap.kubernetes.io/token";
/// Where they are.
pub const SECRET_NAMESPACE: &str = "kube-system";
/// What their names begin with; the token's id follows.
pub const SECRET_PREFIX: &str = "bootstrap-token-";
/// What a bootstrapper's user name begins with; the token's id follows.
pub const USER_PREFIX: &str = "system:bootstrap:";
/// The group of all bootstrappers.
pub const DEFAULT_GROUP: &str = "system:bootstrappers";

const ALPHABET: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// A bootstrap token: `[a-z0-9]{6}.[a-z0-9]{16}`.
#[derive(Clone, PartialEq, Eq)]
pub struct BootstrapToken {
    id: String,
    secret: String,
}

impl fmt::Debug for BootstrapToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BootstrapToken").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Display for BootstrapToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.secret)
    }
}

impl BootstrapToken {
    /// A new one.
    pub fn generate(random: &dyn Random) -> BootstrapToken {
        let text = |length| base::random::text(random, length, ALPHABET);
        BootstrapToken { id: text(6), secret: text(16) }
    }

    /// Reads one; `None` when it has another form.
    pub fn parse(text: &str) -> Option<BootstrapToken> {
        let (id, secret) = text.split_once('.')?;
        let good =
            |part: &str, length| part.len() == length && part.bytes().all(|byte| ALPHABET.contains(&byte));
        (good(id, 6) && good(secret, 16))
            .then(|| BootstrapToken { id: id.to_owned(), secret: secret.to_owned() })
    }

    /// The public half.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The secret half.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The name of the Secret that would hold it.
    pub fn secret_name(&self) -> String {
        format!("{SECRET_PREFIX}{}", self.id)
    }
}

/// A Secret as far as bootstrapping cares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootstrapSecret {
    /// Its type.
    pub kind: String,
    /// Its entries.
    pub data: BTreeMap<String, Vec<u8>>,
    /// Whether it is being deleted.
    pub deleted: bool,
}

/// Where Secrets of [`SECRET_NAMESPACE`] are looked up.
pub trait BootstrapSecrets: Send + Sync {
    /// A Secret by its name.
    fn get(&self, name: &str) -> Option<BootstrapSecret>;
}

/// Whose `token` is; `None` when it is no bootstrap token that counts, whatever the reason: upstream tells nobody why.
pub fn authenticate(token: &str, secrets: &dyn BootstrapSecrets, now: Time) -> Option<Caller> {
    let token = BootstrapToken::parse(token)?;
    let secret = secrets.get(&token.secret_name())?;
    user(&token, &secret, now)
}

/// The user that `secret` makes of a `token`; `None` when it makes none.
pub fn user(token: &BootstrapToken, secret: &BootstrapSecret, now: Time) -> Option<Caller> {
    let entry = |name: &str| secret.data.get(name).map_or(&[][..], Vec::as_slice);
    let same: bool = entry("token-secret").ct_eq(token.secret.as_bytes()).into();
    let counts = secret.kind == SECRET_TYPE
        && !secret.deleted
        && same
        && entry("token-id") == token.id.as_bytes()
        && !expired(entry("expiration"), now)
        && entry("usage-bootstrap-authentication") == b"true";
    if !counts {
        return None;
    }
    let name = format!("{USER_PREFIX}{}", token.id);
    Some(Caller {
        name,
        groups: groups(entry("auth-extra-groups"))?.into_iter().collect(),
        ..Caller::default()
    })
}

/// Whether a time has passed. One that cannot be read has.
pub fn expired(expiration: &[u8], now: Time) -> bool {
    if expiration.is_empty() {
        return false;
    }
    let time = std::str::from_utf8(expiration)
        .ok()
        .filter(|text| text.as_bytes().get(10) == Some(&b'T'))
        .and_then(|text| text.parse::<jiff::Timestamp>().ok());
    time.is_none_or(|time| i128::from(now.unix_nanos()) >= time.as_nanosecond())
}

/// The default group and the extra ones, sorted; `None` when one of them is not allowed.
fn groups(extra: &[u8]) -> Option<BTreeSet<String>> {
    let mut groups = BTreeSet::from([DEFAULT_GROUP.to_owned()]);
    if !extra.is_empty() {
        for group in std::str::from_utf8(extra).ok()?.split(',') {
            if !is_group(group) {
                return None;
            }
            groups.insert(group.to_owned());
        }
    }
    Some(groups)
}

/// `\Asystem:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]\z`
pub fn is_group(group: &str) -> bool {
    let Some(rest) = group.strip_prefix("system:bootstrappers:") else { return false };
    let word = |byte: &u8| ALPHABET.contains(byte);
    rest.len() <= 256
        && rest.as_bytes().last().is_some_and(word)
        && rest.as_bytes().iter().all(|byte| word(byte) || b":-".contains(byte))
}

#[cfg(test)]
mod tests;
