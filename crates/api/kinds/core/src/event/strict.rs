//! What `events.k8s.io` asks of events over and above the core group (`pkg/apis/core/validation/events.go`): fields of the old style
//! are not set, and nothing but the series changes.

use api_kind::checks::{immutable, shown};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_record::scalar::{MicroTime, Time};
use api_types::core::v1::Event;

pub(super) fn made(event: &Event, errors: &mut ErrorList) {
    series(event, errors);
    if event.event_time.is_none_or(|time| time == MicroTime::ZERO) {
        errors.push(FieldError::required(&Path::new("eventTime"), ""));
    }
    if !matches!(event.type_.as_str(), "Normal" | "Warning") {
        let why = format!("has invalid value: {}", event.type_);
        errors.push(FieldError::invalid(&Path::new("type"), "", why));
    }
    let is_set = |time: Option<Time>| time.is_some_and(|time| time != Time::ZERO);
    for (name, set) in [
        ("firstTimestamp", is_set(event.first_timestamp)),
        ("lastTimestamp", is_set(event.last_timestamp)),
        ("count", event.count != 0),
        ("source", !event.source.component.is_empty() || !event.source.host.is_empty()),
    ] {
        if set {
            errors.push(FieldError::invalid(&Path::new(name), "", "needs to be unset"));
        }
    }
}

pub(super) fn changed(event: &Event, old: &Event, errors: &mut ErrorList) {
    if event.series != old.series {
        series(event, errors);
    }
    let related = event.related.as_deref().map_or_else(|| BadValue::json("null"), |own| shown(own));
    let time = |time: Option<Time>| {
        BadValue::json(time.map_or_else(|| "null".to_owned(), |time| format!("\"{time}\"")))
    };
    for (name, same, value) in [
        ("involvedObject", event.involved_object == old.involved_object, shown(&event.involved_object)),
        ("reason", event.reason == old.reason, (&event.reason).into()),
        ("message", event.message == old.message, (&event.message).into()),
        ("source", event.source == old.source, shown(&event.source)),
        ("firstTimestamp", event.first_timestamp == old.first_timestamp, time(event.first_timestamp)),
        ("lastTimestamp", event.last_timestamp == old.last_timestamp, time(event.last_timestamp)),
        ("count", event.count == old.count, event.count.into()),
        // Upstream asks twice.
        ("reason", event.reason == old.reason, (&event.reason).into()),
        ("type", event.type_ == old.type_, (&event.type_).into()),
        ("eventTime", event.event_time == old.event_time, BadValue::json(micros(event.event_time))),
        ("action", event.action == old.action, (&event.action).into()),
        ("related", event.related == old.related, related),
        (
            "reportingController",
            event.reporting_controller == old.reporting_controller,
            (&event.reporting_controller).into(),
        ),
        (
            "reportingInstance",
            event.reporting_instance == old.reporting_instance,
            (&event.reporting_instance).into(),
        ),
    ] {
        immutable(errors, &Path::new(name), same, value);
    }
}

fn micros(time: Option<MicroTime>) -> String {
    time.map_or_else(|| "null".to_owned(), |time| format!("\"{time}\""))
}

fn series(event: &Event, errors: &mut ErrorList) {
    let Some(series) = &event.series else { return };
    if series.count < 2 {
        errors.push(FieldError::invalid(&Path::new("series.count"), "", "should be at least 2"));
    }
    if series.last_observed_time.is_none_or(|time| time == MicroTime::ZERO) {
        errors.push(FieldError::required(&Path::new("series.lastObservedTime"), ""));
    }
}
