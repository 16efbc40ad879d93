//! Users, who ask for things and change their minds.

mod daemons;
mod jobs;
mod schedules;

use std::sync::Arc;

use api_record::Typed;
use api_record::scalar::Quantity;
use api_types::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use api_types::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use api_types::core::v1::{Namespace, Pod, PodSpec, ResourceQuota, Service};
use api_types::networking::v1::ServiceCIDR;
use api_types::object_meta;
use client::{Caller, Propagation, Status};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::node::NOWHERE;
use super::requests::{Hand, object};
use crate::dice::Dice;
use crate::family::Family;
use crate::line::Line;
use crate::webhook;
use crate::world::World;

/// How often somebody tries who does not get through.
const ATTEMPTS: usize = 60;
const SPACE: &str = "shop";

/// Makes what every cluster has, before anything goes wrong.
///
/// # Errors
/// What the server says.
pub async fn set_up(hand: &Hand) -> Result<(), Status> {
    for name in ["default", "kube-system", "kube-node-lease", webhook::SPACE] {
        hand.create(object::<Namespace>(&json!({"metadata": {"name": name}}))).await?;
    }
    let [marking, judging] = webhook::configurations();
    hand.create(object::<MutatingWebhookConfiguration>(&marking)).await?;
    hand.create(object::<ValidatingWebhookConfiguration>(&judging)).await?;
    // Few addresses, so that they are in demand.
    let range = json!({"metadata": {"name": "kubernetes"}, "spec": {"cidrs": ["10.96.0.0/29"]}});
    let mut range: ServiceCIDR = hand.create(object(&range)).await?;
    let ready = json!({"status": {"conditions": [{
        "type": "Ready", "status": "True", "reason": "", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]}});
    range.status = object::<ServiceCIDR>(&ready).status;
    hand.update(range, "status").await.map(drop)
}

/// A user of a world.
pub fn hand(world: &Arc<World>, name: &str) -> Hand {
    let line = Line::new(world, world.executor.group(), name, false);
    Hand { line, who: Caller::new("kubernetes-admin", &["system:masters", "system:authenticated"]) }
}

/// Somebody at work.
pub struct User {
    world: Arc<World>,
    hand: Hand,
    dice: Dice,
}

fn template(app: &str, image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": app}},
        "spec": {
            "terminationGracePeriodSeconds": 2,
            "containers": [{"name": "c", "image": image, "resources": {"requests": {"cpu": "250m"}}}],
        },
    })
}

impl User {
    /// Somebody.
    pub fn new(world: &Arc<World>) -> User {
        User { world: Arc::clone(world), hand: hand(world, "user"), dice: world.dice.fork("user") }
    }

    /// Asks for an application, and changes it for a while.
    pub async fn work(&self) {
        self.make(|| object::<Namespace>(&json!({"metadata": {"name": SPACE}}))).await;
        self.make(|| object::<ResourceQuota>(&self.quota())).await;
        match self.world.family {
            Family::Applications => self.applications().await,
            Family::Daemons => self.daemons().await,
            Family::Jobs => self.jobs().await,
            Family::Schedules => self.schedules().await,
        }
        if self.world.profile.tight {
            self.edit::<ResourceQuota>("all", |it| {
                it.spec.hard.insert("pods".into(), Quantity::from_millis(1_000_000));
            })
            .await;
        }
    }

    /// A quota. There is more than anybody wants, where it is not to be tight: what it says is used is what is looked at.
    fn quota(&self) -> Value {
        let pods = if self.world.profile.tight { "3" } else { "1000" };
        let hard = json!({"pods": pods, "services": "1000", "requests.cpu": "1000"});
        json!({"metadata": {"name": "all", "namespace": SPACE}, "spec": {"hard": hard}})
    }

    async fn applications(&self) {
        for number in 0..1 + usize::from(self.dice.chance(250)) {
            let app = format!("web-{number}");
            self.make_deployment(&app).await;
            self.make_service(&app).await;
        }
        if self.dice.chance(200) {
            // All at once, so that they want the same addresses and ports.
            let rush = ["rush-0", "rush-1", "rush-2", "rush-3"];
            join_all(rush.map(|name| self.make_service(name))).await;
            for name in rush {
                self.remove::<Service>(name, None).await;
            }
        }
        if self.dice.chance(300) {
            self.make_set("lone").await;
        }
        if self.dice.chance(300) {
            self.make_stateful("data").await;
        }
        if self.dice.chance(300) {
            self.make_pod("single").await;
        }
        for _ in 0..1 + self.dice.below(4) {
            self.world.executor.sleep(self.dice.millis(500, 12_000)).await;
            self.change().await;
        }
        if self.world.profile.hopeless {
            for number in 0..2 {
                self.edit::<Deployment>(&format!("web-{number}"), |it| mend(&mut it.spec.template.spec))
                    .await;
            }
        }
    }

    /// An image: where images are hopeless, sometimes one that nobody has.
    fn image(&self) -> String {
        if self.world.profile.hopeless && self.dice.chance(400) {
            return format!("image{NOWHERE}");
        }
        format!("image:{}", self.dice.below(4))
    }

    async fn change(&self) {
        let app = format!("web-{}", usize::from(self.dice.chance(150)));
        self.world.tell(|| "the user changes something".into());
        match self.dice.below(15) {
            0..=3 => {
                let image = self.image();
                self.edit::<Deployment>(&app, |it| run_image(&mut it.spec.template.spec, &image)).await;
            }
            4 | 5 => {
                let replicas = self.few();
                self.edit::<Deployment>(&app, |it| it.spec.replicas = Some(replicas)).await;
            }
            6 => {
                let propagation = self.propagation();
                self.remove::<Deployment>(&app, propagation).await;
                if self.dice.chance(700) {
                    self.world.executor.sleep(self.dice.millis(0, 3_000)).await;
                    self.make_deployment(&app).await;
                }
            }
            7 => {
                self.remove::<Service>(&app, None).await;
                self.make_service(&app).await;
            }
            8 => {
                let propagation =
                    *self.dice.pick(&[None, Some(Propagation::Foreground), Some(Propagation::Orphan)]);
                self.remove::<ReplicaSet>("lone", propagation).await;
                self.make_set("lone").await;
            }
            9 => {
                self.remove::<Pod>("single", None).await;
                self.make_pod("single").await;
            }
            12..=14 => self.change_stateful("data").await,
            10 if !self.world.profile.disturbs_pods() => self.make_service("extra").await,
            10 => {
                self.remove_any::<Pod>(None).await;
            }
            _ if self.dice.chance(300) => {
                self.remove::<Namespace>("", None).await;
            }
            _ => {
                let replicas = self.few();
                self.edit::<ReplicaSet>("lone", |it| it.spec.replicas = Some(replicas)).await;
            }
        }
    }

    async fn change_stateful(&self, name: &str) {
        match self.dice.below(4) {
            0 => {
                let replicas = self.few();
                self.edit::<StatefulSet>(name, |it| it.spec.replicas = Some(replicas)).await;
            }
            1 => {
                let propagation =
                    *self.dice.pick(&[None, Some(Propagation::Foreground), Some(Propagation::Orphan)]);
                self.remove::<StatefulSet>(name, propagation).await;
                self.make_stateful(name).await;
            }
            _ => {
                let image = format!("image:{}", self.dice.below(4));
                self.edit::<StatefulSet>(name, |it| run_image(&mut it.spec.template.spec, &image)).await;
            }
        }
    }

    fn few(&self) -> i32 {
        i32::try_from(self.dice.below(4)).unwrap_or(1)
    }

    async fn make_deployment(&self, app: &str) {
        let limits = [
            json!({"maxSurge": 1, "maxUnavailable": 0}),
            json!({"maxSurge": 0, "maxUnavailable": 1}),
            json!({"maxSurge": "25%", "maxUnavailable": "25%"}),
            json!({"maxSurge": 2, "maxUnavailable": 1}),
        ];
        let strategy = if self.dice.chance(150) {
            json!({"type": "Recreate"})
        } else {
            json!({"type": "RollingUpdate", "rollingUpdate": self.dice.pick(&limits)})
        };
        let value = json!({
            "metadata": {"name": app, "namespace": SPACE},
            "spec": {
                "replicas": 1 + self.dice.below(3),
                "strategy": strategy,
                "revisionHistoryLimit": self.dice.below(3),
                "selector": {"matchLabels": {"app": app}},
                "template": template(app, "image:0"),
            },
        });
        self.make(|| object::<Deployment>(&value)).await;
    }

    async fn make_set(&self, name: &str) {
        let value = json!({
            "metadata": {"name": name, "namespace": SPACE},
            "spec": {
                "replicas": 1 + self.dice.below(2),
                "selector": {"matchLabels": {"app": name}},
                "template": template(name, "image:0"),
            },
        });
        self.make(|| object::<ReplicaSet>(&value)).await;
    }

    async fn make_stateful(&self, name: &str) {
        let policy = if self.dice.chance(300) { "Parallel" } else { "OrderedReady" };
        let rolling = json!({"partition": 0, "maxUnavailable": 1 + self.dice.below(2)});
        let value = json!({
            "metadata": {"name": name, "namespace": SPACE},
            "spec": {
                "replicas": 1 + self.dice.below(3),
                "serviceName": name,
                "podManagementPolicy": policy,
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
                "revisionHistoryLimit": self.dice.below(3),
                "selector": {"matchLabels": {"app": name}},
                "template": template(name, "image:0"),
            },
        });
        self.make(|| object::<StatefulSet>(&value)).await;
    }

    async fn make_pod(&self, name: &str) {
        let mut value = template(name, "image:0");
        value["metadata"] = json!({"name": name, "namespace": SPACE, "labels": {"app": name}});
        self.make(|| object::<Pod>(&value)).await;
    }

    async fn make_service(&self, app: &str) {
        let type_ = if self.dice.chance(500) { "NodePort" } else { "ClusterIP" };
        let value = json!({
            "metadata": {"name": app, "namespace": SPACE},
            "spec": {"type": type_, "selector": {"app": app}, "ports": [{"port": 80}]},
        });
        self.make(|| object::<Service>(&value)).await;
    }

    /// Makes an object, until it is there or cannot be.
    async fn make<T: Typed + Clone>(&self, object: impl Fn() -> T) {
        for _ in 0..ATTEMPTS {
            match self.hand.create(object()).await {
                Ok(_) => return,
                Err(status) if is_final(&status) => return,
                Err(_) => self.wait().await,
            }
        }
    }

    /// Changes an object as it is, until that is done or it is gone.
    async fn edit<T: Typed + Clone>(&self, name: &str, change: impl Fn(&mut T)) {
        self.edit_in(SPACE, name, change).await;
    }

    /// The same of an object of any namespace, or of none.
    async fn edit_in<T: Typed + Clone>(&self, namespace: &str, name: &str, change: impl Fn(&mut T)) {
        for _ in 0..ATTEMPTS {
            let edited = match self.hand.get::<T>(namespace, name).await {
                Ok(mut object) => {
                    change(&mut object);
                    self.hand.update(object, "").await.map(drop)
                }
                Err(status) => Err(status),
            };
            match edited {
                Ok(()) => return,
                Err(status) if is_final(&status) => return,
                Err(_) => self.wait().await,
            }
        }
    }

    /// Deletes an object; the namespace itself if there is no name.
    async fn remove<T: Typed>(&self, name: &str, propagation: Option<Propagation>) {
        let place = if name.is_empty() { ("", SPACE) } else { (SPACE, name) };
        for _ in 0..ATTEMPTS {
            match self.hand.delete::<T>(place, None, None, propagation).await {
                Ok(()) => return,
                Err(status) if is_final(&status) => return,
                Err(_) => self.wait().await,
            }
        }
    }

    /// Deletes one of the objects of a type that there are.
    async fn remove_any<T: Typed>(&self, propagation: Option<Propagation>) {
        if let Ok(all) = self.hand.list::<T>(SPACE).await
            && !all.is_empty()
            && let Some(meta) = object_meta(&**self.dice.pick(&all))
        {
            self.remove::<T>(&meta.name, propagation).await;
        }
    }

    /// One of the ways of a deletion.
    fn propagation(&self) -> Option<Propagation> {
        *self.dice.pick(&[
            None,
            Some(Propagation::Background),
            Some(Propagation::Foreground),
            Some(Propagation::Orphan),
        ])
    }

    async fn wait(&self) {
        self.world.executor.sleep(self.dice.millis(100, 800)).await;
    }
}

/// Has a container run an image.
fn run_image(spec: &mut PodSpec, image: &str) {
    if let Some(container) = spec.containers.first_mut() {
        image.clone_into(&mut container.image);
    }
}

/// Has it run one that there is.
fn mend(spec: &mut PodSpec) {
    if spec.containers.first().is_some_and(|container| container.image.ends_with(NOWHERE)) {
        run_image(spec, "image:0");
    }
}

/// Whether trying again would not help.
fn is_final(status: &Status) -> bool {
    status.is_already_exists() || status.is_not_found() || status.is_invalid() || is_going(status)
}

fn is_going(status: &Status) -> bool {
    status.cause("NamespaceTerminating").is_some()
}
