//! Users of DaemonSets, who also mark, taint and cordon nodes.

use api_types::apps::v1::{DaemonSet, ReplicaSet};
use api_types::core::v1::{Namespace, Node, Pod, Taint};
use serde_json::{Value, json};

use super::{SPACE, User, mend, run_image, template};
use crate::actors::requests::object;

/// The label of nodes that some sets ask for.
const DISK: &str = "disk";
/// The taint that no set tolerates but those that say so.
const DEDICATED: &str = "dedicated";

impl User {
    /// Asks for daemons, and changes them and their nodes for a while; leaves nodes as they were found.
    pub(super) async fn daemons(&self) {
        for name in ["daemon-0", "daemon-1"].into_iter().take(1 + usize::from(self.dice.chance(300))) {
            self.make_daemon(name).await;
        }
        if self.dice.chance(300) {
            self.make_lookalike("daemon-0").await;
        }
        for _ in 0..2 + self.dice.below(5) {
            self.world.executor.sleep(self.dice.millis(500, 12_000)).await;
            self.change_daemons().await;
        }
        for number in 0..self.world.profile.nodes {
            self.edit_in::<Node>("", &format!("node-{number}"), |node| {
                node.spec.taints.retain(|taint| taint.key != DEDICATED);
                node.spec.unschedulable = false;
            })
            .await;
        }
        if self.world.profile.hopeless {
            for name in ["daemon-0", "daemon-1"] {
                self.edit::<DaemonSet>(name, |it| mend(&mut it.spec.template.spec)).await;
            }
        }
    }

    async fn change_daemons(&self) {
        let name = if self.dice.chance(250) { "daemon-1" } else { "daemon-0" };
        self.world.tell(|| "the user changes something".into());
        match self.dice.below(16) {
            0..=5 => {
                let image = self.image();
                self.edit::<DaemonSet>(name, |it| run_image(&mut it.spec.template.spec, &image)).await;
            }
            6 => {
                let anywhere = self.dice.chance(500);
                self.edit::<DaemonSet>(name, |it| {
                    let selector = &mut it.spec.template.spec.node_selector;
                    selector.clear();
                    if !anywhere {
                        selector.insert(DISK.into(), "fast".into());
                    }
                })
                .await;
            }
            7 => {
                let strategy = object::<DaemonSet>(&json!({"spec": {"updateStrategy": self.strategy()}}));
                let strategy = strategy.spec.update_strategy;
                self.edit::<DaemonSet>(name, |it| it.spec.update_strategy = strategy.clone()).await;
            }
            8 => {
                let propagation = self.propagation();
                self.remove::<DaemonSet>(name, propagation).await;
                if self.dice.chance(700) {
                    self.world.executor.sleep(self.dice.millis(0, 3_000)).await;
                    self.make_daemon(name).await;
                }
            }
            9 if self.world.profile.disturbs_pods() => self.remove_any::<Pod>(None).await,
            9 => self.make_daemon("daemon-1").await,
            10 if self.dice.chance(300) => self.remove::<Namespace>("", None).await,
            10 => self.remove::<ReplicaSet>("lone", self.propagation()).await,
            _ => self.change_node().await,
        }
    }

    async fn change_node(&self) {
        let name = format!("node-{}", self.dice.below(self.world.profile.nodes));
        let (what, effect) = (self.dice.below(4), *self.dice.pick(&["NoSchedule", "NoExecute"]));
        self.edit_in::<Node>("", &name, |node| match what {
            0 => {
                let disk = if node.metadata.labels.contains_key(DISK) { None } else { Some("fast") };
                node.metadata.labels.remove(DISK);
                node.metadata.labels.extend(disk.map(|disk| (DISK.to_owned(), disk.to_owned())));
            }
            1 => node.spec.unschedulable = !node.spec.unschedulable,
            _ => {
                let tainted = node.spec.taints.iter().any(|taint| taint.key == DEDICATED);
                node.spec.taints.retain(|taint| taint.key != DEDICATED);
                if !tainted {
                    let (key, effect) = (DEDICATED.into(), effect.into());
                    node.spec.taints.push(Taint { key, effect, ..Taint::default() });
                }
            }
        })
        .await;
    }

    fn strategy(&self) -> Value {
        self.dice
            .pick(&[
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}),
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "50%", "maxSurge": 0}}),
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}),
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "50%"}}),
                json!({"type": "OnDelete"}),
            ])
            .clone()
    }

    async fn make_daemon(&self, name: &str) {
        let mut template = template(name, "image:0");
        if self.dice.chance(300) {
            template["spec"]["nodeSelector"] = json!({DISK: "fast"});
        }
        if self.dice.chance(300) {
            template["spec"]["tolerations"] = json!([{"key": DEDICATED, "operator": "Exists"}]);
        }
        let value = json!({
            "metadata": {"name": name, "namespace": SPACE},
            "spec": {
                "updateStrategy": self.strategy(),
                "revisionHistoryLimit": self.dice.below(3),
                "selector": {"matchLabels": {"app": name}},
                "template": template,
            },
        });
        self.make(|| object::<DaemonSet>(&value)).await;
    }

    /// A set of another kind that selects what a daemon's does.
    async fn make_lookalike(&self, app: &str) {
        let value = json!({
            "metadata": {"name": "lone", "namespace": SPACE},
            "spec": {
                "replicas": 1 + self.dice.below(2),
                "selector": {"matchLabels": {"app": app}},
                "template": template(app, "image:0"),
            },
        });
        self.make(|| object::<ReplicaSet>(&value)).await;
    }
}
