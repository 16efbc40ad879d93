//! Users of CronJobs, who suspend all of them in the end, so that there is one.

use api_types::batch::v1::{CronJob, Job};
use api_types::core::v1::{Namespace, Pod};
use serde_json::json;

use super::{SPACE, User};
use crate::actors::requests::object;

/// How many CronJobs there are.
const SCHEDULES: usize = 2;

impl User {
    /// Asks for CronJobs, and changes them for some minutes.
    pub(super) async fn schedules(&self) {
        for number in 0..1 + self.dice.below(SCHEDULES) {
            self.make_schedule(&format!("cron-{number}")).await;
        }
        for _ in 0..3 + self.dice.below(5) {
            self.world.executor.sleep(self.dice.millis(2_000, 60_000)).await;
            self.change_schedules().await;
        }
        for number in 0..SCHEDULES {
            self.edit::<CronJob>(&format!("cron-{number}"), |it| it.spec.suspend = Some(true)).await;
        }
    }

    async fn change_schedules(&self) {
        let name = format!("cron-{}", self.dice.below(SCHEDULES));
        self.world.tell(|| "the user changes something".into());
        match self.dice.below(12) {
            0 | 1 => {
                let suspend = self.dice.chance(300);
                self.edit::<CronJob>(&name, |it| it.spec.suspend = Some(suspend)).await;
            }
            2 => {
                let schedule = self.schedule();
                self.edit::<CronJob>(&name, |it| schedule.clone_into(&mut it.spec.schedule)).await;
            }
            3 => {
                let policy = self.policy();
                self.edit::<CronJob>(&name, |it| policy.clone_into(&mut it.spec.concurrency_policy)).await;
            }
            4 => {
                let limit = self.dice.below(3).try_into().ok();
                self.edit::<CronJob>(&name, |it| it.spec.successful_jobs_history_limit = limit).await;
            }
            5 => {
                let propagation = self.propagation();
                self.remove::<CronJob>(&name, propagation).await;
                self.make_schedule(&name).await;
            }
            6 | 7 => self.remove_any::<Job>(self.propagation()).await,
            8 => self.remove_any::<Pod>(None).await,
            9 if self.dice.chance(200) => self.remove::<Namespace>("", None).await,
            _ => self.make_schedule(&name).await,
        }
    }

    fn schedule(&self) -> &'static str {
        self.dice.pick::<&'static str>(&["* * * * *", "* * * * *", "*/2 * * * *"])
    }

    fn policy(&self) -> &'static str {
        self.dice.pick::<&'static str>(&["Allow", "Forbid", "Replace"])
    }

    async fn make_schedule(&self, name: &str) {
        let longest_millis = *self.dice.pick(&[2_000, 30_000, 100_000]);
        let mut job = self.job_spec(longest_millis);
        // What is suspended is over for nobody.
        job["suspend"] = false.into();
        let mut spec = json!({
            "schedule": self.schedule(),
            "concurrencyPolicy": self.policy(),
            "successfulJobsHistoryLimit": self.dice.below(3),
            "failedJobsHistoryLimit": self.dice.below(2),
            "jobTemplate": {"spec": job},
        });
        if self.dice.chance(300) {
            spec["startingDeadlineSeconds"] = (10 + self.dice.below(100)).into();
        }
        let value = json!({"metadata": {"name": name, "namespace": SPACE}, "spec": spec});
        self.make(|| object::<CronJob>(&value)).await;
    }
}
