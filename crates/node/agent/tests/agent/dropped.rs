//! Images that are dropped into the agent's directory, before its start and while it runs.

use std::fs;

use api_types::core::v1::{Container, Pod};

use crate::api::Memory;
use crate::lab::{Lab, container, pod};

fn of(name: &str, image: &str, policy: &str) -> Pod {
    let main = Container {
        image: image.into(),
        image_pull_policy: policy.into(),
        ..container("main", "echo from $0")
    };
    pod(name, "Never", vec![main])
}

/// Waits for an event of the node that begins so; how often it was told.
async fn told(lab: &Lab, beginning: &str) -> usize {
    let count = |api: &Memory| {
        let events = api.events("n1");
        let count = events.iter().filter(|event| event.starts_with(beginning)).count();
        (count > 0).then_some(count)
    };
    lab.api.until(beginning, count).await
}

async fn succeeds(lab: &Lab, name: &str) {
    let done = |api: &Memory| api.pod(name).filter(|pod| pod.status.phase == "Succeeded");
    lab.api.until("success", done).await;
    lab.delete(name).await;
    lab.api.until("its deletion", |api| api.gone(name)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_images_are_loaded_at_the_start_and_when_they_come() {
    let lab = Lab::new();
    let folder = lab.path("data").join(node_agent::DROPPED);
    fs::create_dir_all(&folder).unwrap();
    lab.archive("early.test/app:1", &folder.join("early.tar"));
    fs::write(folder.join("damaged.tar.gz"), [0x1f, 0x8b, 8, 0, 1, 2, 3]).unwrap();
    let agent = lab.start().await;
    // It is there before the agent has loaded anything: it must wait and not try a registry.
    lab.run(of("early", "early.test/app:1", "IfNotPresent"));
    succeeds(&lab, "early").await;
    let failed = "Warning FailedImageImport Failed to import images from";
    let damaged = format!("{failed} {}", folder.join("damaged.tar.gz").display());
    assert_eq!(told(&lab, &damaged).await, 1);

    lab.archive("late.test/app:1", &lab.path("late.tar"));
    fs::rename(lab.path("late.tar"), folder.join("late.tar")).unwrap();
    told(&lab, "Normal ImageImported Imported late.test/app:1 from ").await;
    lab.run(of("late", "late.test/app:1", "Never"));
    succeeds(&lab, "late").await;
    // A layout that is copied file by file, with its blobs last.
    let layout = lab.path("layout");
    fs::create_dir_all(&layout).unwrap();
    lab.archive("copied.test/app:1", &lab.path("copied.tar"));
    let unpacked = std::process::Command::new("/bin/busybox")
        .args(["tar", "-xf"])
        .arg(lab.path("copied.tar"))
        .arg("-C")
        .arg(&layout)
        .status();
    assert!(unpacked.unwrap().success());
    let target = folder.join("copied");
    fs::create_dir_all(target.join("blobs/sha256")).unwrap();
    fs::copy(layout.join("oci-layout"), target.join("oci-layout")).unwrap();
    fs::copy(layout.join("index.json"), target.join("index.json")).unwrap();
    let incomplete = format!("{failed} {}", target.display());
    told(&lab, &incomplete).await;
    for blob in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
        let blob = blob.unwrap();
        fs::copy(blob.path(), target.join("blobs/sha256").join(blob.file_name())).unwrap();
    }
    told(&lab, "Normal ImageImported Imported copied.test/app:1 from ").await;

    // Another agent finds what there is: nothing is loaded again, and what is damaged is told of once more.
    agent.stop().await;
    let again = lab.start().await;
    lab.run(of("again", "early.test/app:1", "Never"));
    succeeds(&lab, "again").await;
    let twice = |api: &Memory| {
        let events = api.events("n1");
        (events.iter().filter(|event| event.starts_with(&damaged)).count() == 2).then_some(())
    };
    lab.api.until("the second agent's event", twice).await;
    again.stop().await;
    assert_eq!(told(&lab, "Normal ImageImported Imported early.test/app:1 from ").await, 1);
    lab.assert_nothing_left();
}
