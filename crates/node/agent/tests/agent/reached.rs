//! Pods that are reached by the network: probes of every kind, and ports of the node.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use api_meta::conditions;
use api_record::scalar::IntOrString;
use api_types::core::v1::{
    Container, ContainerPort, ContainerStatus, HTTPGetAction, HostPathVolumeSource, Pod, Probe, ProbeHandler,
    TCPSocketAction, Volume, VolumeMount, VolumeSource,
};

use crate::api::Memory;
use crate::lab::{Lab, container, pod};

/// A container that serves `/gate/www` on port 8080 once `/gate/go` is there, and stops serving (not running) with `/gate/stop`.
const SERVER: &str = "while [ ! -e /gate/go ]; do sleep 0.05; done; httpd -f -p 8080 -h /gate/www & \
                      while [ ! -e /gate/stop ]; do sleep 0.05; done; kill $!; rm /gate/stop; \
                      while :; do sleep 0.05; done";

fn every_second(handler: ProbeHandler, failure_threshold: i32) -> Option<Box<Probe>> {
    Some(Box::new(Probe {
        probe_handler: handler,
        timeout_seconds: 5,
        period_seconds: 1,
        success_threshold: 1,
        failure_threshold,
        ..Probe::default()
    }))
}

fn tcp(port: IntOrString) -> ProbeHandler {
    let action = TCPSocketAction { port, host: String::new() };
    ProbeHandler { tcp_socket: Some(Box::new(action)), ..ProbeHandler::default() }
}

fn http(path: &str) -> ProbeHandler {
    let action = HTTPGetAction {
        path: path.into(),
        port: IntOrString::String("web".into()),
        scheme: "HTTP".into(),
        ..HTTPGetAction::default()
    };
    ProbeHandler { http_get: Some(Box::new(action)), ..ProbeHandler::default() }
}

fn server(lab: &Lab, name: &str, host_port: i32) -> Pod {
    fs::create_dir_all(lab.path("gate/www")).unwrap();
    let main = Container {
        ports: vec![ContainerPort {
            name: "web".into(),
            container_port: 8080,
            host_port,
            protocol: "TCP".into(),
            ..ContainerPort::default()
        }],
        volume_mounts: vec![VolumeMount {
            name: "gate".into(),
            mount_path: "/gate".into(),
            ..VolumeMount::default()
        }],
        ..container("main", SERVER)
    };
    let mut one = pod(name, "Always", vec![main]);
    one.spec.termination_grace_period_seconds = Some(1);
    let gate = HostPathVolumeSource { path: lab.path("gate").display().to_string(), type_: None };
    let source = VolumeSource { host_path: Some(Box::new(gate)), ..VolumeSource::default() };
    one.spec.volumes = vec![Volume { name: "gate".into(), volume_source: source }];
    one
}

fn status(api: &Memory, name: &str) -> Option<ContainerStatus> {
    api.pod(name)?.status.container_statuses.first().cloned()
}

async fn event(lab: &Lab, name: &str, beginning: &str) {
    let told = |api: &Memory| api.events(name).iter().any(|one| one.starts_with(beginning)).then_some(());
    lab.api.until(beginning, told).await;
}

#[test]
fn probes_by_http_and_tcp_decide_what_starts_serves_and_is_restarted() {
    Lab::inside(async |lab| {
        let agent = lab.start().await;
        let mut one = server(lab, "web", 0);
        one.spec.containers[0].startup_probe = every_second(tcp(IntOrString::Int(8080)), 600);
        one.spec.containers[0].readiness_probe = every_second(http("ready"), 1);
        one.spec.containers[0].liveness_probe = every_second(tcp(IntOrString::String("web".into())), 1);
        lab.run(one);
        let refused = "dial tcp 10.71.1.1:8080: connect: connection refused";
        event(lab, "web", &format!("Warning Unhealthy Startup probe failed: {refused}")).await;
        let seen = status(&lab.api, "web").unwrap();
        assert_eq!((seen.started, seen.ready), (Some(false), false));
        assert!(
            !lab.api.events("web").iter().any(|event| event.contains("Readiness")),
            "not before it started"
        );

        fs::write(lab.path("gate/go"), "").unwrap();
        event(lab, "web", "Warning Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 404")
            .await;
        let started = |api: &Memory| status(api, "web").filter(|one| one.started == Some(true));
        let seen = lab.api.until("a started container", started).await;
        assert_eq!((seen.ready, seen.restart_count), (false, 0));
        let ready = |api: &Memory, wanted| {
            let is = |pod: &Pod| conditions::is_true(&pod.status.conditions, "Ready") == wanted;
            api.pod("web").filter(is)
        };
        fs::write(lab.path("gate/www/ready"), "yes").unwrap();
        lab.api.until("a ready pod", |api| ready(api, true)).await;
        fs::remove_file(lab.path("gate/www/ready")).unwrap();
        lab.api.until("a pod that is not ready", |api| ready(api, false)).await;

        fs::write(lab.path("gate/stop"), "").unwrap();
        event(lab, "web", &format!("Warning Unhealthy Liveness probe failed: {refused}")).await;
        event(lab, "web", "Normal Killing Container main failed liveness probe, will be restarted").await;
        let again = |api: &Memory| {
            status(api, "web").filter(|one| one.restart_count == 1 && one.started == Some(true))
        };
        lab.api.until("its next start", again).await;
        lab.delete("web").await;
        lab.api.until("its deletion", |api| api.gone("web")).await;
        agent.stop().await;
        lab.assert_nothing_left();
    });
}

#[test]
fn ports_of_the_node_lead_to_the_pod() {
    Lab::inside(async |lab| {
        for command in [
            "link add up0 type veth peer name up1",
            "address add 192.0.2.1/24 dev up0",
            "link set up0 up",
            "link set up1 up",
        ] {
            assert!(Command::new("ip").args(command.split(' ')).status().unwrap().success(), "{command}");
        }
        let agent = lab.start().await;
        fs::create_dir_all(lab.path("gate/www")).unwrap();
        fs::write(lab.path("gate/www/page"), "from the pod").unwrap();
        fs::write(lab.path("gate/go"), "").unwrap();
        let mut one = server(lab, "web", 18080);
        one.spec.containers[0].readiness_probe = every_second(http("/page"), 3);
        lab.run(one);
        let ready =
            |api: &Memory| api.pod("web").filter(|pod| conditions::is_true(&pod.status.conditions, "Ready"));
        lab.api.until("a ready pod", ready).await;
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect("192.0.2.1:18080")?;
            stream.write_all(b"GET /page HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = ask().unwrap();
        assert!(answer.ends_with("from the pod"), "{answer}");
        lab.delete("web").await;
        lab.api.until("its deletion", |api| api.gone("web")).await;
        assert_eq!(
            ask().unwrap_err().kind(),
            std::io::ErrorKind::ConnectionRefused,
            "its port is free again"
        );
        agent.stop().await;
        lab.assert_nothing_left();
    });
}
