//! The webhooks of a world, which judge the ConfigMaps of one namespace: two that mark what they see, two that refuse what wishes to be
//! refused. Of each two, one must be heard and one may fail. They fail, they take too long, and they answer late.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api_codec::json::TypeMeta;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use client::{BoxFuture, Revision, Scope};
use serde_json::{Value, json};
use server_admission::{Asking, MUTATING, Metrics, MutatingWebhooks, Stored, VALIDATING, ValidatingWebhooks};
use server_local::Direct;
use server_webhook::{Answer, Call, CallError, Hook, Webhooks};

use crate::dice::Dice;
use crate::executor::Group;
use crate::profile::Defect;
use crate::world::{World, lock};

/// The namespace of what they judge.
pub const SPACE: &str = "guarded";
/// How long they have, in seconds.
pub const TIMEOUT_SECONDS: u64 = 2;

const MARKS: &str = "https://marks.example/";
const JUDGES: &str = "https://judges.example/";

/// The attempts of which a webhook that may fail has failed to hear.
#[derive(Default)]
pub struct Unheard(Mutex<BTreeSet<(bool, String)>>);

impl Unheard {
    /// Whether whoever marks, or else whoever judges, may not have heard of an attempt.
    pub fn has(&self, marks: bool, attempt: &str) -> bool {
        lock(&self.0).contains(&(marks, attempt.to_owned()))
    }
}

/// What is written down of them in the cluster, before anything goes wrong.
pub fn configurations() -> [Value; 2] {
    let hook = |url: &str, policy: &str| {
        json!({
            "name": format!("{}.{}", policy.to_lowercase(), url.trim_start_matches("https://").trim_end_matches('/')),
            "clientConfig": {"url": url},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}],
            "objectSelector": {"matchLabels": {"policy": policy}},
            "failurePolicy": policy,
            "sideEffects": "None",
            "timeoutSeconds": TIMEOUT_SECONDS,
            "admissionReviewVersions": ["v1"],
        })
    };
    [MARKS, JUDGES].map(
        |url| json!({"metadata": {"name": "guards"}, "webhooks": [hook(url, "Fail"), hook(url, "Ignore")]}),
    )
}

/// Those who ask them.
pub struct Guards {
    /// Has objects be marked.
    pub marking: Arc<MutatingWebhooks>,
    /// Has objects be judged.
    pub judging: Arc<ValidatingWebhooks>,
}

impl Guards {
    /// Those of a life of the server; they know of no webhook before [`Guards::follow`] has told them.
    pub fn new(world: &Arc<World>, stored: Arc<Stored>) -> Guards {
        let dice = Arc::new(world.dice.fork("webhooks"));
        let asking = Asking {
            webhooks: Arc::new(Faulty { world: Arc::clone(world), dice: Arc::clone(&dice) }),
            lookup: stored.clone(),
            versions: stored,
            authorizer: Arc::new(|_| true),
            clock: world.executor.clock(0),
            random: dice,
            metrics: Arc::new(Metrics::default()),
        };
        let marking = Arc::new(MutatingWebhooks::new(asking.clone()));
        Guards { marking, judging: Arc::new(ValidatingWebhooks::new(asking)) }
    }

    /// Follows what is written down of them; completes when that is known.
    pub async fn follow(self, world: Arc<World>, group: Group, direct: Direct) {
        let open = |resource| {
            let (publisher, view) = client::view::channel();
            let (api, who) = (Arc::new(direct.clone()), client::Caller::default());
            let clock = world.executor.clock(0);
            let filled = client::reflect::run(api, who, Scope::all(resource), publisher, clock);
            world.executor.spawn(group, filled);
            view
        };
        let (marking, judging) = (open(MUTATING), open(VALIDATING));
        marking.reached(Revision(0)).await;
        judging.reached(Revision(0)).await;
        world.executor.spawn(group, self.marking.follow(marking));
        world.executor.spawn(group, self.judging.follow(judging));
    }
}

/// Webhooks, and the way to them.
struct Faulty {
    world: Arc<World>,
    dice: Arc<Dice>,
}

impl Faulty {
    async fn answer(&self, call: Call<'_>) -> Result<Answer, CallError> {
        let question: Value =
            serde_json::from_slice(&call.body).map_err(|error| CallError::Unanswered(error.to_string()))?;
        let request = &question["request"];
        let attempt = request["object"]["data"]["attempt"].as_str().unwrap_or_default();
        let marks = *call.hook == Hook::url(MARKS, Bytes::new());
        if let Err(why) = self.reach(call.timeout).await {
            lock(&self.world.unheard.0).insert((marks, attempt.to_owned()));
            return Err(CallError::Unanswered(why.to_owned()));
        }
        let mut response = json!({"uid": request["uid"], "allowed": true});
        let refused = request["object"]["data"]["wish"] == "deny";
        if marks {
            let patch = json!([{"op": "add", "path": "/data/marked", "value": attempt}]);
            response["patch"] = STANDARD.encode(patch.to_string()).into();
            response["patchType"] = "JSONPatch".into();
        } else if refused && self.world.defect != Some(Defect::RefusalLost) {
            response["allowed"] = false.into();
            response["status"] = json!({"message": "as it wishes", "code": 403});
        }
        let (api_version, kind) = ("admission.k8s.io/v1", "AdmissionReview");
        let review = json!({"apiVersion": api_version, "kind": kind, "response": response});
        let type_meta = TypeMeta { api_version: api_version.into(), kind: kind.into() };
        Ok(Answer { type_meta, body: review.to_string().into() })
    }

    /// The way to a webhook and back, as far as it goes.
    async fn reach(&self, timeout: Duration) -> Result<(), &'static str> {
        let strikes = |world: &World| world.is_faulty() && self.dice.chance(world.profile.hooks);
        if strikes(&self.world) {
            return Err("dial tcp: connect: connection refused");
        }
        if strikes(&self.world) {
            self.world.executor.sleep(timeout).await;
            return Err("context deadline exceeded");
        }
        if strikes(&self.world) {
            let late = self.dice.millis(0, TIMEOUT_SECONDS * 1_000 - 1);
            self.world.executor.sleep(late).await;
        }
        Ok(())
    }
}

impl Webhooks for Faulty {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Answer, CallError>> {
        Box::pin(self.answer(call))
    }
}
