//! What a token says, as JSON has it.

use base::time::Time;
use serde::{Deserialize, Serialize};

/// A name with a uid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ref {
    /// The name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The uid; may be empty for a pod's node.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uid: String,
}

impl Ref {
    /// A reference.
    pub fn new(name: &str, uid: &str) -> Ref {
        Ref { name: name.to_owned(), uid: uid.to_owned() }
    }
}

/// The claims of a bound token. The order is that of their names, in which go-jose writes them too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// Whom the token is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub aud: Vec<String>,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<Date>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<Date>,
    /// Who made it.
    #[serde(default)]
    pub iss: String,
    /// Its own id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub jti: String,
    /// Kubernetes' own claims.
    #[serde(default, rename = "kubernetes.io")]
    pub kubernetes: KubernetesClaims,
    /// When it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<Date>,
    /// The user name.
    #[serde(default)]
    pub sub: String,
}

/// The claims under `kubernetes.io`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KubernetesClaims {
    /// The account's namespace.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The node it is bound to, or that its pod runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Ref>,
    /// The pod it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Ref>,
    /// The Secret it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Ref>,
    /// The account.
    #[serde(default)]
    pub serviceaccount: Ref,
    /// A webhook it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validatingwebhookconfiguration: Option<Ref>,
    /// A webhook it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutatingwebhookconfiguration: Option<Ref>,
    /// From when on its use is recorded as stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnafter: Option<Date>,
}

/// A `NumericDate` (RFC 7519): seconds since 1970. Written whole; fractions are cut when read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(pub i64);

impl Date {
    /// The whole second of a time.
    pub fn of(time: Time) -> Date {
        Date(time.unix_seconds())
    }
}

impl Serialize for Date {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        number
            .as_i64()
            .or_else(|| number.as_f64().map(|seconds| seconds as i64))
            .map(Date)
            .ok_or_else(|| serde::de::Error::custom("not a date"))
    }
}

/// An audience may be one text or a list (RFC 7519, 4.1.3).
fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Option::<OneOrMany>::deserialize(deserializer)? {
        None => Vec::new(),
        Some(OneOrMany::One(one)) => vec![one],
        Some(OneOrMany::Many(many)) => many,
    })
}
