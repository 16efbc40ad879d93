//! Objects that many managers write, one after the other.

mod conflicts;
mod laws;
mod owners;
mod trees;

use api_codec::limits::Limits;
use api_codec::{json, yaml};
use api_meta::Status;
use api_record::Record;
use api_record::scalar::Time;
use api_types::meta::v1::ManagedFieldsEntry;
use api_types::{GroupVersionKind, object_meta, object_meta_mut, object_type};

use super::{Config, Request, Reset, Set, Versions, apply, track};

/// One kind in one or more versions that have the same fields.
struct Served {
    kind: GroupVersionKind<'static>,
    versions: Vec<String>,
}

impl Versions for Served {
    fn empty(&self, api_version: &str) -> Option<Box<dyn Record>> {
        let known = self.versions.iter().any(|version| version == api_version);
        let GroupVersionKind { group, version, kind } = self.kind;
        known.then(|| (object_type(group, version, kind).expect("a built-in kind").new)())
    }

    fn convert(&self, object: &dyn Record, _: &str, to: &str) -> Option<Box<dyn Record>> {
        self.empty(to)?;
        Some(object.boxed_clone())
    }
}

/// An object, and the clock.
struct World {
    served: Served,
    object: Option<Box<dyn Record>>,
    seconds: i64,
    /// The version that requests speak.
    version: String,
    subresource: &'static str,
    reset: &'static [&'static str],
}

impl World {
    fn new(group: &'static str, version: &'static str, kind: &'static str) -> World {
        let kind = GroupVersionKind { group, version, kind };
        let version = kind.api_version();
        let served = Served { kind, versions: vec![version.clone()] };
        World { served, object: None, seconds: 0, version, subresource: "", reset: &[] }
    }

    fn request<'a>(&'a self, manager: &'a str) -> Request<'a> {
        Request {
            manager,
            api_version: &self.version,
            kind: self.served.kind.kind,
            subresource: self.subresource,
            reset: Reset::Fields(Set::of_fields(self.reset.iter().copied())),
            now: Time { seconds: self.seconds },
            versions: &self.served,
        }
    }

    fn empty(&self) -> Box<dyn Record> {
        self.served.empty(&self.version).expect("the version is served")
    }

    fn read(&self, text: &str) -> Box<dyn Record> {
        let text = yaml::to_json(text.as_bytes(), Limits::REQUEST).expect("YAML");
        let mut object = self.empty();
        json::decode(&text, &mut *object, None, Limits::REQUEST).expect("an object");
        object
    }

    /// Whole configurations say their kind; here it is added.
    fn config(&self, text: &str) -> Config {
        let kind = self.served.kind.kind;
        let text = format!("apiVersion: {}\nkind: {kind}\n{text}", self.version);
        Config::parse(text.as_bytes()).expect("YAML")
    }

    fn try_apply(&mut self, manager: &str, text: &str, force: bool) -> Result<(), Status> {
        self.seconds += 1;
        let config = self.config(text);
        let empty = self.empty();
        let live = self.object.as_deref().unwrap_or(&*empty);
        let mut object = apply(&self.request(manager), live, &config, force)?;
        stored(&mut *object);
        self.object = Some(object);
        Ok(())
    }

    #[track_caller]
    fn apply(&mut self, manager: &str, text: &str) {
        self.try_apply(manager, text, false).expect("no conflict");
    }

    #[track_caller]
    fn refused(&mut self, manager: &str, text: &str) -> String {
        self.try_apply(manager, text, false).expect_err("refused").message.clone()
    }

    /// Replaces the object, keeping its owners as a client does that sends back what it read.
    fn update(&mut self, manager: &str, text: &str) {
        self.seconds += 1;
        let mut new = self.read(text);
        let empty = self.empty();
        let live = self.object.as_deref().unwrap_or(&*empty);
        if let Some(meta) = object_meta_mut(&mut *new) {
            meta.uid = object_meta(live).map(|meta| meta.uid.clone()).unwrap_or_default();
        }
        track(&self.request(manager), live, &mut *new);
        stored(&mut *new);
        self.object = Some(new);
    }

    fn owners(&self) -> &[ManagedFieldsEntry] {
        let object = self.object.as_deref().expect("there is an object");
        &object_meta(object).expect("metadata").managed_fields
    }

    /// An entry a line: manager, operation, subresource, time, fields.
    fn shown(&self) -> Vec<String> {
        let show = |entry: &ManagedFieldsEntry| {
            let fields = entry.fields_v1.as_ref().map(|raw| String::from_utf8_lossy(raw.text()).into_owned());
            let time = entry.time.map_or_else(|| "-".to_owned(), |time| time.seconds.to_string());
            let part = if entry.subresource.is_empty() { "" } else { "/" };
            format!(
                "{}{part}{} {} {time} {}",
                entry.manager,
                entry.subresource,
                entry.operation,
                fields.unwrap_or_default()
            )
        };
        self.owners().iter().map(show).collect()
    }

    /// The object's JSON but for what every object has.
    fn body(&self) -> String {
        let mut object = self.object.clone().expect("there is an object");
        if let Some(meta) = object_meta_mut(&mut *object) {
            meta.managed_fields.clear();
            meta.uid.clear();
        }
        let mut text = Vec::new();
        json::encode(&*object, None, &mut text);
        String::from_utf8(text).expect("UTF-8")
    }
}

/// As the registry leaves an object.
fn stored(object: &mut dyn Record) {
    if let Some(meta) = object_meta_mut(object) {
        meta.uid = "u".into();
    }
}
