//! An object of a view: decoded while it is in use, and otherwise as its protobuf message, which is a small part of that.
//!
//! A snapshot's objects never change, and whoever reads one may keep a reference for as long as the snapshot lives. So an object
//! that is decoded stays so within the snapshots that show it; later snapshots show another [`Held`] of the same number.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use api_codec::DecodeError;
use api_codec::proto::{self, glance};
use api_meta::labels::Selector;
use api_record::{Record, Schema, Typed as _, Value};
use api_types::core::v1::{Node, Service};
use api_types::discovery::v1::EndpointSlice;
use api_types::{ObjectType, object_meta, object_meta_mut};
use bytes::Bytes;

use super::limits::SURELY_DECODED_BYTES;
use super::warm::Warm;

/// An object that a view shows.
pub(super) struct Held {
    object: OnceLock<Arc<dyn Record>>,
    message: Option<Message>,
    /// What its message is decoded by; `None` for what is kept decoded.
    form: Option<&'static ObjectType>,
    owners: Box<[Arc<str>]>,
    number: u64,
    read: AtomicBool,
    warm: Arc<Warm>,
}

/// The message of an object that is not decoded.
#[derive(Clone)]
pub(super) enum Message {
    /// Made here.
    Own(Arc<[u8]>),
    /// Kept elsewhere, without the resource version.
    Kept { message: Bytes, version: Box<str> },
}

impl Message {
    fn bytes(&self) -> &[u8] {
        match self {
            Message::Own(message) => message,
            Message::Kept { message, .. } => message,
        }
    }

    fn decode(&self, form: &ObjectType) -> Result<Box<dyn Record>, DecodeError> {
        let mut object = (form.new)();
        proto::decode(self.bytes(), &mut *object)?;
        if let (Message::Kept { version, .. }, Some(meta)) = (self, object_meta_mut(&mut *object)) {
            meta.resource_version = (**version).into();
        }
        Ok(object)
    }

    /// Whether an object's message is just this one.
    fn is_of(&self, object: &dyn Record) -> bool {
        let of_object = proto::encode_message(object);
        match self {
            Message::Own(message) => **message == *of_object,
            Message::Kept { message, version } => proto::Kept::new(message).is_ok_and(|kept| {
                let mut whole = Vec::with_capacity(of_object.len());
                kept.write(version, &mut whole);
                whole == of_object
            }),
        }
    }
}

impl Held {
    /// An object that has just come, with the uids that it is found by.
    pub(super) fn new(object: Arc<dyn Record>, owners: Box<[Arc<str>]>, warm: &Arc<Warm>) -> Arc<Held> {
        let form = form_of(object.schema());
        Arc::new(Held {
            object: OnceLock::from(object),
            message: None,
            form,
            owners,
            number: warm.number(),
            read: AtomicBool::new(false),
            warm: Arc::clone(warm),
        })
    }

    /// Has it be one of the view's decoded objects until nobody reads it any more.
    pub(super) fn stay_decoded(self: &Arc<Held>) {
        if self.form.is_some() {
            self.warm.add(self);
        }
    }

    /// The same object as its message; `None` if it is one already, or is kept decoded.
    pub(super) fn packed(&self) -> Option<Arc<Held>> {
        let object = self.object.get()?;
        let form = self.form?;
        let message = self.message.clone().unwrap_or_else(|| self.warm.message(object));
        if message.bytes().len() > SURELY_DECODED_BYTES {
            message.decode(form).ok()?;
        }
        Some(Arc::new(Held {
            object: OnceLock::new(),
            message: Some(message),
            form: Some(form),
            owners: self.owners.clone(),
            number: self.number,
            read: AtomicBool::new(false),
            warm: Arc::clone(&self.warm),
        }))
    }

    /// The object, which stays decoded for others to come.
    pub(super) fn object(self: &Arc<Held>) -> &Arc<dyn Record> {
        if !self.read.load(Ordering::Relaxed) {
            self.read.store(true, Ordering::Relaxed);
        }
        self.object.get_or_init(|| {
            self.warm.add(self);
            self.decoded()
        })
    }

    /// The object for one look.
    pub(super) fn glimpsed(&self) -> Arc<dyn Record> {
        self.object.get().cloned().unwrap_or_else(|| self.decoded())
    }

    fn decoded(&self) -> Arc<dyn Record> {
        let (message, form) = self.message.as_ref().zip(self.form).expect("what is not decoded is a message");
        Arc::from(message.decode(form).expect("what was encoded can be decoded"))
    }

    /// Whether somebody has read it since this was asked last.
    pub(super) fn was_read(&self) -> bool {
        self.read.swap(false, Ordering::Relaxed)
    }

    /// The uids that it is found by: its owners', an empty one if none of them controls it.
    pub(super) fn owners(&self) -> &[Arc<str>] {
        &self.owners
    }

    /// Whether both are one object, decoded or not.
    pub(super) fn is(&self, other: &Held) -> bool {
        self.number == other.number
    }

    /// Whether this object is just the one that is held.
    pub(super) fn shows(&self, object: &Arc<dyn Record>) -> bool {
        match (self.object.get(), &self.message) {
            (Some(own), _) if Arc::ptr_eq(own, object) => true,
            (_, Some(message)) => {
                self.form.is_some_and(|form| std::ptr::eq(form.schema, object.schema()))
                    && message.is_of(&**object)
            }
            _ => false,
        }
    }
}

/// An object that can be asked for single fields without being decoded for that.
#[derive(Clone, Copy)]
pub struct Glance<'a>(pub(super) &'a Arc<Held>);

impl<'a> Glance<'a> {
    /// The value of a label.
    pub fn label(self, key: &str) -> Option<&'a str> {
        match self.message() {
            Ok((message, schema)) => glance::entry(message, schema, &["metadata", "labels"], key),
            Err(object) => object_meta(object)?.labels.get(key).map(String::as_str),
        }
    }

    /// Whether a selector picks its labels.
    pub fn is_picked_by(self, selector: &Selector) -> bool {
        selector.matches_by(|key| self.label(key))
    }

    /// The text at a path of JSON names; empty if there is none. The resource version is not asked for this way: a message need not have it.
    pub fn text(self, path: &[&str]) -> &'a str {
        match self.message() {
            Ok((message, schema)) => {
                let found = glance::find(message, schema, path).unwrap_or_default();
                std::str::from_utf8(found).unwrap_or_default()
            }
            Err(object) => match field(object, path) {
                Value::Str(text) => text,
                _ => "",
            },
        }
    }

    /// The object itself.
    pub fn object(self) -> &'a Arc<dyn Record> {
        self.0.object()
    }

    fn message(self) -> Result<(&'a [u8], &'static Schema), &'a dyn Record> {
        match (self.0.object.get(), self.0.message.as_ref().zip(self.0.form)) {
            (None, Some((message, form))) => Ok((message.bytes(), form.schema)),
            _ => Err(&**self.0.object()),
        }
    }
}

fn field<'a>(object: &'a dyn Record, path: &[&str]) -> Value<'a> {
    let Some((name, rest)) = path.split_first() else { return Value::Nil };
    match object.field(name) {
        value if rest.is_empty() => value,
        Value::Record(inner) => field(inner, rest),
        _ => Value::Nil,
    }
}

/// How messages of a schema's objects are decoded. What is read as a whole again and again is worth its memory: nodes by the
/// controllers of daemons, services and their endpoints by proxies and resolvers. So are objects of definitions, which are no messages.
fn form_of(schema: &Schema) -> Option<&'static ObjectType> {
    static FORMS: OnceLock<BTreeMap<usize, &'static ObjectType>> = OnceLock::new();
    let address = |schema: &Schema| std::ptr::from_ref(schema) as usize;
    let forms = FORMS.get_or_init(|| {
        let kept = [Node::SCHEMA, Service::SCHEMA, EndpointSlice::SCHEMA].map(address);
        let all = api_types::object_types().iter().map(|form| (address(form.schema), form));
        all.filter(|(schema, _)| !kept.contains(schema)).collect()
    });
    forms.get(&address(schema)).copied()
}

#[cfg(test)]
mod tests;
