//! Which pods of a node make room for a critical one that it has to take in: as few as do, the least important first.
//!
//! Upstream: `pkg/kubelet/preemption`.

use api_meta::resources::ResourceList;
use api_types::core::v1::Pod;

use crate::record::Verdict;
use crate::resources::{Qos, qos};
use crate::room::{Shortage, value};

/// The least priority of pods that a node or a cluster cannot do without.
const CRITICAL: i32 = 2_000_000_000;

/// One who might make room: its uid, the pod, and what it has.
pub type Candidate<'a> = (&'a str, &'a Pod, &'a ResourceList);

/// Whether a pod is never refused for want of room.
pub fn is_critical(pod: &Pod) -> bool {
    pod.spec.priority.is_some_and(|priority| priority >= CRITICAL)
}

/// Why a pod that made room has failed, in kubelet's words.
pub fn verdict() -> Verdict {
    Verdict { reason: "Preempting".into(), message: "Preempted in order to admit critical pod".into() }
}

fn may_preempt(pod: &Pod, other: &Pod) -> bool {
    let higher = pod.spec.priority.zip(other.spec.priority).is_some_and(|(own, other)| own > other);
    (is_critical(pod) && !is_critical(other)) || higher
}

fn amount((_, _, has): &Candidate<'_>, resource: &str) -> i64 {
    match resource {
        "pods" => 1,
        name => has.get(name).map_or(0, |amount| value(name, amount)),
    }
}

/// Resources and how much of them is missing.
type Missing<'a> = Vec<(&'a str, i64)>;

fn without<'a>(missing: &Missing<'a>, freed: &[Candidate<'_>]) -> Missing<'a> {
    let left = missing.iter().map(|(name, quantity)| {
        (*name, freed.iter().fold(*quantity, |left, one| left.saturating_sub(amount(one, name))))
    });
    left.filter(|(_, quantity)| *quantity > 0).collect()
}

/// The uids of those who make room for `pod`.
///
/// # Errors
/// What kubelet says when all of them together would not.
pub fn victims(pod: &Pod, others: &[Candidate<'_>], short: &[Shortage]) -> Result<Vec<String>, String> {
    let missing: Missing<'_> = short.iter().map(|one| (one.resource.as_str(), one.missing())).collect();
    let of = |class: Qos| -> Vec<Candidate<'_>> {
        let may = others.iter().filter(|(_, other, _)| may_preempt(pod, other) && qos(other) == class);
        may.copied().collect()
    };
    let (best_effort, burstable, guaranteed) = (of(Qos::BestEffort), of(Qos::Burstable), of(Qos::Guaranteed));
    let unmet = without(&missing, &[&best_effort[..], &burstable, &guaranteed].concat());
    if !unmet.is_empty() {
        let shown: String = unmet.iter().map(|(name, left)| format!("(res: {name}, q: {left}), ")).collect();
        return Err(format!("no set of running pods found to reclaim resources: [{shown}]"));
    }
    // Of each class only those without whom all of the lower ones would not do.
    let guaranteed = nearest(guaranteed, without(&missing, &[&best_effort[..], &burstable].concat()));
    let burstable = nearest(burstable, without(&missing, &[&best_effort[..], &guaranteed].concat()));
    let best_effort = nearest(best_effort, without(&missing, &[&burstable[..], &guaranteed].concat()));
    let all = best_effort.iter().chain(&burstable).chain(&guaranteed);
    Ok(all.map(|(uid, _, _)| (*uid).to_owned()).collect())
}

/// Those who together have what is missing, chosen one by one by how near each comes to it; of equals the smaller.
fn nearest<'a>(mut pods: Vec<Candidate<'a>>, mut missing: Missing<'_>) -> Vec<Candidate<'a>> {
    let mut chosen = Vec::new();
    while !missing.is_empty() && !pods.is_empty() {
        let mut best = 0;
        for at in 1..pods.len() {
            let (one, two) = (distance(&missing, &pods[at]), distance(&missing, &pods[best]));
            let size = |at: usize| (amount(&pods[at], "memory"), amount(&pods[at], "cpu"));
            if one < two || (one.total_cmp(&two).is_eq() && size(at) <= size(best)) {
                best = at;
            }
        }
        let one = pods.swap_remove(best);
        missing = without(&missing, &[one]);
        chosen.push(one);
    }
    chosen
}

/// How far one pod is from having all that is missing: the sum of the squares of the parts that it has not.
#[allow(clippy::cast_precision_loss, reason = "a rank, no amount")]
fn distance(missing: &Missing<'_>, pod: &Candidate<'_>) -> f64 {
    let part = |(name, quantity): &(&str, i64)| {
        let left = quantity.saturating_sub(amount(pod, name));
        if left > 0 { (left as f64 / *quantity as f64).powi(2) } else { 0.0 }
    };
    missing.iter().map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> ResourceList {
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.parse().expect("a quantity"))).collect()
    }

    fn pod(class: &str, priority: i32) -> Pod {
        let mut pod = Pod::default();
        pod.status.qos_class = class.into();
        pod.spec.priority = Some(priority);
        pod
    }

    fn short(resource: &str, missing: i64) -> Shortage {
        Shortage { resource: resource.into(), requested: missing, used: 0, capacity: 0 }
    }

    #[test]
    fn as_few_as_do_make_room_the_least_important_first() {
        let critical = pod("Burstable", CRITICAL);
        let others = [
            ("best", pod("BestEffort", 0), list("")),
            ("small", pod("Burstable", 0), list("cpu=100m,memory=1")),
            ("large", pod("Burstable", 0), list("cpu=1,memory=1Gi")),
            ("sure", pod("Guaranteed", 0), list("cpu=2,memory=2Gi")),
            ("needed", pod("Guaranteed", CRITICAL), list("cpu=9")),
        ];
        let others: Vec<Candidate<'_>> = others.iter().map(|(uid, pod, has)| (*uid, pod, has)).collect();
        for (missing, expected) in [
            (vec![short("cpu", 50)], &["small"][..]),
            (vec![short("cpu", 500)], &["large"]),
            (vec![short("cpu", 1050)], &["large", "small"]),
            (vec![short("cpu", 1500)], &["sure"]),
            (vec![short("cpu", 2500)], &["large", "sure"]),
            (vec![short("pods", 1)], &["best"]),
            (vec![short("cpu", 50), short("pods", 2)], &["best", "small"]),
        ] {
            assert_eq!(
                victims(&critical, &others, &missing).as_deref(),
                Ok(&expected.iter().map(ToString::to_string).collect::<Vec<_>>()[..])
            );
        }
        assert_eq!(
            victims(&critical, &others, &[short("cpu", 4000)]),
            Err("no set of running pods found to reclaim resources: [(res: cpu, q: 900), ]".into())
        );
        assert!(
            victims(&pod("Burstable", 0), &others, &[short("cpu", 1)]).is_err(),
            "nobody is less important"
        );
    }
}
