//! Limit ranges: what a namespace gives to and asks of those who say nothing.

use std::collections::BTreeSet;

use api_kind::{Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
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
        if !item.type_.contains('/')
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
    let lists = [
        ("max", &item.max),
        ("min", &item.min),
        ("default", &item.default_),
        ("defaultRequest", &item.default_request),
    ];
    let mut names: BTreeSet<&String> = item.max_limit_request_ratio.keys().collect();
    for (field, list) in lists {
        for name in list.keys() {
            resources::name(errors, &at.child(field).key(name), name);
            names.insert(name);
        }
        if item.type_ == "Pod" && !list.is_empty() && field.starts_with("default") {
            let why = "may not be specified when `type` is 'Pod'";
            errors.push(FieldError::forbidden(&at.child(field), why));
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
        let get = |index: usize| lists[index].1.get(name);
        for (low, high, field) in [
            (1, 0, "min"),
            (3, 0, "defaultRequest"),
            (2, 0, "default"),
            (1, 3, "defaultRequest"),
            (1, 2, "default"),
            (3, 2, "defaultRequest"),
        ] {
            if let (Some(less), Some(more)) = (get(low), get(high))
                && less > more
            {
                let (low, high) = (lists[low].0, lists[high].0);
                let why = match (low, high) {
                    ("min", "max") => format!("min value {less} is greater than max value {more}"),
                    ("min", "defaultRequest") => {
                        format!("min value {less} is greater than default request value {more}")
                    }
                    ("min", _) => format!("min value {less} is greater than default value {more}"),
                    ("default", _) => format!("default value {less} is greater than max value {more}"),
                    (_, "max") => format!("default request value {less} is greater than max value {more}"),
                    _ => format!("default request value {less} is greater than default limit value {more}"),
                };
                let shown = if low == "min" && high != "max" { more } else { less };
                errors.push(FieldError::invalid(&at.child(field).key(name), shown.to_string(), why));
            }
        }
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
}
