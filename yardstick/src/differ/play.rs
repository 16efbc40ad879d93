//! A script played on a cluster: each step, then what the nodes do, each time until nothing moves any more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use http::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::api::{Api, Told};
use super::hand::{self, NODES};
use super::script::{Script, Step, Target};
use super::world::{Moment, World};

/// What is looked at, but for what a namespace always has.
const WATCHED: [(&str, &str); 18] = [
    ("/api/v1", "pods"),
    ("/api/v1", "events"),
    ("/api/v1", "services"),
    ("/api/v1", "endpoints"),
    ("/api/v1", "replicationcontrollers"),
    ("/api/v1", "persistentvolumeclaims"),
    ("/api/v1", "resourcequotas"),
    ("/api/v1", "namespaces"),
    ("/apis/apps/v1", "deployments"),
    ("/apis/apps/v1", "replicasets"),
    ("/apis/apps/v1", "statefulsets"),
    ("/apis/apps/v1", "daemonsets"),
    ("/apis/apps/v1", "controllerrevisions"),
    ("/apis/batch/v1", "jobs"),
    ("/apis/batch/v1", "cronjobs"),
    ("/apis/policy/v1", "poddisruptionbudgets"),
    ("/apis/autoscaling/v2", "horizontalpodautoscalers"),
    ("/apis/discovery.k8s.io/v1", "endpointslices"),
];

/// For how long nothing moves before it is held to have settled: longer than the second for which Job controllers gather what happens.
const QUIET: Duration = Duration::from_millis(1600);

/// How long it may go on moving after one act.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a node says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(8);

/// How it is told that a step could not be done.
pub const REFUSED: &str = "refused: ";

/// How many acts of nodes a step may lead to.
const ACTS: usize = 40;

/// What each script's namespace has come to, moment by moment.
pub type Played = BTreeMap<String, Vec<Moment>>;

/// Where what is told of namespaces goes.
type Worlds = Arc<Mutex<BTreeMap<String, (World, Instant)>>>;

fn namespace(script: &Script) -> String {
    format!("differ-{}", script.name)
}

/// Plays scripts on a cluster, all at the same time, each in a namespace of its own.
///
/// # Errors
/// When something is refused, or does not settle.
pub async fn play(api: &Api, scripts: &[Script]) -> Result<Played> {
    for node in NODES {
        api.ask(Method::POST, "/api/v1/nodes", Some(&hand::node(node))).await?;
    }
    let worlds = Worlds::default();
    for script in scripts {
        let own = (World::default(), Instant::now());
        worlds.lock().unwrap_or_else(PoisonError::into_inner).insert(namespace(script), own);
    }
    let (teller, told) = mpsc::unbounded_channel();
    let mut running = tokio::task::JoinSet::new();
    for watched in WATCHED {
        running.spawn(api.clone().watch(watched, teller.clone()));
    }
    running.spawn(beat(api.clone()));
    running.spawn(listen(told, Arc::clone(&worlds)));
    let plays = scripts
        .iter()
        .map(|script| Play { api, script, namespace: namespace(script), worlds: &worlds }.run());
    let plays = async {
        untainted(api).await?;
        let mut played = Played::new();
        let all = futures_util::future::join_all(plays).await;
        for (script, moments) in scripts.iter().zip(all) {
            played.insert(script.name.clone(), moments.with_context(|| format!("script {}", script.name))?);
        }
        Ok(played)
    };
    tokio::select! {
        played = plays => played,
        ended = running.join_next() => match ended {
            Some(Ok(Err(error))) => Err(error),
            Some(Err(error)) => Err(error.into()),
            _ => Err(anyhow!("what is told of the cluster ended")),
        },
    }
}

/// Waits until the nodes take pods: a node is made with a taint, which a controller removes.
async fn untainted(api: &Api) -> Result<()> {
    let begun = Instant::now();
    for node in NODES {
        let path = format!("/api/v1/nodes/{node}");
        while api.ask(Method::GET, &path, None).await?["spec"]["taints"].is_array() {
            if begun.elapsed() > PATIENCE {
                bail!("{node} keeps its taints");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

/// Says over and over that the nodes are there.
async fn beat(api: Api) -> Result<()> {
    let mut beat = tokio::time::interval(HEARTBEAT);
    loop {
        beat.tick().await;
        for node in NODES {
            let path = format!("/api/v1/nodes/{node}/status");
            let conditions = hand::node(node)["status"]["conditions"].take();
            api.ask(Method::PATCH, &path, Some(&json!({"status": {"conditions": conditions}}))).await?;
        }
    }
}

/// Takes what is told to the namespace that it is of.
async fn listen(mut told: mpsc::UnboundedReceiver<Told>, worlds: Worlds) -> Result<()> {
    while let Some(told) = told.recv().await {
        let metadata = &told.object["metadata"];
        let key = if told.resource == "namespaces" { "name" } else { "namespace" };
        let namespace = metadata[key].as_str().unwrap_or_default();
        let mut worlds = worlds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((world, moved)) = worlds.get_mut(namespace) {
            *moved = Instant::now();
            world.see(told);
        }
    }
    Ok(())
}

struct Play<'a> {
    api: &'a Api,
    script: &'a Script,
    namespace: String,
    worlds: &'a Worlds,
}

impl Play<'_> {
    async fn run(self) -> Result<Vec<Moment>> {
        let name = &self.namespace;
        self.api.ask(Method::POST, "/api/v1/namespaces", Some(&json!({"metadata": {"name": name}}))).await?;
        // Pods are let in once their account is there.
        let account = format!("/api/v1/namespaces/{name}/serviceaccounts/default");
        let begun = Instant::now();
        while self.api.ask(Method::GET, &account, None).await.is_err() {
            if begun.elapsed() > PATIENCE {
                bail!("{account} does not come to be");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let mut moments = vec![self.settled("the namespace is made", QUIET).await?];
        for (number, step) in self.script.steps.iter().enumerate() {
            let act = format!("step {}", number + 1);
            let done = self.step(step).await;
            let quiet = match step {
                Step::Delete { quiet: Some(seconds), .. } => Duration::from_secs(*seconds),
                _ => QUIET,
            };
            let mut moment = self.settled(&act, quiet).await?;
            if let Err(error) = done {
                moment.steps.insert(0, format!("{REFUSED}{error:#}"));
            }
            moments.push(moment);
            for _ in 0..ACTS {
                let Some((what, requests)) = self.with(hand::next) else { break };
                for request in requests {
                    self.api.try_ask(request.method, &request.path, Some(&request.body)).await?;
                }
                moments.push(self.settled(&format!("{act}: {what}"), QUIET).await?);
            }
        }
        Ok(moments)
    }

    fn with<T>(&self, ask: impl FnOnce(&mut World) -> T) -> T {
        let mut worlds = self.worlds.lock().unwrap_or_else(PoisonError::into_inner);
        let (world, _) =
            worlds.entry(self.namespace.clone()).or_insert_with(|| (World::default(), Instant::now()));
        ask(world)
    }

    /// What has come of an act, once nothing moves any more.
    async fn settled(&self, act: &str, quiet: Duration) -> Result<Moment> {
        let begun = Instant::now();
        loop {
            let moved = self.worlds.lock().unwrap_or_else(PoisonError::into_inner)[&self.namespace].1;
            let since = moved.max(begun);
            if since.elapsed() >= quiet {
                break;
            }
            if begun.elapsed() > PATIENCE {
                bail!("{act}: it does not settle within {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep_until(since + quiet).await;
        }
        Ok(self.with(|world| {
            world.settle();
            world.moment(act)
        }))
    }

    async fn step(&self, step: &Step) -> Result<()> {
        match step {
            Step::Create(objects) => {
                for object in objects {
                    self.api.ask(Method::POST, &self.collection(object)?, Some(object)).await?;
                }
            }
            Step::Patch { of, with } => {
                self.api.ask(Method::PATCH, &self.path(of)?, Some(with)).await?;
            }
            Step::Delete { of, propagation, .. } => {
                let options = json!({"propagationPolicy": propagation.as_deref().unwrap_or("Background")});
                self.api.ask(Method::DELETE, &self.path(of)?, Some(&options)).await?;
            }
            Step::Evict { pod } => {
                let path = self.path(&Target::Pod { pod: *pod })?;
                let name = path.rsplit('/').next().unwrap_or_default();
                let eviction =
                    json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}});
                // Budgets may refuse, and what comes of that is looked at.
                let _ = self.api.ask(Method::POST, &format!("{path}/eviction"), Some(&eviction)).await;
            }
            Step::Pod { number, phase, exit } => {
                let pod = self
                    .with(|world| world.pods().nth(*number).cloned().map(|pod| (world.number(&pod), pod)));
                let (age, pod) = pod.with_context(|| format!("there is no pod {number}"))?;
                let request = hand::tell(&pod, age, *phase, *exit);
                self.api.ask(request.method, &request.path, Some(&request.body)).await?;
            }
            Step::Wait(seconds) => tokio::time::sleep(Duration::from_secs(*seconds)).await,
        }
        Ok(())
    }

    /// Where an object of the script is made.
    fn collection(&self, object: &Value) -> Result<String> {
        let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
        let version = object["apiVersion"].as_str().context("an object without apiVersion")?;
        let resource = if kind == "endpoints" { kind } else { format!("{kind}s") };
        Ok(self.below(version, &resource))
    }

    fn below(&self, version: &str, resource: &str) -> String {
        let root = if version.contains('/') { "apis" } else { "api" };
        format!("/{root}/{version}/namespaces/{}/{resource}", self.namespace)
    }

    fn path(&self, of: &Target) -> Result<String> {
        match of {
            Target::Pod { pod } => {
                let found = self.with(|world| world.pods().nth(*pod).cloned());
                let found = found.with_context(|| format!("there is no pod {pod}"))?;
                let name = found["metadata"]["name"].as_str().unwrap_or_default();
                Ok(format!("/api/v1/namespaces/{}/pods/{name}", self.namespace))
            }
            Target::Named(named) if named == "namespace" => {
                Ok(format!("/api/v1/namespaces/{}", self.namespace))
            }
            Target::Named(named) => {
                let (rest, name) = named.rsplit_once('/').context("GROUP/VERSION/RESOURCE/NAME")?;
                let (version, resource) = rest.rsplit_once('/').context("GROUP/VERSION/RESOURCE/NAME")?;
                Ok(format!("{}/{name}", self.below(version, resource)))
            }
        }
    }
}
