//! ComponentStatus: how the control plane's parts are, asked when somebody reads it.
//!
//! Upstream: `pkg/registry/core/componentstatus`, with its names and its warning.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use api_meta::{Status, fields, labels};
use api_record::Record;
use api_types::core::v1::{ComponentCondition, ComponentStatus};
use client::{Answer, List, Outcome, Request, Verb};
use server_registry::{Registry, Served};

const WARNING: &str = "v1 ComponentStatus is deprecated in v1.19+";

/// Whether a part is well; what is wrong, if not.
pub type Check = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The parts that can be asked. The store is one of them always.
#[derive(Default)]
pub struct Components {
    checks: Mutex<BTreeMap<&'static str, Check>>,
}

impl Components {
    /// Makes a part known by upstream's name for it, such as `scheduler`.
    pub fn add(&self, name: &'static str, check: Check) {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).insert(name, check);
    }

    /// How all of them are, in the order of their names.
    async fn statuses(&self, registry: &Registry) -> Vec<ComponentStatus> {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut all: BTreeMap<&str, Result<(), String>> =
            checks.iter().map(|(name, check)| (*name, check())).collect();
        all.insert("etcd-0", registry.reachable().await.map_err(|status| status.message.clone()));
        all.into_iter().map(|(name, how)| component(name, how)).collect()
    }

    /// Answers a request for them.
    pub(crate) async fn answer(
        &self,
        registry: &Registry,
        served: &Served,
        request: &Request,
    ) -> Result<Answer, Status> {
        let statuses = self.statuses(registry).await;
        let outcome = match request.verb {
            Verb::Get => {
                let name = &request.target.name;
                let found = statuses.into_iter().find(|status| status.metadata.name == *name);
                let found = found.ok_or_else(|| Status::not_found(served.group_resource(), name))?;
                Outcome::Object(Arc::new(found))
            }
            Verb::List => Outcome::List(List { items: selected(statuses, request)?, ..List::default() }),
            other => return Err(Status::method_not_supported(served.group_resource(), other.name())),
        };
        Ok(Answer { outcome, created: false, warnings: vec![WARNING.to_owned()] })
    }
}

fn selected(statuses: Vec<ComponentStatus>, request: &Request) -> Result<Vec<Arc<dyn Record>>, Status> {
    let bad = |error: &dyn std::fmt::Display| Status::bad_request(error.to_string());
    let labels = labels::Selector::parse(&request.list.labels, &api_meta::field::Path::NONE)
        .map_err(|error| bad(&error))?;
    let fields = fields::Selector::parse(&request.list.fields).map_err(|error| bad(&error))?;
    let wanted = |status: &ComponentStatus| {
        let field = |field: &str| (field == "metadata.name").then_some(status.metadata.name.as_str());
        labels.matches(&status.metadata.labels) && fields.matches(field)
    };
    let items = statuses.into_iter().filter(wanted);
    Ok(items.map(|status| Arc::new(status) as Arc<dyn Record>).collect())
}

fn component(name: &str, how: Result<(), String>) -> ComponentStatus {
    let mut status = ComponentStatus::default();
    name.clone_into(&mut status.metadata.name);
    let mut condition = ComponentCondition { type_: "Healthy".to_owned(), ..ComponentCondition::default() };
    match how {
        Ok(()) => {
            "True".clone_into(&mut condition.status);
            "ok".clone_into(&mut condition.message);
        }
        Err(why) => {
            "False".clone_into(&mut condition.status);
            condition.message = why;
        }
    }
    status.conditions.push(condition);
    status
}

#[cfg(test)]
mod tests {
    use base::random::SystemRandom;
    use base::time::SystemClock;
    use client::{Resource, Target};
    use server_registry::admit::Everything;
    use server_registry::{Catalog, Shared};
    use store::MemoryStore;

    use super::*;

    async fn ask(verb: Verb, name: &str, fields: &str) -> Result<Vec<ComponentStatus>, Status> {
        let components = Components::default();
        components.add("scheduler", Arc::new(|| Ok(())));
        components.add("controller-manager", Arc::new(|| Err("it has ended".to_owned())));
        let shared = Shared {
            store: Arc::new(MemoryStore::new()),
            catalog: Catalog::new(),
            gates: api_kind::Gates::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        let registry = Registry::new(Arc::new(shared), Arc::new(Everything));
        let target = Target {
            resource: Resource::of("", "v1", "componentstatuses"),
            namespace: String::new(),
            name: name.to_owned(),
            subresource: String::new(),
        };
        let mut request = Request::new(verb, target);
        request.list.fields = fields.to_owned();
        let served = registry.catalog().find("", "v1", "componentstatuses").expect("served");
        let answer = components.answer(&registry, served, &request).await?;
        assert_eq!(answer.warnings, [WARNING]);
        let objects = match answer.outcome {
            Outcome::Object(object) => vec![object],
            Outcome::List(list) => list.items,
            Outcome::Status(_) => Vec::new(),
        };
        Ok(objects.iter().filter_map(|object| object.downcast_ref().cloned()).collect())
    }

    #[tokio::test]
    async fn parts_are_asked_how_they_are() {
        let all = ask(Verb::List, "", "").await.expect("a list");
        let shown: Vec<_> =
            all.iter().map(|own| (own.metadata.name.as_str(), own.conditions[0].message.as_str())).collect();
        assert_eq!(shown, [("controller-manager", "it has ended"), ("etcd-0", "ok"), ("scheduler", "ok")]);
        let one = ask(Verb::List, "", "metadata.name=scheduler").await.expect("a list");
        assert_eq!((one.len(), one[0].conditions[0].status.as_str()), (1, "True"));
        assert_eq!(ask(Verb::Get, "etcd-0", "").await.expect("there").len(), 1);
        assert!(ask(Verb::Get, "other", "").await.expect_err("unknown").is_not_found());
        assert!(ask(Verb::Create, "", "").await.expect_err("never").is_method_not_supported());
    }
}
