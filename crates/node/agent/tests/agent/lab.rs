//! A node for a test, in a network namespace of its own, with an image of busybox.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use api_types::core::v1::{Container, Pod, Taint};
use base::drain;
use base::random::SystemRandom;
use base::time::{Clock, Sleep, SystemClock, Time};
use client::{Api, Caller, Request, Resource, Target, Verb};
use host::cgroup::CgroupPath;
use host::mount::{LinuxMounts, Mounts};
use host::netlink::{Change, Cidr, LinuxNetlink, Namespace, Netlink};
use host::nft::LinuxNft;
use node_agent::{Agent, Config, Kernel, NodeApi};
use node_image::build::BuildConfig;
use node_image::config::ImageConfig;
use node_image::store::{Store, StoreOptions};
use tokio::sync::watch;

use crate::api::Memory;

const SHIM: &str = env!("CARGO_BIN_EXE_node-agent-shim");

static LABS: AtomicU32 = AtomicU32::new(0);

/// Longer than anything here takes; only so that a failing test ends. An emulated machine needs more (`KNARR_TEST_PATIENCE`, seconds).
pub fn patience() -> Duration {
    let seconds = std::env::var("KNARR_TEST_PATIENCE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

pub const PODS: Resource = Resource::of("", "v1", "pods");

/// The machine's clock, which a test puts forward instead of waiting.
#[derive(Default)]
pub struct Forward(watch::Sender<Duration>);

impl Forward {
    pub fn by(&self, more: Duration) {
        self.0.send_modify(|offset| *offset += more);
    }
}

impl Clock for Forward {
    fn now(&self) -> Time {
        SystemClock.now() + *self.0.borrow()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let (end, mut offset) = (self.now() + duration, self.0.subscribe());
        Box::pin(async move {
            loop {
                let left = end.since(SystemClock.now() + *offset.borrow_and_update());
                if left.is_zero() {
                    return;
                }
                tokio::select! {
                    () = SystemClock.sleep(left) => {}
                    Ok(()) = offset.changed() => {}
                }
            }
        })
    }
}

pub struct Lab {
    pub api: Arc<Memory>,
    pub clock: Arc<Forward>,
    pub taints: Vec<Taint>,
    pub pod_cidrs: Vec<Cidr>,
    pub directory: tempfile::TempDir,
    parent: CgroupPath,
    home: PathBuf,
}

/// A running agent. It is stopped as a whole when dropped.
pub struct Running {
    pub node: Arc<dyn NodeApi>,
    signal: Option<drain::Signal>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Ends the agent and waits until it has.
    pub async fn stop(mut self) {
        self.signal.take().unwrap().drain().await;
        (&mut self.task).await.unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Lab {
    pub fn new() -> Lab {
        Lab::made(None)
    }

    /// One whose data is on a disk of its own, of so many bytes besides the runtime's program, of which it keeps a copy.
    pub fn on_disk(bytes: u64) -> Lab {
        Lab::made(Some(bytes + std::fs::metadata(SHIM).unwrap().len()))
    }

    fn made(disk_bytes: Option<u64>) -> Lab {
        assert!(nix::unistd::geteuid().is_root(), "these tests need root");
        let directory = tempfile::tempdir().unwrap();
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let parent = CgroupPath::parse(&format!("/knarr-agent-{}-{number}", std::process::id())).unwrap();
        let home = directory.path().join("home");
        let net = LinuxNetlink::at(&home);
        net.pin(&home).unwrap();
        net.apply(&Namespace::Host, &[Change::SetUp("lo".into())]).unwrap();
        if let Some(bytes) = disk_bytes {
            let data = directory.path().join("data");
            std::fs::create_dir_all(&data).unwrap();
            // Programs run from it, which the node's own mounts of memory do not let.
            let (kind, options) = (Some("tmpfs"), format!("size={bytes}"));
            let flags = nix::mount::MsFlags::empty();
            nix::mount::mount(kind, &data, kind, flags, Some(options.as_str())).unwrap();
        }
        build_image(directory.path());
        let pod_cidrs = vec!["10.71.1.0/24".parse().unwrap()];
        Lab {
            api: Arc::default(),
            clock: Arc::default(),
            taints: Vec::new(),
            pod_cidrs,
            directory,
            parent,
            home,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn config(&self) -> Config {
        Config {
            node_name: "n1".into(),
            node_ips: vec!["192.0.2.1".parse().unwrap()],
            labels: Default::default(),
            taints: self.taints.clone(),
            data_dir: self.path("data"),
            state_dir: self.path("state"),
            log_dir: self.path("logs"),
            cluster: "agt".parse().unwrap(),
            pod_cidrs: self.pod_cidrs.clone(),
            cluster_cidrs: vec!["10.71.0.0/16".parse().unwrap()],
            service_cidrs: vec!["10.96.0.0/16".parse().unwrap()],
            overlay: None,
            cluster_dns: vec!["10.96.0.10".parse().unwrap()],
            serves_dns: true,
            cluster_domain: "cluster.local".into(),
            resolv_conf: "/etc/resolv.conf".into(),
            cgroup: self.parent.join("kubepods").unwrap(),
            shim_cgroup: Some(self.parent.join("shims").unwrap()),
            executable: SHIM.into(),
            shim_arguments: Vec::new(),
            eviction_hard: node_agent::EvictionHard::default(),
            registries: Default::default(),
            port: 10250,
            kernel: Kernel {
                netlink: Arc::new(LinuxNetlink::at(&self.home)),
                nft: Arc::new(LinuxNft::at(&self.home)),
            },
        }
    }

    /// Starts an agent; starting another one later is a restart.
    pub async fn start(&self) -> Running {
        let (signal, watch) = drain::channel();
        let api: Arc<dyn Api> = Arc::<Memory>::clone(&self.api);
        let clock = Arc::<Forward>::clone(&self.clock);
        let agent = Agent::start(self.config(), api, clock, Arc::new(SystemRandom), watch);
        let agent = agent.await.unwrap().unwrap();
        let node = agent.node_api();
        let task = tokio::spawn(async move { agent.run().await.unwrap() });
        Running { node, signal: Some(signal), task }
    }

    /// Asks for a pod's deletion, as a user does.
    pub async fn delete(&self, name: &str) {
        let target = Target {
            resource: PODS,
            namespace: "default".into(),
            name: name.into(),
            subresource: String::new(),
        };
        self.api.call(&Caller::default(), Request::new(Verb::Delete, target)).await.unwrap();
    }

    pub fn run(&self, pod: Pod) {
        self.api.put(&PODS, pod);
    }

    /// An archive of the image of busybox under another name.
    pub fn archive(&self, name: &str, path: &Path) {
        let elsewhere = tempfile::tempdir().unwrap();
        let store = Store::open(elsewhere.path(), StoreOptions::default()).unwrap();
        let config = ImageConfig { cmd: vec![name.into()], ..ImageConfig::default() };
        let build = BuildConfig { config, ..BuildConfig::default() };
        store.build(&self.path("root"), &name.parse().unwrap(), &build).unwrap();
        store.export(name, &mut std::fs::File::create(path).unwrap()).unwrap();
    }

    /// Runs a test within the lab's network namespace, where its pods can be reached from.
    pub fn inside(test: impl AsyncFnOnce(&Lab)) {
        let lab = Lab::new();
        let home = lab.home.clone();
        let enter = move || {
            let home = std::fs::File::open(&home).unwrap();
            nix::sched::setns(home, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        };
        enter();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.enable_all().on_thread_start(enter).build().unwrap().block_on(test(&lab));
    }

    /// A container's log, without times.
    pub fn log(&self, pod: &Pod, container: &str, attempt: u32) -> Vec<String> {
        let meta = &pod.metadata;
        let directory = format!("logs/{}_{}_{}", meta.namespace, meta.name, meta.uid);
        let text = std::fs::read_to_string(self.path(&format!("{directory}/{container}/{attempt}.log")));
        let line = |line: &str| line.splitn(4, ' ').nth(3).unwrap_or_default().to_owned();
        text.unwrap_or_default().lines().map(line).collect()
    }

    /// Fails if anything of any pod is left on this node.
    pub fn assert_nothing_left(&self) {
        let mut mounts = LinuxMounts.below(self.directory.path()).unwrap();
        mounts.retain(|mount| *mount != self.path("data"));
        assert_eq!(mounts, std::slice::from_ref(&self.home), "mounts are left");
        for place in ["state/pods", "data/containers", "data/pods", "data/network", "logs"] {
            let entries = std::fs::read_dir(self.path(place)).into_iter().flatten();
            let left: Vec<_> = entries.map(|one| one.unwrap().path()).collect();
            assert!(left.is_empty(), "{place} holds {left:?}");
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let cgroups = host::cgroup::detect().unwrap();
        let _ = cgroups.kill(&self.parent);
        let _ = cgroups.wait_empty(&self.parent, patience());
        let _ = cgroups.remove(&self.parent);
        for point in LinuxMounts.below(self.directory.path()).unwrap_or_default() {
            let _ = LinuxMounts.unmount(&point);
        }
    }
}

fn build_image(directory: &Path) {
    let root = directory.join("root");
    for name in ["bin", "etc", "tmp", "proc", "dev", "sys"] {
        std::fs::create_dir_all(root.join(name)).unwrap();
    }
    std::fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox-static is installed");
    let listed = Command::new("/bin/busybox").arg("--list").output().unwrap();
    for name in String::from_utf8(listed.stdout).unwrap().lines().filter(|name| *name != "busybox") {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).unwrap();
    }
    std::fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/var/www:/bin/sh\n")
        .unwrap();
    std::fs::write(root.join("etc/group"), "root:x:0:\nweb:x:34:\n").unwrap();
    std::fs::create_dir_all(directory.join("data")).unwrap();
    let store =
        Store::open(&directory.join("data").join(node_agent::STORE), StoreOptions::default()).unwrap();
    let config = ImageConfig { cmd: vec!["/bin/sh".into()], ..ImageConfig::default() };
    let build = BuildConfig { config, ..BuildConfig::default() };
    store.build(&root, &"busybox:1".parse().unwrap(), &build).unwrap();
}

pub fn container(name: &str, script: &str) -> Container {
    Container {
        name: name.into(),
        image: "busybox:1".into(),
        command: vec!["/bin/sh".into(), "-c".into(), script.into()],
        image_pull_policy: "IfNotPresent".into(),
        ..Container::default()
    }
}

pub fn pod(name: &str, policy: &str, containers: Vec<Container>) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = name.into();
    pod.metadata.namespace = "default".into();
    pod.metadata.uid = format!("{name}-uid");
    pod.spec.node_name = "n1".into();
    pod.spec.restart_policy = policy.into();
    pod.spec.dns_policy = "ClusterFirst".into();
    pod.spec.termination_grace_period_seconds = Some(5);
    pod.spec.containers = containers.into();
    pod.status.phase = "Pending".into();
    pod
}
