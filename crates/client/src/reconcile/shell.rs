//! Running a controller: opens its views, feeds its core, and has its plans carried out, until it is asked to finish.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::drain;
use base::error::Chain;
use base::task::{self, Tasks};
use base::time::Clock;
use tokio::sync::Notify;

use super::core::{Core, Finished, Input, Output};
use super::events::Recorder;
use super::execute::execute;
use super::inspect::Inspector;
use super::limits::{OPEN_FIRST, OPEN_LONGEST, WORKERS};
use super::wires::{Source, Wires};
use super::{Controller, Failure, World};
use crate::view::Follower;
use crate::{Api, Caller, RawView, Scope};

/// What a controller needs to run.
#[derive(Clone)]
pub struct Deps {
    /// The cluster.
    pub api: Arc<dyn Api>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What runs its tasks.
    pub tasks: Tasks,
    /// Where it can be asked what it does.
    pub inspector: Arc<Inspector>,
}

struct Running<C: Controller> {
    controller: Arc<C>,
    deps: Deps,
    who: Arc<Caller>,
    recorder: Arc<Mutex<Recorder>>,
    core: Arc<Mutex<Core<C::Key>>>,
    sources: Vec<(Source<C::Key>, Follower)>,
    world: World,
    at_work: task::Set<(C::Key, Finished)>,
}

/// Runs a controller until it is asked to finish, and returns once no plan of it is being carried out.
pub async fn run<C: Controller>(controller: C, deps: Deps, mut drain: drain::Watch) {
    let who = Arc::new(controller.caller());
    let reader = controller.reader();
    let mut wires = Wires::default();
    controller.wire(&mut wires);
    let changed = Arc::new(Notify::new());
    let mut listeners = task::Set::new(deps.tasks.clone());
    let mut sources = Vec::new();
    for source in wires.into_sources() {
        let opened = tokio::select! {
            biased;
            view = open(&deps, &reader, &source.scope) => view,
            () = drain.signaled() => return,
        };
        listeners.spawn(opened.wake(Arc::clone(&changed)));
        sources.push((source, Follower::new(opened)));
    }
    let core = Arc::new(Mutex::new(Core::new(WORKERS, C::BACK_OFF)));
    let asked = Arc::clone(&core);
    let explain = move || asked.lock().unwrap_or_else(PoisonError::into_inner).explain();
    deps.inspector.register(C::NAME, Arc::new(explain));
    let recorder = Arc::new(Mutex::new(Recorder::new(C::SOURCE)));
    let controller = Arc::new(controller);
    let world = World::new(BTreeMap::new());
    let at_work = task::Set::new(deps.tasks.clone());
    let mut running = Running { controller, deps, who, recorder, core, sources, world, at_work };
    running.serve(&changed, &mut drain).await;
    while running.at_work.join_next().await.is_some() {}
}

async fn open(deps: &Deps, who: &Caller, scope: &Scope) -> RawView {
    let mut wait = OPEN_FIRST;
    loop {
        match deps.api.view(who, scope.clone()).await {
            Ok(view) => return view,
            Err(status) => {
                tracing::debug!(resource = %scope.resource, caller = who.name, error = %Chain(&status), "view.refused");
                deps.clock.sleep(wait).await;
                wait = (wait * 2).min(OPEN_LONGEST);
            }
        }
    }
}

impl<C: Controller> Running<C> {
    async fn serve(&mut self, changed: &Notify, drain: &mut drain::Watch) {
        loop {
            if self.is_synced() {
                self.catch_up();
            }
            let wake = self.locked(|core| core.wake_at());
            let now = self.deps.clock.now();
            let clock = Arc::clone(&self.deps.clock);
            let sleep = async move {
                match wake {
                    Some(at) => clock.sleep(at.since(now)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = drain.signaled() => return,
                Some(done) = self.at_work.join_next() => self.finished(done),
                () = changed.notified() => {}
                () = sleep => self.step(Input::Ticked),
            }
        }
    }

    fn is_synced(&self) -> bool {
        self.sources.iter().all(|(_, follower)| follower.view().snapshot().is_synced())
    }

    fn locked<T>(&self, act: impl FnOnce(&mut Core<C::Key>) -> T) -> T {
        act(&mut self.core.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at all views first, so that keys are found in a world that is no older than the changes.
    fn catch_up(&mut self) {
        let mut all = Vec::new();
        for (source, follower) in &mut self.sources {
            let (snapshot, changes) = follower.catch_up();
            self.world.show(source.resource().clone(), snapshot);
            all.push(changes);
        }
        let mut wanted = BTreeMap::new();
        for ((source, _), changes) in self.sources.iter().zip(all) {
            for change in changes {
                let old = change.before().map(|object| &**object);
                let new = change.after().map(|object| &**object);
                let Some(object) = new.or(old) else { continue };
                for key in source.about(old, new, &self.world) {
                    wanted.entry(key).or_insert_with(|| why(source, object));
                }
            }
        }
        for (key, why) in wanted {
            self.step(Input::Changed { key, why });
        }
        // Last, so that a key that was withheld is planned once for its writes and for what changed with them.
        self.step(Input::Shown);
    }

    fn finished(&mut self, done: Result<(C::Key, Finished), task::Died>) {
        match done {
            Ok((key, how)) => {
                if let Some(Failure { status, .. }) = &how.failure {
                    tracing::debug!(controller = C::NAME, key = ?key, error = %Chain(status), "plan.failed");
                }
                self.step(Input::Finished { key, how });
            }
            // A key that is never finished would never be planned again.
            Err(died) => panic!("{}: {died}", C::NAME),
        }
    }

    fn step(&mut self, input: Input<C::Key>) {
        let now = self.deps.clock.now();
        let outputs = self.locked(|core| core.step(input, &self.world, now));
        for output in outputs {
            match output {
                Output::Plan(key, failure) => {
                    let world = self.world.clone().after(failure);
                    let plan = self.controller.plan(&key, &world, now);
                    let (deps, who) = (self.deps.clone(), Arc::clone(&self.who));
                    let recorder = Arc::clone(&self.recorder);
                    self.at_work.spawn(async move {
                        let how = execute(&*deps.api, &who, &recorder, &*deps.clock, plan).await;
                        (key, how)
                    });
                }
                Output::Relist(resource) => {
                    tracing::warn!(controller = C::NAME, %resource, "a write did not show in its view");
                    let mut request = None;
                    for (_, follower) in self.sources.iter().filter(|(it, _)| *it.resource() == resource) {
                        // Of several views of a resource, the world shows the last.
                        request = Some(follower.view().relist());
                    }
                    if let Some(request) = request {
                        self.step(Input::Relisting { resource, request });
                    }
                }
            }
        }
    }
}

fn why<K>(source: &Source<K>, object: &dyn api_record::Record) -> Arc<str> {
    let meta = api_types::object_meta(object);
    let (namespace, name) = meta.map_or(("", ""), |meta| (meta.namespace.as_str(), meta.name.as_str()));
    Arc::from(format!("{} {namespace}/{name}", source.resource()))
}
