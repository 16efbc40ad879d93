//! In which form an answer is wanted.

use api_meta::Status;
use http::HeaderMap;
use http::header::ACCEPT;

/// The media types that objects are answered in.
pub(crate) const MEDIA_TYPES: [&str; 3] =
    ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

/// How bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Codec {
    Json,
    Yaml,
    Proto,
}

impl Codec {
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Codec::Json => MEDIA_TYPES[0],
            Codec::Yaml => MEDIA_TYPES[1],
            Codec::Proto => MEDIA_TYPES[2],
        }
    }

    pub(crate) fn of(media_type: &str) -> Option<Codec> {
        match media_type.split(';').next().unwrap_or_default().trim() {
            "application/json" => Some(Codec::Json),
            "application/yaml" | "application/x-yaml" | "text/yaml" => Some(Codec::Yaml),
            "application/vnd.kubernetes.protobuf" => Some(Codec::Proto),
            _ => None,
        }
    }
}

/// What is shown of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Shown {
    /// All of it.
    Object,
    /// A row of a table.
    Table,
    /// Its metadata.
    Metadata,
}

/// In which form an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    pub(crate) codec: Codec,
    pub(crate) shown: Shown,
    /// The answer's bytes are indented for people.
    pub(crate) pretty: bool,
}

impl Form {
    pub(crate) const JSON: Form = Form { codec: Codec::Json, shown: Shown::Object, pretty: false };
}

/// What can be had.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Can {
    /// It is a stream.
    pub(crate) stream: bool,
    /// There are tables.
    pub(crate) tables: bool,
    /// Objects can be written in protobuf. Without that, their metadata still can.
    pub(crate) proto: bool,
}

/// The best of the wanted forms that can be had; `*/*` and no wish at all are JSON.
pub(crate) fn form(headers: &HeaderMap, can: Can) -> Result<Form, Status> {
    let wishes: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let wishes = wishes.join(",");
    if wishes.trim().is_empty() {
        return Ok(Form::JSON);
    }
    let mut forms = wishes.split(',').filter_map(|wish| one(wish, can.stream));
    let possible = |form: &Form| {
        let written = can.proto || form.codec != Codec::Proto || form.shown == Shown::Metadata;
        written && (can.tables || form.shown != Shown::Table)
    };
    let accepted = if can.proto { &MEDIA_TYPES[..] } else { &MEDIA_TYPES[..2] };
    forms.find(possible).ok_or_else(|| Status::not_acceptable(accepted))
}

/// Whether discovery is wanted in the aggregated form, in the version that there is.
pub(crate) fn wants_aggregated_discovery(headers: &HeaderMap) -> bool {
    let wishes = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    wishes.flat_map(|wishes| wishes.split(',')).any(|wish| {
        let parameters: Vec<&str> = wish.split(';').map(str::trim).collect();
        ["application/json", "g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"]
            .iter()
            .all(|wanted| parameters.contains(wanted))
    })
}

fn one(wish: &str, stream: bool) -> Option<Form> {
    let mut parts = wish.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let codec = match media_type {
        "*/*" | "application/*" => Codec::Json,
        other => Codec::of(other)?,
    };
    let mut shown = Shown::Object;
    for parameter in parts {
        let (key, value) = parameter.split_once('=')?;
        match (key, value) {
            ("as", "Table") => shown = Shown::Table,
            ("as", "PartialObjectMetadata" | "PartialObjectMetadataList") => shown = Shown::Metadata,
            ("as", _) => return None,
            ("v", "v1") | ("g", "meta.k8s.io") => {}
            ("v" | "g", _) if shown != Shown::Object => return None,
            _ => {}
        }
    }
    let possible = match (codec, shown) {
        (Codec::Proto, Shown::Table) => false,
        (Codec::Yaml, _) if stream => false,
        _ => true,
    };
    possible.then_some(Form { codec, shown, pretty: false })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn negotiated(accept: &'static str) -> Option<(Codec, Shown)> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let can = Can { stream: false, tables: true, proto: true };
        form(&headers, can).ok().map(|form| (form.codec, form.shown))
    }

    #[test]
    fn only_the_aggregated_form_that_there_is_is_given() {
        let wants = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            wants_aggregated_discovery(&headers)
        };
        assert!(wants(
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
        ));
        assert!(!wants("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"));
        assert!(!wants("application/json"));
    }

    #[test]
    fn the_first_possible_wish_is_granted() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(negotiated(table), Some((Codec::Json, Shown::Table)));
        assert_eq!(
            negotiated("application/cbor,application/vnd.kubernetes.protobuf"),
            Some((Codec::Proto, Shown::Object))
        );
        assert_eq!(negotiated("*/*"), Some((Codec::Json, Shown::Object)));
        assert_eq!(negotiated("text/html"), None);
    }

    #[test]
    fn objects_of_definitions_are_not_written_in_protobuf() {
        let ask = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            let can = Can { stream: false, tables: true, proto: false };
            form(&headers, can).map(|form| (form.codec, form.shown)).map_err(|status| status.code)
        };
        let proto = "application/vnd.kubernetes.protobuf";
        assert_eq!(ask(proto), Err(406));
        assert_eq!(
            ask("application/vnd.kubernetes.protobuf, application/json"),
            Ok((Codec::Json, Shown::Object))
        );
        assert_eq!(
            ask("application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"),
            Ok((Codec::Proto, Shown::Metadata))
        );
    }
}
