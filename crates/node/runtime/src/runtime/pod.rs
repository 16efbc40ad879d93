//! One pod: what is asked of its shim, what is known of its containers, and a successor when the shim dies.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use host::cgroup::Limits;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::connection::{Connection, connect_to, is_dead};
use super::{Shared, blocking, launch};
use crate::error::RuntimeError;
use crate::layout::PodLayout;
use crate::limits::{CALL, EVENTS_MAX, FRAME_DESCRIPTORS_MAX};
use crate::protocol::{Answer, Call};
use crate::shim::RECOVER;
use crate::spec::{ContainerSpec, PodSandbox, Seccomp};
use crate::state::{ContainerState, ContainerStatus, Event, ExitRecord};
use crate::teardown;

/// The first wait before another try to start a successor; it doubles.
const SUCCESSOR_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between such tries.
const SUCCESSOR_WAIT_MAX: Duration = Duration::from_secs(30);
const SIGKILL: i32 = 9;

/// A pod. Clones are of the same pod; dropping all of them disturbs nothing that runs.
#[derive(Clone)]
pub struct PodHandle {
    pub(super) pod: Arc<Pod>,
}

pub(super) struct Pod {
    pub(super) shared: Arc<Shared>,
    places: PodLayout,
    pub(super) sandbox: PodSandbox,
    link: watch::Sender<Link>,
    known: Mutex<Known>,
    changed: watch::Sender<u64>,
    events: broadcast::Sender<Event>,
    pub(super) execs: Mutex<HashMap<String, oneshot::Sender<i32>>>,
}

/// The connection to the shim.
#[derive(Clone)]
enum Link {
    Up(Arc<Connection>),
    /// The shim died and a successor is being started.
    Down,
    /// The pod is deleted.
    Closed,
}

/// What the agent's side knows, and holds for a successor of the shim.
#[derive(Default)]
struct Known {
    statuses: BTreeMap<String, ContainerStatus>,
    processes: BTreeMap<String, OwnedFd>,
    terminals: BTreeMap<String, OwnedFd>,
}

impl Pod {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn execs(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<i32>>> {
        self.execs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn call(
        &self,
        call: Call,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(Answer, Vec<OwnedFd>), RuntimeError> {
        let uid = &self.sandbox.uid;
        let asked = async {
            let mut link = self.link.subscribe();
            let link = link.wait_for(|link| !matches!(link, Link::Down)).await.map(|link| link.clone());
            match link {
                Ok(Link::Up(connection)) => connection.call(call, descriptors).await,
                _ => Err(RuntimeError::PodDeleted { uid: uid.clone() }),
            }
        };
        let answered = base::time::timeout(self.shared.config.clock.as_ref(), CALL, asked).await;
        answered.unwrap_or_else(|_| Err(RuntimeError::Timeout { uid: uid.clone(), seconds: CALL.as_secs() }))
    }

    async fn done(&self, call: Call) -> Result<(), RuntimeError> {
        match self.call(call, Vec::new()).await? {
            (Answer::Done, _) => Ok(()),
            _ => Err(self.out_of_turn()),
        }
    }

    pub(super) fn out_of_turn(&self) -> RuntimeError {
        RuntimeError::Protocol { uid: self.sandbox.uid.clone() }
    }

    /// Takes in what happened, then tells it.
    fn happened(&self, event: Event) {
        match &event {
            Event::Exited { container, exit } => self.exited(container, exit),
            Event::ExecExited { exec, exit_code } => {
                if let Some(sender) = self.execs().remove(exec) {
                    // Whoever ran it may not care.
                    let _ = sender.send(*exit_code);
                }
            }
            Event::Started { .. } | Event::OutOfMemory { .. } => {}
        }
        self.changed.send_modify(|count| *count += 1);
        // Nobody may be listening.
        let _ = self.events.send(event);
    }

    fn exited(&self, container: &str, exit: &ExitRecord) {
        let mut known = self.known();
        if let Some(status) = known.statuses.get_mut(container) {
            status.state = ContainerState::Exited;
            status.process = None;
            status.exit = Some(exit.clone());
        }
        known.processes.remove(container);
        known.terminals.remove(container);
    }

    /// Learns every container's state, and gives a successor what a dead shim took with it.
    async fn learn(&self, connection: &Connection) -> Result<(), RuntimeError> {
        let uid = || self.sandbox.uid.clone();
        let list = connection.call(Call::List, Vec::new()).await?;
        let (Answer::Containers { containers, processes, terminals, recovering }, descriptors) = list else {
            return Err(RuntimeError::Protocol { uid: uid() });
        };
        let mut descriptors = descriptors.into_iter();
        let mut ended = Vec::new();
        let held = {
            let mut known = self.known();
            known.processes.extend(processes.into_iter().zip(descriptors.by_ref()));
            known.terminals.extend(terminals.into_iter().zip(descriptors.by_ref()));
            for status in containers {
                let before = known.statuses.insert(status.id.clone(), status.clone());
                let exit = status.exit.filter(|_| before.is_some_and(|before| before.exit.is_none()));
                ended.extend(exit.map(|exit| Event::Exited { container: status.id, exit }));
            }
            recovering.then(|| known.held())
        };
        for event in ended {
            self.happened(event);
        }
        if let Some(held) = held {
            let (processes, terminals, descriptors) =
                held.map_err(RuntimeError::io("hand over descriptors"))?;
            connection.call(Call::Recover { processes, terminals }, descriptors).await?;
        }
        self.changed.send_modify(|count| *count += 1);
        Ok(())
    }
}

impl Known {
    #[allow(clippy::type_complexity, reason = "names of two kinds and the descriptors of both")]
    fn held(&self) -> std::io::Result<(Vec<String>, Vec<String>, Vec<OwnedFd>)> {
        let (mut processes, mut terminals, mut descriptors) = (Vec::new(), Vec::new(), Vec::new());
        for (names, held) in [(&mut processes, &self.processes), (&mut terminals, &self.terminals)] {
            for (name, descriptor) in held {
                if descriptors.len() < FRAME_DESCRIPTORS_MAX {
                    names.push(name.clone());
                    descriptors.push(descriptor.try_clone()?);
                }
            }
        }
        Ok((processes, terminals, descriptors))
    }
}

/// Connects and learns; what happens goes to the pod.
async fn connect(pod: &Arc<Pod>) -> Result<Arc<Connection>, RuntimeError> {
    let socket = connect_to(pod.places.directory()).map_err(RuntimeError::errno("connect to a shim"))?;
    let (sender, mut events) = mpsc::unbounded_channel();
    let connection = Arc::new(Connection::open(&pod.sandbox.uid, socket, sender).await?);
    let hearer = Arc::downgrade(pod);
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            let Some(pod) = hearer.upgrade() else { return };
            pod.happened(event);
        }
    });
    pod.learn(&connection).await?;
    Ok(connection)
}

/// Watches over the connection for as long as anybody holds the pod: a shim that dies gets a successor.
async fn supervise(pod: std::sync::Weak<Pod>, mut ended: watch::Receiver<bool>) {
    loop {
        let _ = ended.wait_for(|ended| *ended).await;
        let mut wait = SUCCESSOR_WAIT;
        ended = loop {
            let Some(pod) = pod.upgrade() else { return };
            if matches!(*pod.link.borrow(), Link::Closed) {
                return;
            }
            if !pod.shared.config.keeps {
                pod.link.send_replace(Link::Closed);
                return;
            }
            pod.link.send_replace(Link::Down);
            // Their processes have lost their parent: nobody will tell how they ended.
            pod.execs().clear();
            match succeed(&pod).await {
                Ok(connection) => {
                    let ended = connection.ended();
                    pod.link.send_if_modified(|link| {
                        let open = !matches!(link, Link::Closed);
                        if open {
                            *link = Link::Up(connection);
                        }
                        open
                    });
                    break ended;
                }
                Err(error) => {
                    tracing::warn!(uid = pod.sandbox.uid, error = %base::error::Chain(&error), "no successor for a shim that died");
                    let clock = pod.shared.config.clock.clone();
                    drop(pod);
                    clock.sleep(wait).await;
                    wait = (wait * 2).min(SUCCESSOR_WAIT_MAX);
                }
            }
        };
    }
}

async fn succeed(pod: &Arc<Pod>) -> Result<Arc<Connection>, RuntimeError> {
    // Only the connection may have broken.
    if is_dead(pod.places.directory())? {
        launch::launch(&pod.shared, &pod.places, &pod.sandbox.uid, RECOVER).await?;
    }
    connect(pod).await
}

impl PodHandle {
    pub(super) async fn connect(
        shared: Arc<Shared>,
        places: PodLayout,
        sandbox: PodSandbox,
    ) -> Result<PodHandle, RuntimeError> {
        let pod = Arc::new(Pod {
            shared,
            places,
            sandbox,
            link: watch::Sender::new(Link::Down),
            known: Mutex::default(),
            changed: watch::Sender::new(0),
            events: broadcast::Sender::new(EVENTS_MAX),
            execs: Mutex::default(),
        });
        let connection = connect(&pod).await?;
        let ended = connection.ended();
        pod.link.send_replace(Link::Up(connection));
        tokio::spawn(supervise(Arc::downgrade(&pod), ended));
        Ok(PodHandle { pod })
    }

    /// What the pod was made from.
    pub fn sandbox(&self) -> &PodSandbox {
        &self.pod.sandbox
    }

    /// The path of the pod's network namespace; `None` on the host's network.
    pub fn netns(&self) -> Option<PathBuf> {
        let pinned = || self.pod.places.namespace("net");
        (!self.pod.sandbox.host_network).then(|| self.pod.sandbox.netns.clone().unwrap_or_else(pinned))
    }

    /// Makes a container: its directories, streams and description. Nothing runs yet, and the image's layers must stay from here on.
    ///
    /// # Errors
    /// When there is one of this id, or something asked for cannot be honoured.
    pub async fn create_container(&self, mut spec: ContainerSpec) -> Result<(), RuntimeError> {
        if spec.privileged {
            spec.process.seccomp = Seccomp::Unconfined;
        }
        let seccomp = std::mem::take(&mut spec.process.seccomp);
        spec.process.seccomp = self.pod.shared.compiled(seccomp, &spec.process.capabilities).await?;
        let id = spec.id.clone();
        self.pod.done(Call::Create(Box::new(spec))).await?;
        let status = ContainerStatus {
            id: id.clone(),
            state: ContainerState::Created,
            process: None,
            created_at_nanos: self.pod.shared.config.clock.now().unix_nanos(),
            started_at_nanos: None,
            exit: None,
            user: None,
        };
        self.pod.known().statuses.entry(id).or_insert(status);
        Ok(())
    }

    /// Runs a container's first process. Returns once its program is executing.
    ///
    /// # Errors
    /// With [`RuntimeError::start_failure`] when it could not be started: the container has then ended with `StartError`, code 128.
    pub async fn start(&self, container: &str) -> Result<ContainerStatus, RuntimeError> {
        let call = Call::Start { container: container.to_owned() };
        let (Answer::Started(status), descriptors) = self.pod.call(call, Vec::new()).await? else {
            return Err(self.pod.out_of_turn());
        };
        let mut known = self.pod.known();
        let mut descriptors = descriptors.into_iter();
        let ended = known.statuses.get(container).is_some_and(|status| status.exit.is_some());
        if !ended {
            known.processes.extend(descriptors.next().map(|process| (container.to_owned(), process)));
            known.terminals.extend(descriptors.next().map(|terminal| (container.to_owned(), terminal)));
            known.statuses.insert(container.to_owned(), status.clone());
        }
        Ok(status)
    }

    /// Sends a signal to a container's first process.
    ///
    /// # Errors
    /// When the container does not run.
    pub async fn signal(&self, container: &str, signal: i32) -> Result<(), RuntimeError> {
        self.pod.done(Call::Signal { container: container.to_owned(), signal }).await
    }

    /// Stops a container: `signal`, and after `grace` everything in it is killed. Returns how it ended; also when it already had.
    ///
    /// # Errors
    /// When there is no such container or it was never started.
    pub async fn stop(
        &self,
        container: &str,
        signal: i32,
        grace: Duration,
    ) -> Result<ExitRecord, RuntimeError> {
        if let Some(exit) = self.status(container).and_then(|status| status.exit) {
            return Ok(exit);
        }
        if grace.is_zero() || signal == SIGKILL {
            self.kill(container).await?;
            return self.wait(container).await;
        }
        self.signal(container, signal).await?;
        let clock = self.pod.shared.config.clock.clone();
        if let Ok(exit) = base::time::timeout(clock.as_ref(), grace, self.wait(container)).await {
            return exit;
        }
        self.kill(container).await?;
        self.wait(container).await
    }

    /// Kills every process of a container, by its control group. Its end comes as an event.
    ///
    /// # Errors
    /// When there is no such container.
    pub async fn kill(&self, container: &str) -> Result<(), RuntimeError> {
        self.pod.done(Call::Kill { container: container.to_owned() }).await
    }

    /// Takes away a container that does not run. One that is not there counts as taken away.
    ///
    /// # Errors
    /// When it runs.
    pub async fn delete_container(&self, container: &str) -> Result<(), RuntimeError> {
        self.pod.done(Call::Delete { container: container.to_owned() }).await?;
        self.pod.known().statuses.remove(container);
        Ok(())
    }

    /// Changes the size of a container's terminal.
    ///
    /// # Errors
    /// When it has none.
    pub async fn resize(&self, container: &str, columns: u16, rows: u16) -> Result<(), RuntimeError> {
        self.pod.done(Call::Resize { target: container.to_owned(), columns, rows }).await
    }

    /// Changes what a container may use.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn update_limits(&self, container: &str, limits: Limits) -> Result<(), RuntimeError> {
        self.pod.done(Call::Limit { container: container.to_owned(), limits }).await
    }

    /// Sets a container's log file aside now.
    ///
    /// # Errors
    /// When there is no such container.
    pub async fn rotate_log(&self, container: &str) -> Result<(), RuntimeError> {
        self.pod.done(Call::RotateLog { container: container.to_owned() }).await
    }

    /// Waits for a container's end.
    ///
    /// # Errors
    /// When there is no such container.
    pub async fn wait(&self, container: &str) -> Result<ExitRecord, RuntimeError> {
        let mut changed = self.pod.changed.subscribe();
        loop {
            match self.status(container) {
                Some(ContainerStatus { exit: Some(exit), .. }) => return Ok(exit),
                Some(_) => {}
                None => {
                    let message = format!("container {container} not found");
                    return Err(crate::protocol::Failure::new(
                        crate::protocol::FailureKind::NotFound,
                        message,
                    )
                    .into());
                }
            }
            if changed.changed().await.is_err() {
                return Err(RuntimeError::PodDeleted { uid: self.pod.sandbox.uid.clone() });
            }
        }
    }

    /// What is known of a container.
    pub fn status(&self, container: &str) -> Option<ContainerStatus> {
        self.pod.known().statuses.get(container).cloned()
    }

    /// What is known of every container, in the order of ids.
    pub fn containers(&self) -> Vec<ContainerStatus> {
        self.pod.known().statuses.values().cloned().collect()
    }

    /// What happens from now on. Whoever lags more than [`EVENTS_MAX`] behind is told so, and should look at [`PodHandle::containers`].
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.pod.events.subscribe()
    }

    /// Kills what runs, ends the shim and takes everything away: control groups, mounts, namespaces, files. Idempotent.
    ///
    /// # Errors
    /// What could not be taken away; trying again is safe.
    pub async fn delete(&self) -> Result<(), RuntimeError> {
        let link = self.pod.link.send_replace(Link::Closed);
        if let Link::Up(connection) = link {
            let clock = self.pod.shared.config.clock.clone();
            let shut = async {
                match connection.call(Call::Shutdown, Vec::new()).await {
                    Ok(_) => drop(connection.ended().wait_for(|ended| *ended).await),
                    // It died, or cannot kill something: taking away below does the same and says what is left.
                    Err(error) => {
                        tracing::debug!(error = %base::error::Chain(&error), "a shim did not shut down")
                    }
                }
            };
            let _ = base::time::timeout(clock.as_ref(), CALL, shut).await;
        }
        let (cgroups, places) = (self.pod.shared.cgroups.clone(), self.pod.places.clone());
        let group = self.pod.sandbox.cgroup.clone();
        blocking(move || Ok(teardown::pod(cgroups.as_ref(), &places, &group)?)).await
    }
}
