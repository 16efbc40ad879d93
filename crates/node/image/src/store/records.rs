//! The list of images: which names lead to which manifest. One small file, replaced as a whole, so that no reader ever
//! sees half a change.

use std::fs::File;
use std::io::Write;

use serde::{Deserialize, Serialize};

use super::{Store, Work, lock, read_bounded};
use crate::digest::Digest;
use crate::error::{ImageError, Result};
use crate::limits;

const FILE: &str = "images.json";
const VERSION: u32 = 1;

/// An image in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The digest of its configuration.
    pub id: Digest,
    /// The digest of its manifest: this machine's, where an index led to it.
    pub manifest: Digest,
    /// `registry/repository:tag`, sorted.
    pub tags: Vec<String>,
    /// `registry/repository@digest`, sorted; the digest is what the registry holds under the name, often an index's.
    pub digests: Vec<String>,
    /// Bytes of its content as it travels.
    pub size_bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    images: Vec<Record>,
}

impl Store {
    pub(super) fn records(&self) -> Result<Vec<Record>> {
        let malformed = |message| ImageError::Malformed { what: "list of images", message };
        let Some(text) = read_bounded(&self.path(FILE), limits::RECORDS_BYTES)? else {
            return Ok(Vec::new());
        };
        let document: Document =
            serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
        if document.version != VERSION {
            return Err(malformed(format!("unknown version {}", document.version)));
        }
        Ok(document.images)
    }

    /// Changes the list under the store's lock.
    pub(super) fn change_records<T>(
        &self,
        work: &Work,
        change: impl FnOnce(&mut Vec<Record>) -> Result<T>,
    ) -> Result<T> {
        let _held = lock::take(&self.path("lock"))?;
        let before = self.records()?;
        let mut images = before.clone();
        let outcome = change(&mut images)?;
        if images != before {
            images.sort_by(|a, b| a.id.cmp(&b.id));
            let failed = |error: std::io::Error| ImageError::io("update the list of images", error);
            let document = Document { version: VERSION, images };
            let text = serde_json::to_vec_pretty(&document).map_err(|error| failed(error.into()))?;
            work.replace(FILE, &text)?;
        }
        Ok(outcome)
    }
}

impl Work {
    /// Replaces a file of the store as a whole.
    pub fn replace(&self, name: &str, content: &[u8]) -> Result<()> {
        let failed = |error| ImageError::io(format!("write {name}"), error);
        let path = self.fresh("file");
        let mut file = File::create_new(&path).map_err(failed)?;
        file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
        self.commit(&path, &self.store().path(name))
    }

    /// Lists an image. Its tags leave whatever image had them; one that is listed already gains the names.
    pub fn publish(&self, new: &Record) -> Result<()> {
        self.store().change_records(self, |images| {
            add(images, new);
            Ok(())
        })
    }
}

fn add(images: &mut Vec<Record>, new: &Record) {
    for other in images.iter_mut().filter(|other| other.id != new.id) {
        other.tags.retain(|tag| !new.tags.contains(tag));
        other.digests.retain(|digest| !new.digests.contains(digest));
    }
    let Some(known) = images.iter_mut().find(|known| known.id == new.id) else {
        images.push(new.clone());
        return;
    };
    known.manifest = new.manifest.clone();
    known.size_bytes = new.size_bytes;
    for (names, more) in [(&mut known.tags, &new.tags), (&mut known.digests, &new.digests)] {
        names.extend(more.iter().cloned());
        names.sort();
        names.dedup();
    }
}

/// Takes what `name` stands for out of the list. An image goes with its last tag, as docker's do; by id or digest it goes
/// whole.
pub(super) fn take(images: &mut Vec<Record>, at: usize, name: Option<&str>) -> (Vec<String>, Option<Digest>) {
    let record = &mut images[at];
    if let Some(name) = name {
        record.tags.retain(|tag| tag != name);
        record.digests.retain(|digest| digest != name);
        let by_tag = !name.contains('@');
        let stays = !record.tags.is_empty() || (!by_tag && !record.digests.is_empty());
        if stays {
            return (vec![name.to_owned()], None);
        }
    }
    let record = images.remove(at);
    let mut names: Vec<String> = name.map(str::to_owned).into_iter().collect();
    names.extend(record.tags);
    names.extend(record.digests);
    (names, Some(record.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, tags: &[&str], digests: &[&str]) -> Record {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let id = Digest::of(id.as_bytes());
        Record { manifest: id.clone(), id, tags: own(tags), digests: own(digests), size_bytes: 1 }
    }

    #[test]
    fn a_tag_moves_and_leaves_the_old_image_without() {
        let mut images = vec![record("old", &["a:1", "a:2"], &["a@x"])];
        add(&mut images, &record("new", &["a:1"], &["a@y"]));
        assert_eq!(images, [record("old", &["a:2"], &["a@x"]), record("new", &["a:1"], &["a@y"])]);
        add(&mut images, &record("new", &["b:1"], &["a@y"]));
        assert_eq!(images[1], record("new", &["a:1", "b:1"], &["a@y"]));
    }

    #[test]
    fn an_image_goes_with_its_last_tag() {
        let all = record("one", &["a:1", "a:2"], &["a@x"]);
        let id = all.id.clone();
        let mut images = vec![all];
        assert_eq!(take(&mut images, 0, Some("a:1")), (vec!["a:1".into()], None));
        assert_eq!(take(&mut images, 0, Some("a:2")), (vec!["a:2".into(), "a@x".into()], Some(id.clone())));
        let mut images = vec![record("one", &["a:1", "a:2"], &["a@x"])];
        assert_eq!(take(&mut images, 0, None), (vec!["a:1".into(), "a:2".into(), "a@x".into()], Some(id)));
    }
}
