//! How many replicas what was measured calls for.
//!
//! Upstream: `replica_calculator.go` and `metrics/utilization.go`. Amounts are thousandths. Pods that have just begun and pods of which
//! nothing is known are taken to use so much that they dampen whatever is done, and never turn it round.

#[cfg(test)]
mod tests;

use api_record::scalar::{Quantity, QuantityFormat};
use api_types::autoscaling::v2::HorizontalPodAutoscalerBehavior;
use api_types::core::v1::Pod;
use base::time::Time;
use control_base::pod;

use crate::limits::TOLERANCE_MILLIS;
use crate::pods::{Groups, group, requests};
use crate::reading::{Metric, Metrics};

/// Between which shares of what it should be usage is let be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tolerances {
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Tolerances {
    /// Those of an autoscaler.
    pub(crate) fn of(behavior: Option<&HorizontalPodAutoscalerBehavior>) -> Tolerances {
        let down = behavior.and_then(|own| own.scale_down.as_ref()?.tolerance.as_ref());
        let up = behavior.and_then(|own| own.scale_up.as_ref()?.tolerance.as_ref());
        let (mut least, mut most) = (one(), one());
        least.subtract(down.unwrap_or(&Quantity::from_millis(TOLERANCE_MILLIS)));
        most.add(up.unwrap_or(&Quantity::from_millis(TOLERANCE_MILLIS)));
        Tolerances { least: number(&least), most: number(&most) }
    }

    fn allow(self, ratio: f64) -> bool {
        self.least <= ratio && ratio <= self.most
    }
}

/// One, in the notation that floating-point numbers are read in, too.
fn one() -> Quantity {
    Quantity::from_units(1, QuantityFormat::DecimalExponent)
}

fn number(amount: &Quantity) -> f64 {
    amount.to_string().parse().unwrap_or_default()
}

/// What there is to be scaled.
pub(crate) struct Given<'a> {
    /// How many replicas are wanted now.
    pub(crate) wanted: i32,
    /// How many there are.
    pub(crate) there: i32,
    pub(crate) tolerances: Tolerances,
    /// Their pods.
    pub(crate) pods: Vec<&'a Pod>,
    pub(crate) now: Time,
}

const NO_PODS: &str = "no pods returned by selector while calculating replica count";

/// How many replicas there should be, and how much of something is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) replicas: i32,
    /// In thousandths: of a pod on average, or of the object.
    pub(crate) used: i64,
    /// In percent of what is asked for, where that is what counts.
    pub(crate) percent: i32,
}

/// By how much of what they ask for the pods, or their containers of a name, use.
pub(crate) fn by_utilization(
    given: &Given<'_>,
    mut metrics: Metrics,
    (resource, container): (&str, &str),
    target_percent: i32,
) -> Result<Counted, String> {
    let groups = counting(given, &mut metrics, resource)?;
    let requests = requests(&given.pods, container, resource)?;
    let request = |name: &str| requests.get(name).copied();
    let (_, percent, used) = utilization(&metrics, &request, target_percent)?;
    let ratio = |metrics: &Metrics| Ok(utilization(metrics, &request, target_percent)?.0);
    // On the way down, who is silent is taken to use all that he asked for, or more if more is wanted.
    let full = |name: &str| {
        request(name).unwrap_or_default().saturating_mul(i64::from(target_percent.max(100))) / 100
    };
    let replicas = settled(given, &groups, metrics, &ratio, &full)?;
    Ok(Counted { replicas, used, percent })
}

/// By how much pods use on average; of a resource, or of something else if that is empty.
pub(crate) fn by_average(
    given: &Given<'_>,
    mut metrics: Metrics,
    resource: &str,
    target: i64,
) -> Result<Counted, String> {
    let groups = counting(given, &mut metrics, resource)?;
    let used = average(&metrics);
    let ratio = |metrics: &Metrics| Ok(average(metrics) as f64 / target as f64);
    let replicas = settled(given, &groups, metrics, &ratio, &|_| target)?;
    Ok(Counted { replicas, used, percent: 0 })
}

/// By an amount that the pods have together: they should be as many times as many as it is larger than it should be.
pub(crate) fn by_value(given: &Given<'_>, used: i64, target: i64) -> Result<Counted, String> {
    let ratio = used as f64 / target as f64;
    let counted = |replicas| Ok(Counted { replicas, used, percent: 0 });
    if given.wanted == 0 {
        return counted(ratio.ceil() as i32);
    }
    if given.tolerances.allow(ratio) {
        return counted(given.wanted);
    }
    if given.pods.is_empty() {
        return Err(format!("unable to calculate ready pods: {NO_PODS}"));
    }
    let ready = given.pods.iter().filter(|own| own.status.phase == "Running" && pod::is_ready(own)).count();
    counted((ratio * ready as f64).ceil() as i32)
}

/// By an amount of which each replica should have its share.
pub(crate) fn by_share(given: &Given<'_>, used: i64, target: i64) -> Counted {
    let ratio = used as f64 / (target as f64 * f64::from(given.there));
    let replicas = match given.tolerances.allow(ratio) {
        true => given.there,
        false => (used as f64 / target as f64).ceil() as i32,
    };
    let each = if used == i64::MAX { used } else { (used as f64 / f64::from(given.there)).ceil() as i64 };
    Counted { replicas, used: each, percent: 0 }
}

/// Groups the pods, and forgets what was measured of those that do not count.
fn counting<'a>(given: &Given<'a>, metrics: &mut Metrics, resource: &str) -> Result<Groups<'a>, String> {
    if given.pods.is_empty() {
        return Err(NO_PODS.to_owned());
    }
    let groups = group(&given.pods, metrics, resource, given.now);
    metrics.retain(|name, _| !groups.ignored.contains(&**name) && !groups.unready.contains(&**name));
    if metrics.is_empty() {
        return Err("did not receive metrics for targeted pods (pods might be unready)".to_owned());
    }
    Ok(groups)
}

fn settled(
    given: &Given<'_>,
    groups: &Groups<'_>,
    mut metrics: Metrics,
    ratio: &dyn Fn(&Metrics) -> Result<f64, String>,
    full: &dyn Fn(&str) -> i64,
) -> Result<i32, String> {
    let (wanted, tolerances) = (given.wanted, given.tolerances);
    let first = ratio(&metrics)?;
    let dampened = !groups.unready.is_empty() && first > 1.0;
    if !dampened && groups.missing.is_empty() {
        let replicas = (first * groups.ready as f64).ceil() as i32;
        return Ok(if tolerances.allow(first) { wanted } else { replicas });
    }
    let taken = |millis| Metric { at: Time::EPOCH, window: std::time::Duration::ZERO, millis };
    for name in &groups.missing {
        if first < 1.0 {
            metrics.insert((*name).to_owned(), taken(full(name)));
        } else if first > 1.0 {
            metrics.insert((*name).to_owned(), taken(0));
        }
    }
    if dampened {
        metrics.extend(groups.unready.iter().map(|name| ((*name).to_owned(), taken(0))));
    }
    let second = ratio(&metrics)?;
    let turned = (first < 1.0 && second > 1.0) || (first > 1.0 && second < 1.0);
    if tolerances.allow(second) || turned {
        return Ok(wanted);
    }
    let replicas = (second * metrics.len() as f64).ceil() as i32;
    let turned = (second < 1.0 && replicas > wanted) || (second > 1.0 && replicas < wanted);
    Ok(if turned { wanted } else { replicas })
}

/// Usage as a share of what it should be, in percent of what is asked for, and on average.
fn utilization(
    metrics: &Metrics,
    request: &dyn Fn(&str) -> Option<i64>,
    target_percent: i32,
) -> Result<(f64, i32, i64), String> {
    let known = metrics.iter().filter_map(|(name, metric)| Some((metric.millis, request(name)?)));
    let (mut used, mut asked, mut count) = (0i64, 0i64, 0i64);
    for (millis, request) in known {
        used = used.saturating_add(millis);
        asked = asked.saturating_add(request);
        count += 1;
    }
    if asked == 0 {
        return Err("no metrics returned matched known pods".to_owned());
    }
    let percent = i128::from(used) * 100 / i128::from(asked);
    let percent = i32::try_from(percent).unwrap_or(i32::MAX);
    Ok((f64::from(percent) / f64::from(target_percent), percent, used / count))
}

fn average(metrics: &Metrics) -> i64 {
    let sum = metrics.values().fold(0i64, |sum, own| sum.saturating_add(own.millis));
    sum / i64::try_from(metrics.len()).unwrap_or(i64::MAX).max(1)
}
