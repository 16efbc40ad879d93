//! What the agent takes away because nobody needs it, and what it leaves because somebody does.

use std::fs;
use std::path::Path;
use std::time::Duration;

use api_types::core::v1::{Container, Pod};
use host::mount::{LinuxMounts, Mounts};
use node_image::build::BuildConfig;
use node_image::store::{Image, Store, StoreOptions};

use crate::api::Memory;
use crate::lab::{Lab, container, pod};

fn store(lab: &Lab) -> Store {
    Store::open(&lab.path("data").join(node_agent::STORE), StoreOptions::default()).unwrap()
}

/// An image of busybox and so many bytes.
fn build(lab: &Lab, name: &str, bytes: usize) -> Image {
    fs::write(lab.path("root/ballast"), name.repeat(bytes / name.len() + 1)).unwrap();
    let built = store(lab).build(&lab.path("root"), &name.parse().unwrap(), &BuildConfig::default());
    fs::remove_file(lab.path("root/ballast")).unwrap();
    built.unwrap()
}

fn of(name: &str, image: &str) -> Pod {
    let main = Container {
        image: image.into(),
        image_pull_policy: "Never".into(),
        ..container("main", "while :; do sleep 0.05; done")
    };
    let mut one = pod(name, "Always", vec![main]);
    one.spec.termination_grace_period_seconds = Some(1);
    one
}

/// Waits until something is gone from the disk.
async fn gone(path: &Path) {
    until(|| !path.exists(), &format!("{} goes", path.display())).await;
}

async fn until(holds: impl Fn() -> bool, what: &str) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    let clock = base::time::SystemClock;
    assert!(base::time::timeout(&clock, crate::lab::patience(), wait).await.is_ok(), "until {what}");
}

fn running(api: &Memory, name: &str) -> Option<Pod> {
    api.pod(name).filter(|pod| pod.status.phase == "Running")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pods_left_that_nobody_knows_is_taken_away_at_the_start() {
    let lab = Lab::new();
    for orphan in
        ["logs/default_gone_uid-1/main", "data/pods/uid-1/volumes/v", "data/containers/uid-1-main-0/upper"]
    {
        fs::create_dir_all(lab.path(orphan)).unwrap();
        fs::write(lab.path(orphan).join("file"), "left").unwrap();
    }
    // An agent was cut off between the unmounting and the record's end.
    LinuxMounts.tmpfs(&lab.path("data/pods/uid-1/volumes/v"), 1 << 16, 0o755).unwrap();
    let agent = lab.start().await;
    lab.run(of("web", "busybox:1"));
    lab.api.until("a running pod", |api| running(api, "web")).await;
    for orphan in ["logs/default_gone_uid-1", "data/pods/uid-1", "data/containers/uid-1-main-0"] {
        assert!(!lab.path(orphan).exists(), "{orphan}");
    }
    // A start later takes nothing of a pod that runs.
    agent.stop().await;
    let agent = lab.start().await;
    lab.run(pod("other", "Never", vec![container("main", "true")]));
    lab.api.until("another pod", |api| api.pod("other").filter(|pod| pod.status.phase == "Succeeded")).await;
    for kept in ["logs/default_web_web-uid/main/0.log", "data/pods/web-uid/record.json"] {
        assert!(lab.path(kept).exists(), "{kept}");
    }
    for name in ["web", "other"] {
        lab.delete(name).await;
        lab.api.until("its deletion", |api| api.gone(name)).await;
    }
    agent.stop().await;
    lab.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_container_runs_from_stays_however_its_image_went() {
    let lab = Lab::new();
    let (used, unused) = (build(&lab, "used.test/a:1", 100), build(&lab, "unused.test/a:1", 100));
    let agent = lab.start().await;
    lab.run(of("web", "used.test/a:1"));
    lab.api.until("a running pod", |api| running(api, "web")).await;
    // As `knarr image remove` does it.
    store(&lab).remove("used.test/a:1").unwrap();
    store(&lab).remove("unused.test/a:1").unwrap();
    lab.clock.by(Duration::from_secs(300));
    gone(&unused.layers[0]).await;
    assert!(used.layers[0].join("ballast").exists(), "a container runs from it");
    lab.delete("web").await;
    lab.api.until("its deletion", |api| api.gone("web")).await;
    gone(&lab.path("data/pods/web-uid")).await;
    lab.clock.by(Duration::from_secs(300));
    gone(&used.layers[0]).await;
    agent.stop().await;
    lab.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn unused_images_go_when_their_disk_fills_up() {
    let lab = Lab::new();
    let place = lab.path("data").join(node_agent::STORE);
    LinuxMounts.tmpfs(&place, 32 << 20, 0o700).unwrap();
    let needed = build(&lab, "needed.test/a:1", 3 << 20);
    let unused = build(&lab, "unused.test/a:1", 3 << 20);
    fs::create_dir_all(lab.path("data").join(node_agent::DROPPED)).unwrap();
    lab.archive("dropped.test/a:1", &lab.path("data").join(node_agent::DROPPED).join("a.tar"));
    lab.run(of("web", "needed.test/a:1"));
    // Enough room: nothing goes.
    let agent = lab.start().await;
    lab.api.until("a running pod", |api| running(api, "web")).await;
    // What was dropped in is loaded beside the pods' start.
    until(|| store(&lab).inspect("dropped.test/a:1").is_ok(), "the dropped image is loaded").await;
    assert!(store(&lab).inspect("unused.test/a:1").is_ok());
    let left = rustix::fs::statvfs(&place).unwrap();
    let ballast = usize::try_from(left.f_bavail * left.f_frsize - (32 << 20) / 10).unwrap();
    fs::write(place.join("ballast"), vec![1; ballast]).unwrap();
    lab.clock.by(Duration::from_secs(300));
    gone(&unused.layers[0]).await;
    let mut names: Vec<String> =
        store(&lab).list().unwrap().into_iter().flat_map(|image| image.references).collect();
    names.sort();
    assert_eq!(
        names,
        ["dropped.test/a:1", "needed.test/a:1"],
        "what is in use or lies in the images directory stays"
    );
    assert!(needed.layers[0].join("ballast").exists());
    lab.delete("web").await;
    lab.api.until("its deletion", |api| api.gone("web")).await;
    agent.stop().await;
    LinuxMounts.unmount(&place).unwrap();
    lab.assert_nothing_left();
}
