//! The controller that registers what definitions bring: an APIService for each of their groups and versions that is served.
//!
//! Follows `pkg/controlplane/controller/crdregistration` and `kube-aggregator/pkg/controllers/autoregister`, for what is kept up all the
//! time; what is built in is registered once at each start (`server-bootstrap`). Whoever takes the label off an APIService has it to himself.

use api_kinds_more::apiregistration::priority::OF_DEFINITIONS;
use api_types::apiextensions::v1::CustomResourceDefinition;
use api_types::apiregistration::v1::{APIService, APIServiceSpec};
use base::time::Time;
use client::Caller;
use client::reconcile::{Controller, Plan, Wires, World, Write};

/// The label that says that an APIService is kept as it is.
const MANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";
const ALWAYS: &str = "true";

/// Registers what definitions bring.
pub(crate) struct Registration;

impl Controller for Registration {
    const NAME: &'static str = "api-service-registration";
    type Key = String;

    fn wire(&self, wires: &mut Wires<String>) {
        wires.maps::<CustomResourceDefinition>(|definition, _| {
            let spec = &definition.spec;
            spec.versions.iter().map(|version| format!("{}.{}", version.name, spec.group)).collect()
        });
        wires.maps::<APIService>(|service, _| vec![service.metadata.name.clone()]);
    }

    fn plan(&self, key: &String, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let Some((version, group)) = key.split_once('.') else { return plan };
        let is_served = world.all::<CustomResourceDefinition>().any(|definition| {
            let mut versions = definition.spec.versions.iter();
            definition.spec.group == group && versions.any(|own| own.name == version && own.served)
        });
        let wanted = is_served.then(|| wanted(key, group, version));
        match (world.get::<APIService>("", key), wanted) {
            (None, Some(wanted)) => drop(plan.stage([Write::create(wanted).or_exists()])),
            (Some(own), _) if own.metadata.labels.get(MANAGED).is_none_or(|own| own != ALWAYS) => {}
            (Some(own), None) => drop(plan.stage([Write::delete(own)])),
            (Some(own), Some(wanted)) if !is_same(&own.spec, &wanted.spec) => {
                plan.stage([Write::update(APIService { spec: wanted.spec, ..own.clone() })]);
            }
            _ => {}
        }
        plan
    }

    fn caller(&self) -> Caller {
        Caller::new("system:apiserver", &["system:masters", "system:authenticated"])
    }

    fn reader(&self) -> Caller {
        self.caller()
    }
}

fn wanted(name: &str, group: &str, version: &str) -> APIService {
    let mut service = APIService::default();
    name.clone_into(&mut service.metadata.name);
    service.metadata.labels.insert(MANAGED.to_owned(), ALWAYS.to_owned());
    service.spec = APIServiceSpec {
        group: group.to_owned(),
        version: version.to_owned(),
        group_priority_minimum: OF_DEFINITIONS.group,
        version_priority: OF_DEFINITIONS.version,
        ..APIServiceSpec::default()
    };
    service
}

/// Whether two local APIServices say the same.
fn is_same(own: &APIServiceSpec, wanted: &APIServiceSpec) -> bool {
    own.service.is_none()
        && !own.insecure_skip_tls_verify
        && own.ca_bundle.as_ref().is_none_or(|bundle| bundle.is_empty())
        && own.group_priority_minimum == wanted.group_priority_minimum
        && own.version_priority == wanted.version_priority
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use api_types::apiextensions::v1::CustomResourceDefinitionVersion;
    use client::Revision;

    use super::*;

    fn definition(versions: &[(&str, bool)]) -> CustomResourceDefinition {
        let mut own = CustomResourceDefinition::default();
        own.metadata.name = "ships.fleet".to_owned();
        own.spec.group = "fleet".to_owned();
        let version = |(name, served): &(&str, bool)| CustomResourceDefinitionVersion {
            name: (*name).to_owned(),
            served: *served,
            ..CustomResourceDefinitionVersion::default()
        };
        own.spec.versions = versions.iter().map(version).collect::<Vec<_>>().into();
        own
    }

    fn planned(definitions: &[CustomResourceDefinition], services: &[APIService]) -> Vec<String> {
        let world =
            World::default().with(definitions.to_vec(), Revision(7)).with(services.to_vec(), Revision(7));
        Registration.plan(&"v1.fleet".to_owned(), &world, Time::EPOCH).describe()
    }

    #[test]
    fn what_is_served_is_registered_and_nothing_else() {
        let served = [definition(&[("v1", true)])];
        let not = [definition(&[("v1", false), ("v2", true)])];
        let own = wanted("v1.fleet", "fleet", "v1");
        let what = "apiservices.apiregistration.k8s.io";
        assert_eq!(planned(&served, &[]), [format!("create {what} v1.fleet")]);
        assert_eq!(planned(&served, from_ref(&own)), [""; 0]);
        assert_eq!(planned(&not, &[]), [""; 0]);
        assert_eq!(planned(&not, from_ref(&own)), [format!("delete {what} v1.fleet")]);
        let mut changed = own.clone();
        changed.spec.version_priority = 1;
        assert_eq!(planned(&served, from_ref(&changed)), [format!("update {what} v1.fleet")]);
        changed.metadata.labels.clear();
        assert_eq!(planned(&served, from_ref(&changed)), [""; 0]);
        assert_eq!(planned(&not, &[changed]), [""; 0]);
    }
}
