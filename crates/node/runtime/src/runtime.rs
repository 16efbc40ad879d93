//! The agent's side: starts pods, finds those that run, and hands out a [`PodHandle`] for each.
//!
//! It keeps no state that a restart would miss: everything is on disk, in the shims and in the kernel, and [`Runtime::adopt`] finds it.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use base::time::Clock;
use host::cgroup::{CgroupPath, Cgroups};
use host::process::NodeCapabilities;

use crate::disk;
use crate::error::RuntimeError;
use crate::garbage::{self, Garbage};
use crate::layout::{PodLayout, pods};
use crate::seccomp::{FORMAT, Filter, Profile};
use crate::shim::{RECOVER, RUN};
use crate::spec::{PodSandbox, Seccomp};
use crate::teardown;

mod connection;
mod execs;
mod launch;
mod pod;
mod stdio;

pub use execs::{Attached, Exec};
pub use launch::{Pinned, pin};
pub use pod::PodHandle;
pub use stdio::{Input, Output};

/// Where and how the runtime works.
#[derive(Clone)]
pub struct RuntimeConfig {
    /// Short-lived state, in memory: `/run/knarr`. Lost with the machine, as containers are.
    pub state_dir: PathBuf,
    /// Containers' changes, compiled filters, pinned programs: on disk.
    pub data_dir: PathBuf,
    /// The program that shims run: this binary.
    pub executable: PathBuf,
    /// Its arguments that lead to [`crate::shim::main`]: `["shim"]`.
    pub shim_arguments: Vec<String>,
    /// The control group that shims are in; the agent's own when absent. Never a pod's.
    pub shim_cgroup: Option<CgroupPath>,
    /// Whether this process keeps the pods: a shim that dies gets its successor from it. Of one state directory only one process at a time
    /// may, or a pod that is being made or taken away gets a second shim, which nobody ends.
    pub keeps: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What all pods of a runtime share.
pub(crate) struct Shared {
    pub(crate) config: RuntimeConfig,
    pub(crate) cgroups: Arc<dyn Cgroups>,
    pub(crate) program: OwnedFd,
    /// The program's name among the pinned ones.
    pinned: String,
    capabilities: NodeCapabilities,
    /// Held while a filter is compiled: ten containers of one profile compile it once.
    compiling: tokio::sync::Mutex<()>,
}

/// The container runtime of a node.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
}

/// A pod that was found after a restart, or why it cannot be used.
pub struct Adopted {
    /// The pod's uid.
    pub uid: String,
    /// The pod. What cannot be adopted can be taken away with [`Runtime::remove_remains`].
    pub pod: Result<PodHandle, RuntimeError>,
}

/// Runs blocking work beside the async one.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RuntimeError> + Send + 'static,
) -> Result<T, RuntimeError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(RuntimeError::io("run blocking work")(error.into())),
    }
}

impl Runtime {
    /// Opens the runtime: pins and seals the shims' program, and finds out what the node can do. Starts nothing.
    ///
    /// # Errors
    /// When the directories cannot be used, or the kernel lacks overlays or control groups.
    pub async fn open(config: RuntimeConfig) -> Result<Runtime, RuntimeError> {
        blocking(move || {
            let cgroups = host::cgroup::detect()?;
            disk::forget_earlier_boots(&config.state_dir, &pods(&config.state_dir))?;
            disk::make_directory(&pods(&config.state_dir))?;
            disk::make_directory(&config.data_dir.join("containers"))?;
            let launch::Pinned { name: pinned, program } = launch::pin(&config.executable, &config.data_dir)?;
            let capabilities = NodeCapabilities::detect();
            if !capabilities.lower_oom_score {
                tracing::warn!(
                    "this node may not lower oom_score_adj (no CAP_SYS_RESOURCE): containers keep the node's where theirs would be lower"
                );
            }
            Ok(Runtime { shared: Arc::new(Shared { config, cgroups, program, pinned, capabilities, compiling: Default::default() }) })
        })
        .await
    }

    /// What this node's kernel and privileges allow.
    pub fn capabilities(&self) -> NodeCapabilities {
        self.shared.capabilities
    }

    /// Whether pods can be made and started now, as far as can be seen without making one: the directories can be written to and the
    /// control groups are there. Blocks, but not for long.
    ///
    /// # Errors
    /// What is not usable.
    pub fn check(&self) -> Result<(), RuntimeError> {
        let config = &self.shared.config;
        for directory in [pods(&config.state_dir), config.data_dir.join("containers")] {
            disk::check_writable(&directory)?;
        }
        host::cgroup::detect()?;
        Ok(())
    }

    /// This node's control groups.
    pub fn cgroups(&self) -> Arc<dyn Cgroups> {
        self.shared.cgroups.clone()
    }

    /// Makes a pod: its shim, its namespaces, its control group, its /dev/shm.
    ///
    /// # Errors
    /// [`RuntimeError::PodExists`] when there is one of this uid; otherwise what went wrong, after everything made was taken away again.
    pub async fn create_pod(&self, sandbox: PodSandbox) -> Result<PodHandle, RuntimeError> {
        let uid = sandbox.uid.clone();
        if uid.is_empty() || !uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(RuntimeError::InvalidUid { uid });
        }
        let places = self.places(&uid);
        if places.pod().exists() {
            return Err(RuntimeError::PodExists { uid });
        }
        disk::make_directory(places.directory())?;
        disk::replace_json(&places.pod(), &sandbox)?;
        let made = async {
            launch::launch(&self.shared, &places, &uid, RUN).await?;
            PodHandle::connect(self.shared.clone(), places.clone(), sandbox.clone()).await
        };
        match made.await {
            Ok(pod) => Ok(pod),
            Err(error) => {
                let cgroups = self.shared.cgroups.clone();
                let taken =
                    blocking(move || Ok(teardown::pod(cgroups.as_ref(), &places, &sandbox.cgroup)?)).await;
                if let Err(error) = taken {
                    tracing::warn!(uid, error = %base::error::Chain(&error), "a pod that could not be made leaves something");
                }
                Err(error)
            }
        }
    }

    /// What every pod was made of that was made and not deleted, whether its shim lives or not.
    ///
    /// # Errors
    /// When the state directory cannot be read. A pod of which nothing can be read is left out.
    pub fn sandboxes(&self) -> Result<Vec<PodSandbox>, RuntimeError> {
        let uids = disk::names(&pods(&self.shared.config.state_dir))?;
        Ok(uids.iter().filter_map(|uid| disk::read_json(&self.places(uid).pod()).ok().flatten()).collect())
    }

    /// Finds every pod that was made and not deleted and connects to its shim. Who keeps pods starts a successor where that has died; for
    /// others it is lost.
    ///
    /// # Errors
    /// When the state directory cannot be read. What is wrong with one pod is in its [`Adopted`].
    pub async fn adopt(&self) -> Result<Vec<Adopted>, RuntimeError> {
        let mut adopted = Vec::new();
        for uid in disk::names(&pods(&self.shared.config.state_dir))? {
            adopted.push(Adopted { pod: self.adopt_pod(&uid).await, uid });
        }
        Ok(adopted)
    }

    async fn adopt_pod(&self, uid: &str) -> Result<PodHandle, RuntimeError> {
        let places = self.places(uid);
        let sandbox: PodSandbox = disk::read_json(&places.pod())?
            .ok_or_else(|| RuntimeError::NoPod { path: places.directory().to_owned() })?;
        if connection::is_dead(places.directory())? {
            if !self.shared.config.keeps {
                return Err(RuntimeError::ShimLost { uid: uid.to_owned() });
            }
            launch::launch(&self.shared, &places, uid, RECOVER).await?;
        }
        PodHandle::connect(self.shared.clone(), places, sandbox).await
    }

    /// Takes away what is left of a pod that cannot be adopted, whether or not its shim lives.
    ///
    /// # Errors
    /// What could not be taken away; trying again is safe.
    pub async fn remove_remains(&self, uid: &str) -> Result<(), RuntimeError> {
        let (places, cgroups) = (self.places(uid), self.shared.cgroups.clone());
        blocking(move || match disk::read_json::<PodSandbox>(&places.pod()) {
            Ok(Some(sandbox)) => Ok(teardown::pod(cgroups.as_ref(), &places, &sandbox.cgroup)?),
            Ok(None) | Err(_) => Ok(teardown::files(&places)?),
        })
        .await
    }

    /// Takes away what no pod needs any more: programs of earlier releases, compiled filters, changes of containers that are gone.
    /// For an agent's start, after it has adopted and before it makes anything.
    ///
    /// # Errors
    /// What could not be read or taken away; trying again is safe.
    pub async fn remove_garbage(&self) -> Result<Garbage, RuntimeError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let _compiling = shared.compiling.blocking_lock();
            Ok(garbage::collect(&shared.config.state_dir, &shared.config.data_dir, &shared.pinned)?)
        })
        .await
    }

    fn places(&self, uid: &str) -> PodLayout {
        PodLayout::new(&self.shared.config.state_dir, &self.shared.config.data_dir, uid)
    }
}

impl Shared {
    /// Turns a profile into a compiled filter on disk, once.
    pub(crate) async fn compiled(
        self: &Arc<Self>,
        seccomp: Seccomp,
        capabilities: &[String],
    ) -> Result<Seccomp, RuntimeError> {
        let capabilities: BTreeSet<String> = capabilities.iter().cloned().collect();
        let directory = self.config.data_dir.join("seccomp");
        let (name, profile) = match seccomp {
            Seccomp::Unconfined | Seccomp::Compiled(_) => return Ok(seccomp),
            Seccomp::RuntimeDefault => {
                let key = capabilities.iter().map(String::as_str).collect::<Vec<_>>().join(",");
                (format!("default {FORMAT} {key}"), None)
            }
            Seccomp::Profile(text) => {
                let profile: Profile = serde_json::from_str(&text).map_err(RuntimeError::SeccompText)?;
                (format!("profile {FORMAT} {text}"), Some(profile))
            }
        };
        let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
        let path = directory.join(launch::hex(digest.as_ref()));
        let _compiling = self.compiling.lock().await;
        if path.exists() {
            return Ok(Seccomp::Compiled(path));
        }
        blocking(move || {
            let filter = match profile {
                None => Filter::runtime_default(&capabilities)?,
                Some(profile) => Filter::compile(&profile)?,
            };
            disk::replace_durably(&path, &filter.to_bytes())?;
            Ok(Seccomp::Compiled(path))
        })
        .await
    }
}
