//! What is taken out of the spec of a pod or of a template before it is stored, but for the fields whose features are off: those are
//! dropped for all kinds alike (`api_kind`). Upstream's `pkg/api/pod/util.go` has both.

use api_kind::Gates;
use api_types::core::v1::{Lifecycle, PodSpec};

use super::annotations::Annotations;

/// The features that rows of pods and of templates see to themselves. What claims are filled with from other namespaces is kept in the
/// templates of claims that pods carry, whether its feature is on or not: upstream drops it from claims alone.
pub const OWN_GATES: &[&str] = &["CrossNamespaceVolumeDataSource", STOP_SIGNALS];

const STOP_SIGNALS: &str = "ContainerStopSignals";

/// Where initial containers were named before there was a field; nobody reads it any more.
const OLD_INIT_CONTAINERS: &[&str] = &[
    "pod.alpha.kubernetes.io/init-container-statuses",
    "pod.alpha.kubernetes.io/init-containers",
    "pod.beta.kubernetes.io/init-container-statuses",
    "pod.beta.kubernetes.io/init-containers",
];

/// Takes out what means nothing here. What an old spec uses anywhere stays.
pub fn drop(gates: &Gates, annotations: &mut Annotations, spec: &mut PodSpec, old: Option<&PodSpec>) {
    for key in OLD_INIT_CONTAINERS {
        annotations.remove(*key);
    }
    if !gates.is_on(STOP_SIGNALS) && !old.is_some_and(has_stop_signals) {
        lifecycles(spec).for_each(without_stop_signal);
    }
}

/// A lifecycle that held nothing else goes, too.
fn without_stop_signal(own: &mut Option<Box<Lifecycle>>) {
    let dropped = own.as_mut().is_some_and(|own| own.stop_signal.take().is_some());
    if dropped && own.as_deref() == Some(&Lifecycle::default()) {
        *own = None;
    }
}

fn lifecycles(spec: &mut PodSpec) -> impl Iterator<Item = &mut Option<Box<Lifecycle>>> {
    let ephemeral = spec.ephemeral_containers.iter_mut();
    let ephemeral = ephemeral.map(|own| &mut own.ephemeral_container_common.lifecycle);
    let plain = spec.init_containers.iter_mut().chain(spec.containers.iter_mut());
    plain.map(|own| &mut own.lifecycle).chain(ephemeral)
}

fn has_stop_signals(spec: &PodSpec) -> bool {
    let ephemeral = spec.ephemeral_containers.iter().map(|own| &own.ephemeral_container_common.lifecycle);
    let plain = spec.init_containers.iter().chain(spec.containers.iter()).map(|own| &own.lifecycle);
    plain.chain(ephemeral).flatten().any(|own| own.stop_signal.is_some())
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use crate::{pod, pod_template};

    #[test]
    fn a_stop_signal_goes_with_the_lifecycle_that_held_nothing_else() {
        for (lifecycle, kept) in [
            ("{stopSignal: SIGTERM}", ""),
            ("{}", r#","lifecycle":{}"#),
            (
                "{stopSignal: SIGTERM, preStop: {sleep: {seconds: 1}}}",
                r#","lifecycle":{"preStop":{"sleep":{"seconds":1}}}"#,
            ),
        ] {
            let spec = format!("spec: {{containers: [{{name: c, image: i, lifecycle: {lifecycle}}}]}}");
            for made in
                [create(&pod::KIND, &spec), create(&pod_template::KIND, &format!("template: {{{spec}}}"))]
            {
                assert_eq!(made.errors, [""; 0], "{lifecycle}");
                let body = made.body();
                assert_eq!(body.contains("lifecycle"), !kept.is_empty(), "{body}");
                assert!(body.contains(kept) && !body.contains("stopSignal"), "{body}");
            }
        }
    }

    #[test]
    fn a_claims_source_elsewhere_stays_in_its_template() {
        let made = create(
            &pod::KIND,
            "spec: {volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1}}, dataSourceRef: {apiGroup: a.b, kind: K, name: src, namespace: shop}}}}}], containers: [{name: c, image: i}]}",
        );
        assert_eq!(made.errors, [""; 0]);
        assert!(made.body().contains(r#""namespace":"shop""#), "{}", made.body());
    }

    #[test]
    fn annotations_that_named_initial_containers_go() {
        let made = create(
            &pod::KIND,
            "metadata: {annotations: {a: b, pod.beta.kubernetes.io/init-containers: '[]'}}\nspec: {containers: [{name: c, image: i}]}",
        );
        let annotations = &api_types::object_meta(&*made.object).expect("metadata").annotations;
        assert_eq!(annotations.keys().collect::<Vec<_>>(), ["a"]);
    }
}
