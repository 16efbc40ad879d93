//! Comparing and showing lists of resources, where upstream's `pkg/quota/v1/resources.go` has a rule of its own.

use api_record::scalar::{Quantity, QuantityFormat};

pub use api_meta::resources::ResourceList;

/// So many, in decimal notation.
pub(crate) fn whole(count: usize) -> Quantity {
    Quantity::from_units(i64::try_from(count).unwrap_or(i64::MAX), QuantityFormat::DecimalSi)
}

/// Whether both name the same resources, and as much of each.
pub fn equal(one: &ResourceList, other: &ResourceList) -> bool {
    one.len() == other.len() && one.iter().all(|(name, own)| other.get(name) == Some(own))
}

/// What `new` has more of than `old`, without what it has not.
pub fn rise(new: &ResourceList, old: &ResourceList) -> ResourceList {
    let mut more = new.clone();
    api_meta::resources::subtract(&mut more, old);
    more.retain(|_, quantity| quantity.sign() > 0);
    more
}

/// Without the resources that there is nothing of.
pub fn nonzero(mut list: ResourceList) -> ResourceList {
    list.retain(|_, quantity| !quantity.is_zero());
    list
}

/// Only the resources that `names` has too.
pub fn within(list: &ResourceList, names: &ResourceList) -> ResourceList {
    let kept = list.iter().filter(|(name, _)| names.contains_key(*name));
    kept.map(|(name, quantity)| (name.clone(), quantity.clone())).collect()
}

/// As refusals show it: `cpu=1,pods=2`.
pub fn shown(list: &ResourceList) -> String {
    list.iter().map(|(name, quantity)| format!("{name}={quantity}")).collect::<Vec<_>>().join(",")
}
