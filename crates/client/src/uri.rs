//! Where in HTTP something is: path and query, escaped.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::Target;

/// What names, versions and most values are made of; everything else is escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A path, and a query that grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    text: String,
    asks: bool,
}

impl Uri {
    /// Of an object, a part of it, or all of them if there is no name; of those that it is to be among, if `collection`.
    pub fn of(target: &Target, collection: bool) -> Uri {
        let Target { resource, namespace, name, subresource } = target;
        let mut text = if resource.group.is_empty() {
            format!("/api/{}", resource.version)
        } else {
            format!("/apis/{}/{}", resource.group, resource.version)
        };
        let mut part = |own: &str| {
            text.push('/');
            text.extend(utf8_percent_encode(own, ESCAPED));
        };
        if !namespace.is_empty() && resource.plural != "namespaces" {
            part("namespaces");
            part(namespace);
        }
        part(&resource.plural);
        if !collection {
            for own in [name, subresource].into_iter().filter(|own| !own.is_empty()) {
                part(own);
            }
        }
        Uri { text, asks: false }
    }

    /// Adds to the query.
    pub fn add(&mut self, key: &str, value: &str) {
        self.text.push(if self.asks { '&' } else { '?' });
        self.asks = true;
        self.text.push_str(key);
        self.text.push('=');
        self.text.extend(utf8_percent_encode(value, ESCAPED));
    }

    /// Adds what is not empty.
    pub fn add_some(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.add(key, value);
        }
    }
}

impl From<Uri> for String {
    fn from(uri: Uri) -> String {
        uri.text
    }
}
