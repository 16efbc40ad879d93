//! What the API server asks of a node: its pods' logs, commands, attachments and ports, what it has and is told, and directories as volumes. In kubelet this is its HTTP server; here it is
//! a trait object, which the API server calls in its own process and a TLS server offers to others.
//!
//! Commands, attachments and ports are asked for before a connection is upgraded, so that what cannot be done is refused with an ordinary
//! answer; what comes back then serves the upgraded connection.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use api_types::core::v1::PodList;
use base::time::Time;
use bytes::Bytes;
use client::{BoxFuture, Status};
use futures_util::Stream;
use node_pod::record::{PodRecord, State};
use node_runtime::PodHandle;
use node_stream::negotiate::{ExecProtocol, PortProtocol};
use node_stream::session::Options;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::core::Core;

mod configuration;
mod logs;
mod pods;
mod ports;
mod sessions;
mod usage;
mod volumes;

pub use usage::{Used, UsedByContainer, UsedByPod};

/// An upgraded connection.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// An upgraded connection, whatever it is.
pub type Upgraded = Box<dyn Duplex>;

/// Serves an upgraded connection to its end.
pub type Serve<P> = Box<dyn FnOnce(Upgraded, P) -> BoxFuture<'static, ()> + Send>;

/// A log as it is sent.
pub type LogStream = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// Which container of which pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container; empty for a pod's only one.
    pub container: String,
}

/// What of a log is wanted: the fields of `v1.PodLogOptions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on with what comes.
    pub follow: bool,
    /// Of the attempt before.
    pub previous: bool,
    /// Only lines not older than this.
    pub since: Option<Time>,
    /// Each line begins with its time.
    pub timestamps: bool,
    /// Only so many lines from the end.
    pub tail_lines: Option<u64>,
    /// Only so many bytes.
    pub limit_bytes: Option<u64>,
}

/// What a node answers.
pub trait NodeApi: Send + Sync {
    /// A container's log.
    fn logs(&self, place: Place, options: LogOptions) -> BoxFuture<'_, Result<LogStream, Status>>;

    /// Runs a command in a container.
    fn exec(
        &self,
        place: Place,
        command: Vec<String>,
        options: Options,
    ) -> Result<Serve<ExecProtocol>, Status>;

    /// Attaches to a container.
    fn attach(&self, place: Place, options: Options) -> Result<Serve<ExecProtocol>, Status>;

    /// Reaches ports of a pod; `ports` are those of the query.
    fn port_forward(&self, place: Place, ports: Vec<u16>) -> Result<Serve<PortProtocol>, Status>;

    /// The pods that the node is to run.
    fn pods(&self) -> PodList;

    /// The pods of which something runs: names and images of what does.
    fn running_pods(&self) -> PodList;

    /// What the node is configured with, as kubelet shows it.
    fn configuration(&self) -> serde_json::Value;

    /// Makes a directory that the node keeps as a volume of this name; answers its path.
    fn make_volume<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<String, Status>>;

    /// Takes such a directory away, with all that is in it; an absent one is fine.
    fn remove_volume<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Status>>;

    /// What is used now.
    fn usage(&self) -> BoxFuture<'_, Used>;
}

/// A pod as its worker last saw it.
#[derive(Clone, Default)]
pub(crate) struct Entry {
    pub(crate) record: PodRecord,
    pub(crate) handle: Option<PodHandle>,
    pub(crate) only_container: Option<String>,
    pub(crate) terminals: Vec<String>,
    /// Containers whose input ends with the first client's (`stdinOnce`).
    pub(crate) once: Vec<String>,
}

/// This node's pods by namespace and name.
#[derive(Default)]
pub(crate) struct Directory(Mutex<BTreeMap<(String, String), Entry>>);

impl Directory {
    pub(crate) fn put(&self, entry: Entry) {
        let key = (entry.record.namespace.clone(), entry.record.name.clone());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, entry);
    }

    pub(crate) fn remove(&self, record: &PodRecord) {
        let key = (record.namespace.clone(), record.name.clone());
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.get(&key).is_some_and(|entry| entry.record.uid == record.uid) {
            entries.remove(&key);
        }
    }

    /// All of them.
    fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn get(&self, place: &Place) -> Option<Entry> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(&(place.namespace.clone(), place.pod.clone())).cloned()
    }
}

/// The node's API over its running agent.
pub(crate) struct Local(pub(crate) Arc<Core>);

impl Local {
    fn entry(&self, place: &Place) -> Result<Entry, Status> {
        let resource = api_meta::gvk::GroupResource { group: "", resource: "pods" };
        self.0.directory.get(place).ok_or_else(|| Status::not_found(resource, &place.pod))
    }

    fn container(&self, place: &Place) -> Result<(Entry, String), Status> {
        let entry = self.entry(place)?;
        let name = match place.container.as_str() {
            "" => entry.only_container.clone().unwrap_or_default(),
            name => name.to_owned(),
        };
        if !entry.record.containers.contains_key(&name) {
            return Err(Status::bad_request(format!("container {name} is not valid for pod {}", place.pod)));
        }
        Ok((entry, name))
    }

    /// A running container: its pod's handle and its id.
    fn running(&self, place: &Place) -> Result<(PodHandle, String, bool), Status> {
        let (entry, name) = self.container(place)?;
        let known = &entry.record.containers[&name];
        match (&known.state, entry.handle) {
            (State::Running(_), Some(handle)) => {
                Ok((handle, known.id.clone(), entry.terminals.contains(&name)))
            }
            _ => Err(Status::internal_error(format!("container not found (\"{name}\")"))),
        }
    }
}

impl NodeApi for Local {
    fn logs(&self, place: Place, options: LogOptions) -> BoxFuture<'_, Result<LogStream, Status>> {
        Box::pin(async move { logs::open(self, &place, options) })
    }

    fn exec(
        &self,
        place: Place,
        command: Vec<String>,
        options: Options,
    ) -> Result<Serve<ExecProtocol>, Status> {
        let (handle, id, _) = self.running(&place)?;
        let clock = Arc::clone(&self.0.clock);
        Ok(Box::new(move |io, protocol| {
            Box::pin(sessions::exec(handle, id, command, options, io, protocol, clock))
        }))
    }

    fn attach(&self, place: Place, options: Options) -> Result<Serve<ExecProtocol>, Status> {
        let (handle, id, terminal) = self.running(&place)?;
        let (entry, name) = self.container(&place)?;
        let once = options.stdin && entry.once.contains(&name);
        let options = Options { tty: terminal, stderr: options.stderr && !terminal, ..options };
        let clock = Arc::clone(&self.0.clock);
        Ok(Box::new(move |io, protocol| {
            Box::pin(sessions::attach(handle, (id, once), options, io, protocol, clock))
        }))
    }

    fn port_forward(&self, place: Place, ports: Vec<u16>) -> Result<Serve<PortProtocol>, Status> {
        let entry = self.entry(&place)?;
        let Some(handle) = entry.handle else {
            return Err(Status::internal_error(format!("pod {} is not running", place.pod)));
        };
        let (clock, uid) = (Arc::clone(&self.0.clock), entry.record.uid);
        Ok(Box::new(move |io, protocol| Box::pin(ports::forward(handle, uid, ports, io, protocol, clock))))
    }

    fn pods(&self) -> PodList {
        pods::all(&self.0)
    }

    fn running_pods(&self) -> PodList {
        pods::running(&self.0)
    }

    fn configuration(&self) -> serde_json::Value {
        configuration::shown(&self.0.config)
    }

    fn make_volume<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<String, Status>> {
        Box::pin(volumes::make(&self.0, name))
    }

    fn remove_volume<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(volumes::remove(&self.0, name))
    }

    fn usage(&self) -> BoxFuture<'_, Used> {
        Box::pin(usage::count(&self.0))
    }
}
