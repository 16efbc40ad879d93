//! Limit ranges: what a namespace gives to and asks of those who say nothing.

use std::collections::BTreeSet;

use api_kind::checks::each;
use api_kind::{Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::core::v1::{LimitRange, LimitRangeItem};

use crate::pod::{defaults::round_up, resources};

/// The row.
pub const KIND: Kind<LimitRange> =
    Kind::<LimitRange>::of("", "v1", "limitranges").create_on_update().defaults(defaults).validate(validate);

fn defaults(_: &Ctx<'_>, range: &mut LimitRange) {
    for item in range.spec.limits.iter_mut() {
        let lists = [
            &mut item.max,
            &mut item.min,
            &mut item.default_,
            &mut item.default_request,
            &mut item.max_limit_request_ratio,
        ];
        lists.into_iter().for_each(round_up);
        if item.type_ != "Container" {
            continue;
        }
        for (into, from) in
            [(0, &item.max), (1, &item.default_), (2, &item.min)].map(|(step, list)| (step, list.clone()))
        {
            // A default stated or filled in a step before counts for the next.
            let from = if into == 1 { item.default_.clone() } else { from };
            let target = if into == 0 { &mut item.default_ } else { &mut item.default_request };
            for (name, value) in from {
                target.entry(name).or_insert(value);
            }
        }
    }
}

fn validate(_: &Ctx<'_>, range: &LimitRange, _: Option<&LimitRange>, errors: &mut ErrorList) {
    let mut types = BTreeSet::new();
    for (index, item) in range.spec.limits.iter().enumerate() {
        let at = Path::new("spec").child("limits").index(index);
        let faults = names::is_label_key(&item.type_);
        if !faults.is_empty() {
            each(errors, &at.child("type"), &item.type_, faults);
        } else if !item.type_.contains('/')
            && !matches!(item.type_.as_str(), "Pod" | "Container" | "PersistentVolumeClaim")
        {
            let why = "must be a standard limit type or fully qualified";
            errors.push(FieldError::invalid(&at.child("type"), &item.type_, why));
        }
        if !types.insert(&item.type_) {
            errors.push(FieldError::duplicate(&at.child("type"), &item.type_));
        }
        item_rules(errors, &at, item);
    }
}

fn item_rules(errors: &mut ErrorList, at: &Path, item: &LimitRangeItem) {
    let of_pod = item.type_ == "Pod";
    let lists = [
        ("max", &item.max),
        ("min", &item.min),
        ("default", &item.default_),
        ("defaultRequest", &item.default_request),
        ("maxLimitRequestRatio", &item.max_limit_request_ratio),
    ];
    let mut names: BTreeSet<&String> = BTreeSet::new();
    for (field, list) in lists {
        if of_pod && field.starts_with("default") {
            if !list.is_empty() {
                let why = "may not be specified when `type` is 'Pod'";
                errors.push(FieldError::forbidden(&at.child(field), why));
            }
            continue;
        }
        for name in list.keys() {
            let at = at.child(field).key(name);
            if of_pod || item.type_ == "Container" {
                resources::container_name(errors, &at, name);
            } else {
                resources::name(errors, &at, name);
            }
            names.insert(name);
        }
    }
    if item.type_ == "PersistentVolumeClaim"
        && !item.min.contains_key("storage")
        && !item.max.contains_key("storage")
    {
        let why = "either minimum or maximum storage value is required, but neither was provided";
        errors.push(FieldError::required(&at.child("limits"), why));
    }
    for name in names {
        order(errors, at, item, name);
        ratio(errors, at, item, name);
    }
}

/// The least, what is given, and the most must follow one another.
fn order(errors: &mut ErrorList, at: &Path, item: &LimitRangeItem, name: &str) {
    let given = item.type_ != "Pod";
    let (min, max) = (item.min.get(name), item.max.get(name));
    let limit = item.default_.get(name).filter(|_| given);
    let request = item.default_request.get(name).filter(|_| given);
    // What is compared, the field that is wrong, and which of the two values is shown.
    for (less, more, field, shows_less, words) in [
        (min, max, "min", true, ["min value", "max value"]),
        (min, request, "defaultRequest", false, ["min value", "default request value"]),
        (request, max, "defaultRequest", true, ["default request value", "max value"]),
        (request, limit, "defaultRequest", true, ["default request value", "default limit value"]),
        (min, limit, "default", true, ["min value", "default value"]),
    ] {
        if let (Some(less), Some(more)) = (less, more)
            && less > more
        {
            let why = format!("{} {less} is greater than {} {more}", words[0], words[1]);
            let shown = if shows_less { less } else { more };
            errors.push(FieldError::invalid(&at.child(field).key(name), shown, why));
        }
    }
    if let (Some(limit), Some(max)) = (limit, max)
        && limit > max
    {
        let why = format!("default value {limit} is greater than max value {max}");
        errors.push(FieldError::invalid(&at.child("default").key(name), max, why));
    }
    if let (Some(limit), Some(request), false) = (limit, request, resources::may_overcommit(name))
        && limit != request
    {
        let why = format!("default value {limit} must equal to defaultRequest value {request} in {name}");
        errors.push(FieldError::invalid(&at.child("defaultRequest").key(name), request, why));
    }
}

#[allow(clippy::cast_precision_loss, reason = "upstream compares these as floating-point numbers")]
fn ratio(errors: &mut ErrorList, at: &Path, item: &LimitRangeItem, name: &str) {
    const MOST_MILLIS: i64 = i64::MAX / 1000;
    let Some(ratio) = item.max_limit_request_ratio.get(name) else { return };
    let path = at.child("maxLimitRequestRatio").key(name);
    if ratio.millis() < 1000 {
        errors.push(FieldError::invalid(&path, ratio, format!("ratio {ratio} is less than 1")));
    }
    let (Some(min), Some(max)) = (item.min.get(name), item.max.get(name)) else { return };
    let small = [ratio, min, max].iter().all(|value| value.units() < MOST_MILLIS);
    let (value, most) = if small {
        (ratio.millis() as f64 / 1000.0, max.millis() as f64 / min.millis() as f64)
    } else {
        (ratio.units() as f64, max.units() as f64 / min.units() as f64)
    };
    if value > most {
        let why = format!("ratio {ratio} is greater than max/min = {most:.6}");
        errors.push(FieldError::invalid(&path, ratio, why));
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn defaults_follow_the_bounds() {
        let made = create(&KIND, "spec: {limits: [{type: Container, max: {cpu: 2}, min: {memory: 1Mi}}]}");
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(
            made.body(),
            r#"{"metadata":{},"spec":{"limits":[{"type":"Container","max":{"cpu":"2"},"min":{"memory":"1Mi"},"default":{"cpu":"2"},"defaultRequest":{"cpu":"2","memory":"1Mi"}}]}}"#
        );
        let bad = create(
            &KIND,
            "spec: {limits: [{type: Container, max: {cpu: 1}, min: {cpu: 2}, default: {cpu: 1}, defaultRequest: {cpu: 1}}]}",
        );
        assert_eq!(
            bad.errors[0],
            "spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 1"
        );
    }

    #[test]
    fn bounds_and_ratios_fit_together() {
        let errors = |item: &str| create(&KIND, &format!("spec: {{limits: [{{{item}}}]}}")).errors;
        assert_eq!(
            errors(
                "type: Pod, max: {cpu: 2}, min: {cpu: 1}, default: {cpu: 1}, maxLimitRequestRatio: {cpu: 3}"
            ),
            [
                "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
                "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"3\": ratio 3 is greater than max/min = 2.000000"
            ]
        );
        assert_eq!(
            errors("type: Container, max: {pods: 2}, maxLimitRequestRatio: {cpu: 500m}"),
            [
                "spec.limits[0].max[pods]: Invalid value: \"pods\": must be a standard resource for containers",
                "spec.limits[0].default[pods]: Invalid value: \"pods\": must be a standard resource for containers",
                "spec.limits[0].defaultRequest[pods]: Invalid value: \"pods\": must be a standard resource for containers",
                "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: \"500m\": ratio 500m is less than 1"
            ]
        );
        assert_eq!(
            errors("type: Container, default: {hugepages-2Mi: 2Mi}, defaultRequest: {hugepages-2Mi: 4Mi}")
                .len(),
            2
        );
        assert_eq!(errors("type: PersistentVolumeClaim, min: {storage: 1Gi}"), [""; 0]);
    }
}
