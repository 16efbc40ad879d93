//! Every namespace has a ConfigMap `kube-root-ca.crt`, by which its pods know the API server.
//! Upstream: `pkg/controller/certificates/rootcacertpublisher`.

use std::collections::BTreeMap;

use api_meta::fields;
use api_record::Record;
use api_types::core::v1::{ConfigMap, Namespace};
use api_types::object_meta;
use base::time::Time;
use client::Scope;
use client::reconcile::{Controller, Plan, Wires, World, Write, resource_of};

const NAME: &str = "kube-root-ca.crt";
const DESCRIPTION: &str = "kubernetes.io/description";
const DESCRIPTION_TEXT: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/// The controller of those ConfigMaps.
pub struct RootCa {
    data: BTreeMap<String, String>,
}

impl RootCa {
    /// Publishes these certificates, in PEM.
    pub fn new(pem: &str) -> RootCa {
        RootCa { data: [("ca.crt".to_owned(), pem.to_owned())].into() }
    }
}

impl Controller for RootCa {
    const NAME: &'static str = "root-ca-cert-publisher";
    type Key = String;

    fn wire(&self, wires: &mut Wires<String>) {
        wires.maps::<Namespace>(|namespace, _| vec![namespace.metadata.name.clone()]);
        let scope = Scope {
            fields: fields::Selector::equal("metadata.name", NAME),
            ..Scope::all(resource_of::<ConfigMap>().clone())
        };
        wires.scoped(scope, |object: &dyn Record, _| {
            object_meta(object).map(|meta| meta.namespace.clone()).into_iter().collect()
        });
    }

    fn plan(&self, key: &String, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let active =
            world.get::<Namespace>("", key).is_some_and(|namespace| namespace.status.phase == "Active");
        if !active {
            return plan;
        }
        let current = world.get::<ConfigMap>(key, NAME);
        let described =
            |map: &ConfigMap| map.metadata.annotations.get(DESCRIPTION).is_some_and(|text| !text.is_empty());
        if current.is_some_and(|map| map.data == self.data && described(map)) {
            return plan;
        }
        let mut map = current.cloned().unwrap_or_default();
        map.data.clone_from(&self.data);
        map.metadata.annotations.insert(DESCRIPTION.into(), DESCRIPTION_TEXT.into());
        if current.is_some() {
            plan.stage([Write::update(map)]);
        } else {
            map.metadata.name = NAME.into();
            map.metadata.namespace.clone_from(key);
            plan.stage([Write::create(map)]);
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use client::Revision;

    use super::*;

    fn plan(maps: Vec<ConfigMap>) -> Plan {
        let mut namespace = Namespace::default();
        namespace.metadata.name = "shop".into();
        namespace.status.phase = "Active".into();
        let world = World::default().with([namespace], Revision(1)).with(maps, Revision(1));
        RootCa::new("PEM").plan(&"shop".to_owned(), &world, Time::EPOCH)
    }

    #[test]
    fn the_map_is_made_and_kept_as_it_should_be() {
        let made = plan(vec![]);
        assert_eq!(made.describe(), ["create configmaps shop/kube-root-ca.crt"]);
        let good: ConfigMap = made.stages[0][0].object().cloned().expect("a ConfigMap");
        assert_eq!(good.data["ca.crt"], "PEM");
        let mut bad = good.clone();
        bad.data.clear();
        assert_eq!(plan(vec![good]).describe(), Vec::<String>::new());
        assert_eq!(plan(vec![bad]).describe(), ["update configmaps shop/kube-root-ca.crt"]);
    }
}
