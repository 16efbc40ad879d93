//! What can keep the agent, or one of its pods, from working.

use client::Status;

/// An error of the agent.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The API refused or failed.
    #[error("the API")]
    Api(#[source] Box<Status>),
    /// The API did not answer in time.
    #[error("the API did not answer within {seconds} s")]
    Timeout {
        /// How long was waited.
        seconds: u64,
    },
    /// The API answered something that does not belong here.
    #[error("the API answered something else than {wanted}")]
    Unexpected {
        /// What was wanted.
        wanted: &'static str,
    },
    /// The container runtime.
    #[error("the container runtime")]
    Runtime(#[from] node_runtime::RuntimeError),
    /// The image store.
    #[error("the image store")]
    Image(#[from] node_image::error::ImageError),
    /// The pod network.
    #[error("the pod network")]
    Network(#[from] net_pod::network::PodNetworkError),
    /// The pod network is needed before the node has a range for it.
    #[error("the pod network is not open yet")]
    NoNetwork,
    /// Control groups.
    #[error("control groups")]
    Cgroup(#[from] host::cgroup::CgroupError),
    /// A volume's directories and files.
    #[error(transparent)]
    Volume(#[from] node_volume::writer::VolumeError),
    /// A claim that is to be a volume.
    #[error(transparent)]
    Claim(#[from] node_volume::claim::ClaimError),
    /// What a volume is to show.
    #[error(transparent)]
    Payload(#[from] node_volume::payload::PayloadError),
    /// A field of the pod that a volume is to show.
    #[error(transparent)]
    Field(#[from] node_pod::env::EnvError),
    /// A certificate is wanted for a kind of key that cannot be made here.
    #[error("keys of type {name:?} cannot be made on this node")]
    KeyType {
        /// Which.
        name: String,
    },
    /// A key, or the request for its certificate.
    #[error("cannot make a key and a request for its certificate")]
    Key(#[from] rcgen::Error),
    /// Devices that a pod claims cannot be prepared.
    #[error("{why}")]
    Devices {
        /// Why not, in upstream's words.
        why: String,
    },
    /// A mount.
    #[error("cannot mount")]
    Mount(#[from] host::mount::MountError),
    /// A container mounts a volume that its pod does not have.
    #[error("the pod has no volume {name:?}")]
    NoVolume {
        /// Which.
        name: String,
    },
    /// A container mounts an image, or a path in it, and cannot.
    #[error("failed to mount image volume {name:?}")]
    ImageVolume {
        /// The volume.
        name: String,
        /// Why not.
        #[source]
        source: Box<AgentError>,
    },
    /// The pod is ending.
    #[error("the pod is ending")]
    Cancelled,
    /// The services' data plane.
    #[error("the services' data plane")]
    Services(#[from] net_service::dataplane::DataplaneError),
    /// The snapshot of the cluster's DNS.
    #[error("the snapshot of the cluster's DNS")]
    Dns(#[from] net_dns::snapshot::SnapshotError),
    /// A file.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: std::path::PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A record that no release of ours wrote.
    #[error("the record {} does not decode", path.display())]
    Record {
        /// Which file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A directory that is watched for changes.
    #[error(transparent)]
    Watch(#[from] host::watch::WatchError),
    /// Work on another thread was lost.
    #[error("blocking work was lost")]
    Lost(#[source] tokio::task::JoinError),
}

impl From<Status> for AgentError {
    fn from(status: Status) -> AgentError {
        AgentError::Api(Box::new(status))
    }
}

impl AgentError {
    pub(crate) fn file(
        action: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(std::io::Error) -> AgentError {
        let path = path.to_owned();
        move |source| AgentError::File { action, path, source }
    }

    /// The API's answer, if it was one.
    pub fn status(&self) -> Option<&Status> {
        match self {
            AgentError::Api(status) => Some(status),
            _ => None,
        }
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.status().is_some_and(Status::is_not_found)
    }

    pub(crate) fn is_conflict(&self) -> bool {
        self.status().is_some_and(Status::is_conflict)
    }

    /// This error and its causes, on one line.
    pub fn text(&self) -> String {
        base::error::Chain(self).to_string()
    }
}
