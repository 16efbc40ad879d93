//! One ClusterTrustBundle tells by which authorities the API server is known; those of authorities that it had before go.
//!
//! Upstream: `pkg/controller/certificates/clustertrustbundlepublisher`.

use api_types::certificates::v1::{ClusterTrustBundle, ClusterTrustBundleSpec};
use api_types::core::v1::Namespace;
use api_types::meta::v1::ObjectMeta;
use base::time::Time;
use client::reconcile::{Controller, Plan, Wires, World, Write};
use ring::digest::{SHA256, digest};

const SIGNER: &str = "kubernetes.io/kube-apiserver-serving";

/// How much of the digest of the certificates is in the bundle's name.
const NAMED_BYTES: usize = 12;

/// The controller of that bundle.
pub struct ServingTrust {
    wanted: ClusterTrustBundle,
}

impl ServingTrust {
    /// Publishes these certificates, in PEM.
    pub fn new(pem: &str) -> ServingTrust {
        let hash = digest(&SHA256, pem.as_bytes());
        let hex: String = hash.as_ref()[..NAMED_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{}:{hex}", SIGNER.replace('/', ":"));
        let spec = ClusterTrustBundleSpec { signer_name: SIGNER.to_owned(), trust_bundle: pem.to_owned() };
        ServingTrust {
            wanted: ClusterTrustBundle { metadata: ObjectMeta { name, ..ObjectMeta::default() }, spec },
        }
    }
}

impl Controller for ServingTrust {
    const NAME: &'static str = "kube-apiserver-serving-clustertrustbundle-publisher";
    type Key = String;

    fn wire(&self, wires: &mut Wires<String>) {
        let (own, first) = (self.wanted.metadata.name.clone(), self.wanted.metadata.name.clone());
        // A cluster begins without bundles, but not without this namespace.
        wires.maps_changed::<Namespace>(
            |_, _| false,
            move |namespace, _| {
                (namespace.metadata.name == "kube-system").then(|| first.clone()).into_iter().collect()
            },
        );
        wires.maps::<ClusterTrustBundle>(move |bundle, _| {
            (bundle.spec.signer_name == SIGNER).then(|| own.clone()).into_iter().collect()
        });
    }

    fn plan(&self, key: &String, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        match world.get::<ClusterTrustBundle>("", key) {
            None => {
                plan.stage([Write::create(self.wanted.clone()).or_exists()]);
            }
            Some(found) if found.spec.trust_bundle != self.wanted.spec.trust_bundle => {
                plan.stage([Write::update(ClusterTrustBundle {
                    metadata: found.metadata.clone(),
                    spec: self.wanted.spec.clone(),
                })]);
            }
            Some(_) => {}
        }
        let old = world.all::<ClusterTrustBundle>();
        let old = old.filter(|bundle| bundle.spec.signer_name == SIGNER && bundle.metadata.name != *key);
        plan.stage(old.map(Write::delete));
        plan
    }
}

#[cfg(test)]
mod tests {
    use client::Revision;

    use super::*;

    #[test]
    fn there_is_one_bundle_of_the_signer() {
        let controller = ServingTrust::new("pem");
        let key = controller.wanted.metadata.name.clone();
        // By the shell: printf pem | sha256sum | cut -c1-24
        assert_eq!(key, "kubernetes.io:kube-apiserver-serving:f0aeace912cf19dc1c6fffd4");
        let bundle = |name: &str, signer: &str, pem: &str| {
            let mut bundle = controller.wanted.clone();
            name.clone_into(&mut bundle.metadata.name);
            signer.clone_into(&mut bundle.spec.signer_name);
            pem.clone_into(&mut bundle.spec.trust_bundle);
            bundle
        };
        let made = format!("create clustertrustbundles.certificates.k8s.io {key}");
        let updated = format!("update clustertrustbundles.certificates.k8s.io {key}");
        for (name, bundles, expected) in [
            ("none", vec![], vec![made.clone()]),
            ("right", vec![bundle(&key, SIGNER, "pem")], vec![]),
            ("changed by hand", vec![bundle(&key, SIGNER, "other")], vec![updated]),
            (
                "an older one",
                vec![bundle("old", SIGNER, "old")],
                vec![made.clone(), "delete clustertrustbundles.certificates.k8s.io old".to_owned()],
            ),
            ("another signer's", vec![bundle("theirs", "example.com/theirs", "pem")], vec![made]),
        ] {
            let world = World::default().with(bundles, Revision(1));
            assert_eq!(controller.plan(&key, &world, Time::EPOCH).describe(), expected, "{name}");
        }
    }
}
