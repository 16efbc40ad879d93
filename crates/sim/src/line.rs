//! The line between one life of a component and the server: the API as that component sees it. Requests and answers take
//! their time and get lost, watches lag and are cut, each on its own, so that what happened to one kind may show long before what
//! happened to another. What passes is checked against the history.

use std::sync::Arc;

use api_record::{Bytes, Record};
use api_types::object_meta_mut;
use base::task::Tasks;
use base::time::Clock;
use client::view::{self, Publisher};
use client::{
    Answer, Api, Body, BoxFuture, Caller, Event, Feed, Outcome, Precondition, RawView, Request, Revision,
    Scope, Status, Verb, reflect,
};
use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

use crate::check::answers::Asked;
use crate::dice::Dice;
use crate::executor::Group;
use crate::profile::Defect;
use crate::server::{self, connection_lost, connection_refused};
use crate::world::{World, lock, resources};

/// The API of one life of a component.
#[derive(Clone)]
pub struct Line {
    world: Arc<World>,
    /// The life.
    group: Group,
    /// Whether it is a component of ours, which defects may concern, or a user.
    component: bool,
    dice: Dice,
    clock: Arc<dyn Clock>,
}

impl Line {
    /// The line of a new life of a component.
    pub fn new(world: &Arc<World>, group: Group, name: &str, component: bool) -> Line {
        let clock = world.clock(group);
        Line { world: Arc::clone(world), group, component, dice: world.dice.fork(name), clock }
    }

    /// The component's clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// What runs the component's tasks.
    pub fn tasks(&self) -> Tasks {
        self.world.executor.tasks(self.group)
    }

    fn strikes(&self, per_mille: usize) -> bool {
        self.world.is_faulty() && self.dice.chance(per_mille)
    }

    fn has(&self, defect: Defect) -> bool {
        self.component && self.world.defect == Some(defect)
    }

    async fn ask(&self, who: &Caller, request: Request) -> Result<Answer, Status> {
        let asked = Asked::of(who, &request);
        let request = if self.has(Defect::PreconditionOff) { unconditional(request) } else { request };
        self.world.travel(&self.dice).await;
        if self.strikes(self.world.profile.refused) {
            return Err(connection_refused());
        }
        let answer = {
            let server = self.world.server();
            let server = server.as_ref().ok_or_else(connection_refused)?;
            server.begin(&self.world, who.clone(), request)
        };
        let answer = answer.await.map_err(|_| connection_lost())?;
        self.world.tell(|| asked.tell(&answer));
        if self.component
            && let Err(why) = lock(&self.world.storms).answered(self.world.executor.now(), &asked, &answer)
        {
            self.world.violate(format!("storms: {why}"));
        }
        if let Err(why) = asked.check(&self.world.history(), &answer) {
            self.world.violate(format!("answers: {why}"));
        }
        self.world.travel(&self.dice).await;
        if self.strikes(self.world.profile.lost) {
            return Err(connection_lost());
        }
        if self.has(Defect::WitnessOff) { answer.map(dated) } else { answer }
    }

    async fn open(&self, who: &Caller, scope: Scope, from: Revision) -> Result<Feed, Status> {
        self.world.travel(&self.dice).await;
        if self.strikes(self.world.profile.refused) {
            return Err(connection_refused());
        }
        let (direct, alive) = {
            let server = self.world.server();
            server.as_ref().ok_or_else(connection_refused)?.watching()
        };
        let feed = server::open(&direct, who, scope.clone(), from).await?;
        let checked = Checked::begin(&self.world, scope, from);
        let wire = Wire { line: self.clone(), feed, alive, checked, over: false };
        Ok(Feed::new(stream::unfold(wire, |mut wire| async move {
            let event = wire.next().await?;
            Some((event, wire))
        })))
    }
}

/// The entry of a watch among those that are checked.
struct Checked {
    world: Arc<World>,
    number: u64,
}

impl Checked {
    fn begin(world: &Arc<World>, scope: Scope, from: Revision) -> Checked {
        let mut watches = world.watches();
        let number = watches.last_key_value().map_or(0, |(last, _)| last + 1);
        watches.insert(number, crate::check::watches::Watched::new(scope, from.0));
        Checked { world: Arc::clone(world), number }
    }

    fn observe(&self, event: &Event) {
        let history = self.world.history();
        if let Some(watched) = self.world.watches().get_mut(&self.number)
            && let Err(why) = watched.observe(&history, event)
        {
            self.world.violate(format!("watches: {why}"));
        }
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        self.world.watches().remove(&self.number);
    }
}

/// One watch on its way.
struct Wire {
    line: Line,
    feed: Feed,
    alive: watch::Receiver<()>,
    checked: Checked,
    over: bool,
}

impl Wire {
    async fn next(&mut self) -> Option<Result<Event, Status>> {
        loop {
            if self.over {
                return None;
            }
            let event = tokio::select! {
                biased;
                _ = self.alive.changed() => None,
                event = self.feed.next() => event,
            };
            let Some(event) = event else {
                self.over = true;
                return None;
            };
            if let Ok(event) = &event {
                self.checked.observe(event);
            }
            let world = &self.line.world;
            if self.line.strikes(world.profile.cut) {
                // Half of all cuts say so, the others just end.
                self.over = true;
                return self.line.dice.chance(500).then(|| Err(connection_lost()));
            }
            world.travel(&self.line.dice).await;
            if self.line.strikes(world.profile.late) {
                world.executor.sleep(self.line.dice.millis(500, 6_000)).await;
            }
            let lost = self.line.has(Defect::EventDropped)
                && matches!(event, Ok(Event::Modified(_) | Event::Deleted(_)));
            if lost && self.line.dice.chance(100) {
                continue;
            }
            return Some(event);
        }
    }
}

impl Api for Line {
    fn call<'a>(&'a self, who: &'a Caller, request: Request) -> BoxFuture<'a, Result<Answer, Status>> {
        Box::pin(async move {
            // Events are for people. Keeping them would cost more than all else here and nothing would rest on them.
            if request.target.resource == resources::EVENTS
                && let Body::Object(object) = request.body
            {
                let object: Arc<dyn Record> = Arc::from(object);
                return Ok(Answer { outcome: Outcome::Object(object), created: true, warnings: Vec::new() });
            }
            self.ask(who, request).await
        })
    }

    fn watch<'a>(
        &'a self,
        who: &'a Caller,
        scope: Scope,
        from: Revision,
    ) -> BoxFuture<'a, Result<Feed, Status>> {
        Box::pin(self.open(who, scope, from))
    }

    fn view<'a>(&'a self, who: &'a Caller, scope: Scope) -> BoxFuture<'a, Result<RawView, Status>> {
        Box::pin(async move {
            self.world.travel(&self.dice).await;
            if self.strikes(self.world.profile.refused) {
                return Err(connection_refused());
            }
            let (mut publisher, view): (Publisher, RawView) = view::channel();
            if self.has(Defect::UnsyncedView) {
                publisher.replace([], Revision(1));
            } else {
                self.world.follow(self.group, scope.clone(), view.clone());
            }
            let api: Arc<dyn Api> = Arc::new(self.clone());
            self.tasks().spawn(reflect::run(api, who.clone(), scope, publisher, self.clock()));
            Ok(view)
        })
    }
}

/// The request without anything that it rests on.
fn unconditional(mut request: Request) -> Request {
    request.delete.precondition = Precondition::default();
    match &mut request.body {
        Body::Object(object) if request.verb == Verb::Update => {
            if let Some(meta) = object_meta_mut(&mut **object) {
                meta.resource_version.clear();
                meta.uid.clear();
            }
        }
        Body::Patch(_, bytes) => {
            if let Ok(mut patch) = serde_json::from_slice::<serde_json::Value>(bytes)
                && let Some(meta) = patch.get_mut("metadata").and_then(|meta| meta.as_object_mut())
            {
                meta.remove("uid");
                meta.remove("resourceVersion");
                *bytes = Bytes::from(patch.to_string());
            }
        }
        _ => {}
    }
    request
}

/// The answer as if all that it tells of had happened long ago.
fn dated(mut answer: Answer) -> Answer {
    match &mut answer.outcome {
        Outcome::Object(object) => {
            let mut old = object.boxed_clone();
            if let Some(meta) = object_meta_mut(&mut *old) {
                meta.resource_version = "1".to_owned();
            }
            *object = Arc::from(old);
        }
        Outcome::List(list) if list.items.len() <= 1 => list.revision = Revision(1),
        _ => {}
    }
    answer
}
