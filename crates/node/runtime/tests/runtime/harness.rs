//! A node for a test: a runtime with directories and control groups of its own, and an image of busybox.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base::time::SystemClock;
use host::cgroup::{CgroupPath, Cgroups, Limits};
use host::mount::{LinuxMounts, Mounts};
use node_runtime::spec::{ContainerSpec, Log, PodSandbox, Rootfs};
use node_runtime::{Output, PodHandle, Runtime, RuntimeConfig};
use tokio::io::AsyncReadExt;

static NODES: AtomicU32 = AtomicU32::new(0);

/// Longer than anything here takes; only so that a failing test ends.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Node {
    pub runtime: Runtime,
    pub directory: tempfile::TempDir,
    pub cgroups: Arc<dyn Cgroups>,
    pub parent: CgroupPath,
}

pub fn text(text: &str) -> String {
    text.to_owned()
}

impl Node {
    pub async fn new() -> Node {
        assert!(nix::unistd::geteuid().is_root(), "these tests need root");
        let directory = tempfile::tempdir().unwrap();
        let number = NODES.fetch_add(1, Ordering::Relaxed);
        let parent = CgroupPath::parse(&format!("/knarr-test-{}-{number}", std::process::id())).unwrap();
        let image = directory.path().join("image");
        for name in ["bin", "etc", "tmp", "proc", "dev", "sys"] {
            std::fs::create_dir_all(image.join(name)).unwrap();
        }
        std::fs::copy("/bin/busybox", image.join("bin/busybox")).expect("busybox-static is installed");
        let installed =
            Command::new("/bin/busybox").args(["--install", "-s"]).arg(image.join("bin")).status().unwrap();
        assert!(installed.success());
        for entry in std::fs::read_dir(image.join("bin")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_symlink() {
                std::fs::remove_file(&path).unwrap();
                std::os::unix::fs::symlink("busybox", &path).unwrap();
            }
        }
        std::fs::write(
            image.join("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/var/www:/bin/sh\n",
        )
        .unwrap();
        std::fs::write(image.join("etc/group"), "root:x:0:\nweb:x:34:\nlogs:x:4:web\n").unwrap();
        let runtime =
            Node::open(&directory, &parent, env!("CARGO_BIN_EXE_node-runtime-shim").into(), true).await;
        let cgroups = runtime.cgroups();
        Node { runtime, directory, cgroups, parent }
    }

    async fn open(
        directory: &tempfile::TempDir,
        parent: &CgroupPath,
        executable: PathBuf,
        keeps: bool,
    ) -> Runtime {
        let config = RuntimeConfig {
            state_dir: directory.path().join("state"),
            data_dir: directory.path().join("data"),
            executable,
            shim_arguments: Vec::new(),
            shim_cgroup: Some(parent.join("shims").unwrap()),
            keeps,
            clock: Arc::new(SystemClock),
        };
        Runtime::open(config).await.unwrap()
    }

    /// The runtime as a restarted agent has it.
    pub async fn restarted(&self) -> Runtime {
        self.open_with(env!("CARGO_BIN_EXE_node-runtime-shim").into()).await
    }

    /// The runtime as somebody has it who looks at the pods of an agent.
    pub async fn looked_at(&self) -> Runtime {
        let program = env!("CARGO_BIN_EXE_node-runtime-shim").into();
        Node::open(&self.directory, &self.parent, program, false).await
    }

    /// The agent's with another program.
    pub async fn open_with(&self, executable: PathBuf) -> Runtime {
        Node::open(&self.directory, &self.parent, executable, true).await
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn sandbox(&self, uid: &str) -> PodSandbox {
        PodSandbox {
            uid: text(uid),
            namespace: text("default"),
            name: text(uid),
            hostname: format!("host-{uid}"),
            cgroup: self.parent.join(&format!("pod{uid}")).unwrap(),
            limits: Limits::default(),
            sysctls: Default::default(),
            share_process_namespace: false,
            host_network: false,
            host_pid: false,
            host_ipc: false,
            netns: None,
            shm_bytes: None,
        }
    }

    pub async fn pod(&self, uid: &str) -> PodHandle {
        self.runtime.create_pod(self.sandbox(uid)).await.unwrap()
    }

    pub fn container(&self, id: &str, args: &[&str]) -> ContainerSpec {
        let mut spec = ContainerSpec::new(id, Rootfs::Layers(vec![self.path("image")]), args);
        spec.log = Some(Log::new(self.path(&format!("logs/{id}.log"))));
        spec
    }

    pub fn shell(&self, id: &str, script: &str) -> ContainerSpec {
        self.container(id, &["/bin/sh", "-c", script])
    }

    /// The text of a container's log, without times.
    pub fn log(&self, id: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path(&format!("logs/{id}.log"))).unwrap_or_default();
        text.lines().map(|line| line.split_once(' ').map_or("", |(_, rest)| rest).to_owned()).collect()
    }

    /// Runs a script in a container of its own and returns its exit code and log.
    pub async fn run(&self, pod: &PodHandle, spec: ContainerSpec) -> (i32, Vec<String>) {
        let id = spec.id.clone();
        pod.create_container(spec).await.unwrap();
        pod.start(&id).await.unwrap();
        let exit = within(pod.wait(&id)).await.unwrap();
        (exit.exit_code, self.log(&id))
    }

    /// The pod's shim.
    pub fn shim_pid(&self, uid: &str) -> i32 {
        self.shim_pids(uid).into_iter().next().expect("the pod's shim runs")
    }

    /// The pod's shims, of which there is to be one.
    pub fn shim_pids(&self, uid: &str) -> Vec<i32> {
        let directory = self.path(&format!("state/pods/{uid}")).display().to_string();
        let shims = self.cgroups.processes(&self.parent.join("shims").unwrap()).unwrap();
        let of_pod = shims.into_iter().filter(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).split('\0').any(|arg| arg == directory))
        });
        of_pod.collect()
    }

    /// Whether nothing of any pod is left.
    pub fn assert_nothing_left(&self) {
        assert!(LinuxMounts.below(self.directory.path()).unwrap().is_empty(), "mounts are left");
        for place in ["state/pods", "data/containers"] {
            let left: Vec<_> = std::fs::read_dir(self.path(place)).unwrap().collect();
            assert!(left.is_empty(), "{place} holds {left:?}");
        }
        let shims = self.parent.join("shims").unwrap();
        let left = self.cgroups.wait_empty(&shims, PATIENCE).unwrap();
        assert!(left.is_empty(), "shims {left:?} are left");
        self.cgroups.remove(&shims).unwrap();
        self.cgroups.remove(&self.parent).expect("no process of a pod is left");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.cgroups.kill(&self.parent);
        let _ = self.cgroups.wait_empty(&self.parent, PATIENCE);
        let _ = self.cgroups.remove(&self.parent);
        for point in LinuxMounts.below(self.directory.path()).unwrap_or_default() {
            let _ = LinuxMounts.unmount(&point);
        }
    }
}

/// Fails the test instead of hanging it.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    base::time::timeout(&SystemClock, PATIENCE, future).await.expect("it happens in time")
}

pub async fn read_all(output: &mut Option<Output>) -> String {
    let mut bytes = Vec::new();
    within(output.as_mut().expect("an output").read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until `wanted` has come.
pub async fn read_until(output: &mut Output, wanted: &str) -> String {
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    while !String::from_utf8_lossy(&seen).contains(wanted) {
        let count = within(output.read(&mut buffer)).await.unwrap();
        assert!(count > 0, "the end came before {wanted:?}: {:?}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&seen).into_owned()
}
