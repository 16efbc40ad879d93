//! The bounds of limit ranges, and upstream's words for what lies outside of them.
//!
//! Upstream tells the faults of one list in no particular order; here they come by the names of the resources.

use api_meta::pod_resources::aggregated;
use api_quota::ResourceList;
use api_record::scalar::Quantity;
use api_types::core::v1::{LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod};

/// The most that can be compared by thousandths (`resource.MaxMilliValue`).
const MOST_MILLIS: i64 = i64::MAX / 1000;

/// What a pod has outside of a range's bounds.
pub(super) fn of_pod(range: &LimitRange, pod: &Pod) -> Vec<String> {
    let mut faults = Vec::new();
    for item in range.spec.limits.iter() {
        match item.type_.as_str() {
            "Container" => {
                for container in pod.spec.containers.iter().chain(&pod.spec.init_containers) {
                    let own = &container.resources;
                    check(&mut faults, item, &own.requests, &own.limits);
                }
            }
            "Pod" => {
                let whole = pod.spec.resources.as_deref();
                let mut requests = aggregated(&pod.spec, |container| &container.resources.requests);
                let mut limits = aggregated(&pod.spec, |container| &container.resources.limits);
                override_with(&mut requests, whole.map(|own| &own.requests));
                override_with(&mut limits, whole.map(|own| &own.limits));
                check(&mut faults, item, &requests, &limits);
            }
            _ => {}
        }
    }
    faults
}

fn override_with(list: &mut ResourceList, whole: Option<&ResourceList>) {
    let named = whole.into_iter().flatten().filter(|(name, _)| matches!(name.as_str(), "cpu" | "memory"));
    list.extend(named.map(|(name, quantity)| (name.clone(), quantity.clone())));
}

/// What a claim asks for outside of a range's bounds.
pub(super) fn of_claim(range: &LimitRange, claim: &PersistentVolumeClaim) -> Vec<String> {
    let requests = &claim.spec.resources.requests;
    let mut faults = Vec::new();
    for item in range.spec.limits.iter().filter(|item| item.type_ == "PersistentVolumeClaim") {
        let kind = item.type_.as_str();
        for (name, least) in &item.min {
            faults.extend(below(kind, name, least, requests.get(name), None));
        }
        for (name, most) in &item.max {
            faults.extend(asks_above(kind, name, most, requests.get(name)));
        }
    }
    faults
}

/// The faults in one sentence, as upstream's aggregates show them; `None` if there are none.
pub(super) fn together(faults: Vec<String>) -> Option<String> {
    let mut each: Vec<String> = Vec::new();
    for fault in faults {
        if !each.contains(&fault) {
            each.push(fault);
        }
    }
    match each.len() {
        0 => None,
        1 => each.pop(),
        _ => Some(format!("[{}]", each.join(", "))),
    }
}

fn check(faults: &mut Vec<String>, item: &LimitRangeItem, requests: &ResourceList, limits: &ResourceList) {
    let kind = item.type_.as_str();
    for (name, least) in &item.min {
        faults.extend(below(kind, name, least, requests.get(name), limits.get(name)));
    }
    for (name, most) in &item.max {
        faults.extend(above(kind, name, most, requests.get(name), limits.get(name)));
    }
    for (name, ratio) in &item.max_limit_request_ratio {
        faults.extend(ratio_above(kind, name, ratio, requests.get(name), limits.get(name)));
    }
}

/// The three in one unit: thousandths, if all are small enough.
fn comparable(request: Option<&Quantity>, limit: Option<&Quantity>, bound: &Quantity) -> (i64, i64, i64) {
    let of = |quantity: Option<&Quantity>, count: fn(&Quantity) -> i64| quantity.map_or(0, count);
    let whole = (of(request, Quantity::units), of(limit, Quantity::units), bound.units());
    if whole.0 <= MOST_MILLIS && whole.1 <= MOST_MILLIS && whole.2 <= MOST_MILLIS {
        return (of(request, Quantity::millis), of(limit, Quantity::millis), bound.millis());
    }
    whole
}

fn below(
    kind: &str,
    name: &str,
    least: &Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
) -> Option<String> {
    let rule = format!("minimum {name} usage per {kind} is {least}");
    let (asked, limited, bound) = comparable(request, limit, least);
    match (request, limit) {
        (None, _) => Some(format!("{rule}.  No request is specified")),
        (Some(request), _) if asked < bound => Some(format!("{rule}, but request is {request}")),
        (_, Some(limit)) if limited < bound => Some(format!("{rule}, but limit is {limit}")),
        _ => None,
    }
}

fn above(
    kind: &str,
    name: &str,
    most: &Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
) -> Option<String> {
    let rule = format!("maximum {name} usage per {kind} is {most}");
    let (asked, limited, bound) = comparable(request, limit, most);
    match (request, limit) {
        (_, None) => Some(format!("{rule}.  No limit is specified")),
        (_, Some(limit)) if limited > bound => Some(format!("{rule}, but limit is {limit}")),
        (Some(request), _) if asked > bound => Some(format!("{rule}, but request is {request}")),
        _ => None,
    }
}

fn asks_above(kind: &str, name: &str, most: &Quantity, request: Option<&Quantity>) -> Option<String> {
    let rule = format!("maximum {name} usage per {kind} is {most}");
    let (asked, _, bound) = comparable(request, None, most);
    match request {
        None => Some(format!("{rule}.  No request is specified")),
        Some(request) => (asked > bound).then(|| format!("{rule}, but request is {request}")),
    }
}

#[allow(clippy::cast_precision_loss, reason = "upstream compares these as floating-point numbers")]
fn ratio_above(
    kind: &str,
    name: &str,
    ratio: &Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
) -> Option<String> {
    let rule = format!("{name} max limit to request ratio per {kind} is {ratio}");
    let (asked, limited, _) = comparable(request, limit, ratio);
    if asked == 0 {
        return Some(format!("{rule}, but no request is specified or request is 0"));
    }
    if limited == 0 {
        return Some(format!("{rule}, but no limit is specified or limit is 0"));
    }
    let found = limited as f64 / asked as f64;
    let (compared, most) = if ratio.units() <= MOST_MILLIS {
        (found * 1000.0, ratio.millis() as f64)
    } else {
        (found, ratio.units() as f64)
    };
    (compared > most).then(|| format!("{rule}, but provided ratio is {found:.6}"))
}
