//! Priority levels: how many requests at once, and how those beyond wait.

use api_kind::checks::shown;
use api_kind::{Cell, Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names::inclusive_range_error;
use api_types::flowcontrol::v1::{
    LimitResponse, LimitedPriorityLevelConfiguration, PriorityLevelConfiguration,
    PriorityLevelConfigurationSpec, QueuingConfiguration,
};

use super::flow_schema::condition_types;
use super::mandatory;

const MOST_QUEUES: i32 = 10_000_000;
const HASH_BITS: f64 = 60.0;
/// Kept zeros apart from nothing in v1beta3, which conversion has taken care of.
const ROUND_TRIP: &str = "flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares";

/// The row.
pub const KIND: Kind<PriorityLevelConfiguration> =
    Kind::<PriorityLevelConfiguration>::of("flowcontrol.apiserver.k8s.io", "v1", "prioritylevelconfigurations")
        .generation()
        .frozen_metadata()
        .defaults(|_, own| fill(&mut own.spec))
        .validate(validate)
        .columns(&[
            Column::<PriorityLevelConfiguration>::name(),
            Column::<PriorityLevelConfiguration>::text(
                "Type",
                "`type` indicates whether this priority level is subject to limitation on request execution.",
                |own, _| own.spec.type_.as_str().into(),
            ),
            Column::<PriorityLevelConfiguration>::text(
                "NominalConcurrencyShares",
                "`nominalConcurrencyShares` (NCS) contributes to the computation of the NominalConcurrencyLimit (NominalCL) of this level.",
                |own, _| cell(own.spec.limited.as_ref().and_then(|limited| limited.nominal_concurrency_shares)),
            ),
            Column::<PriorityLevelConfiguration>::text(
                "Queues",
                "`queues` is the number of queues for this priority level.",
                |own, _| cell(queuing(own).map(|queuing| queuing.queues)),
            ),
            Column::<PriorityLevelConfiguration>::text(
                "HandSize",
                "`handSize` configures the shuffle sharding of requests into queues.",
                |own, _| cell(queuing(own).map(|queuing| queuing.hand_size)),
            ),
            Column::<PriorityLevelConfiguration>::text(
                "QueueLengthLimit",
                "`queueLengthLimit` is the maximum number of requests allowed to be waiting in a given queue of this priority level at a time.",
                |own, _| cell(queuing(own).map(|queuing| queuing.queue_length_limit)),
            ),
            Column::<PriorityLevelConfiguration>::age(),
        ]);

fn cell(number: Option<i32>) -> Cell {
    number.map_or_else(|| "<none>".into(), Cell::from)
}

fn queuing(own: &PriorityLevelConfiguration) -> Option<&QueuingConfiguration> {
    own.spec.limited.as_ref()?.limit_response.queuing.as_deref()
}

fn fill(spec: &mut PriorityLevelConfigurationSpec) {
    if let Some(exempt) = &mut spec.exempt {
        exempt.nominal_concurrency_shares.get_or_insert(0);
        exempt.lendable_percent.get_or_insert(0);
    }
    let Some(limited) = &mut spec.limited else { return };
    limited.nominal_concurrency_shares.get_or_insert(30);
    limited.lendable_percent.get_or_insert(0);
    let Some(queuing) = &mut limited.limit_response.queuing else { return };
    for (field, default) in
        [(&mut queuing.hand_size, 8), (&mut queuing.queues, 64), (&mut queuing.queue_length_limit, 50)]
    {
        if *field == 0 {
            *field = default;
        }
    }
}

fn validate(
    ctx: &Ctx<'_>,
    own: &PriorityLevelConfiguration,
    _: Option<&PriorityLevelConfiguration>,
    errors: &mut ErrorList,
) {
    let types = own.status.conditions.iter().map(|condition| condition.type_.as_str());
    condition_types(errors, &Path::new("status"), types);
    if ctx.subresource == "status" {
        return;
    }
    if own.metadata.annotations.contains_key(ROUND_TRIP) {
        let at = Path::new("metadata").child("annotations");
        errors.push(FieldError::forbidden(&at, format!("annotation '{ROUND_TRIP}' is forbidden")));
    }
    let (path, name) = (Path::new("spec"), own.metadata.name.as_str());
    spec(errors, &path, name, &own.spec);
    let Some(fixed) = mandatory::priority_level(name) else { return };
    let mut own = own.spec.clone();
    let exempt = own.exempt.take();
    if name == mandatory::EXEMPT {
        if own != fixed {
            let why = format!("spec of '{name}' except the 'spec.exempt' field must equal the fixed value");
            errors.push(FieldError::invalid(&path, shown(&own), why));
        }
    } else if own != fixed || exempt.is_some() {
        let why = format!("spec of '{name}' must equal the fixed value");
        errors.push(FieldError::invalid(&path, shown(&own), why));
    }
}

fn spec(errors: &mut ErrorList, path: &Path, name: &str, own: &PriorityLevelConfigurationSpec) {
    let type_ = own.type_.as_str();
    let at = path.child("type");
    if (name == mandatory::EXEMPT) != (type_ == "Exempt") {
        let why = "must be 'Exempt' if and only if `name` is 'exempt'";
        errors.push(FieldError::invalid(&at, type_, why));
    }
    of_mode(errors, &path.child("limited"), own.limited.is_some(), type_ == "Limited", true);
    of_mode(errors, &path.child("exempt"), own.exempt.is_some(), type_ == "Exempt", false);
    match (type_, &own.exempt, &own.limited) {
        ("Exempt", Some(exempt), _) => {
            shares(errors, &path.child("exempt"), exempt.nominal_concurrency_shares, exempt.lendable_percent);
        }
        ("Limited", _, Some(limited)) => of_limited(errors, &path.child("limited"), limited),
        // That it is missing, its declared rule says.
        ("Exempt" | "Limited" | "", ..) => {}
        (other, ..) => errors.push(FieldError::not_supported(&at, other, &["Exempt", "Limited"])),
    }
    if let Some(limited) = own.limited.as_ref().filter(|_| type_ != "Limited") {
        let at = path.child("limited").child("limitResponse");
        queuing_of_mode(errors, &at, &limited.limit_response);
    }
}

/// A field that is there in one mode only, and perhaps must be: a declared rule that the engine does not know (`+k8s:ifMode`).
fn of_mode(errors: &mut ErrorList, at: &Path, given: bool, mode: bool, needed: bool) {
    match (given, mode) {
        (true, false) => errors.push(FieldError::forbidden(at, "")),
        (false, true) if needed => errors.push(FieldError::required(at, "")),
        _ => {}
    }
}

fn shares(errors: &mut ErrorList, path: &Path, shares: Option<i32>, lendable: Option<i32>) {
    if let Some(shares) = shares.filter(|shares| *shares < 0) {
        let at = path.child("nominalConcurrencyShares");
        errors.push(FieldError::invalid(&at, shares, "must be a non-negative integer"));
    }
    if let Some(percent) = lendable.filter(|percent| !(0..=100).contains(percent)) {
        let at = path.child("lendablePercent");
        errors.push(FieldError::invalid(&at, percent, inclusive_range_error(0, 100)));
    }
}

fn of_limited(errors: &mut ErrorList, path: &Path, own: &LimitedPriorityLevelConfiguration) {
    shares(errors, path, own.nominal_concurrency_shares, own.lendable_percent);
    response(errors, &path.child("limitResponse"), &own.limit_response);
    if let Some(percent) = own.borrowing_limit_percent.filter(|percent| *percent < 0) {
        let why = "if specified, must be a non-negative integer";
        errors.push(FieldError::invalid(&path.child("borrowingLimitPercent"), percent, why));
    }
}

fn response(errors: &mut ErrorList, path: &Path, own: &LimitResponse) {
    queuing_of_mode(errors, path, own);
    match (own.type_.as_str(), &own.queuing) {
        ("Queue", Some(queuing)) => queues(errors, &path.child("queuing"), queuing),
        ("Queue" | "Reject" | "", _) => {}
        (other, _) => {
            errors.push(FieldError::not_supported(&path.child("type"), other, &["Queue", "Reject"]))
        }
    }
}

fn queuing_of_mode(errors: &mut ErrorList, path: &Path, own: &LimitResponse) {
    of_mode(errors, &path.child("queuing"), own.queuing.is_some(), own.type_ == "Queue", true);
}

fn queues(errors: &mut ErrorList, path: &Path, own: &QueuingConfiguration) {
    let (limit, queues, hand) = (own.queue_length_limit, own.queues, own.hand_size);
    let mut invalid = |field, value: i32, why: String| {
        errors.push(FieldError::invalid(&path.child(field), value, why));
    };
    if limit <= 0 {
        invalid("queueLengthLimit", limit, "must be positive".into());
    }
    if queues <= 0 {
        invalid("queues", queues, "must be positive".into());
    } else if queues > MOST_QUEUES {
        invalid("queues", queues, format!("must not be greater than {MOST_QUEUES}"));
    }
    if hand <= 0 {
        invalid("handSize", hand, "must be positive".into());
    } else if hand > queues {
        invalid("handSize", hand, format!("should not be greater than queues ({queues})"));
    } else if (f64::from(queues).log2() * f64::from(hand)).ceil() > HASH_BITS {
        let why = format!(
            "required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {HASH_BITS}"
        );
        invalid("handSize", hand, why);
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn what_the_server_needs_stays_as_it_is() {
        let exempt = "{metadata: {name: exempt}, spec: {type: Exempt, exempt: {lendablePercent: 1}}}";
        assert_eq!(create(&KIND, exempt).errors, [""; 0]);
        assert_eq!(update(&KIND, "", exempt, &exempt.replace("Percent: 1", "Percent: 2")).errors, [""; 0]);
        let catch = "{metadata: {name: catch-all}, spec: {type: Limited, limited: {nominalConcurrencyShares: 5, limitResponse: {type: Reject}}}}";
        assert_eq!(create(&KIND, catch).errors, [""; 0]);
        let changed = update(&KIND, "", catch, &catch.replace("Shares: 5", "Shares: 6"));
        assert_eq!(changed.errors.len(), 1, "{:?}", changed.errors);
        assert!(changed.errors[0].ends_with("spec of 'catch-all' must equal the fixed value"));
    }

    #[test]
    fn hands_are_dealt_from_enough_queues() {
        let own = "spec: {type: Limited, limited: {limitResponse: {type: Queue, queuing: {queues: 128, handSize: 8}}}}";
        let made = create(&KIND, own);
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|Limited|30|128|8|50|<unknown>");
        assert_eq!(
            create(&KIND, &own.replace("handSize: 8", "handSize: 9")).errors,
            [
                "spec.limited.limitResponse.queuing.handSize: Invalid value: 9: required entropy bits of deckSize 128 and handSize 9 should not be greater than 60"
            ]
        );
    }
}
