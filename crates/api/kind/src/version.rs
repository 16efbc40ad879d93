//! The versions that a kind is served in, and the way between each of them and the hub.

use api_codec::json;
use api_codec::limits::Limits;
use api_record::{Record, Typed};

/// A served version of a kind.
pub struct Version {
    /// The API group.
    pub group: &'static str,
    /// The version within it.
    pub version: &'static str,
    /// Turns this version's object into the hub's.
    pub to_hub: fn(Box<dyn Record>) -> Box<dyn Record>,
    /// Turns the hub's object into this version's.
    pub from_hub: fn(&dyn Record) -> Box<dyn Record>,
    /// What field selectors call fields in this version, each with the hub's name for it; empty where the names are the hub's.
    pub selectors: &'static [(&'static str, &'static str)],
}

/// A version whose fields have the hub's names and types wherever both have them.
pub const fn structural<V: Typed, Hub: Typed>(group: &'static str, version: &'static str) -> Version {
    Version {
        group,
        version,
        selectors: &[],
        to_hub: |record| Box::new(copy::<Hub>(&*record)),
        from_hub: |record| Box::new(copy::<V>(record)),
    }
}

/// The fields of `record` that `T` has too.
fn copy<T: Typed>(record: &dyn Record) -> T {
    let mut text = Vec::new();
    json::encode(record, None, &mut text);
    let mut copy = T::default();
    // Fields of the same name have the same type in all versions of a kind converted like this; the codec's own output is well-formed.
    json::decode(&text, &mut copy, None, Limits::RESPONSE)
        .expect("versions that are converted by structure agree in their types");
    copy
}
