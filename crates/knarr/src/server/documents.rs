//! The documents that the server has ready: its version, OpenAPI, and the keys that its tokens are signed with.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use server_authn::token::{Keys, discovery};
use server_extend::aggregation::{Aggregation, Backend, Known, Routes};
use server_http::{Document, DocumentRequest, Documents as Source};
use server_openapi::{Custom, Described, Documents, Others};
use server_registry::{Registry, Served};

/// The release of Kubernetes whose API is served.
pub const KUBERNETES_VERSION: &str = "1.37.1";

/// All documents.
pub struct Ready {
    fixed: BTreeMap<String, Document>,
    registry: Registry,
    aggregation: Aggregation,
    openapi: ArcSwap<OpenApi>,
}

/// The documents of OpenAPI, the resources of definitions that they tell of, and what other API servers serve and say.
struct OpenApi {
    custom: Arc<Vec<Arc<Served>>>,
    routes: Arc<Routes>,
    known: Arc<BTreeMap<Backend, Arc<Known>>>,
    documents: Documents,
}

impl Ready {
    /// The documents of a server that issues tokens as `issuer`.
    pub fn new(
        issuer: &str,
        keys: &Keys,
        registry: Registry,
        aggregation: Aggregation,
    ) -> anyhow::Result<Ready> {
        let mut fixed = BTreeMap::new();
        fixed.insert("/version".to_owned(), plain("application/json", version().into()));
        let keys_uri = format!("{issuer}{}", discovery::KEYS_PATH);
        let configuration = discovery::configuration(issuer, &keys_uri, keys)?;
        fixed.insert(
            discovery::CONFIGURATION_PATH.to_owned(),
            plain("application/json", configuration.into()),
        );
        let key_set = discovery::key_set(keys);
        fixed.insert(discovery::KEYS_PATH.to_owned(), plain(discovery::KEYS_CONTENT_TYPE, key_set.into()));
        let documents = Documents::new(registry.catalog().offered().iter());
        let (custom, routes, known) = (Arc::default(), Arc::default(), Arc::default());
        let openapi = ArcSwap::from_pointee(OpenApi { custom, routes, known, documents });
        Ok(Ready { fixed, registry, aggregation, openapi })
    }

    /// The documents of what is served now.
    fn openapi(&self) -> Arc<OpenApi> {
        let custom = self.registry.catalog().custom();
        let (routes, known) = (self.aggregation.routes(), self.aggregation.known());
        let last = self.openapi.load_full();
        let same = [
            Arc::ptr_eq(&last.custom, &custom),
            Arc::ptr_eq(&last.routes, &routes) && Arc::ptr_eq(&last.known, &known),
        ];
        let others = || last.documents.with_others(others(&routes, &known));
        let of = |served: &Arc<Served>| Custom::new(served.definition()?, &served.resource.kind.version);
        let definitions = || custom.iter().filter_map(of).collect();
        let documents = match same {
            [true, true] => return last,
            [true, false] => others(),
            [false, true] => last.documents.with_custom(definitions()),
            [false, false] => others().with_custom(definitions()),
        };
        let next = Arc::new(OpenApi { custom, routes, known, documents });
        self.openapi.store(Arc::clone(&next));
        next
    }
}

/// What other API servers say of what they serve.
fn others(routes: &Routes, known: &BTreeMap<Backend, Arc<Known>>) -> Others {
    let mut others = Others::default();
    for route in routes.remote() {
        let own = known.get(&route.backend);
        let key = (route.group.clone(), route.version.clone());
        let described = match own {
            None => Described::Nowhere,
            Some(own) => match (own.v3.get(&key), &own.v2) {
                (Some(url), _) => Described::At(url.clone()),
                (None, Some(v2)) if own.without_v3 => Described::InV2(Arc::clone(v2)),
                (None, _) => Described::Nowhere,
            },
        };
        others.v3.insert(route.root().trim_start_matches('/').to_owned(), described);
    }
    others.v2 = known.values().filter_map(|own| own.v2.clone()).collect();
    others
}

fn plain(content_type: &str, body: Bytes) -> Document {
    let headers =
        vec![("content-type", content_type.to_owned()), ("cache-control", "no-cache, private".to_owned())];
    Document { status: 200, headers, body }
}

fn version() -> String {
    serde_json::json!({
        "major": "1",
        "minor": "37",
        "emulationMajor": "1",
        "emulationMinor": "37",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "36",
        "gitVersion": format!("v{KUBERNETES_VERSION}+knarr{}", env!("CARGO_PKG_VERSION")),
        "gitCommit": Some(cli::version::COMMIT).filter(|commit| *commit != "unknown").unwrap_or_default(),
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "rustc",
        "platform": format!("linux/{}", if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }),
    })
    .to_string()
}

impl Source for Ready {
    fn find(&self, request: &DocumentRequest<'_>) -> Option<Document> {
        // The Python client asks for `/version/`, which upstream's router takes for the same.
        let path = if request.path == "/version/" { "/version" } else { request.path };
        if let Some(document) = self.fixed.get(path) {
            return Some(document.clone());
        }
        let DocumentRequest { path, hash, accept, if_none_match, gzip } = *request;
        if !path.starts_with("/openapi/") {
            return None;
        }
        let request = server_openapi::Request { path, hash, accept, if_none_match, gzip };
        // The first to ask waits for the document to be made, which takes a while.
        let answer = tokio::task::block_in_place(|| self.openapi().documents.answer(&request))?;
        Some(Document { status: answer.status, headers: answer.headers, body: answer.body })
    }

    fn paths(&self) -> Vec<String> {
        let openapi = ["/openapi/v2", "/openapi/v3"].map(str::to_owned);
        self.fixed.keys().cloned().chain(openapi).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_there_with_a_slash_too() {
        let key = server_authn::key::PrivateKey::generate().expect("a key");
        let keys = Keys::new(vec![key.public().clone()]);
        let shared = server_registry::Shared {
            store: Arc::new(store::MemoryStore::new()),
            catalog: server_registry::Catalog::new(),
            gates: api_kind::Gates::default(),
            clock: Arc::new(base::time::SystemClock),
            random: Arc::new(base::random::SystemRandom),
        };
        let registry = Registry::new(Arc::new(shared), Arc::new(server_registry::admit::Everything));
        let view = || client::view::channel().1;
        let aggregation = Aggregation::over(view(), view(), None, Arc::new(base::time::SystemClock));
        let ready = Ready::new("https://example.com", &keys, registry, aggregation).expect("documents");
        let ask = |path| DocumentRequest { path, hash: None, accept: "", if_none_match: "", gzip: false };
        let said = |path| ready.find(&ask(path)).map(|document| document.body);
        assert!(said("/version").is_some_and(|body| Some(body) == said("/version/")));
        assert!(said("/versions").is_none() && said("/openid/v1/jwks/").is_none());
    }
}
