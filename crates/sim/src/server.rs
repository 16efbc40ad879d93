//! One life of the API server: the real registry behind the real admission, on the world's store. A crash loses it with all
//! that it was doing; the next life begins with the store alone.

use std::sync::Arc;

use api_kind::Gates;
use api_meta::Status;
use client::{Answer, Api as _, Caller, Feed, Request, Revision, Scope};
use server_admission::{Chain, Parts, Plugin, Stored};
use server_local::{Direct, NoTokens, Policy};
use server_registry::admit::Everything;
use server_registry::{Catalog, Registry, Shared};
use tokio::sync::{oneshot, watch};

use crate::executor::Group;
use crate::medium::Medium;
use crate::webhook::Guards;
use crate::world::World;

/// A server that runs.
pub struct Server {
    direct: Direct,
    group: Group,
    /// Whether it is known what webhooks there are: no request is carried out before.
    ready: watch::Receiver<bool>,
    /// Ends with it.
    alive: watch::Sender<()>,
}

/// What a client is told whose server has gone away.
pub fn connection_lost() -> Status {
    Status::internal_error("the connection was lost")
}

/// What a client is told that finds no server.
pub fn connection_refused() -> Status {
    Status::service_unavailable("the connection was refused")
}

impl Server {
    /// Starts a server on the world's store.
    pub fn start(world: &Arc<World>) -> Server {
        let group = world.executor.group();
        let clock = world.clock(group);
        let random = Arc::new(world.dice.fork("server"));
        let shared = Shared {
            store: Arc::new(Medium::new(world)),
            catalog: Catalog::new(),
            gates: Gates::default(),
            clock: Arc::clone(&clock),
            random: random.clone(),
        };
        // Few, so that they are in demand.
        let open = Registry::new(Arc::new(shared), Arc::new(Everything)).with_node_ports(30_000..=30_007);
        let stored = Arc::new(Stored::new(open.clone()));
        let guards = Guards::new(world, Arc::clone(&stored));
        let parts =
            Parts { lookup: stored, authorizer: Arc::new(|_| true), clock: Arc::clone(&clock), random };
        let chain = Chain::standard(parts)
            .then(Arc::clone(&guards.marking) as Arc<dyn Plugin>)
            .then(Arc::clone(&guards.judging) as Arc<dyn Plugin>);
        let registry = open.with_admission(Arc::new(chain));
        let direct = Direct::new(registry, Arc::new(Policy::default()), Arc::new(NoTokens), clock);
        let (known, ready) = watch::channel(false);
        let (own, following) = (Arc::clone(world), direct.clone());
        world.executor.spawn(group, async move {
            guards.follow(own, group, following).await;
            // Whoever waits may have died.
            let _ = known.send(true);
        });
        Server { direct, group, ready, alive: watch::Sender::new(()) }
    }

    /// The tasks of this life.
    pub fn group(&self) -> Group {
        self.group
    }

    /// Begins to carry out a request; its answer comes unless the server dies before.
    pub fn begin(
        &self,
        world: &World,
        who: Caller,
        request: Request,
    ) -> oneshot::Receiver<Result<Answer, Status>> {
        let (sender, receiver) = oneshot::channel();
        let (direct, mut ready) = (self.direct.clone(), self.ready.clone());
        world.executor.spawn(self.group, async move {
            if ready.wait_for(|ready| *ready).await.is_err() {
                return;
            }
            let answer = direct.call(&who, request).await;
            // Whoever asked may have died.
            let _ = sender.send(answer);
        });
        receiver
    }

    /// What opens watches, and tells of the server's end.
    pub fn watching(&self) -> (Direct, watch::Receiver<()>) {
        (self.direct.clone(), self.alive.subscribe())
    }
}

/// Opens a watch.
pub async fn open(direct: &Direct, who: &Caller, scope: Scope, from: Revision) -> Result<Feed, Status> {
    direct.watch(who, scope, from).await
}
