//! What people are told of types and fields: collected when this crate was built, embedded compressed, unpacked for
//! as long as a document is being built.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::ZlibDecoder;

static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptions.json.zz"));

/// The descriptions of all types, by the name of their definition.
#[derive(Default)]
pub(crate) struct Descriptions {
    types: BTreeMap<String, Described>,
}

/// A type's description, those of its fields, and the fields that are required.
type Described = (String, BTreeMap<String, String>, Vec<String>);

impl Descriptions {
    /// Unpacks them. A document without descriptions is better than none, so what cannot be read is left out.
    pub(crate) fn unpack() -> Descriptions {
        let mut text = Vec::new();
        if ZlibDecoder::new(PACKED).read_to_end(&mut text).is_err() {
            return Descriptions::default();
        }
        Descriptions { types: serde_json::from_slice(&text).unwrap_or_default() }
    }

    /// What a definition is.
    pub(crate) fn of(&self, definition: &str) -> Option<&str> {
        let text = self.types.get(definition)?.0.as_str();
        (!text.is_empty()).then_some(text)
    }

    /// Whether a field of a definition is required, if that is known: the schemas do not tell a field that is optional
    /// although it is always written.
    pub(crate) fn requires(&self, definition: &str, field: &str) -> Option<bool> {
        Some(self.types.get(definition)?.2.iter().any(|required| required == field))
    }

    /// What a field of a definition is.
    pub(crate) fn field(&self, definition: &str, field: &str) -> Option<&str> {
        self.types.get(definition)?.1.get(field).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_descriptions_can_be_read() {
        let descriptions = Descriptions::unpack();
        assert!(descriptions.types.len() > 700);
        let deployment = "io.k8s.api.apps.v1.Deployment";
        assert!(descriptions.of(deployment).is_some_and(|text| text.starts_with("Deployment enables")));
        let metadata = descriptions.field(deployment, "metadata");
        assert!(metadata.is_some_and(|text| text.starts_with("Standard object's metadata.")));
        assert_eq!(descriptions.of("io.k8s.api.apps.v1.Nothing"), None);
    }
}
