//! Filling a view from any API by listing and watching, as client-go's reflector does.

mod shared;

use std::sync::Arc;
use std::time::Duration;

use base::error::Chain;
use base::time::Clock;
use futures_util::StreamExt as _;

use crate::request::Outcome;
use crate::view::Publisher;
use crate::view::limits::LIST_PAGE;
use crate::{Api, Caller, Event, Request, Revision, Scope, Status};

pub use shared::SharedViews;

/// The shortest and the longest wait after a failure.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// Keeps a view up to date until nobody reads it any more. Lists, watches from there, and watches again from where a watch
/// ended; lists anew only when the server has forgotten that point.
pub async fn run(
    api: Arc<dyn Api>,
    who: Caller,
    scope: Scope,
    mut publisher: Publisher,
    clock: Arc<dyn Clock>,
) {
    let mut from: Option<Revision> = None;
    let mut wait = BACK_OFF.0;
    while !publisher.is_abandoned() {
        match follow(&*api, &who, &scope, &mut publisher, &mut from).await {
            Ok(()) => wait = BACK_OFF.0,
            Err(status) => {
                if status.is_gone() || status.is_resource_expired() {
                    from = None;
                }
                // Waiting does not help who may not; the others wait for a server that is away.
                if status.is_forbidden() || status.is_unauthorized() {
                    tracing::warn!(resource = %scope.resource, error = %Chain(&status), "watch.refused");
                } else {
                    tracing::debug!(resource = %scope.resource, error = %Chain(&status), "watch.failed");
                }
                clock.sleep(wait).await;
                wait = (wait * 2).min(BACK_OFF.1);
            }
        }
    }
}

async fn follow(
    api: &dyn Api,
    who: &Caller,
    scope: &Scope,
    publisher: &mut Publisher,
    from: &mut Option<Revision>,
) -> Result<(), Status> {
    let start = match *from {
        Some(revision) => revision,
        None => {
            let revision = list(api, who, scope, publisher).await?;
            *from = Some(revision);
            revision
        }
    };
    let mut feed = api.watch(who, scope.clone(), start).await?;
    loop {
        let event = tokio::select! {
            biased;
            () = publisher.relist_asked() => {
                *from = None;
                return Ok(());
            }
            event = feed.next() => event,
            () = publisher.crowded() => {
                publisher.advance(start);
                continue;
            }
        };
        let Some(event) = event else { break };
        let reached = match event? {
            Event::Added(object) | Event::Modified(object) => {
                let revision = revision_of(&*object);
                publisher.put(object);
                revision
            }
            Event::Deleted(object) => {
                publisher.delete(&*object);
                revision_of(&*object)
            }
            Event::Bookmark { revision, .. } => revision,
        };
        publisher.advance(reached);
        *from = Some((*from).unwrap_or_default().max(reached));
        if publisher.is_abandoned() {
            break;
        }
    }
    Ok(())
}

/// Shows what there is, read a page at a time: whole objects are many times as large as what a view keeps of them.
async fn list(
    api: &dyn Api,
    who: &Caller,
    scope: &Scope,
    publisher: &mut Publisher,
) -> Result<Revision, Status> {
    publisher.begin_list();
    let mut continue_ = String::new();
    loop {
        let mut request = Request::from(scope);
        request.list.limit = LIST_PAGE;
        request.list.continue_ = continue_;
        let Outcome::List(page) = api.call(who, request).await?.outcome else {
            return Err(Status::internal_error("a list was answered with something else"));
        };
        publisher.list(page.items);
        if page.continue_.is_empty() {
            publisher.end_list(page.revision);
            return Ok(page.revision);
        }
        continue_ = page.continue_;
    }
}

fn revision_of(object: &dyn api_record::Record) -> Revision {
    let version = api_types::object_meta(object).map_or("", |meta| &meta.resource_version);
    Revision(version.parse().unwrap_or_default())
}
