//! An image's configuration: what a container of it runs unless its pod says otherwise. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use crate::digest::Digest;
use crate::error::{ImageError, Result};
use crate::limits;
use crate::manifest::Platform;

/// How a container of the image starts, as far as the pod leaves it open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// `NAME=value`, in order.
    #[serde(rename = "Env", default, deserialize_with = "or_default")]
    pub env: Vec<String>,
    /// What runs. A pod's `command` replaces this and `cmd`.
    #[serde(rename = "Entrypoint", default, deserialize_with = "or_default")]
    pub entrypoint: Vec<String>,
    /// Its arguments. A pod's `args` replace them.
    #[serde(rename = "Cmd", default, deserialize_with = "or_default")]
    pub cmd: Vec<String>,
    /// `user`, `uid`, `user:group`, `uid:gid`…; empty is root.
    #[serde(rename = "User", default, deserialize_with = "or_default")]
    pub user: String,
    /// Where it starts; empty is `/`.
    #[serde(rename = "WorkingDir", default, deserialize_with = "or_default")]
    pub workdir: String,
    /// What asks it to stop, such as `SIGQUIT`; empty is SIGTERM.
    #[serde(rename = "StopSignal", default, deserialize_with = "or_default")]
    pub stop_signal: String,
    /// `80/tcp`…: documentation only.
    #[serde(rename = "ExposedPorts", default, deserialize_with = "keys")]
    pub exposed_ports: Vec<String>,
    /// Paths that want a volume of their own.
    #[serde(rename = "Volumes", default, deserialize_with = "keys")]
    pub volumes: Vec<String>,
    /// Notes.
    #[serde(rename = "Labels", default, deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
}

/// Whom an image runs as, as far as kubelet's `runAsNonRoot` can tell without the image's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageUser {
    /// Numeric; root when the image names nobody.
    Uid(i64),
    /// To be looked up in the image.
    Name(String),
}

impl ImageConfig {
    /// The user part of `User`, without its group.
    pub fn image_user(&self) -> ImageUser {
        let user = self.user.split(':').next().unwrap_or_default();
        match user.parse::<i64>() {
            _ if user.is_empty() => ImageUser::Uid(0),
            Ok(uid) => ImageUser::Uid(uid),
            Err(_) => ImageUser::Name(user.to_owned()),
        }
    }
}

/// The whole configuration document, as far as it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFile {
    /// What it runs on; empty where an old image does not say.
    pub platform: Platform,
    /// RFC 3339, as written; empty where it is not.
    pub created: String,
    /// How it starts.
    pub config: ImageConfig,
    /// Digests of the layers once decompressed, lowest first.
    pub diff_ids: Vec<Digest>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default, deserialize_with = "or_default")]
    architecture: String,
    #[serde(default, deserialize_with = "or_default")]
    os: String,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    created: String,
    #[serde(default, deserialize_with = "or_default")]
    config: ImageConfig,
    rootfs: RawRootfs,
}

#[derive(Deserialize)]
struct RawRootfs {
    #[serde(default, deserialize_with = "or_default")]
    diff_ids: Vec<Digest>,
}

impl ConfigFile {
    /// Reads a configuration, OCI's or docker's.
    ///
    /// # Errors
    /// When it is not one, or exceeds a bound.
    pub fn parse(bytes: &[u8]) -> Result<ConfigFile> {
        let malformed = |message: String| ImageError::Malformed { what: "image configuration", message };
        if bytes.len() as u64 > limits::CONFIG_BYTES {
            return Err(malformed(format!("larger than {} bytes", limits::CONFIG_BYTES)));
        }
        let raw: Raw = serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        if raw.rootfs.diff_ids.len() > limits::LAYERS {
            return Err(malformed(format!("more than {} layers", limits::LAYERS)));
        }
        let platform = Platform { architecture: raw.architecture, os: raw.os, variant: raw.variant };
        Ok(ConfigFile { platform, created: raw.created, config: raw.config, diff_ids: raw.rootfs.diff_ids })
    }

    /// Writes it as an OCI configuration; the same value gives the same bytes.
    pub fn encode(&self) -> Vec<u8> {
        let set =
            |names: &[String]| names.iter().map(|name| (name.clone(), json!({}))).collect::<Map<_, _>>();
        let config = &self.config;
        let mut run = Map::new();
        for (name, value, absent) in [
            ("User", json!(config.user), config.user.is_empty()),
            ("ExposedPorts", Value::Object(set(&config.exposed_ports)), config.exposed_ports.is_empty()),
            ("Env", json!(config.env), config.env.is_empty()),
            ("Entrypoint", json!(config.entrypoint), config.entrypoint.is_empty()),
            ("Cmd", json!(config.cmd), config.cmd.is_empty()),
            ("Volumes", Value::Object(set(&config.volumes)), config.volumes.is_empty()),
            ("WorkingDir", json!(config.workdir), config.workdir.is_empty()),
            ("Labels", json!(config.labels), config.labels.is_empty()),
            ("StopSignal", json!(config.stop_signal), config.stop_signal.is_empty()),
        ] {
            if !absent {
                run.insert(name.into(), value);
            }
        }
        let mut whole = json!({ "created": self.created, "architecture": self.platform.architecture });
        if let Some(variant) = &self.platform.variant {
            whole["variant"] = json!(variant);
        }
        whole["os"] = json!(self.platform.os);
        whole["config"] = Value::Object(run);
        whole["rootfs"] = json!({ "type": "layers", "diff_ids": self.diff_ids });
        whole.to_string().into_bytes()
    }
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> std::result::Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Go's `map[string]struct{}`: only the keys mean something.
fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<String>, D::Error> {
    let map = Option::<BTreeMap<String, serde::de::IgnoredAny>>::deserialize(deserializer)?;
    Ok(map.unwrap_or_default().into_keys().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_nulls_are_empty() {
        let text = format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{"Env":null,"Cmd":["sh"],"Entrypoint":null,"Volumes":null,
               "ExposedPorts":{{"80/tcp":{{}}}},"Labels":null,"User":"nginx:www","StopSignal":"SIGQUIT"}},
               "rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            Digest::of(b"layer")
        );
        let file = ConfigFile::parse(text.as_bytes()).unwrap();
        assert_eq!(file.config.cmd, ["sh"]);
        assert_eq!(file.config.exposed_ports, ["80/tcp"]);
        assert_eq!(file.config.image_user(), ImageUser::Name("nginx".into()));
        assert_eq!(file.diff_ids, [Digest::of(b"layer")]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let file = ConfigFile {
            platform: Platform::host(),
            created: "1970-01-01T00:00:00Z".into(),
            config: ImageConfig {
                env: vec!["A=b".into()],
                entrypoint: vec!["/bin/app".into()],
                cmd: vec!["-v".into()],
                user: "65532:65532".into(),
                workdir: "/srv".into(),
                stop_signal: "SIGINT".into(),
                exposed_ports: vec!["80/tcp".into()],
                volumes: vec!["/data".into()],
                labels: BTreeMap::from([("a".into(), "b".into())]),
            },
            diff_ids: vec![Digest::of(b"x")],
        };
        assert_eq!(ConfigFile::parse(&file.encode()).unwrap(), file);
        assert_eq!(file.config.image_user(), ImageUser::Uid(65532));
    }
}
