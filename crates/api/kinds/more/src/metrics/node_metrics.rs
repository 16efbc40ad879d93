//! NodeMetrics: what a node uses (metrics-server's `pkg/api/table.go`).

use api_kind::{Cell, Column, Kind};
use api_types::metrics::v1beta1::NodeMetrics;

/// The row.
pub const KIND: Kind<NodeMetrics> = Kind::<NodeMetrics>::of("metrics.k8s.io", "v1beta1", "nodes").columns(&[
    Column::<NodeMetrics>::text("Name", "Name of the resource", |own, _| own.metadata.name.as_str().into())
        .format("name"),
    Column::<NodeMetrics>::text("cpu", "", |own, _| amount(own, "cpu")).format("quantity"),
    Column::<NodeMetrics>::text("memory", "", |own, _| amount(own, "memory")).format("quantity"),
    Column::<NodeMetrics>::text("Window", "", |own, _| own.window.to_string().into()).format("duration"),
]);

fn amount(own: &NodeMetrics, of: &str) -> Cell {
    super::shown(&own.usage.clone().unwrap_or_default(), of)
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn what_a_node_uses_is_a_row() {
        let shown = create(&KIND, "{window: 15.5s, usage: {cpu: 100m, memory: 5Ki}}").cells(&KIND);
        assert_eq!(shown, "x|100m|5Ki|15.5s");
    }
}
