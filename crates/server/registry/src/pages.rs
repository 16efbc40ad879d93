//! A list as pages: many objects at one moment of history, of which a page at a time is in memory.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use bytes::Bytes;
use client::ListOptions;
use store::{Entry, KeyRange, Range, Revision};

use crate::limits::{LIST_PAGE, LIST_PAGE_BYTES};
use crate::read::{Start, keys};
use crate::select::Selection;
use crate::{Registry, Served};

/// The objects of a list that are still to be read. The first page fixes the moment that all are shown at.
#[derive(Clone)]
pub struct Pages {
    registry: Registry,
    served: Arc<Served>,
    selection: Selection,
    /// What has not been read yet; nothing at the end.
    rest: Option<KeyRange>,
    at: Option<Revision>,
    /// Whether what is read is remembered: the first page of a list is what others look at too.
    first: bool,
}

/// An object as it was found.
pub struct Kept {
    entry: Entry,
    hub: Option<Arc<dyn Record>>,
}

impl Registry {
    /// A list of all objects that the options' selectors pick, page by page. Limits and what goes on from an earlier list are not for this:
    /// [`Registry::list`] knows them.
    pub fn pages(
        &self,
        served: &Arc<Served>,
        namespace: &str,
        options: &ListOptions,
    ) -> Result<Pages, Status> {
        let selection = Selection::parse(served, &options.labels, &options.fields)?;
        let at = self.start(options)?.at;
        Ok(self.pages_of(served, namespace, selection, at))
    }

    pub(crate) fn pages_of(
        &self,
        served: &Arc<Served>,
        namespace: &str,
        selection: Selection,
        at: Option<Revision>,
    ) -> Pages {
        let rest = Some(keys(served, namespace, &selection));
        Pages { registry: self.clone(), served: Arc::clone(served), selection, rest, at, first: true }
    }

    /// Where a list starts, which may not be in the future.
    pub(crate) fn start(&self, options: &ListOptions) -> Result<Start, Status> {
        let mut start = Start::of(options)?;
        if let Some(revision) = start.at_least.take() {
            let current = self.shared.store.current_revision();
            if revision > current {
                return Err(Status::resource_version_too_large(revision.0, current.0, 1));
            }
        }
        Ok(start)
    }
}

impl Pages {
    /// The next page: the objects on it that are selected, perhaps none. `None` once all have been read.
    pub async fn next(&mut self) -> Result<Option<Vec<Kept>>, Status> {
        let Some(keys) = self.rest.take() else { return Ok(None) };
        let mut range = Range::of(keys.clone()).limit(LIST_PAGE).bytes(LIST_PAGE_BYTES);
        range.at = self.at;
        let page = self.registry.page(range).await?;
        self.at.get_or_insert(page.revision);
        let mut found = Vec::with_capacity(page.entries.len());
        self.rest =
            page.entries.last().filter(|_| page.more).map(|last| keys.from([&last.key[..], &[0]].concat()));
        let mut converted = Vec::new();
        if self.served.converts() {
            let entries: Vec<&Entry> = page.entries.iter().collect();
            converted = self.registry.decode_all(&self.served, &entries).await?;
        }
        let mut converted = converted.into_iter();
        for entry in page.entries {
            if let Some(hub) = converted.next() {
                if self.selection.matches(&self.served, &*hub) {
                    found.push(Kept { entry, hub: Some(hub) });
                }
                continue;
            }
            if self.selection.is_everything() {
                found.push(Kept { entry, hub: None });
                continue;
            }
            let hub = self.hub(&entry)?;
            if self.selection.matches(&self.served, &*hub) {
                found.push(Kept { entry, hub: Some(hub) });
            }
        }
        self.first = false;
        Ok(Some(found))
    }

    fn hub(&self, entry: &Entry) -> Result<Arc<dyn Record>, Status> {
        let decoded = &self.registry.decoded;
        if self.first { decoded.of(&self.served, entry) } else { decoded.once(&self.served, entry) }
    }

    /// Whether all that there was has been read.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_none()
    }

    /// The moment that the list shows, once a page has been read.
    pub fn revision(&self) -> client::Revision {
        client::Revision(self.at.unwrap_or(Revision::NONE).0)
    }

    /// The resource that the objects are of.
    pub fn served(&self) -> &Arc<Served> {
        &self.served
    }

    /// Whether objects are kept in the very type and version that they are shown in, in protobuf.
    pub fn are_shown_as_kept(&self) -> bool {
        self.served.is_shown_as_kept()
    }

    /// An object as it is shown.
    pub fn shown(&self, kept: &Kept) -> Result<Arc<dyn Record>, Status> {
        let hub = match &kept.hub {
            Some(hub) => Arc::clone(hub),
            None => self.hub(&kept.entry)?,
        };
        Ok(self.registry.show(&self.served, &hub))
    }
}

impl Kept {
    /// The object as it is kept, without its resource version.
    pub fn value(&self) -> &Bytes {
        &self.entry.value
    }

    /// Its resource version.
    pub fn revision(&self) -> client::Revision {
        client::Revision(self.entry.modified.0)
    }
}
