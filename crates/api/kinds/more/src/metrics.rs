//! `metrics.k8s.io`: the tables of what nodes and pods use, which is answered and nowhere kept.

pub mod node_metrics;
pub mod pod_metrics;

use std::collections::BTreeMap;

use api_kind::Cell;
use api_record::scalar::Quantity;

/// Amounts by what they are of.
type Amounts = BTreeMap<String, Quantity>;

/// An amount as a table shows it; nought where there is none.
fn shown(amounts: &Amounts, of: &str) -> Cell {
    amounts.get(of).map_or_else(|| "0".into(), |amount| amount.to_string().into())
}
