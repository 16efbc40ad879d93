//! Telling people what happened, without telling them the same thing twice: client-go's event recorder.
//!
//! [`Recorder`] decides synchronously what becomes of a [`Note`]: a new Event, a higher count, or nothing.

mod correlate;

use api_types::core::v1::{Event, EventSource, ObjectReference};
use api_types::meta::v1::ObjectMeta;
use api_types::object_meta;
use base::time::Time;

use api_record::Typed;
use correlate::Correlator;

/// How serious an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing to worry about.
    Normal,
    /// Somebody should look.
    Warning,
}

/// Something to tell people about an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// The object.
    pub about: ObjectReference,
    /// How serious it is.
    pub severity: Severity,
    /// Why, in one word.
    pub reason: &'static str,
    /// What, in a sentence.
    pub message: String,
}

impl Eq for Note {}

impl Note {
    /// A note about an object.
    pub fn new<T: Typed>(
        about: &T,
        severity: Severity,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Note {
        Note { about: reference(about), severity, reason, message: message.into() }
    }

    /// That all is well.
    pub fn normal<T: Typed>(about: &T, reason: &'static str, message: impl Into<String>) -> Note {
        Note::new(about, Severity::Normal, reason, message)
    }

    /// That something is not.
    pub fn warning<T: Typed>(about: &T, reason: &'static str, message: impl Into<String>) -> Note {
        Note::new(about, Severity::Warning, reason, message)
    }
}

fn reference<T: Typed>(object: &T) -> ObjectReference {
    let kind =
        api_types::object_types().iter().find(|row| std::ptr::eq(row.schema, T::SCHEMA)).map(|row| row.kind);
    let meta = object_meta(object).cloned().unwrap_or_default();
    ObjectReference {
        api_version: kind.map(|kind| kind.api_version()).unwrap_or_default(),
        kind: kind.map(|kind| kind.kind.to_owned()).unwrap_or_default(),
        namespace: meta.namespace,
        name: meta.name,
        uid: meta.uid,
        resource_version: meta.resource_version,
        ..ObjectReference::default()
    }
}

/// What is to become of a note.
pub enum Emission {
    /// This is to be made.
    Create(Box<Event>),
    /// This one, which is there already, is to be given its new count, time and message.
    Recount(Box<Event>),
}

/// Names for events, as client-go has them: the object's and the time's in nanoseconds, so that names sort as events happened.
#[derive(Debug, Default)]
pub struct EventNames {
    last_nanos: i64,
}

impl EventNames {
    /// The name of an event about an object; two in one instant differ all the same. The name of an object that is too long to
    /// begin another's is cut.
    pub fn next(&mut self, object: &str, now: Time) -> String {
        self.last_nanos = now.unix_nanos().max(self.last_nanos + 1);
        let time = format!("{:x}", self.last_nanos);
        let mut end = object.len().min(NAME_BYTES - 1 - time.len());
        while !object.is_char_boundary(end) {
            end -= 1;
        }
        format!("{}.{time}", object[..end].trim_end_matches(['.', '-']))
    }
}

/// How long a name may be: a DNS subdomain.
const NAME_BYTES: usize = 253;

/// Makes events of notes, as one component.
pub struct Recorder {
    component: String,
    correlator: Correlator,
    names: EventNames,
}

impl Recorder {
    /// The recorder of a component.
    pub fn new(component: &str) -> Recorder {
        Recorder {
            component: component.to_owned(),
            correlator: Correlator::default(),
            names: EventNames::default(),
        }
    }

    /// What to do about a note; nothing if there have been too many about its object.
    pub fn record(&mut self, note: &Note, now: Time) -> Option<Emission> {
        let mut event = self.event(note, now);
        let told = self.correlator.observe(&mut event, now)?;
        Some(if told { Emission::Recount(Box::new(event)) } else { Emission::Create(Box::new(event)) })
    }

    fn event(&mut self, note: &Note, now: Time) -> Event {
        let namespace = match note.about.namespace.as_str() {
            "" => "default",
            namespace => namespace,
        };
        let metadata = ObjectMeta {
            name: self.names.next(&note.about.name, now),
            namespace: namespace.to_owned(),
            ..ObjectMeta::default()
        };
        let type_ = match note.severity {
            Severity::Normal => "Normal",
            Severity::Warning => "Warning",
        };
        Event {
            metadata,
            involved_object: note.about.clone(),
            reason: note.reason.to_owned(),
            message: note.message.clone(),
            source: EventSource { component: self.component.clone(), ..EventSource::default() },
            first_timestamp: Some(now.into()),
            last_timestamp: Some(now.into()),
            count: 1,
            type_: type_.to_owned(),
            reporting_controller: self.component.clone(),
            ..Event::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use api_types::core::v1::Pod;

    use super::*;

    fn note(message: &str) -> Note {
        let mut pod = Pod::default();
        pod.metadata.name = "web".into();
        pod.metadata.namespace = "shop".into();
        pod.metadata.uid = "u1".into();
        Note::normal(&pod, "Started", message)
    }

    fn shown(emission: Option<Emission>) -> String {
        match emission {
            None => "-".into(),
            Some(Emission::Create(event)) => format!("new {} x{}", event.message, event.count),
            Some(Emission::Recount(event)) => format!("again {} x{}", event.message, event.count),
        }
    }

    #[test]
    fn repeated_events_are_counted() {
        let mut recorder = Recorder::new("test");
        let now = Time::from_unix_seconds(1000);
        assert_eq!(shown(recorder.record(&note("a"), now)), "new a x1");
        assert_eq!(shown(recorder.record(&note("b"), now)), "new b x1");
        let Some(Emission::Recount(event)) = recorder.record(&note("a"), now + Duration::from_secs(5)) else {
            panic!("the event is counted");
        };
        assert_eq!((event.count, event.first_timestamp.map(|time| time.seconds)), (2, Some(1000)));
        assert_eq!(event.metadata.name, format!("web.{:x}", 1_000_000_000_000i64));
    }

    #[test]
    fn names_sort_as_events_happened_and_are_never_too_long() {
        let (mut names, now) = (EventNames::default(), Time::from_unix_seconds(1_800_000_000));
        let told = [(); 3].map(|()| names.next("web", now));
        assert_eq!(told[0], "web.18fae27693b40000");
        assert!(told.is_sorted() && told[0] != told[1] && told[1] != told[2], "{told:?}");
        assert!(names.next("web", now + Duration::from_nanos(9)) > told[2]);
        let long = names.next(&format!("{}.{}", "a".repeat(235), "b".repeat(17)), now);
        assert_eq!(long.split('.').map(str::len).collect::<Vec<_>>(), [235, 16]);
    }

    #[test]
    fn similar_events_are_combined() {
        let mut recorder = Recorder::new("test");
        let now = Time::from_unix_seconds(1000);
        let all: Vec<String> =
            (0..12).map(|number| shown(recorder.record(&note(&number.to_string()), now))).collect();
        assert_eq!(all[9], "new (combined from similar events): 9 x1");
        assert_eq!(all[8], "new 8 x1");
        assert_eq!(all[11], "again (combined from similar events): 11 x3");
    }

    #[test]
    fn an_object_with_too_many_events_is_not_heard() {
        let mut recorder = Recorder::new("test");
        let now = Time::from_unix_seconds(1000);
        let heard = (0..40).filter(|_| recorder.record(&note("a"), now).is_some()).count();
        assert_eq!(heard, 25);
        assert!(recorder.record(&note("a"), now + Duration::from_secs(301)).is_some());
    }
}
