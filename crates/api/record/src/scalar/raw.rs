//! JSON text that is kept as it came: `runtime.RawExtension`, `metav1.FieldsV1`, `apiextensions.JSON`.

use bytes::Bytes;

/// JSON text, or nothing. Whoever fills it vouches that it is well-formed JSON without surrounding white space.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RawJson(pub Option<Bytes>);

impl RawJson {
    /// The text, `null` when there is none.
    pub fn text(&self) -> &[u8] {
        self.0.as_deref().unwrap_or(b"null")
    }
}

impl std::fmt::Debug for RawJson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.text()))
    }
}
