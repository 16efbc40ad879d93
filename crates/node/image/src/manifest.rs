//! Manifests and indexes, OCI's and docker's schema 2: what is read of them, what is written, and which entry of an index
//! fits this machine. Pure; used by pulls, imports, builds and exports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::{ImageError, Result};
use crate::limits;

/// Media types, by their role.
pub mod media {
    /// An OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An OCI image configuration.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// An OCI layer, not compressed.
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// An OCI layer, by gzip.
    pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// An OCI layer, by zstd.
    pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
    /// A docker schema 2 manifest.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A docker manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

    /// What a pull asks a registry for, best first.
    pub const ACCEPTED: [&str; 4] = [DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX];

    /// Whether a layer of this type is a tar archive, whatever its compression, which is told by its first bytes.
    pub fn is_layer(media_type: &str) -> bool {
        let oci = [
            "application/vnd.oci.image.layer.v1.tar",
            "application/vnd.oci.image.layer.nondistributable.v1.tar",
        ];
        let docker = [
            "application/vnd.docker.image.rootfs.diff.tar",
            "application/vnd.docker.image.rootfs.foreign.diff.tar",
        ];
        let suffixed = |base: &&str, separator: char| {
            media_type.strip_prefix(*base).is_some_and(|rest| {
                rest.is_empty()
                    || rest.strip_prefix(separator).is_some_and(|kind| matches!(kind, "gzip" | "zstd"))
            })
        };
        oci.iter().any(|base| suffixed(base, '+')) || docker.iter().any(|base| suffixed(base, '.'))
    }
}

/// What a manifest in an index is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// `linux`
    pub os: String,
    /// `v7`, `v8`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// The platform of the machine that this runs on, by Go's names.
    pub fn host() -> Platform {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", None),
            "x86" => ("386", None),
            "aarch64" => ("arm64", Some("v8")),
            "arm" => ("arm", Some("v7")),
            "powerpc64" => ("ppc64le", None),
            "loongarch64" => ("loong64", None),
            other => (other, None),
        };
        Platform {
            architecture: architecture.into(),
            os: "linux".into(),
            variant: variant.map(str::to_owned),
        }
    }

    /// How well an image for `other` runs here; less is better, `None` is not at all. A variant that is not named is
    /// the architecture's usual one.
    fn fit(&self, other: &Platform) -> Option<u32> {
        let architecture = match other.architecture.as_str() {
            "x86_64" | "x86-64" => "amd64",
            "aarch64" => "arm64",
            name => name,
        };
        if other.os != self.os || architecture != self.architecture {
            return None;
        }
        let level = |variant: &Option<String>, usual: u32| {
            let text = variant.as_deref().unwrap_or_default();
            text.strip_prefix('v').and_then(|number| number.parse().ok()).unwrap_or(usual)
        };
        let usual = match architecture {
            "arm" => 7,
            "arm64" => 8,
            _ => 1,
        };
        level(&self.variant, usual).checked_sub(level(&other.variant, usual))
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

/// A pointer to content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is.
    #[serde(default)]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// What it is for, within an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Names and notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// An image: its configuration and its layers, lowest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// Docker's always say, OCI's may.
    #[serde(default)]
    pub media_type: Option<String>,
    /// The configuration, whose digest is the image's id.
    pub config: Descriptor,
    /// Lowest first.
    pub layers: Vec<Descriptor>,
}

/// A list of manifests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// Docker's always say, OCI's may.
    #[serde(default)]
    pub media_type: Option<String>,
    /// One per platform, or per image of an archive.
    pub manifests: Vec<Descriptor>,
}

/// What a registry, or a file, may hold under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// An image.
    Manifest(Manifest),
    /// Several.
    Index(Index),
}

impl Document {
    /// Reads a manifest or an index, by what it contains rather than by what the sender calls it.
    ///
    /// # Errors
    /// When it is neither, is docker's schema 1, or exceeds a bound.
    pub fn parse(bytes: &[u8]) -> Result<Document> {
        let malformed = |message: String| ImageError::Malformed { what: "manifest", message };
        if bytes.len() as u64 > limits::MANIFEST_BYTES {
            return Err(malformed(format!("larger than {} bytes", limits::MANIFEST_BYTES)));
        }
        let value: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        match value.get("schemaVersion").and_then(serde_json::Value::as_u64) {
            Some(2) => {}
            Some(1) => {
                return Err(malformed("docker schema 1 is no longer supported; push the image again".into()));
            }
            other => return Err(malformed(format!("unknown schemaVersion {}", other.unwrap_or_default()))),
        }
        // A document that is both is the confusion of CVE-2021-41190: digests alone do not tell which was meant.
        if value.get("manifests").is_some()
            && (value.get("layers").is_some() || value.get("config").is_some())
        {
            return Err(malformed("both a manifest and an index".into()));
        }
        if value.get("manifests").is_some() {
            let index: Index = serde_json::from_value(value).map_err(|error| malformed(error.to_string()))?;
            if index.manifests.len() > limits::INDEX_ENTRIES {
                return Err(malformed(format!("more than {} manifests", limits::INDEX_ENTRIES)));
            }
            return Ok(Document::Index(index));
        }
        let manifest: Manifest =
            serde_json::from_value(value).map_err(|error| malformed(error.to_string()))?;
        manifest.check().map_err(malformed)?;
        Ok(Document::Manifest(manifest))
    }
}

impl Manifest {
    fn check(&self) -> std::result::Result<(), String> {
        if self.layers.len() > limits::LAYERS {
            return Err(format!("{} layers, more than {}", self.layers.len(), limits::LAYERS));
        }
        if self.config.size > limits::CONFIG_BYTES {
            return Err(format!("a configuration larger than {} bytes", limits::CONFIG_BYTES));
        }
        for layer in &self.layers {
            if !media::is_layer(&layer.media_type) {
                return Err(format!("unsupported layer type {:?}", layer.media_type));
            }
            if layer.size > limits::LAYER_BYTES {
                return Err(format!("layer {} is larger than {} bytes", layer.digest, limits::LAYER_BYTES));
            }
        }
        Ok(())
    }

    /// Bytes of all content, as it travels.
    pub fn content_bytes(&self) -> u64 {
        self.layers.iter().fold(self.config.size, |sum, layer| sum.saturating_add(layer.size))
    }
}

impl Index {
    /// The entry that fits `platform` best. Entries that do not say what they are for come last; those for no platform
    /// (`unknown/unknown`: attestations) never.
    pub fn select(&self, platform: &Platform) -> Option<&Descriptor> {
        let fit = |entry: &Descriptor| match &entry.platform {
            Some(other) => platform.fit(other),
            None => Some(u32::MAX),
        };
        self.manifests
            .iter()
            .filter_map(|entry| fit(entry).map(|fit| (fit, entry)))
            .min_by_key(|(fit, _)| *fit)
            .map(|(_, entry)| entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, platform: Option<(&str, &str, Option<&str>)>) -> Descriptor {
        Descriptor {
            media_type: media::OCI_MANIFEST.into(),
            digest: Digest::of(name.as_bytes()),
            size: 1,
            platform: platform.map(|(os, architecture, variant)| Platform {
                os: os.into(),
                architecture: architecture.into(),
                variant: variant.map(str::to_owned),
            }),
            annotations: None,
        }
    }

    #[test]
    fn an_index_gives_what_fits_best() {
        let all = Index {
            schema_version: 2,
            media_type: None,
            manifests: vec![
                entry("unknown", Some(("unknown", "unknown", None))),
                entry("bare", None),
                entry("windows", Some(("windows", "amd64", None))),
                entry("amd64v3", Some(("linux", "amd64", Some("v3")))),
                entry("amd64", Some(("linux", "amd64", None))),
                entry("armv6", Some(("linux", "arm", Some("v6")))),
                entry("armv5", Some(("linux", "arm", Some("v5")))),
                entry("arm64", Some(("linux", "arm64", Some("v8")))),
            ],
        };
        for (architecture, variant, name) in [
            ("amd64", None, "amd64"),
            ("arm", Some("v7"), "armv6"),
            ("arm64", Some("v8"), "arm64"),
            ("s390x", None, "bare"),
        ] {
            let here = Platform {
                os: "linux".into(),
                architecture: architecture.into(),
                variant: variant.map(str::to_owned),
            };
            assert_eq!(all.select(&here).map(|e| &e.digest), Some(&Digest::of(name.as_bytes())), "{here}");
        }
        let only = Index { manifests: vec![entry("windows", Some(("windows", "amd64", None)))], ..all };
        assert_eq!(only.select(&Platform::host()), None);
    }

    #[test]
    fn documents_are_told_apart_by_content() {
        let config = r#"{"mediaType":"x","digest":"sha256:CFG","size":2}"#.replace("CFG", &"a".repeat(64));
        let cases = [
            (format!(r#"{{"schemaVersion":2,"config":{config},"layers":[]}}"#), None),
            (r#"{"schemaVersion":2,"manifests":[]}"#.to_owned(), None),
            (r#"{"schemaVersion":1,"fsLayers":[]}"#.to_owned(), Some("schema 1")),
            (r#"{}"#.to_owned(), Some("unknown schemaVersion 0")),
            (format!(r#"{{"schemaVersion":2,"config":{config},"layers":[],"manifests":[]}}"#), Some("both")),
            (
                format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{config}]}}"#),
                Some("unsupported layer"),
            ),
            ("<html>".to_owned(), Some("expected value")),
        ];
        for (text, problem) in cases {
            match (Document::parse(text.as_bytes()), problem) {
                (Ok(_), None) => {}
                (Err(error), Some(problem)) => assert!(error.message().contains(problem), "{text}: {error}"),
                (other, _) => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn layers_are_tars_of_either_family() {
        for (media_type, expected) in [
            (media::OCI_LAYER, true),
            (media::OCI_LAYER_ZSTD, true),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", true),
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", true),
            ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", true),
            ("application/vnd.oci.image.layer.v1.tar+encrypted", false),
            ("application/vnd.in-toto+json", false),
        ] {
            assert_eq!(media::is_layer(media_type), expected, "{media_type}");
        }
    }
}
