//! Reading headers as Go's `net/http` does, for the two sets of headers that name users.

use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What cannot be in a header's name, and what marks it (RFC 9110's tokens).
const NO_TOKEN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'*')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The first value that a header has; `None` when it has none or it is empty.
pub(crate) fn first(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| text(value.as_bytes())).filter(|value| !value.is_empty())
}

/// Every value of a header, in order.
pub(crate) fn all(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).iter().map(|value| text(value.as_bytes())).collect()
}

/// The headers that begin with `prefix` (in small letters), by what follows it, decoded.
pub(crate) fn extra<'a>(
    headers: &'a HeaderMap,
    prefix: &'a str,
) -> impl Iterator<Item = (String, String)> + 'a {
    headers.iter().filter_map(move |(name, value)| {
        let key = name.as_str().strip_prefix(prefix)?;
        Some((unescape(key), text(value.as_bytes())))
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Go's `url.PathUnescape`, or the key itself when it is malformed: it is recorded in any case.
fn unescape(key: &str) -> String {
    let well_formed = key
        .split('%')
        .skip(1)
        .all(|rest| rest.len() >= 2 && rest.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit));
    if !well_formed {
        return key.to_owned();
    }
    percent_decode_str(key).decode_utf8_lossy().into_owned()
}

/// A key as a part of a header's name.
pub(crate) fn escape(key: &str) -> String {
    utf8_percent_encode(key, NO_TOKEN).to_string()
}
