//! Images made for tests, and where they are kept.

use std::path::Path;

use node_image::digest::Digest;
use node_image::manifest::Platform;
use node_image::store::{Store, StoreOptions};
use tempfile::TempDir;

/// A directory that is gone with the test.
pub fn place() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub fn store(place: &TempDir) -> Store {
    Store::open(&place.path().join("store"), StoreOptions::default()).unwrap()
}

/// A layer with one file.
pub fn tar(name: &str, content: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    builder.append_data(&mut header, name, content.as_bytes()).unwrap();
    builder.into_inner().unwrap()
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, content).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 1).unwrap()
}

/// An image in parts, so that a test can spoil any of them.
#[derive(Clone)]
pub struct Parts {
    pub config: Vec<u8>,
    /// Media type and content.
    pub layers: Vec<(String, Vec<u8>)>,
    pub media_type: &'static str,
}

impl Parts {
    /// `layers`: media type, as it travels, not compressed.
    pub fn new(layers: &[(&str, Vec<u8>, Vec<u8>)]) -> Parts {
        let diff_ids: Vec<Digest> = layers.iter().map(|(_, _, plain)| Digest::of(plain)).collect();
        let platform = Platform::host();
        let config = serde_json::json!({
            "architecture": platform.architecture, "os": "linux",
            "config": { "Env": ["A=b"], "Entrypoint": ["/app"], "User": "app" },
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        Parts {
            config: config.to_string().into_bytes(),
            layers: layers.iter().map(|(kind, travels, _)| ((*kind).to_owned(), travels.clone())).collect(),
            media_type: "application/vnd.oci.image.manifest.v1+json",
        }
    }

    /// Three layers, one of each compression.
    pub fn mixed() -> Parts {
        let plain = [tar("one", "1"), tar("two", "2"), tar("three", "3")];
        Parts::new(&[
            ("application/vnd.oci.image.layer.v1.tar", plain[0].clone(), plain[0].clone()),
            ("application/vnd.docker.image.rootfs.diff.tar.gzip", gzip(&plain[1]), plain[1].clone()),
            ("application/vnd.oci.image.layer.v1.tar+zstd", zstd(&plain[2]), plain[2].clone()),
        ])
    }

    pub fn id(&self) -> Digest {
        Digest::of(&self.config)
    }

    pub fn manifest(&self) -> Vec<u8> {
        let descriptor = |kind: &str, content: &[u8]| serde_json::json!({ "mediaType": kind, "digest": Digest::of(content), "size": content.len() });
        let layers: Vec<_> = self.layers.iter().map(|(kind, content)| descriptor(kind, content)).collect();
        serde_json::json!({
            "schemaVersion": 2, "mediaType": self.media_type,
            "config": descriptor("application/vnd.oci.image.config.v1+json", &self.config), "layers": layers,
        })
        .to_string()
        .into_bytes()
    }

    /// Everything that has a digest.
    pub fn blobs(&self) -> Vec<Vec<u8>> {
        let mut blobs = vec![self.config.clone(), self.manifest()];
        blobs.extend(self.layers.iter().map(|(_, content)| content.clone()));
        blobs
    }
}

/// An index of `(architecture, manifest)`.
pub fn index(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let entries: Vec<_> = entries
        .iter()
        .map(|(architecture, content)| {
            serde_json::json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": Digest::of(content), "size": content.len(),
                "platform": { "os": "linux", "architecture": architecture },
            })
        })
        .collect();
    let media_type = "application/vnd.oci.image.index.v1+json";
    serde_json::json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": entries })
        .to_string()
        .into_bytes()
}

/// Whether any operation left something behind.
pub fn is_clean(store: &Store) -> bool {
    std::fs::read_dir(store.root().join("work")).unwrap().next().is_none()
}

pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
