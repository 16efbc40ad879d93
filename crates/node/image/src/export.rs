//! Writing an image as an OCI layout in a tar archive, which `docker load`, containerd, podman, skopeo and
//! [`Store::import`] read. The same image gives the same bytes.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the image store is a shell: it keeps files"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};

use serde_json::json;

use crate::digest::Digest;
use crate::error::{ImageError, Result};
use crate::import::{CONTAINERD_NAME, OCI_NAME};
use crate::limits;
use crate::manifest::{Descriptor, Document, Index, media};
use crate::reference::Reference;
use crate::store::Store;

impl Store {
    /// Writes the image that `name` stands for, with all of its tags, to `out`.
    ///
    /// # Errors
    /// As [`Store::inspect`]; [`ImageError::ContentAbsent`] when its layers were not kept as they travelled.
    pub fn export(&self, name: &str, out: &mut dyn Write) -> Result<()> {
        // What is being read must not be collected meanwhile.
        let work = self.work()?;
        let (image, manifest_digest) = self.inspect_with_manifest(name)?;
        work.pin([&image.id, &manifest_digest])?;
        let absent = || ImageError::ContentAbsent(manifest_digest.clone());
        let content = self.read_blob(&manifest_digest, limits::MANIFEST_BYTES)?.ok_or_else(absent)?;
        let Document::Manifest(manifest) = Document::parse(&content)? else { return Err(absent()) };
        work.pin(manifest.layers.iter().map(|layer| &layer.digest))?;
        let mut blobs: BTreeSet<Digest> = manifest.layers.iter().map(|layer| layer.digest.clone()).collect();
        blobs.extend([image.id.clone(), manifest_digest.clone()]);
        if let Some(missing) = blobs.iter().find(|digest| !self.has_blob(digest)) {
            return Err(ImageError::ContentAbsent(missing.clone()));
        }
        let media_type = manifest.media_type.clone().unwrap_or_else(|| media::OCI_MANIFEST.to_owned());
        let whole = Descriptor {
            media_type,
            digest: manifest_digest,
            size: content.len() as u64,
            platform: Some(image.platform.clone()),
            annotations: None,
        };
        // Who asks by a name gets that name; who asks by an id gets all of them.
        let asked = name.parse::<Reference>().map(|reference| reference.canonical().to_string()).ok();
        let references = match asked.filter(|asked| image.references.contains(asked)) {
            Some(asked) => vec![asked],
            None => image.references.clone(),
        };
        let index = index(&whole, &references);
        let path = |digest: &Digest| format!("blobs/{}/{}", digest.algorithm().name(), digest.hex());
        let familiar =
            |name: &String| name.parse::<Reference>().map_or_else(|_| name.clone(), |r| r.familiar());
        // For docker before 25, which reads no layouts.
        let docker = json!([{
            "Config": path(&image.id),
            "RepoTags": references.iter().map(familiar).collect::<Vec<_>>(),
            "Layers": manifest.layers.iter().map(|layer| path(&layer.digest)).collect::<Vec<_>>(),
        }]);
        let failed = |error: io::Error| ImageError::io(format!("export {name}"), error);
        let mut writer = tar::Builder::new(out);
        for digest in &blobs {
            let file = File::open(self.blob_path(digest)).map_err(failed)?;
            let size = file.metadata().map_err(failed)?.len();
            append(&mut writer, &path(digest), size, file).map_err(failed)?;
        }
        let index = serde_json::to_vec(&index).map_err(|error| failed(error.into()))?;
        for (name, content) in [
            ("index.json", index.as_slice()),
            ("manifest.json", docker.to_string().as_bytes()),
            ("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#),
        ] {
            append(&mut writer, name, content.len() as u64, content).map_err(failed)?;
        }
        writer.into_inner().and_then(|out| out.flush()).map_err(failed)
    }
}

/// An entry for each tag, as containerd writes them; one without a name for an image without tags.
fn index(whole: &Descriptor, references: &[String]) -> Index {
    let named = |name: &String| {
        let tag = name.parse::<Reference>().ok().and_then(|reference| reference.tag().map(str::to_owned));
        let mut annotations = BTreeMap::from([(CONTAINERD_NAME.to_owned(), name.clone())]);
        annotations.extend(tag.map(|tag| (OCI_NAME.to_owned(), tag)));
        Descriptor { annotations: Some(annotations), ..whole.clone() }
    };
    let manifests =
        if references.is_empty() { vec![whole.clone()] } else { references.iter().map(named).collect() };
    Index { schema_version: 2, media_type: Some(media::OCI_INDEX.to_owned()), manifests }
}

fn append<W: Write>(
    writer: &mut tar::Builder<W>,
    name: &str,
    size: u64,
    content: impl io::Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    writer.append_data(&mut header, name, content)
}
