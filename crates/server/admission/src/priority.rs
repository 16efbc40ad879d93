//! Priority: a pod's priority is its class's, and there is one default class at most.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::core::v1::Pod;
use api_types::scheduling::v1::PriorityClass;
use client::{BoxFuture, Resource};
use server_registry::admit::{Attributes, Operation};

use crate::lookup::typed;
use crate::plugin::is_about;
use crate::{Lookup, Plugin, forbidden};

const CLASSES: Resource = Resource::of("scheduling.k8s.io", "v1", "priorityclasses");

/// Resolves priority classes.
pub struct Priority {
    lookup: Arc<dyn Lookup>,
}

/// What a class, or the want of one, says.
struct Resolved {
    class: String,
    priority: i32,
    preemption: Option<String>,
}

impl From<&PriorityClass> for Resolved {
    fn from(class: &PriorityClass) -> Resolved {
        Resolved {
            class: class.metadata.name.clone(),
            priority: class.value,
            preemption: class.preemption_policy.clone(),
        }
    }
}

impl Priority {
    /// Looks classes up with `lookup`.
    pub fn new(lookup: Arc<dyn Lookup>) -> Priority {
        Priority { lookup }
    }

    /// The default class; of several, which races can make, the lowest.
    async fn default_class(&self) -> Result<Option<PriorityClass>, Status> {
        let classes = self.lookup.list(&CLASSES, "").await?;
        let classes = classes.iter().filter_map(|class| class.downcast_ref::<PriorityClass>());
        Ok(classes.filter(|class| class.global_default).min_by_key(|class| class.value).cloned())
    }

    async fn resolve(&self, attributes: &Attributes<'_>, pod: &Pod) -> Result<Resolved, Status> {
        let name = &pod.spec.priority_class_name;
        if name.is_empty() {
            return Ok(match self.default_class().await? {
                Some(class) => Resolved::from(&class),
                None => Resolved {
                    class: String::new(),
                    priority: 0,
                    preemption: Some("PreemptLowerPriority".to_owned()),
                },
            });
        }
        match self.lookup.get(&CLASSES, "", name).await {
            Ok(class) => Ok(Resolved::from(typed::<PriorityClass>(&*class)?)),
            Err(status) if status.is_not_found() => {
                let why = format!("no PriorityClass with name {name} was found");
                Err(forbidden(attributes, Some(pod), why))
            }
            Err(status) => Err(status),
        }
    }

    async fn admit_new(&self, attributes: &Attributes<'_>, pod: &mut Pod) -> Result<(), Status> {
        let Resolved { class, priority, preemption } = self.resolve(attributes, pod).await?;
        pod.spec.priority_class_name = class;
        if let Some(given) = pod.spec.priority.filter(|given| *given != priority) {
            let why = format!(
                "the integer value of priority ({given}) must not be provided in pod spec; priority admission \
                 controller computed {priority} from the given PriorityClass name"
            );
            return Err(forbidden(attributes, Some(pod), why));
        }
        pod.spec.priority = Some(priority);
        let Some(policy) = preemption else { return Ok(()) };
        if let Some(given) = pod.spec.preemption_policy.as_ref().filter(|given| **given != policy) {
            let why = format!(
                "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority \
                 admission controller computed {policy} from the given PriorityClass name"
            );
            return Err(forbidden(attributes, Some(pod), why));
        }
        pod.spec.preemption_policy = Some(policy);
        Ok(())
    }

    async fn check_class(&self, attributes: &Attributes<'_>, class: &PriorityClass) -> Result<(), Status> {
        if !class.global_default {
            return Ok(());
        }
        let Some(default) = self.default_class().await? else { return Ok(()) };
        let own = attributes.operation == Operation::Update && default.metadata.name == class.metadata.name;
        if own {
            return Ok(());
        }
        let name = &default.metadata.name;
        let why = format!("PriorityClass {name} is already marked as default. Only one default can exist");
        Err(forbidden(attributes, Some(class), why))
    }
}

impl Plugin for Priority {
    fn mutate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            if !is_about(attributes, "", "pods") || !attributes.subresource.is_empty() {
                return Ok(());
            }
            let Some(pod) = object.downcast_mut::<Pod>() else { return Ok(()) };
            if attributes.operation == Operation::Create {
                return self.admit_new(attributes, pod).await;
            }
            if let Some(old) = old.and_then(|old| old.downcast_ref::<Pod>()) {
                pod.spec.priority = pod.spec.priority.or(old.spec.priority);
                if pod.spec.preemption_policy.is_none() {
                    pod.spec.preemption_policy.clone_from(&old.spec.preemption_policy);
                }
            }
            Ok(())
        })
    }

    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let about = is_about(attributes, &CLASSES.group, &CLASSES.plural);
            match object.and_then(|object| object.downcast_ref::<PriorityClass>()) {
                Some(class) if about && attributes.subresource.is_empty() => {
                    self.check_class(attributes, class).await
                }
                _ => Ok(()),
            }
        })
    }
}
