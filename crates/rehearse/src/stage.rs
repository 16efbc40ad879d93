//! The API of the copy: a real registry behind the admission that is built in, on a store in memory. Whoever asks may do everything.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use api_kind::Gates;
use api_record::Record;
use api_types::core::v1::Event as ApiEvent;
use base::task::Tasks;
use base::time::{Clock, Time};
use base_virtual::Dice;
use client::{
    Answer, Api, Body, BoxFuture, Caller, Feed, Outcome, RawView, Request, Resource, Revision, Scope, Status,
    Verb, reflect, view,
};
use server_admission::{Chain, Parts, Stored};
use server_local::{Direct, NoTokens, Policy};
use server_registry::admit::Everything;
use server_registry::{Catalog, Registry, Shared};
use store::{MemoryStore, Txn};

/// The copy's API. Clones share it.
#[derive(Clone)]
pub(crate) struct Stage {
    direct: Direct,
    store: Arc<MemoryStore>,
    catalog: Arc<Catalog>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    told: Arc<Mutex<Vec<(Time, ApiEvent)>>>,
    /// Names with random ends, and how they are told.
    masks: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Stage {
    /// An empty copy.
    pub(crate) fn new(clock: Arc<dyn Clock>, tasks: Tasks, dice: &Dice) -> Stage {
        let store = Arc::new(MemoryStore::new());
        let random = Arc::new(dice.fork("server"));
        let shared = Shared {
            store: store.clone(),
            catalog: Catalog::new(),
            gates: Gates::default(),
            clock: Arc::clone(&clock),
            random: random.clone(),
        };
        let open = Registry::new(Arc::new(shared), Arc::new(Everything));
        let lookup = Arc::new(Stored::new(open.clone()));
        let parts = Parts { lookup, authorizer: Arc::new(|_| true), clock: Arc::clone(&clock), random };
        let registry = open.with_admission(Arc::new(Chain::standard(parts)));
        let direct =
            Direct::new(registry, Arc::new(Policy::default()), Arc::new(NoTokens), Arc::clone(&clock));
        Stage {
            direct,
            store,
            catalog: Arc::new(Catalog::new()),
            clock,
            tasks,
            told: Arc::default(),
            masks: Arc::default(),
        }
    }

    /// All that is written.
    pub(crate) fn store(&self) -> &MemoryStore {
        &self.store
    }

    /// Keeps an object as it is: without admission, defaults or checks, which it has passed elsewhere.
    ///
    /// # Errors
    /// If no such resource is served here, or the store refuses it.
    pub(crate) fn put(&self, resource: &Resource, object: &dyn Record) -> Result<(), Status> {
        let served = self.catalog.find(&resource.group, &resource.version, &resource.plural);
        let served =
            served.ok_or_else(|| Status::internal_error(format!("{resource} cannot be rehearsed")))?;
        let meta = api_types::object_meta(object).cloned().unwrap_or_default();
        let key = served.key(&meta.namespace, &meta.name);
        let value = served.value(&*served.to_hub(object.boxed_clone()));
        let put = self.store.commit_now(Txn::default().put(key, value));
        put.map(drop).map_err(|error| Status::internal_error(format!("{resource} {}: {error}", meta.name)))
    }

    /// Forgets what has been told so far.
    pub(crate) fn forget_told(&self) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The events that were recorded, in their order.
    pub(crate) fn told(&self) -> Vec<(Time, ApiEvent)> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The names that got random ends here, with a `*` in their place.
    pub(crate) fn masks(&self) -> BTreeMap<String, String> {
        self.masks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_name(&self, answer: &Answer) {
        let Outcome::Object(object) = &answer.outcome else { return };
        let Some(meta) = api_types::object_meta(&**object).filter(|meta| !meta.generate_name.is_empty())
        else {
            return;
        };
        let mut masks = self.masks.lock().unwrap_or_else(PoisonError::into_inner);
        masks.insert(meta.name.clone(), format!("{}*", meta.generate_name));
    }

    /// Keeps no event, but what it says.
    fn hear(&self, object: Box<dyn Record>) -> Answer {
        if let Some(event) = object.downcast_ref::<ApiEvent>() {
            let now = self.clock.now();
            self.told.lock().unwrap_or_else(PoisonError::into_inner).push((now, event.clone()));
        }
        Answer { outcome: Outcome::Object(Arc::from(object)), created: true, warnings: Vec::new() }
    }
}

/// Whether the server is to find a name.
fn is_nameless(body: &Body) -> bool {
    match body {
        Body::Object(object) => api_types::object_meta(&**object).is_some_and(|meta| meta.name.is_empty()),
        Body::Empty | Body::Patch(..) => false,
    }
}

impl Api for Stage {
    fn call<'a>(&'a self, who: &'a Caller, request: Request) -> BoxFuture<'a, Result<Answer, Status>> {
        Box::pin(async move {
            let mut request = request;
            if request.target.resource.plural == "events"
                && let Body::Object(object) = std::mem::replace(&mut request.body, Body::Empty)
            {
                return Ok(self.hear(object));
            }
            let makes = request.verb == Verb::Create && is_nameless(&request.body);
            let answer = self.direct.call(who, request).await?;
            if makes {
                self.note_name(&answer);
            }
            Ok(answer)
        })
    }

    fn watch<'a>(
        &'a self,
        who: &'a Caller,
        scope: Scope,
        from: Revision,
    ) -> BoxFuture<'a, Result<Feed, Status>> {
        self.direct.watch(who, scope, from)
    }

    fn view<'a>(&'a self, who: &'a Caller, scope: Scope) -> BoxFuture<'a, Result<RawView, Status>> {
        Box::pin(async move {
            let (publisher, view) = view::channel();
            let api: Arc<dyn Api> = Arc::new(self.clone());
            self.tasks.spawn(reflect::run(api, who.clone(), scope, publisher, Arc::clone(&self.clock)));
            Ok(view)
        })
    }
}
