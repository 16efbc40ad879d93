//! A node whose disk fills up, and is emptied again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use api_meta::conditions;
use api_types::core::v1::{Node, Pod};
use node_image::import::ImportOptions;
use node_image::store::{Store, StoreOptions};

use crate::api::Memory;
use crate::lab::{Lab, container, pod};

/// Larger than what is left where an image must not fit, smaller than a layer of busybox.
const LEFT_BYTES: u64 = 256 << 10;

fn left(path: &Path) -> u64 {
    let disk = rustix::fs::statvfs(path).unwrap();
    disk.f_bavail * disk.f_frsize
}

/// Writes a file until only so much is left of its disk.
fn fill(path: &Path, left_bytes: u64) {
    let mut file = File::options().create(true).append(true).open(path).unwrap();
    let chunk = vec![b'x'; 4 << 10];
    while left(path) > left_bytes {
        file.write_all(&chunk).unwrap();
    }
}

/// Serves the only image of an archive as `busy:1`, and returns where.
fn registry(archive: &Path) -> String {
    let folder = archive.with_extension("layout");
    std::fs::create_dir_all(&folder).unwrap();
    let tar = Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(&folder).status().unwrap();
    assert!(tar.success());
    let index = std::fs::read(folder.join("index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_slice(&index).unwrap();
    let top = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let blobs: BTreeMap<String, Vec<u8>> = std::fs::read_dir(folder.join("blobs/sha256"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (format!("sha256:{}", entry.file_name().display()), std::fs::read(entry.path()).unwrap())
        })
        .collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut reader, mut asked) = (BufReader::new(stream.try_clone().unwrap()), String::new());
            let _ = reader.read_line(&mut asked);
            let mut header = String::new();
            while reader.read_line(&mut header).is_ok_and(|count| count > 2) {
                header.clear();
            }
            let named =
                asked.split_whitespace().nth(1).and_then(|path| path.rsplit('/').next()).unwrap_or("");
            let content = blobs.get(if named == "1" { top.as_str() } else { named });
            let status = if content.is_some() { "200 OK" } else { "404 Not Found" };
            let content = content.map_or(&[][..], Vec::as_slice);
            let head = format!(
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                content.len()
            );
            // A pull that failed does not read on.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(content));
        }
    });
    format!("{address}/busy:1")
}

fn pressure(api: &Memory, status: &str) -> Option<String> {
    let node: Node = api.get("nodes", "", "n1")?;
    let found = conditions::find(&node.status.conditions, "DiskPressure")?;
    (found.status == status).then(|| found.reason.clone())
}

fn succeeded(api: &Memory, name: &str) -> Option<Pod> {
    api.pod(name).filter(|pod| pod.status.phase == "Succeeded")
}

/// Waits until a pod that runs has said more.
async fn goes_on(lab: &Lab, running: &Pod) {
    let before = lab.log(running, "main", 0).len();
    lab.api.until("more of its log", |_| (lab.log(running, "main", 0).len() > before).then_some(())).await;
    let now = lab.api.pod("steady").unwrap();
    assert_eq!((now.status.phase.as_str(), now.status.container_statuses[0].restart_count), ("Running", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_survived() {
    let lab = Lab::on_disk(32 << 20);
    // Another layer than the image's that is there already.
    let more: Vec<u8> =
        (0..1u32 << 18).flat_map(|number| number.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    std::fs::write(lab.path("root/more"), more).unwrap();
    let archive = lab.path("busy.tar");
    lab.archive("busy:1", &archive);
    let image = registry(&archive);
    let agent = lab.start().await;
    lab.run(pod("steady", "Always", vec![container("main", "while :; do echo on; sleep 0.05; done")]));
    let running = |api: &Memory| api.pod("steady").filter(|pod| pod.status.phase == "Running");
    let running = lab.api.until("a running pod", running).await;

    // Too little is left for an image, enough for what a pod needs.
    let filler = lab.path("data/filler");
    fill(&filler, LEFT_BYTES);
    let mut pulled = pod("pulled", "Never", vec![container("main", "true")]);
    pulled.spec.containers[0].image.clone_from(&image);
    lab.run(pulled);
    let begin = format!("Warning Failed Failed to pull image \"{image}\": failed to ");
    let told = |api: &Memory| api.events("pulled").into_iter().find(|event| event.starts_with(&begin));
    let told = lab.api.until("why it was not pulled", told).await;
    assert!(told.ends_with(": no space left on device") && told.lines().count() == 1, "{told}");
    let store = Store::open(&lab.path("data").join(node_agent::STORE), StoreOptions::default()).unwrap();
    let error = store.import(&archive, &ImportOptions::default()).unwrap_err().message();
    assert!(error.starts_with("failed to ") && error.ends_with(": no space left on device"), "{error}");

    // Nothing at all is left.
    fill(&filler, 0);
    lab.run(pod("late", "Never", vec![container("main", "true")]));
    lab.clock.by(Duration::from_secs(10));
    let reason = lab.api.until("disk pressure", |api| pressure(api, "True")).await;
    assert_eq!(reason, "KubeletHasDiskPressure");
    let wanted = "Normal NodeHasDiskPressure Node n1 status is now: NodeHasDiskPressure";
    let event = |api: &Memory| api.events("n1").iter().any(|event| event == wanted).then_some(());
    lab.api.until("its event", event).await;
    goes_on(&lab, &running).await;
    assert_eq!(lab.api.pod("late").unwrap().status.phase, "Pending");

    // There is space again: what waited starts, and in time the node says so.
    std::fs::remove_file(&filler).unwrap();
    lab.clock.by(Duration::from_secs(30));
    for name in ["late", "pulled"] {
        lab.api.until(name, |api| succeeded(api, name)).await;
    }
    lab.clock.by(Duration::from_secs(300));
    assert_eq!(
        lab.api.until("no disk pressure", |api| pressure(api, "False")).await,
        "KubeletHasNoDiskPressure"
    );
    goes_on(&lab, &running).await;
    for name in ["steady", "late", "pulled"] {
        lab.delete(name).await;
        lab.api.until("its deletion", |api| api.gone(name)).await;
    }
    agent.stop().await;
    lab.assert_nothing_left();
}
