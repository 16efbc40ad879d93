//! PodMetrics: what the containers of a pod use, in a table all of them together (metrics-server's `pkg/api/table.go`).

use api_kind::{Cell, Column, Kind};
use api_types::metrics::v1beta1::PodMetrics;

use super::Amounts;

/// The row.
pub const KIND: Kind<PodMetrics> = Kind::<PodMetrics>::of("metrics.k8s.io", "v1beta1", "pods").columns(&[
    Column::<PodMetrics>::text("Name", "Name of the resource", |own, _| own.metadata.name.as_str().into())
        .format("name"),
    Column::<PodMetrics>::text("cpu", "", |own, _| amount(own, "cpu")).format("quantity"),
    Column::<PodMetrics>::text("memory", "", |own, _| amount(own, "memory")).format("quantity"),
    Column::<PodMetrics>::text("Window", "", |own, _| own.window.to_string().into()).format("duration"),
]);

fn amount(own: &PodMetrics, of: &str) -> Cell {
    let mut sum = Amounts::new();
    for (name, amount) in own.containers.iter().flat_map(|one| one.usage.iter().flatten()) {
        match sum.get_mut(name) {
            Some(known) => known.add(amount),
            None => drop(sum.insert(name.clone(), amount.clone())),
        }
    }
    super::shown(&sum, of)
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn what_a_pod_uses_is_what_its_containers_use() {
        let text = "{window: 15s, containers: [{name: a, usage: {cpu: 100m, memory: 5Ki}}, {name: b, usage: {cpu: 1n, memory: 3Ki}}]}";
        assert_eq!(create(&KIND, text).cells(&KIND), "x|100000001n|8Ki|15s");
    }
}
