//! Reading what comes with a request.

use api_codec::limits::Limits;
use api_codec::{Strictness, json, proto, yaml};
use api_meta::Status;
use api_patch::apply;
use api_record::Record;
use api_types::{GroupVersionKind, object_meta_mut};
use base::time::{Clock, timeout};
use bytes::Bytes;
use client::FieldValidation;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body;

use server_registry::Served;

use crate::limits::{BODY_BYTES, REQUEST};
use crate::negotiate::{Codec, MEDIA_TYPES};

/// The whole body, which takes no longer than a request may.
pub(crate) async fn read<B>(clock: &dyn Clock, body: B) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>,
{
    let late = |_| Status::timeout("request did not complete within the allotted timeout", 0);
    match timeout(clock, REQUEST, Limited::new(body, BODY_BYTES).collect()).await.map_err(late)? {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Status::request_entity_too_large(format!("limit is {BODY_BYTES}")))
        }
        Err(error) => Err(Status::bad_request(format!("the body could not be read: {error}"))),
    }
}

/// An object that was sent, and what strict decoding has to say of it.
pub(crate) struct Sent {
    pub(crate) object: Box<dyn Record>,
    pub(crate) warnings: Vec<String>,
}

/// Decodes an object of `wanted`'s kind, which is that of a definition if there is one.
pub(crate) fn decode(
    headers: &HeaderMap,
    bytes: &Bytes,
    wanted: GroupVersionKind<'_>,
    custom: Option<&Served>,
    validation: FieldValidation,
) -> Result<Sent, Status> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let codec = if content_type.is_empty() { Some(Codec::Json) } else { Codec::of(content_type) };
    let accepted = if custom.is_some() { &MEDIA_TYPES[..2] } else { &MEDIA_TYPES[..] };
    let codec = codec.filter(|codec| custom.is_none() || *codec != Codec::Proto);
    let codec = codec.ok_or_else(|| Status::unsupported_media_type(accepted))?;
    let mut strict = Strictness::default();
    let mut object = match custom {
        Some(served) => (served.object.new)(),
        None => {
            let kind = api_types::object_type(wanted.group, wanted.version, wanted.kind);
            (kind.ok_or_else(|| Status::internal_error(format!("no type for {}", wanted.kind)))?.new)()
        }
    };
    let unreadable = |error: &dyn std::fmt::Display| {
        let GroupVersionKind { kind, version, .. } = wanted;
        Status::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {error}"))
    };
    match codec {
        Codec::Proto => {
            let envelope = proto::open(bytes, Limits::REQUEST).map_err(|error| unreadable(&error))?;
            check_kind(wanted, &envelope.type_meta)?;
            proto::decode(envelope.raw, &mut *object).map_err(|error| unreadable(&error))?;
        }
        Codec::Json | Codec::Yaml => {
            let converted;
            let text: &[u8] = if codec == Codec::Yaml {
                converted = yaml::to_json_strict(bytes, &mut strict, Limits::REQUEST)
                    .map_err(|error| unreadable(&error))?;
                &converted
            } else {
                bytes
            };
            let meta = json::type_meta(text, Limits::REQUEST).map_err(|error| {
                Status::bad_request(format!("couldn't get version/kind; json parse error: {error}"))
            })?;
            check_kind(wanted, &meta)?;
            json::decode(text, &mut *object, Some(&mut strict), Limits::REQUEST)
                .map_err(|error| unreadable(&error))?;
            if let (true, Some(meta)) = (apply::empties(text), object_meta_mut(&mut *object)) {
                apply::reset(meta);
            }
        }
    }
    let mut found = strict.errors().to_vec();
    if let Some(served) = custom {
        found.extend(served.kind.prune(&mut *object).map_err(|error| unreadable(&error))?);
        // Upstream reads these as they come first, and looks for what no schema names then.
        found.sort_by_key(|complaint| complaint.starts_with("unknown field"));
    }
    match validation {
        FieldValidation::Strict if !found.is_empty() => {
            Err(unreadable(&format!("strict decoding error: {}", found.join(", "))))
        }
        FieldValidation::Ignore => Ok(Sent { object, warnings: Vec::new() }),
        _ => Ok(Sent { object, warnings: found }),
    }
}

/// A document may leave out what the path says already, but not contradict it.
fn check_kind(wanted: GroupVersionKind<'_>, found: &json::TypeMeta) -> Result<(), Status> {
    let api_version = wanted.api_version();
    // Of another version than it is described in, only an eviction is accepted, which has been the same in both.
    let older =
        (wanted.group, wanted.kind) == ("policy", "Eviction") && found.api_version == "policy/v1beta1";
    let same = (found.kind.is_empty() || found.kind == wanted.kind)
        && (found.api_version.is_empty() || found.api_version == api_version || older);
    if same {
        return Ok(());
    }
    Err(Status::bad_request(format!(
        "the API version in the data ({}) does not match the expected API version ({api_version}), or its kind ({}) is not {}",
        found.api_version, found.kind, wanted.kind
    )))
}

/// Decodes options, which clients send in the version of the resource that they are for.
pub(crate) fn decode_options(
    headers: &HeaderMap,
    bytes: &Bytes,
    kind: GroupVersionKind<'_>,
) -> Result<Box<dyn Record>, Status> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let object_type = api_types::object_type(kind.group, kind.version, kind.kind);
    let mut object = (object_type.ok_or_else(|| Status::internal_error("no such options"))?.new)();
    let unreadable = |error: &dyn std::fmt::Display| Status::bad_request(format!("{}: {error}", kind.kind));
    if Codec::of(content_type) == Some(Codec::Proto) {
        let envelope = proto::open(bytes, Limits::REQUEST).map_err(|error| unreadable(&error))?;
        proto::decode(envelope.raw, &mut *object).map_err(|error| unreadable(&error))?;
    } else {
        json::decode(bytes, &mut *object, None, Limits::REQUEST).map_err(|error| unreadable(&error))?;
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use base::time::SystemClock;
    use futures_util::stream;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    #[test]
    fn an_eviction_may_be_of_its_older_version_and_nothing_else_may() {
        let read = |wanted: GroupVersionKind<'static>, text: &'static str| {
            let bytes = Bytes::from_static(text.as_bytes());
            let sent = decode(&HeaderMap::new(), &bytes, wanted, None, FieldValidation::Strict);
            sent.map(|sent| object_name(&*sent.object)).map_err(|status| status.code)
        };
        let eviction = GroupVersionKind { group: "policy", version: "v1", kind: "Eviction" };
        let budget = GroupVersionKind { group: "policy", version: "v1", kind: "PodDisruptionBudget" };
        for (wanted, text, name) in [
            (
                eviction,
                r#"{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"web"}}"#,
                Ok("web"),
            ),
            (
                eviction,
                r#"{"apiVersion":"policy/v1beta1","kind":"Eviction","metadata":{"name":"web"}}"#,
                Ok("web"),
            ),
            (
                eviction,
                r#"{"apiVersion":"policy/v1beta2","kind":"Eviction","metadata":{"name":"web"}}"#,
                Err(400),
            ),
            (budget, r#"{"apiVersion":"policy/v1beta1","kind":"PodDisruptionBudget"}"#, Err(400)),
        ] {
            assert_eq!(read(wanted, text), name.map(str::to_owned), "{text}");
        }
    }

    fn object_name(object: &dyn Record) -> String {
        api_types::object_meta(object).map(|meta| meta.name.clone()).unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_end_is_given_up() {
        let piece = |size: usize| Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![b' '; size])));
        let endless = Box::pin(stream::unfold((), |()| async {
            SystemClock.sleep(std::time::Duration::from_secs(7)).await;
            Some((Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b" "))), ()))
        }));
        let late = read(&SystemClock, StreamBody::new(endless)).await.expect_err("it does not end");
        assert_eq!((late.code, late.message.contains("allotted timeout")), (504, true));
        let large = StreamBody::new(stream::iter([piece(BODY_BYTES), piece(1)]));
        let large = read(&SystemClock, large).await.expect_err("it is too large");
        assert_eq!(large.code, 413);
        let whole = read(&SystemClock, StreamBody::new(stream::iter([piece(3)]))).await;
        assert_eq!(whole.expect("it is read").len(), 3);
    }
}
