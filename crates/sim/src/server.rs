//! One life of the API server: the real registry behind the real admission, on the world's store. A crash loses it with all
//! that it was doing; the next life begins with the store alone.

use std::sync::Arc;

use api_kind::Gates;
use api_meta::Status;
use api_types::authentication::v1::TokenRequest;
use api_types::core::v1::ServiceAccount;
use client::{Answer, Api as _, BoxFuture, Caller, Feed, Request, Revision, Scope};
use server_admission::{Chain, Parts, Stored};
use server_local::{Direct, Policy, TokenIssuer};
use server_registry::admit::Everything;
use server_registry::{Catalog, Registry, Shared};
use tokio::sync::{oneshot, watch};

use crate::executor::Group;
use crate::medium::Medium;
use crate::world::World;

/// A server that runs.
pub struct Server {
    direct: Direct,
    group: Group,
    /// Ends with it.
    alive: watch::Sender<()>,
}

/// Nobody in these worlds asks for tokens.
struct NoTokens;

impl TokenIssuer for NoTokens {
    fn issue<'a>(
        &'a self,
        _: &'a Direct,
        _: &'a Caller,
        _: &'a ServiceAccount,
        _: TokenRequest,
    ) -> BoxFuture<'a, Result<TokenRequest, Status>> {
        Box::pin(async { Err(Status::bad_request("there is nobody here who signs tokens")) })
    }
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
        let clock = world.executor.clock(world.skew());
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
        let parts = Parts {
            lookup: Arc::new(Stored::new(open.clone())),
            authorizer: Arc::new(|_| true),
            clock: Arc::clone(&clock),
            random,
        };
        let registry = open.with_admission(Arc::new(Chain::standard(parts)));
        let direct = Direct::new(registry, Arc::new(Policy::default()), Arc::new(NoTokens), clock);
        Server { direct, group: world.executor.group(), alive: watch::Sender::new(()) }
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
        let direct = self.direct.clone();
        world.executor.spawn(self.group, async move {
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
