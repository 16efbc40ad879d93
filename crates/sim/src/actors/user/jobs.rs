//! Users of Jobs of all sorts: pods that succeed, fail, or never come to run.

use api_types::batch::v1::Job;
use api_types::core::v1::{Namespace, Pod};
use serde_json::{Value, json};

use super::{SPACE, User, template};
use crate::actors::node::{NOWHERE, WORK};
use crate::actors::requests::object;

/// How many Jobs there are.
const JOBS: usize = 4;

impl User {
    /// Asks for Jobs, and changes them for a while.
    pub(super) async fn jobs(&self) {
        for number in 0..1 + self.dice.below(JOBS) {
            self.make_job(&format!("job-{number}")).await;
        }
        for _ in 0..2 + self.dice.below(5) {
            self.world.executor.sleep(self.dice.millis(500, 12_000)).await;
            self.change_jobs().await;
        }
    }

    async fn change_jobs(&self) {
        let name = format!("job-{}", self.dice.below(JOBS));
        self.world.tell(|| "the user changes something".into());
        match self.dice.below(12) {
            0..=2 => {
                let suspend = self.dice.chance(500);
                self.edit::<Job>(&name, |it| it.spec.suspend = Some(suspend)).await;
            }
            3 | 4 => {
                let parallelism = self.few();
                self.edit::<Job>(&name, |it| {
                    // An indexed job's size may change as a whole only.
                    let indexed = it.spec.completion_mode.as_deref() == Some("Indexed");
                    if indexed && it.spec.completions == it.spec.parallelism && parallelism > 0 {
                        it.spec.completions = Some(parallelism);
                    }
                    it.spec.parallelism = Some(parallelism);
                })
                .await;
            }
            5 | 6 => {
                let propagation = self.propagation();
                self.remove::<Job>(&name, propagation).await;
                if self.dice.chance(700) {
                    self.world.executor.sleep(self.dice.millis(0, 3_000)).await;
                    self.make_job(&name).await;
                }
            }
            7 | 8 => self.remove_any::<Pod>(None).await,
            9 if self.dice.chance(300) => self.remove::<Namespace>("", None).await,
            _ => self.make_job(&name).await,
        }
    }

    async fn make_job(&self, name: &str) {
        let mut spec = self.job_spec(12_000);
        if self.dice.chance(200) {
            // Several select the same pods.
            let labels = json!({"app": "shared"});
            spec["manualSelector"] = true.into();
            spec["selector"] = json!({"matchLabels": labels});
            spec["template"]["metadata"]["labels"] = labels;
        }
        let value = json!({"metadata": {"name": name, "namespace": SPACE}, "spec": spec});
        self.make(|| object::<Job>(&value)).await;
    }

    /// What a Job is to do, whose pods take so many milliseconds at most.
    pub(super) fn job_spec(&self, longest_millis: usize) -> Value {
        let never = self.dice.chance(600);
        let indexed = self.dice.chance(400);
        let fails = *self.dice.pick(&[0, 0, 300, 300, 1_000]);
        let mut template = template("job", "image:0");
        template["spec"]["restartPolicy"] = if never { "Never" } else { "OnFailure" }.into();
        template["spec"]["containers"][0]["command"] =
            json!([WORK, fails.to_string(), longest_millis.to_string()]);
        let mut spec = json!({
            "parallelism": 1 + self.dice.below(3),
            "backoffLimit": self.dice.below(4),
            "template": template,
        });
        if indexed {
            spec["completionMode"] = "Indexed".into();
        }
        if indexed || self.dice.chance(800) {
            spec["completions"] = (1 + self.dice.below(4)).into();
        }
        if indexed && self.dice.chance(400) {
            spec["completions"] = spec["parallelism"].clone();
        }
        if indexed && never && self.dice.chance(300) {
            spec["backoffLimitPerIndex"] = self.dice.below(2).into();
            if self.dice.chance(500) {
                spec["maxFailedIndexes"] = self.dice.below(2).into();
            }
        }
        if indexed && self.dice.chance(200) {
            spec["successPolicy"] = json!({"rules": [{"succeededCount": 1}]});
        }
        if never && self.dice.chance(300) {
            let action = *self.dice.pick(&["FailJob", "Ignore", "Count"]);
            let codes = json!({"operator": "In", "values": [42]});
            spec["podFailurePolicy"] = json!({"rules": [{"action": action, "onExitCodes": codes}]});
            if action == "Ignore" {
                // Nothing else need end it.
                spec["activeDeadlineSeconds"] = 60.into();
            }
        } else if self.dice.chance(250) {
            spec["podReplacementPolicy"] = "Failed".into();
        }
        if self.world.profile.hopeless && self.dice.chance(300) {
            spec["template"]["spec"]["containers"][0]["image"] = format!("image{NOWHERE}").into();
            spec["activeDeadlineSeconds"] = 40.into();
        }
        if self.dice.chance(150) {
            spec["activeDeadlineSeconds"] = (5 + self.dice.below(30)).into();
        }
        if self.dice.chance(200) {
            spec["ttlSecondsAfterFinished"] = self.dice.below(20).into();
        }
        if self.dice.chance(150) {
            spec["suspend"] = true.into();
        }
        spec
    }
}
