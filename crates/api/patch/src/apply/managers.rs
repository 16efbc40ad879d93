//! Who owns which fields of an object: `metadata.managedFields`, read and written.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use api_meta::quote;
use api_record::Bytes;
use api_record::scalar::{RawJson, Time};
use api_types::meta::v1::{ManagedFieldsEntry, ObjectMeta};

use super::compare::Diff;
use super::set::Set;
use super::{fields_v1, written};
use crate::limits::UPDATE_MANAGERS;

/// Whoever owns what the oldest updates set, once there are too many managers.
const ANCIENT: &str = "ancient-changes";
const FIELDS_V1: &str = "FieldsV1";

/// How a manager came by its fields, in the order of upstream's names for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By any other write.
    Update,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        }
    }
}

/// Who owns fields. Whoever applies is one manager whatever version it speaks; whoever updates is one in each version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Manager {
    /// The name that it gave itself.
    pub name: String,
    /// How it came by its fields.
    pub operation: Operation,
    /// The version that it speaks; empty if it applies.
    pub api_version: String,
    /// The subresource that it wrote through, empty for the object itself.
    pub subresource: String,
}

impl Manager {
    /// A manager as a request names it, `unknown` if the request does not.
    pub fn new(name: &str, operation: Operation, api_version: &str, subresource: &str) -> Manager {
        let api_version = if operation == Operation::Update { api_version } else { "" };
        Manager {
            name: if name.is_empty() { "unknown" } else { name }.to_owned(),
            operation,
            api_version: api_version.to_owned(),
            subresource: subresource.to_owned(),
        }
    }
}

/// As upstream's messages show a manager.
impl std::fmt::Display for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&quote::go(&self.name))?;
        if !self.subresource.is_empty() {
            write!(f, " with subresource {}", quote::go(&self.subresource))?;
        }
        if self.operation == Operation::Update {
            write!(f, " using {}", self.api_version)?;
        }
        Ok(())
    }
}

/// What a manager owns.
#[derive(Clone, Debug)]
pub struct Owned {
    /// The version that the fields are named in.
    pub api_version: String,
    /// When it last changed something.
    pub time: Option<Time>,
    /// The fields, once somebody has asked for them.
    fields: OnceCell<Set>,
    /// The fields as they were read, until they change: most entries are written as they were.
    written: Option<Bytes>,
}

impl Owned {
    /// Fields in a version.
    pub fn new(api_version: &str, fields: Set, time: Option<Time>) -> Owned {
        Owned { api_version: api_version.to_owned(), time, fields: fields.into(), written: None }
    }

    /// The fields. Those that cannot be read are none.
    pub fn fields(&self) -> &Set {
        self.fields.get_or_init(|| {
            let written = self.written.as_deref().unwrap_or(b"{}");
            fields_v1::decode(written).unwrap_or_default()
        })
    }

    /// Replaces the fields.
    pub fn set_fields(&mut self, fields: Set) {
        if fields != *self.fields() {
            self.fields = fields.into();
            self.written = None;
        }
    }

    /// Whether it may own something of what differs, in its version. If not, it need not be looked at.
    pub(super) fn may_meet(&self, diff: &Diff) -> bool {
        let sets = [&diff.removed, &diff.modified, &diff.added];
        match &self.written {
            Some(written) => sets.iter().any(|set| written::meets(written, set)),
            None => true,
        }
    }

    /// Adds fields.
    pub(super) fn add(&mut self, fields: &Set) {
        let has_them = self.written.as_ref().is_some_and(|written| written::covers(written, fields));
        if !has_them {
            self.set_fields(self.fields().union(fields));
        }
    }

    /// Whether it owns nothing.
    pub(super) fn is_empty(&self) -> bool {
        match &self.written {
            Some(written) if self.fields.get().is_none() => **written == b"{}"[..],
            _ => self.fields().is_empty(),
        }
    }
}

/// Who owns what.
#[derive(Clone, Debug, Default)]
pub struct Managers {
    /// By manager.
    pub entries: BTreeMap<Manager, Owned>,
}

/// Why `metadata.managedFields` cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManagersError {
    /// The operation is none.
    #[error("operation must be `Apply` or `Update`")]
    Operation,
    /// The version is missing.
    #[error("apiVersion must not be empty")]
    Version,
    /// The type of the fields is missing.
    #[error("missing fieldsType in managed fields entry {0}")]
    NoType(usize),
    /// The type of the fields is not known.
    #[error("invalid fieldsType {} in managed fields entry {at}", quote::go(.found))]
    Type {
        /// The type that was found.
        found: String,
        /// The entry's place.
        at: usize,
    },
    /// The fields cannot be read.
    #[error("error decoding versioned set from {manager}: error decoding set: {source}")]
    Fields {
        /// Whose.
        manager: String,
        /// Why.
        #[source]
        source: fields_v1::FieldsError,
    },
}

impl Managers {
    /// Reads the entries of an object that was written here: they are in upstream's order and form.
    ///
    /// # Errors
    /// If an entry is malformed.
    pub fn decode(entries: &[ManagedFieldsEntry]) -> Result<Managers, ManagersError> {
        let managers = Managers::open(entries)?;
        for (manager, owned) in &managers.entries {
            let read = fields_v1::decode(owned.written.as_deref().unwrap_or(b"{}"))
                .map_err(|source| ManagersError::Fields { manager: quote::go(&manager.name), source })?;
            // Nobody has asked before.
            let _ = owned.fields.set(read);
        }
        Ok(managers)
    }

    /// Reads the entries of an object that was written here, but no fields before somebody asks for them.
    ///
    /// # Errors
    /// If something else than an entry's fields is malformed.
    pub(super) fn open(entries: &[ManagedFieldsEntry]) -> Result<Managers, ManagersError> {
        let mut managers = Managers::default();
        for (at, entry) in entries.iter().enumerate() {
            let operation = match entry.operation.as_str() {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return Err(ManagersError::Operation),
            };
            if entry.api_version.is_empty() {
                return Err(ManagersError::Version);
            }
            match entry.fields_type.as_str() {
                FIELDS_V1 => {}
                "" => return Err(ManagersError::NoType(at)),
                found => return Err(ManagersError::Type { found: found.to_owned(), at }),
            }
            let written = entry.fields_v1.as_ref().and_then(|raw| raw.0.clone());
            let api_version = if operation == Operation::Update { &*entry.api_version } else { "" };
            let manager = Manager {
                name: entry.manager.clone(),
                operation,
                api_version: api_version.to_owned(),
                subresource: entry.subresource.clone(),
            };
            let fields = OnceCell::new();
            let owned = Owned { api_version: entry.api_version.clone(), time: entry.time, fields, written };
            managers.entries.insert(manager, owned);
        }
        Ok(managers)
    }

    /// Reads the entries that a client sent, which are brought into upstream's form when they are written.
    ///
    /// # Errors
    /// If an entry is malformed.
    pub fn decode_foreign(entries: &[ManagedFieldsEntry]) -> Result<Managers, ManagersError> {
        let mut managers = Managers::decode(entries)?;
        for owned in managers.entries.values_mut() {
            owned.written = None;
        }
        Ok(managers)
    }

    /// Writes the entries: whoever applies first, then by time, name, version and subresource.
    pub fn encode(self) -> Vec<ManagedFieldsEntry> {
        let mut entries: Vec<_> = self.entries.into_iter().collect();
        let seconds = |owned: &Owned| owned.time.map_or(0, |time| time.seconds);
        entries.sort_by(|(a, owned_a), (b, owned_b)| {
            a.operation
                .cmp(&b.operation)
                .then_with(|| seconds(owned_a).cmp(&seconds(owned_b)))
                .then_with(|| a.name.cmp(&b.name))
                .then_with(|| owned_a.api_version.cmp(&owned_b.api_version))
                .then_with(|| a.subresource.cmp(&b.subresource))
        });
        let encode = |(manager, owned): (Manager, Owned)| {
            let fields = owned.written.clone().unwrap_or_else(|| fields_v1::encode(owned.fields()).into());
            ManagedFieldsEntry {
                manager: manager.name,
                operation: manager.operation.name().to_owned(),
                api_version: owned.api_version,
                time: owned.time,
                fields_type: FIELDS_V1.to_owned(),
                fields_v1: Some(RawJson(Some(fields))),
                subresource: manager.subresource,
            }
        };
        entries.into_iter().map(encode).collect()
    }

    /// Merges what the oldest updates set into one entry a version, until there are no more than `UPDATE_MANAGERS`.
    pub(super) fn cap(&mut self) {
        let mut updates: Vec<(i64, Manager)> = self
            .entries
            .iter()
            .filter(|(manager, _)| manager.operation == Operation::Update)
            .map(|(manager, owned)| (owned.time.map_or(0, |time| time.seconds), manager.clone()))
            .collect();
        let mut left = updates.len();
        if left <= UPDATE_MANAGERS {
            return;
        }
        updates.sort();
        let mut first_of: BTreeMap<String, Manager> = BTreeMap::new();
        for (_, manager) in updates {
            if left <= UPDATE_MANAGERS {
                return;
            }
            let version = manager.api_version.clone();
            let Some(first) = first_of.get(&version) else {
                first_of.insert(version, manager);
                continue;
            };
            let bucket = Manager::new(ANCIENT, Operation::Update, &version, "");
            if !self.entries.contains_key(&bucket)
                && let Some(oldest) = self.entries.remove(first)
            {
                self.entries.insert(bucket.clone(), oldest);
            }
            let Some(owned) = self.entries.remove(&manager) else { continue };
            if let Some(ancient) = self.entries.get_mut(&bucket) {
                ancient.add(owned.fields());
                ancient.time = owned.time;
            } else {
                self.entries.insert(bucket, owned);
            }
            left -= 1;
        }
    }
}

/// Whether managed fields as a client sent them ask for all owners to be forgotten: one empty entry, which also stands for an empty
/// list, that records cannot tell from none.
pub fn asks_reset(entries: &[ManagedFieldsEntry]) -> bool {
    matches!(entries, [only] if *only == ManagedFieldsEntry::default())
}

/// Has metadata ask for all owners to be forgotten.
pub fn reset(meta: &mut ObjectMeta) {
    meta.managed_fields = vec![ManagedFieldsEntry::default()];
}

/// Whether JSON gives its object an empty list of managed fields, where that must not be mistaken for none.
pub fn empties(json: &[u8]) -> bool {
    let name = b"\"managedFields\"";
    // Nearly all that is sent does not name them, or has entries: looking is cheaper than reading.
    json.windows(name.len()).any(|window| window == name)
        && serde_json::from_slice::<super::Tree>(json)
            .is_ok_and(|tree| tree["metadata"]["managedFields"].as_array().is_some_and(Vec::is_empty))
}
