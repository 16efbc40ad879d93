//! Whoever answers what is measured.

use client::{BoxFuture, Caller, Status, Target, Uri};
use serde_json::Value;

/// The APIs `metrics.k8s.io`, `custom.metrics.k8s.io` and `external.metrics.k8s.io`, whoever serves them: their types are no others'.
pub trait Meters: Send + Sync {
    /// The versions in which a group is served, the preferred one first; none if it is not.
    fn versions<'a>(
        &'a self,
        who: &'a Caller,
        group: &'static str,
    ) -> BoxFuture<'a, Result<Vec<String>, Status>>;

    /// The document that is answered about an object, or about all of them if the target has no name.
    fn read<'a>(
        &'a self,
        who: &'a Caller,
        target: &'a Target,
        narrowed: &'a Narrowed,
    ) -> BoxFuture<'a, Result<Value, Status>>;
}

/// Which objects and which of their metrics are asked for, as selectors in text; empty for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrowed {
    /// By the objects' labels (`labelSelector`).
    pub labels: String,
    /// By the metrics' (`metricLabelSelector`).
    pub metric_labels: String,
}

impl Narrowed {
    /// Where a target is asked for so.
    pub fn uri(&self, target: &Target) -> Uri {
        let mut uri = Uri::of(target, false);
        uri.add_some("labelSelector", &self.labels);
        uri.add_some("metricLabelSelector", &self.metric_labels);
        uri
    }
}

#[cfg(test)]
mod tests {
    use client::Resource;

    use super::*;

    #[test]
    fn metrics_have_upstreams_paths() {
        let path = |group, version, plural, [name, subresource]: [&str; 2], narrowed: &Narrowed| {
            let target = Target {
                resource: Resource::of(group, version, plural),
                namespace: "shop".to_owned(),
                name: name.to_owned(),
                subresource: subresource.to_owned(),
            };
            String::from(narrowed.uri(&target))
        };
        let narrowed = Narrowed { labels: "app=web".to_owned(), metric_labels: "verb=GET".to_owned() };
        let custom = "custom.metrics.k8s.io";
        let told = path(custom, "v1beta2", "pods", ["*", "qps"], &narrowed);
        let wanted = "/namespaces/shop/pods/%2A/qps?labelSelector=app%3Dweb&metricLabelSelector=verb%3DGET";
        assert_eq!(told, format!("/apis/{custom}/v1beta2{wanted}"));
        let told = path(custom, "v1beta1", "metrics", ["qps", ""], &Narrowed::default());
        assert_eq!(told, format!("/apis/{custom}/v1beta1/namespaces/shop/metrics/qps"));
        let told = path("external.metrics.k8s.io", "v1beta1", "queue", ["", ""], &Narrowed::default());
        assert_eq!(told, "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/queue");
    }
}
