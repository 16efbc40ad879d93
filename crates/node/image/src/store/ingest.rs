//! A layer on its way in: hashed, kept, decompressed, hashed again and unpacked in one pass, then put in place whole.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::work::remove_tree;
use super::{Work, make_directory};
use crate::compression::Decoder;
use crate::digest::{Digest, Hashing};
use crate::error::{ImageError, LayerError, Result};
use crate::layer::{self, Footprint};

/// The file that says that a layer is whole. It holds the layer's [`Footprint`].
pub(super) const MARKER: &str = "complete";

/// What a layer must turn out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LayerSpec {
    /// Its digest as it travels.
    pub digest: Digest,
    /// Its length as it travels.
    pub size: u64,
    /// Its digest once decompressed.
    pub diff_id: Digest,
}

impl Work {
    /// Whether nothing of this layer needs to come.
    pub fn has(&self, spec: &LayerSpec) -> bool {
        let store = self.store();
        store.has_layer(&spec.diff_id)
            && (store.options().discard_unpacked_layers || store.has_blob(&spec.digest))
    }

    /// Takes a layer in. Nothing of it is seen by anybody until all of it was checked.
    pub fn ingest(&self, spec: &LayerSpec, source: impl Read) -> Result<()> {
        self.pin([&spec.digest, &spec.diff_id])?;
        let directory = self.fresh("layer");
        make_directory(&directory.join("fs"), 0o755)?;
        let kept =
            if self.store().options().discard_unpacked_layers { None } else { Some(self.fresh("blob")) };
        let footprint = self.unpack(spec, source, &directory.join("fs"), kept.as_deref())?;
        self.mark(&directory, footprint)?;
        self.commit_layer(&directory, &spec.diff_id)?;
        match kept {
            Some(path) => self.commit_blob(&path, &spec.digest),
            None => Ok(()),
        }
    }

    fn unpack(
        &self,
        spec: &LayerSpec,
        source: impl Read,
        into: &Path,
        kept: Option<&Path>,
    ) -> Result<Footprint> {
        let failed = |error| ImageError::io(format!("extract layer {}", spec.digest), error);
        let limit = self.store().options().layer_unpacked_bytes;
        let kept = kept.map(File::create_new).transpose().map_err(failed)?;
        let source =
            Bounded { inner: source, left: Some(spec.size), what: "more bytes than its descriptor says" };
        let source = Hashing::new(Keeping { inner: source, file: kept }, spec.digest.algorithm());
        let decoder = Decoder::new(source).map_err(failed)?;
        let decoder = Bounded { inner: decoder, left: Some(limit), what: "more bytes than are unpacked" };
        let mut content = Hashing::new(decoder, spec.diff_id.algorithm());
        let root = File::open(into).map_err(failed)?;
        let unpacked = layer::unpack(&mut content, root.into());
        // The archive ends before its content does: padding counts for both digests.
        let drained = drain(&mut content);
        let (decoder, diff_id, _) = content.finish();
        if decoder.left.is_none() {
            let bomb = LayerError::Limit { what: "bytes once decompressed", limit };
            return Err(ImageError::layer(&spec.digest, bomb));
        }
        let mut source = decoder.inner.into_inner();
        let received = drain(&mut source);
        let (_, digest, bytes) = source.finish();
        // Content that is not what was asked for explains whatever else went wrong with it.
        received.map_err(|error| ImageError::layer(&spec.digest, LayerError::Tar(error.into())))?;
        if bytes != spec.size {
            let digest = spec.digest.clone();
            return Err(ImageError::SizeMismatch { digest, expected: spec.size, actual: bytes });
        }
        if digest != spec.digest {
            return Err(ImageError::DigestMismatch {
                what: "layer",
                expected: spec.digest.clone(),
                actual: digest,
            });
        }
        let footprint = unpacked.map_err(|error| ImageError::layer(&spec.digest, error))?;
        drained.map_err(|error| ImageError::layer(&spec.digest, LayerError::Tar(error.into())))?;
        if diff_id != spec.diff_id {
            let expected = spec.diff_id.clone();
            return Err(ImageError::DigestMismatch { what: "unpacked layer", expected, actual: diff_id });
        }
        Ok(footprint)
    }

    /// Marks a layer whole, and writes it to the disk.
    fn mark(&self, directory: &Path, footprint: Footprint) -> Result<()> {
        let failed = |error: io::Error| ImageError::io("mark a layer", error);
        let text = serde_json::to_vec(&footprint).map_err(|error| failed(error.into()))?;
        let mut marker = File::create_new(directory.join(MARKER)).map_err(failed)?;
        marker.write_all(&text).map_err(failed)?;
        // One call for thousands of files, and for the blob beside them.
        rustix::fs::syncfs(&marker).map_err(|error| failed(error.into()))
    }

    fn commit_layer(&self, directory: &Path, diff_id: &Digest) -> Result<()> {
        let target = self.store().layer_path(diff_id);
        if !self.store().has_layer(diff_id) {
            match self.commit(directory, &target) {
                Ok(()) => return Ok(()),
                // Another process was faster: its layer is as good as this one.
                Err(_) if self.store().has_layer(diff_id) => {}
                Err(error) => return Err(error),
            }
        }
        remove_tree(directory)
    }
}

/// The recorded size of an unpacked layer; nothing if it has no marker.
pub(super) fn footprint(layer: &Path) -> Footprint {
    let marker: PathBuf = layer.join(MARKER);
    fs::read(marker).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

fn drain(reader: &mut impl Read) -> io::Result<u64> {
    let mut buffer = vec![0; 64 << 10];
    let mut sum = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(sum),
            Ok(count) => sum += count as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Fails once more than `left` bytes came, and from then on: whoever reads on after an error must not see an end.
struct Bounded<R> {
    inner: R,
    left: Option<u64>,
    what: &'static str,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.ok_or_else(|| io::Error::other(self.what))?;
        let count = self.inner.read(buffer)?;
        self.left = left.checked_sub(count as u64);
        if self.left.is_some() { Ok(count) } else { Err(io::Error::other(self.what)) }
    }
}

/// Writes what is read to a file as well.
struct Keeping<R> {
    inner: R,
    file: Option<File>,
}

impl<R: Read> Read for Keeping<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if let Some(file) = &mut self.file {
            file.write_all(&buffer[..count])?;
        }
        Ok(count)
    }
}
