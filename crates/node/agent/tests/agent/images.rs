//! Volumes that show images.

use api_types::core::v1::{Container, ImageVolumeSource, Pod, Volume, VolumeMount, VolumeSource};

use crate::api::Memory;
use crate::lab::{Lab, container, pod};

fn mount(name: &str, path: &str, sub: &str) -> VolumeMount {
    VolumeMount { name: name.into(), mount_path: path.into(), sub_path: sub.into(), ..VolumeMount::default() }
}

fn image(name: &str, reference: &str, policy: &str) -> Volume {
    let source = ImageVolumeSource { reference: reference.into(), pull_policy: policy.into() };
    let volume_source = VolumeSource { image: Some(Box::new(source)), ..VolumeSource::default() };
    Volume { name: name.into(), volume_source }
}

fn waits(api: &Memory, name: &str, reason: &str) -> Option<String> {
    let pod = api.pod(name)?;
    let waiting = pod.status.container_statuses.first()?.state.waiting.as_deref()?;
    (waiting.reason == reason).then(|| waiting.message.clone())
}

fn run(lab: &Lab, name: &str, script: &str, volumes: &[Volume], mounts: &[VolumeMount]) {
    let main = Container { volume_mounts: mounts.to_vec(), ..container("main", script) };
    let mut one = pod(name, "Never", vec![main]);
    one.spec.volumes = volumes.into();
    lab.run(one);
}

fn ended(api: &Memory, name: &str) -> Option<Pod> {
    api.pod(name).filter(|pod| pod.status.phase == "Succeeded")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_shown_and_nobody_changes_it() {
    let lab = Lab::new();
    let agent = lab.start().await;
    // One that nobody mounts is in nobody's way, whether it is there or not.
    let volumes = [image("tools", "busybox:1", "IfNotPresent"), image("unused", "gone:1", "Never")];
    let script = "cat /tools/etc/passwd | head -n 1; readlink /sub/sh; /tools/bin/busybox echo works; \
         touch /tools/x 2>/dev/null || echo read-only; touch /sub/x 2>/dev/null || echo read-only";
    run(&lab, "p", script, &volumes, &[mount("tools", "/tools", ""), mount("tools", "/sub", "bin")]);
    let seen = lab.api.until("success", |api| ended(api, "p")).await;
    let wanted = ["root:x:0:0::/root:/bin/sh", "busybox", "works", "read-only", "read-only"];
    assert_eq!(lab.log(&seen, "main", 0), wanted);
    let said = "Container image \"busybox:1\" already present on machine and can be accessed by the pod";
    assert!(lab.api.events("p").contains(&format!("Normal Pulled {said}")));
    lab.delete("p").await;
    lab.api.until("its deletion", |api| api.gone("p")).await;
    agent.stop().await;
    lab.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_image_does_not_hold_keeps_its_container_waiting() {
    let lab = Lab::new();
    let agent = lab.start().await;
    let tools = [image("tools", "busybox:1", "IfNotPresent")];
    run(&lab, "path", "true", &tools, &[mount("tools", "/tools", "not/there")]);
    let message = lab.api.until("its reason", |api| waits(api, "path", "CreateContainerError")).await;
    assert!(message.starts_with("failed to mount image volume \"tools\""), "{message}");
    let gone = [image("tools", "gone:1", "Never")];
    run(&lab, "image", "true", &gone, &[mount("tools", "/tools", "")]);
    lab.api.until("its reason", |api| waits(api, "image", "ErrImageNeverPull")).await;
    assert!(lab.api.events("image").contains(&"Warning Failed Error: ErrImageNeverPull".to_owned()));
    for name in ["path", "image"] {
        lab.delete(name).await;
        lab.api.until("its deletion", |api| api.gone(name)).await;
    }
    agent.stop().await;
    lab.assert_nothing_left();
}
