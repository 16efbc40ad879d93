//! Events, in the two groups that serve them.

mod strict;

use api_kind::{Cell, Column, Ctx, Kind, Version, age};
use api_meta::field::{ErrorList, FieldError, Path};
use api_record::Record;
use api_types::core::v1::{self as core, Event};
use api_types::events::v1 as events;
use base::time::Time;

use crate::limits::EVENT_MESSAGE_BYTES;

/// The group that holds events to more.
const STRICT: &str = "events.k8s.io";

/// The names in events.k8s.io of what field selectors can name.
const SELECTORS: &[(&str, &str)] = &[
    ("regarding.kind", "involvedObject.kind"),
    ("regarding.namespace", "involvedObject.namespace"),
    ("regarding.name", "involvedObject.name"),
    ("regarding.uid", "involvedObject.uid"),
    ("regarding.apiVersion", "involvedObject.apiVersion"),
    ("regarding.resourceVersion", "involvedObject.resourceVersion"),
    ("regarding.fieldPath", "involvedObject.fieldPath"),
    ("reason", "reason"),
    ("reportingController", "reportingComponent"),
    ("type", "type"),
];

/// The row.
pub const KIND: Kind<Event> = Kind::<Event>::of("", "v1", "events")
    .create_on_update()
    .validate(validate)
    .versions(&[Version { group: STRICT, version: "v1", to_hub, from_hub, selectors: SELECTORS }])
    .columns(&[
        Column::<Event>::text("Last Seen", "The time at which the most recent occurrence of this event was recorded.", last_seen),
        Column::<Event>::text("Type", "Type of this event (Normal, Warning), new types could be added in the future", |event, _| {
            event.type_.as_str().into()
        }),
        Column::<Event>::text(
            "Reason",
            "This should be a short, machine understandable string that gives the reason for the transition into the object's current status.",
            |event, _| event.reason.as_str().into(),
        ),
        Column::<Event>::text("Object", "The object that this event is about.", |event, _| {
            let object = &event.involved_object;
            let kind = object.kind.to_lowercase();
            if object.name.is_empty() { kind.into() } else { format!("{kind}/{}", object.name).into() }
        }),
        Column::<Event>::text("Subobject", "If referring to a piece of an object instead of an entire object, this string should contain a valid JSON/Go field access statement.", |event, _| {
            event.involved_object.field_path.as_str().into()
        })
        .wide(),
        Column::<Event>::text("Source", "The component reporting this event. Should be a short machine understandable string.", |event, _| {
            source(event).into()
        })
        .wide(),
        Column::<Event>::text("Message", "A human-readable description of the status of this operation.", |event, _| {
            event.message.trim().into()
        }),
        Column::<Event>::text("First Seen", "The time at which the event was first recorded.", first_seen).wide(),
        Column::<Event>::text("Count", "The number of times this event has occurred.", |event, _| {
            let count = event.series.as_ref().map_or(event.count.max(1), |series| series.count);
            Cell::from(count)
        })
        .wide(),
        Column::<Event>::name().wide(),
    ])
    .selectable(&[
        ("involvedObject.kind", |event| event.involved_object.kind.as_str().into()),
        ("involvedObject.namespace", |event| event.involved_object.namespace.as_str().into()),
        ("involvedObject.name", |event| event.involved_object.name.as_str().into()),
        ("involvedObject.uid", |event| event.involved_object.uid.as_str().into()),
        ("involvedObject.apiVersion", |event| event.involved_object.api_version.as_str().into()),
        ("involvedObject.resourceVersion", |event| event.involved_object.resource_version.as_str().into()),
        ("involvedObject.fieldPath", |event| event.involved_object.field_path.as_str().into()),
        ("reason", |event| event.reason.as_str().into()),
        ("reportingComponent", |event| event.reporting_controller.as_str().into()),
        ("source", |event| first(&event.source.component, &event.reporting_controller).into()),
        ("type", |event| event.type_.as_str().into()),
    ]);

fn first<'a>(one: &'a str, other: &'a str) -> &'a str {
    if one.is_empty() { other } else { one }
}

fn source(event: &Event) -> String {
    let component = first(&event.source.component, &event.reporting_controller);
    let host = first(&event.source.host, &event.reporting_instance);
    if host.is_empty() { component.to_owned() } else { format!("{component}, {host}") }
}

fn seconds(time: Option<api_record::scalar::MicroTime>) -> Option<api_record::scalar::Time> {
    time.map(|time| api_record::scalar::Time { seconds: time.micros.div_euclid(1_000_000) })
}

fn first_seen(event: &Event, now: Time) -> Cell {
    age(event.first_timestamp.or_else(|| seconds(event.event_time)), now)
}

fn last_seen(event: &Event, now: Time) -> Cell {
    match &event.series {
        Some(series) => age(seconds(series.last_observed_time), now),
        None if event.last_timestamp.is_some() => age(event.last_timestamp, now),
        None => first_seen(event, now),
    }
}

fn validate(ctx: &Ctx<'_>, event: &Event, old: Option<&Event>, errors: &mut ErrorList) {
    always(ctx, event, errors);
    // The core group is as lenient as it always was.
    if ctx.group == STRICT {
        match old {
            None => strict::made(event, errors),
            Some(old) => strict::changed(event, old, errors),
        }
    }
}

fn always(ctx: &Ctx<'_>, event: &Event, errors: &mut ErrorList) {
    let object = &event.involved_object;
    let (own, named) = (&event.metadata.namespace, &object.namespace);
    // What is in no namespace has its events in the default one.
    let new = event.event_time.is_some();
    let fits = match named.as_str() {
        "" => own == "default" || own.is_empty() || (new && own == "kube-system"),
        _ => new || own == named,
    };
    if !fits {
        let at = Path::new("involvedObject").child("namespace");
        errors.push(FieldError::invalid(&at, named, "does not match event.namespace"));
    }
    if new {
        // What each group calls it.
        let controller = if ctx.group == STRICT { "reportingController" } else { "reportingComponent" };
        new_style(errors, &Path::new(controller), event);
    }
}

/// What events of the new style must have.
fn new_style(errors: &mut ErrorList, controller: &Path, event: &Event) {
    if event.reporting_controller.is_empty() {
        errors.push(FieldError::required(controller, ""));
    }
    for message in api_meta::names::is_label_key(&event.reporting_controller) {
        errors.push(FieldError::invalid(controller, &event.reporting_controller, message));
    }
    for (name, value, most) in [
        ("reportingInstance", &event.reporting_instance, 128),
        ("action", &event.action, 128),
        ("reason", &event.reason, 128),
    ] {
        let at = Path::new(name);
        if value.is_empty() {
            errors.push(FieldError::required(&at, ""));
        }
        if value.len() > most {
            errors.push(FieldError::invalid(&at, "", format!("can have at most {most} characters")));
        }
    }
    if event.message.len() > EVENT_MESSAGE_BYTES {
        let why = format!("can have at most {EVENT_MESSAGE_BYTES} characters");
        errors.push(FieldError::invalid(&Path::new("message"), "", why));
    }
}

fn to_hub(record: Box<dyn Record>) -> Box<dyn Record> {
    let Some(event) = record.downcast_ref::<events::Event>() else { return record };
    let event = event.clone();
    Box::new(Event {
        metadata: event.metadata,
        involved_object: event.regarding,
        reason: event.reason,
        message: event.note,
        source: event.deprecated_source,
        first_timestamp: event.deprecated_first_timestamp,
        last_timestamp: event.deprecated_last_timestamp,
        count: event.deprecated_count,
        type_: event.type_,
        event_time: event.event_time,
        series: event.series.map(|series| {
            Box::new(core::EventSeries { count: series.count, last_observed_time: series.last_observed_time })
        }),
        action: event.action,
        related: event.related,
        reporting_controller: event.reporting_controller,
        reporting_instance: event.reporting_instance,
    })
}

fn from_hub(record: &dyn Record) -> Box<dyn Record> {
    let Some(event) = record.downcast_ref::<Event>() else { return record.boxed_clone() };
    let event = event.clone();
    Box::new(events::Event {
        metadata: event.metadata,
        event_time: event.event_time,
        series: event.series.map(|series| {
            Box::new(events::EventSeries {
                count: series.count,
                last_observed_time: series.last_observed_time,
            })
        }),
        reporting_controller: event.reporting_controller,
        reporting_instance: event.reporting_instance,
        action: event.action,
        reason: event.reason,
        regarding: event.involved_object,
        related: event.related,
        note: event.message,
        type_: event.type_,
        deprecated_source: event.source,
        deprecated_first_timestamp: event.first_timestamp,
        deprecated_last_timestamp: event.last_timestamp,
        deprecated_count: event.count,
    })
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    const TEXT: &str = "{involvedObject: {kind: Pod, name: web, namespace: default}, reason: Pulled, message: ' done ', type: Normal, count: 2, source: {component: kubelet, host: n1}, lastTimestamp: '1969-12-31T23:59:50Z'}";

    #[test]
    fn an_event_is_shown_like_kubectls() {
        let made = create(&KIND, TEXT);
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "10s|Normal|Pulled|pod/web||kubelet, n1|done|<unknown>|2|x");
        let lost = create(&KIND, "involvedObject: {namespace: other}");
        assert_eq!(
            lost.errors,
            [r#"involvedObject.namespace: Invalid value: "other": does not match event.namespace"#]
        );
    }

    fn judged(text: &str, old: Option<&Event>) -> Vec<String> {
        let object = api_kind::trial::create(&KIND, text).object;
        let event: &Event = object.downcast_ref().expect("an event");
        let gates = api_kind::Gates::default();
        let verb = if old.is_some() { api_kind::Verb::Update } else { api_kind::Verb::Create };
        let ctx = Ctx { gates: &gates, verb, subresource: "", group: STRICT };
        let mut errors = ErrorList::new();
        validate(&ctx, event, old, &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_group_of_its_own_asks_for_more() {
        const NEW: &str = "{involvedObject: {kind: Pod, name: web, namespace: default}, eventTime: '2026-01-01T00:00:00.000001Z', reportingComponent: example.com/c, reportingInstance: i, action: a, reason: r, type: Normal}";
        assert_eq!(judged(NEW, None), [""; 0]);
        assert_eq!(
            judged(TEXT, None),
            [
                "eventTime: Required value",
                r#"lastTimestamp: Invalid value: "": needs to be unset"#,
                r#"count: Invalid value: "": needs to be unset"#,
                r#"source: Invalid value: "": needs to be unset"#,
            ]
        );
        let object = create(&KIND, NEW).object;
        let old: &Event = object.downcast_ref().expect("an event");
        let series = |series: &str| NEW.replace("reason: r", &format!("reason: r, series: {series}"));
        assert_eq!(
            judged(&series("{count: 2, lastObservedTime: '2026-01-01T00:00:01.000000Z'}"), Some(old)),
            [""; 0]
        );
        assert_eq!(
            judged(&series("{count: 1}"), Some(old)),
            [
                r#"series.count: Invalid value: "": should be at least 2"#,
                "series.lastObservedTime: Required value"
            ]
        );
        assert_eq!(
            judged(&NEW.replace("action: a", "action: b"), Some(old)),
            [r#"action: Invalid value: "b": field is immutable"#]
        );
        let nameless = NEW.replace("reportingComponent: example.com/c, ", "");
        assert!(judged(&nameless, None).contains(&"reportingController: Required value".to_owned()));
    }

    #[test]
    fn both_groups_hold_the_same() {
        let hub = create(&KIND, TEXT).object;
        let other = from_hub(&*hub);
        let events = other.downcast_ref::<events::Event>().expect("an event of the other group");
        assert_eq!((events.note.as_str(), events.regarding.name.as_str()), (" done ", "web"));
        assert!(*to_hub(other) == *hub);
    }
}
