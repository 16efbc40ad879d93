//! Reading: one object, or many.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use client::{List, ListOptions, VersionMatch};
use store::{KeyRange, Range, Revision};

use crate::continue_token::Continue;
use crate::limits::LIST_PAGE;
use crate::select::Selection;
use crate::{Registry, Served, faults};

impl Registry {
    /// One object, as it is now.
    pub async fn get(&self, served: &Served, namespace: &str, name: &str) -> Result<Arc<dyn Record>, Status> {
        let hub = self.get_hub(served, namespace, name).await?;
        Ok(self.show(served, &hub))
    }

    /// One object, as it is now, in the hub's type.
    pub async fn get_hub(
        &self,
        served: &Served,
        namespace: &str,
        name: &str,
    ) -> Result<Arc<dyn Record>, Status> {
        match self.entry(served, namespace, name).await? {
            Some(entry) => self.decode(served, &entry).await,
            None => Err(Status::not_found(served.group_resource(), name)),
        }
    }

    /// Many objects at one moment, in the order of their keys.
    pub async fn list(
        &self,
        served: &Served,
        namespace: &str,
        options: &ListOptions,
    ) -> Result<List, Status> {
        let selection = Selection::parse(served, &options.labels, &options.fields)?;
        let keys = keys(served, namespace, &selection);
        let start = self.start(options)?;
        let from = match &start.after {
            Some(token) => keys.from(format!("{}{}", served.prefix, token.start)),
            None => keys,
        };
        let listed = self.collect(served, from, start.at, options.limit, &selection).await;
        listed.map_err(|status| match &start.after {
            Some(token) if status.is_resource_expired() => faults::continue_expired(token),
            _ => status,
        })
    }

    async fn collect(
        &self,
        served: &Served,
        keys: KeyRange,
        at: Option<Revision>,
        limit: usize,
        selection: &Selection,
    ) -> Result<List, Status> {
        let mut list = List::default();
        let mut from = keys.clone();
        let mut at = at;
        loop {
            let wanted =
                if limit > 0 && selection.is_everything() { limit - list.items.len() } else { LIST_PAGE };
            let mut range = Range::of(from.clone()).limit(wanted.min(LIST_PAGE));
            range.at = at;
            range.count = limit > 0 && selection.is_everything();
            let page = self.page(range).await?;
            let revision = at.unwrap_or(page.revision);
            at = Some(revision);
            list.revision = client::Revision(revision.0);
            let mut converted = self.converted_page(served, &page).await?.into_iter();
            for (index, entry) in page.entries.iter().enumerate() {
                let hub = match converted.next() {
                    Some(hub) => hub,
                    None => self.decoded.of(served, entry)?,
                };
                if selection.matches(served, &*hub) {
                    list.items.push(self.show(served, &hub));
                }
                let last = index + 1 == page.entries.len() && !page.more;
                if limit > 0 && list.items.len() == limit && !last {
                    list.continue_ = next(served, &entry.key, revision);
                    let counted = page.remaining.filter(|_| index + 1 == page.entries.len());
                    list.remaining = counted.and_then(|count| i64::try_from(count).ok());
                    return Ok(list);
                }
            }
            match page.entries.last() {
                Some(last) if page.more => from = keys.from([&last.key[..], &[0]].concat()),
                _ => return Ok(list),
            }
        }
    }
}

impl Registry {
    /// The objects of a page, if they have to be converted: then all at once.
    async fn converted_page(
        &self,
        served: &Served,
        page: &store::Page,
    ) -> Result<Vec<Arc<dyn Record>>, Status> {
        if !served.converts() {
            return Ok(Vec::new());
        }
        self.decode_all(served, &page.entries.iter().collect::<Vec<_>>()).await
    }
}

/// The token for going on just after a key.
fn next(served: &Served, key: &[u8], revision: Revision) -> String {
    let key = String::from_utf8_lossy(key);
    let start = format!("{}\0", key.strip_prefix(&served.prefix).unwrap_or(&key));
    Continue { revision: Some(revision.0), start }.encode()
}

/// The keys that can hold what is asked for.
pub(crate) fn keys(served: &Served, namespace: &str, selection: &Selection) -> KeyRange {
    let narrowed = !namespace.is_empty() || !served.resource.namespaced;
    match selection.name() {
        Some(name) if narrowed => KeyRange::key(served.key(namespace, name).into_bytes()),
        _ if namespace.is_empty() => KeyRange::prefix(served.prefix.clone().into_bytes()),
        _ => KeyRange::prefix(format!("{}{namespace}/", served.prefix).into_bytes()),
    }
}

/// Where in history and in the keys a list begins.
pub(crate) struct Start {
    pub(crate) at: Option<Revision>,
    pub(crate) at_least: Option<Revision>,
    after: Option<Continue>,
}

impl Start {
    pub(crate) fn of(options: &ListOptions) -> Result<Start, Status> {
        let mut start = Start { at: None, at_least: None, after: None };
        if !options.continue_.is_empty() {
            if !options.version.is_empty() && options.version != "0" {
                return Err(Status::bad_request(
                    "specifying resource version is not allowed when using continue",
                ));
            }
            let token = Continue::decode(&options.continue_)?;
            start.at = token.revision.map(Revision);
            start.after = Some(token);
            return Ok(start);
        }
        let version = parse_version(&options.version)?;
        match options.version_match {
            Some(VersionMatch::Exact) => start.at = version,
            Some(VersionMatch::NotOlderThan) => start.at_least = version,
            None if options.limit > 0 => start.at = version,
            None => start.at_least = version,
        }
        Ok(start)
    }
}

/// The revision of a resource version; `None` for none, and for `0`, which any will do for.
pub(crate) fn parse_version(text: &str) -> Result<Option<Revision>, Status> {
    match text {
        "" | "0" => Ok(None),
        text => match text.parse() {
            Ok(number) => Ok(Some(Revision(number))),
            Err(_) => Err(Status::bad_request(format!(
                "Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
            ))),
        },
    }
}
