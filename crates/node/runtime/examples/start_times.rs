//! How long creating and starting containers takes, one by one and ten at once, and how much memory a shim has. Needs root and
//! busybox-static; takes everything away again.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a measurement")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::time::SystemClock;
use host::cgroup::{CgroupPath, Limits};
use node_runtime::spec::{ContainerSpec, ExecSpec, PodSandbox, Rootfs};
use node_runtime::{PodHandle, Runtime, RuntimeConfig};

const CONTAINERS: usize = 20;

fn row(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    println!("| {name:<34} | {:>3} | {:>8.2} | {:>8.2} |", times.len(), at(50), at(95));
}

fn container(image: &Path, id: &str) -> ContainerSpec {
    ContainerSpec::new(id, Rootfs::Layers(vec![image.to_owned()]), &["/bin/busybox", "sleep", "1000"])
}

async fn start(pod: &PodHandle, image: &Path, id: &str) -> Result<(Duration, Duration), Box<dyn Error>> {
    let begin = Instant::now();
    pod.create_container(container(image, id)).await?;
    let created = begin.elapsed();
    pod.start(id).await?;
    Ok((created, begin.elapsed() - created))
}

async fn measure(runtime: &Runtime, image: &Path, parent: &CgroupPath) -> Result<(), Box<dyn Error>> {
    let mut running = Vec::new();
    let (mut pods, mut creates, mut starts, mut totals, mut execs, mut deletes) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    for n in 0..CONTAINERS {
        let uid = format!("pod-{n}");
        let sandbox = serde_json::from_value::<PodSandbox>(serde_json::json!({
            "uid": uid, "namespace": "default", "name": uid, "hostname": uid, "cgroup": parent.join(&uid)?,
            "limits": Limits::default(),
        }))?;
        let begin = Instant::now();
        let pod = runtime.create_pod(sandbox).await?;
        pods.push(begin.elapsed());
        let (created, started) = start(&pod, image, "main").await?;
        creates.push(created);
        starts.push(started);
        totals.push(begin.elapsed());
        let begin = Instant::now();
        let args = ["/bin/busybox", "true"].map(str::to_owned).to_vec();
        let mut exec =
            pod.exec(ExecSpec { container: "main".to_owned(), args, ..ExecSpec::default() }).await?;
        exec.wait().await?;
        execs.push(begin.elapsed());
        running.push(pod);
    }
    memory();
    let begin = Instant::now();
    let ids: Vec<String> = (0..10).map(|n| format!("more-{n}")).collect();
    for started in futures(ids.iter().map(|id| start(&running[0], image, id))).await {
        started?;
    }
    row("ten containers of one pod at once", vec![begin.elapsed()]);
    for pod in running {
        let begin = Instant::now();
        pod.delete().await?;
        deletes.push(begin.elapsed());
    }
    for (name, times) in [
        ("create_pod", pods),
        ("create_container", creates),
        ("start", starts),
        ("pod and container", totals),
        ("exec, to its exit", execs),
        ("delete a running pod", deletes),
    ] {
        row(name, times);
    }
    Ok(())
}

/// Polls all of them in turn, on this task.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = all.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(move |cx| {
        for (future, output) in &mut pending {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(cx)
            {
                *output = Some(ready);
            }
        }
        if pending.iter().any(|(_, output)| output.is_none()) {
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(pending.drain(..).filter_map(|(_, output)| output).collect())
    })
    .await
}

/// The proportional share of memory of the shims, and what each has for itself, on average.
fn memory() {
    let Ok(processes) = std::fs::read_dir("/proc") else { return };
    let (mut shims, mut sums) = (0, [0; 2]);
    for process in processes.flatten() {
        let line = std::fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
        if line.starts_with("knarr\0run\0") {
            let rollup = std::fs::read_to_string(process.path().join("smaps_rollup")).unwrap_or_default();
            shims += 1;
            for (sum, name) in sums.iter_mut().zip(["Pss:", "Private_Dirty:"]) {
                let line = rollup.lines().find_map(|line| line.strip_prefix(name));
                *sum += line
                    .and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok())
                    .unwrap_or(0);
            }
        }
    }
    let [pss, dirty] = sums.map(|sum| sum.checked_div(shims).unwrap_or(0));
    println!("{shims} shims: PSS {pss} KiB, private dirty {dirty} KiB each");
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let image = directory.path().join("image");
    for name in ["bin", "proc", "dev", "sys"] {
        std::fs::create_dir_all(image.join(name))?;
    }
    std::fs::copy("/bin/busybox", image.join("bin/busybox"))?;
    let own = std::env::current_exe()?;
    let build = own.parent().and_then(Path::parent).ok_or("this example lies in a build directory")?;
    let executable: PathBuf = build.join("node-runtime-shim");
    let parent = CgroupPath::parse(&format!("/knarr-example-{}", std::process::id()))?;
    let config = RuntimeConfig {
        state_dir: directory.path().join("state"),
        data_dir: directory.path().join("data"),
        executable,
        shim_arguments: Vec::new(),
        shim_cgroup: Some(parent.join("shims")?),
        keeps: true,
        clock: Arc::new(SystemClock),
    };
    let runtime = Runtime::open(config).await?;
    println!("| {:<34} |   n | p50 (ms) | p95 (ms) |", "");
    let measured = measure(&runtime, &image, &parent).await;
    for adopted in runtime.adopt().await? {
        if let Ok(pod) = adopted.pod {
            pod.delete().await?;
        }
    }
    let cgroups = runtime.cgroups();
    cgroups.kill(&parent)?;
    cgroups.wait_empty(&parent, Duration::from_secs(10))?;
    cgroups.remove(&parent)?;
    measured
}
