//! The metric of which features are on. Upstream: `k8s.io/component-base/metrics/prometheus/feature`.

use api_kind::{Gates, Maturity};
use base::metrics::{Source, Text, Type};
use base::time::Time;

const HELP: &str = "[BETA] This metric records the data about the stage and enablement of a k8s feature.";

/// Which features the API has.
pub struct Features(pub Gates);

impl Source for Features {
    fn collect(&self, text: &mut Text, _: Time) {
        let mut family = text.family("kubernetes_feature_enabled", Type::Gauge, HELP);
        for (feature, on) in self.0.all() {
            let stage = match feature.maturity {
                Maturity::Alpha => "ALPHA",
                Maturity::Beta => "BETA",
                Maturity::Stable => "",
                Maturity::Deprecated => "DEPRECATED",
            };
            family.sample(&[("name", feature.name), ("stage", stage)], f64::from(u8::from(on)));
        }
    }
}
