//! Lists in pieces beside lists at once.

use api_codec::json;
use base::random::SystemRandom;
use base::time::SystemClock;
use client::{Caller, WriteOptions};
use server_registry::admit::Everything;
use server_registry::{Catalog, Registry, Shared};
use store::{MemoryStore, Store};

use super::*;

/// More than two pages of the store's.
const MANY: usize = 2 * server_registry::limits::LIST_PAGE + 7;

fn registry(store: &Arc<MemoryStore>) -> Registry {
    let shared = Shared {
        store: Arc::clone(store) as Arc<dyn Store>,
        catalog: Catalog::new(),
        gates: api_kind::Gates::default(),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    };
    Registry::new(Arc::new(shared), Arc::new(Everything))
}

async fn filled(store: &Arc<MemoryStore>, count: usize) -> (Registry, Arc<Served>) {
    let registry = registry(store);
    let served = registry.catalog().resolve("", "v1", "configmaps").expect("they are served");
    for number in 0..count {
        let mut object = (served.object.new)();
        let half = if number % 2 == 0 { "even" } else { "odd" };
        let text = format!(
            r#"{{"metadata":{{"name":"map-{number:05}","namespace":"shop","labels":{{"half":"{half}"}}}},"data":{{"a":"{number}"}}}}"#
        );
        json::decode(text.as_bytes(), &mut *object, None, api_codec::limits::Limits::REQUEST).expect("JSON");
        let (who, options) = (Caller::new("test", &[]), WriteOptions::default());
        registry.create(&served, &who, "shop", object, &options).await.expect("it is made");
    }
    (registry, served)
}

fn sheet(served: &Arc<Served>, codec: Codec, shown: Shown) -> Sheet {
    let form = Form { codec, shown, pretty: false };
    let now = Time::from_unix_nanos(0);
    Sheet { served: Arc::clone(served), form, included: Included::Metadata, now, written: 0 }
}

/// The answer's bytes, and whether they came in pieces.
async fn answered(pages: Pages, sheet: Sheet) -> Result<(Bytes, bool), Status> {
    let mut pages = pages;
    let first = pages.next().await?.unwrap_or_default();
    let body = Begun { sheet, pages, first }.body(Arc::new(SystemClock)).await?;
    let pieces = hyper::body::Body::size_hint(&body).exact().is_none();
    let bytes = body.collect().await.map_err(|error| Status::internal_error(error.to_string()))?.to_bytes();
    Ok((bytes, pieces))
}

#[tokio::test]
async fn a_list_in_pieces_is_the_list_at_once_in_every_form() {
    for count in [0, 3, MANY] {
        let (registry, served) = filled(&Arc::default(), count).await;
        for labels in ["", "half=odd", "half=none"] {
            let options = ListOptions { labels: labels.to_owned(), ..ListOptions::default() };
            let whole = registry.list(&served, "shop", &options).await.expect("it is listed");
            for (codec, shown, pieces) in [
                (Codec::Json, Shown::Object, true),
                (Codec::Json, Shown::Table, true),
                (Codec::Json, Shown::Metadata, true),
                (Codec::Proto, Shown::Object, true),
                (Codec::Proto, Shown::Metadata, false),
                (Codec::Yaml, Shown::Object, false),
            ] {
                let pages = registry.pages(&served, "shop", &options).expect("the options are right");
                let wanted = sheet(&served, codec, shown).frame().list(&whole);
                let (bytes, in_pieces) =
                    answered(pages, sheet(&served, codec, shown)).await.expect("it is answered");
                assert!(bytes == wanted, "{count} {labels:?} {codec:?} {shown:?}");
                assert_eq!(in_pieces, pieces && count == MANY, "{count} {labels:?} {codec:?} {shown:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_changes_while_a_list_is_sent_is_not_in_it() {
    let (registry, served) = filled(&Arc::default(), MANY).await;
    let options = ListOptions::default();
    let whole = registry.list(&served, "shop", &options).await.expect("it is listed");
    let mut pages = registry.pages(&served, "shop", &options).expect("the options are right");
    let first = pages.next().await.expect("it is read").expect("there is a page");
    let last = format!("map-{:05}", MANY - 1);
    let who = Caller::new("test", &[]);
    registry
        .delete(&served, &who, "shop", &last, &client::DeleteOptions::default(), false)
        .await
        .expect("it is deleted");
    let begun = Begun { sheet: sheet(&served, Codec::Proto, Shown::Object), pages, first };
    let body = begun.body(Arc::new(SystemClock)).await.expect("it is answered");
    let bytes = body.collect().await.expect("nothing breaks off").to_bytes();
    assert!(bytes == sheet(&served, Codec::Proto, Shown::Object).frame().list(&whole));
}

#[tokio::test]
async fn a_list_whose_moment_is_forgotten_breaks_off() {
    let store: Arc<MemoryStore> = Arc::default();
    let (registry, served) = filled(&store, MANY).await;
    let mut pages = registry.pages(&served, "shop", &ListOptions::default()).expect("the options are right");
    let first = pages.next().await.expect("it is read").expect("there is a page");
    let begun = Begun { sheet: sheet(&served, Codec::Json, Shown::Object), pages, first };
    let mut body = begun.body(Arc::new(SystemClock)).await.expect("it is answered");
    assert!(body.frame().await.expect("a piece").is_ok());
    let who = Caller::new("test", &[]);
    registry
        .delete(&served, &who, "shop", "map-00000", &client::DeleteOptions::default(), false)
        .await
        .expect("deleted");
    store.compact(store.current_revision()).await.expect("it is compacted");
    assert!(body.frame().await.expect("a piece").is_err(), "no client takes a part for the whole");
}
