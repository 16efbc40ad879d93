//! Starting a cluster with a shell script in the place of the server and a clock that runs fast.

use std::os::unix::fs::PermissionsExt as _;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use base::time::{Sleep, Time};
use tokio::sync::Notify;

use super::*;
use crate::config::{self, Defaults, Settings};
use crate::machine::{NodeSeen, Seen};
use crate::surroundings::ProcessSurroundings;

/// Answers one after another, the last again and again; says when that is asked for.
struct Script(Mutex<Vec<Seen>>, Notify);

impl Probe for Script {
    fn look(&self) -> Pin<Box<dyn Future<Output = Seen> + Send + '_>> {
        let mut answers = self.0.lock().unwrap();
        let seen = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        if answers.len() == 1 {
            self.1.notify_one();
        }
        Box::pin(std::future::ready(seen))
    }
}

#[derive(Default)]
struct Node {
    before: BTreeSet<String>,
    stopped: Mutex<Vec<String>>,
    asked: Mutex<bool>,
}

impl Machine for Node {
    fn pods(&self) -> Result<BTreeSet<String>, MachineError> {
        let mut pods = self.before.clone();
        if std::mem::replace(&mut *self.asked.lock().unwrap(), true) {
            pods.insert("kube-system/new".to_owned());
        }
        Ok(pods)
    }

    fn stop_pods(&self, pods: &BTreeSet<String>, _: &mut dyn FnMut(&str)) -> Result<(), MachineError> {
        self.stopped.lock().unwrap().extend(pods.iter().cloned());
        Ok(())
    }

    fn clear(&self) -> Result<Vec<String>, MachineError> {
        self.stopped.lock().unwrap().push("rest".to_owned());
        Ok(Vec::new())
    }
}

/// Time passes as fast as it is waited for, a second at a time; other tasks get their turn.
#[derive(Default)]
struct Fast(Mutex<i64>);

impl Clock for Fast {
    fn now(&self) -> Time {
        Time::from_unix_seconds(*self.0.lock().unwrap())
    }

    fn sleep(&self, _: Duration) -> Sleep {
        *self.0.lock().unwrap() += 1;
        Box::pin(tokio::task::yield_now())
    }
}

struct World {
    dir: tempfile::TempDir,
    config: ServerConfig,
    words: ServerWords,
    probe: Script,
    node: Node,
    clock: Box<dyn Clock>,
}

fn seen(ready: bool, node: NodeSeen) -> Seen {
    Seen { answers: true, ready, failing: Vec::new(), node }
}

fn world(answers: Vec<Seen>) -> World {
    let dir = tempfile::tempdir().unwrap();
    let defaults = Defaults { current_dir: dir.path().to_owned(), host_name: "box".to_owned() };
    let mut flags = crate::arguments::ServerFlags::default();
    flags.common.data_dir = Some("data".into());
    let config = config::server(&flags, None, &defaults).unwrap();
    let probe = Script(Mutex::new(answers), Notify::new());
    World {
        dir,
        config,
        words: ServerWords::default(),
        probe,
        node: Node::default(),
        clock: Box::new(Fast::default()),
    }
}

impl World {
    /// Takes the place as this very process.
    fn claimed(&self, role: Role, settings: Settings) -> instance::Claim {
        let taking = instance::Taking { role, ranges: None, settings };
        instance::claim(&self.config.place, taking, &self.dir.path().join("clusters")).unwrap()
    }

    /// Runs `up` with a shell script in the server's place.
    async fn up(
        &self,
        script: &str,
        interrupt: impl Future<Output = ()>,
    ) -> (Result<Outcome, UpError>, String) {
        let program = self.dir.path().join("server.sh");
        let pid = self.dir.path().join("pid");
        fs::write(
            &program,
            format!("#!/bin/sh\necho $$ > {0}.new; mv {0}.new {0}\n{script}\n", pid.display()),
        )
        .unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let call = Up {
            config: &self.config,
            words: &self.words,
            program: &program,
            probe: &self.probe,
            machine: &self.node,
            clock: self.clock.as_ref(),
            around: &ProcessSurroundings,
        };
        let mut out = Vec::new();
        let result = up(&call, interrupt, &mut out).await;
        (result, String::from_utf8(out).unwrap())
    }
}

/// The process that the output names; what has ended has no start time any more.
fn process(text: &str) -> host::process::Identity {
    let digits: String =
        text.split("process ").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
    let pid = digits.parse().unwrap();
    LinuxProcesses.identify(pid).unwrap_or(host::process::Identity { pid, started_ticks: 0 })
}

const RUNS: &str = "exec sleep 600";

#[tokio::test]
async fn up_tells_the_steps_and_what_to_do_next() {
    let starting = Seen::default();
    let world = world(vec![starting, seen(true, NodeSeen::Absent), seen(true, NodeSeen::Ready)]);
    let (result, text) = world.up(RUNS, std::future::pending()).await;
    stop(process(&text), limits::STOP).unwrap();
    assert_eq!(result.unwrap(), Outcome::Ready);
    for line in
        ["✓ The API is ready\n", "✓ The node is Ready\n", "  export KUBECONFIG=", "knarr down --data-dir "]
    {
        assert!(text.contains(line), "{text}");
    }
    assert!(world.config.place.server_log().exists());
}

#[tokio::test]
async fn a_server_that_ends_is_quoted() {
    let mut world = world(vec![Seen::default()]);
    // A process ends in its own time, not in the fast one.
    world.clock = Box::new(base::time::SystemClock);
    let (result, _) = world.up("echo 'error: port 6443 is taken' >&2; exit 7", std::future::pending()).await;
    let text = result.expect_err("it ended").to_string();
    assert!(text.contains("exit status: 7") && text.contains("\n  error: port 6443 is taken"), "{text}");
}

#[tokio::test]
async fn a_server_that_never_gets_ready_says_what_is_missing() {
    let world = world(vec![seen(true, NodeSeen::NotReady("no network".to_owned()))]);
    let (result, text) = world.up(RUNS, std::future::pending()).await;
    stop(process(&text), limits::STOP).unwrap();
    let text = result.expect_err("it is late").to_string();
    assert!(text.contains("after 180 seconds the node is not Ready: no network"), "{text}");
}

#[tokio::test]
async fn an_interrupted_first_run_leaves_nothing() {
    let world = world(vec![Seen::default(), Seen::default()]);
    let (result, text) = world.up(RUNS, world.probe.1.notified()).await;
    assert_eq!(result.unwrap(), Outcome::Undone);
    assert_eq!(stop(process(&text), limits::STOP).unwrap(), crate::stop::Stopped::Gone, "{text}");
    assert_eq!(*world.node.stopped.lock().unwrap(), ["kube-system/new", "rest"]);
    assert!(!world.config.place.data_dir.exists());
}

#[tokio::test]
async fn an_interrupted_later_run_keeps_data_and_earlier_pods() {
    let mut world = world(vec![Seen::default(), Seen::default()]);
    world.node.before = ["default/old".to_owned()].into();
    fs::create_dir_all(world.config.place.data_dir.join("server")).unwrap();
    let (result, _) = world.up(RUNS, world.probe.1.notified()).await;
    assert_eq!(result.unwrap(), Outcome::Undone);
    assert_eq!(*world.node.stopped.lock().unwrap(), ["kube-system/new"]);
    assert!(world.config.place.data_dir.exists());
}

#[tokio::test]
async fn what_runs_already_is_left_alone() {
    let mut world = world(vec![Seen::default(), Seen::default()]);
    world.config.disable_agent = true;
    let _claim = world.claimed(Role::Server, world.config.settings());
    let (result, text) = world.up("exit 1", world.probe.1.notified()).await;
    assert_eq!(result.unwrap(), Outcome::Undone);
    assert!(text.starts_with("Already running, process ") && text.contains("goes on"), "{text}");
    assert!(!text.contains("Starting"), "{text}");
}

#[tokio::test]
async fn flags_that_differ_from_what_runs_are_named() {
    let mut world = world(vec![seen(true, NodeSeen::Ready)]);
    let runs = world.config.settings();
    let _claim = world.claimed(Role::Server, runs);
    (world.config.https_listen_port, world.config.disable_agent) = (7443, true);
    world.words.given = ["https-listen-port".to_owned(), "cluster-domain".to_owned()].into();
    let (result, text) = world.up("exit 1", std::future::pending()).await;
    assert_eq!(result.unwrap(), Outcome::Ready);
    let lines: Vec<&str> = text.lines().skip(1).take(3).collect();
    assert_eq!(
        lines[..2],
        [
            "  It runs with other flags than these, and nothing is changed:",
            "  --https-listen-port is 6443, not 7443"
        ]
    );
    assert!(lines[2].starts_with("  To start it with them: knarr down --data-dir "), "{text}");
}

#[tokio::test]
async fn the_data_of_an_agent_are_not_taken_for_a_clusters() {
    let world = world(vec![Seen::default()]);
    let settings = Settings::from([("server".to_owned(), "https://192.0.2.1:6443".to_owned())]);
    let claim = world.claimed(Role::Agent, settings);
    let refused =
        async || world.up("exit 1", std::future::pending()).await.0.expect_err("refused").to_string();
    let text = refused().await;
    assert!(text.contains(&format!("whose agent runs, process {}", std::process::id())), "{text}");
    drop(claim);
    let text = refused().await;
    let again = "is stopped (knarr agent --server https://192.0.2.1:6443 --token TOKEN --data-dir ";
    assert!(text.contains(again) && text.contains("knarr down --purge --data-dir "), "{text}");
}
