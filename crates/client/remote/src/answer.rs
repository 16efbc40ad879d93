//! An HTTP answer as the API means it.

use std::sync::Arc;

use api_codec::limits::Limits;
use api_codec::{json, proto};
use api_meta::Status;
use api_meta::gvk::GroupResource;
use api_meta::status::ServerResponse;
use api_record::Record;
use api_types::meta::v1;
use api_types::{ObjectType, object_type, resources};
use client::{Answer, List, Outcome, Resource, Revision, Verb};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, RETRY_AFTER};

/// What was asked, as far as the answer depends on it.
pub(crate) struct Question<'a> {
    pub(crate) verb: Verb,
    pub(crate) resource: &'a Resource,
}

/// The answer of a whole response.
pub(crate) fn read(
    question: &Question<'_>,
    code: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Answer, Status> {
    if !(200..300).contains(&code) {
        return Err(failure(Some(question), code, headers, body));
    }
    let warnings =
        headers.get_all("warning").iter().filter_map(|value| warning(value.to_str().ok()?)).collect();
    let document = Document::open(headers, body)?;
    let outcome = if document.kind == "Status" {
        Outcome::Status(document.status()?)
    } else if matches!(question.verb, Verb::List | Verb::DeleteCollection) {
        Outcome::List(document.list(question.resource)?)
    } else {
        Outcome::Object(Arc::from(document.object()?))
    };
    Ok(Answer { outcome, created: code == 201, warnings })
}

/// What a response that is no success says; one that is no Status comes from something between here and the API.
pub(crate) fn failure(
    question: Option<&Question<'_>>,
    code: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> Status {
    let told = Document::open(headers, body).ok().filter(|document| document.kind == "Status");
    if let Some(status) = told.and_then(|document| document.status().ok()) {
        return status;
    }
    let said: String = String::from_utf8_lossy(body).trim().chars().take(MESSAGE_CHARACTERS).collect();
    let after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let (verb, resource) = match question {
        Some(Question { verb, resource }) => {
            (verb.name(), GroupResource { group: &resource.group, resource: &resource.plural })
        }
        None => ("GET", GroupResource::default()),
    };
    Status::generic_server_response(&ServerResponse {
        code,
        verb,
        resource,
        message: &said,
        retry_after_seconds: after.unwrap_or_default(),
        unexpected: true,
        ..ServerResponse::default()
    })
}

/// How much of a text that is no Status is kept: client-go's.
const MESSAGE_CHARACTERS: usize = 2048;

/// The text of a `Warning` header.
fn warning(value: &str) -> Option<String> {
    let quoted = value.strip_prefix("299 ")?.split_once('"')?.1;
    let mut text = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    Some(text)
}

fn unreadable(error: &dyn std::fmt::Display) -> Status {
    Status::internal_error(format!("the server's answer cannot be read: {error}"))
}

/// An object whose kind is known and whose fields are still encoded.
pub(crate) struct Document<'a> {
    api_version: String,
    kind: String,
    fields: Fields<'a>,
}

enum Fields<'a> {
    Proto(&'a [u8]),
    Json(&'a [u8]),
}

impl<'a> Document<'a> {
    fn open(headers: &HeaderMap, body: &'a [u8]) -> Result<Document<'a>, Status> {
        let content_type =
            headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if content_type.starts_with("application/json") {
            Document::json(body)
        } else {
            Document::proto(body)
        }
    }

    /// A document in protobuf's envelope.
    pub(crate) fn proto(body: &'a [u8]) -> Result<Document<'a>, Status> {
        let envelope = proto::open(body, Limits::RESPONSE).map_err(|error| unreadable(&error))?;
        let json::TypeMeta { api_version, kind } = envelope.type_meta;
        Ok(Document { api_version, kind, fields: Fields::Proto(envelope.raw) })
    }

    fn json(body: &'a [u8]) -> Result<Document<'a>, Status> {
        let meta = json::type_meta(body, Limits::RESPONSE).map_err(|error| unreadable(&error))?;
        Ok(Document { api_version: meta.api_version, kind: meta.kind, fields: Fields::Json(body) })
    }

    /// The object.
    pub(crate) fn object(&self) -> Result<Box<dyn Record>, Status> {
        let mut object = (self.object_type()?.new)();
        self.fill(&mut *object)?;
        Ok(object)
    }

    /// The Status that it is.
    pub(crate) fn status(&self) -> Result<Status, Status> {
        let mut status = v1::Status::default();
        self.fill(&mut status)?;
        Ok(Status::from(status))
    }

    fn object_type(&self) -> Result<&'static ObjectType, Status> {
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", &self.api_version));
        object_type(group, version, &self.kind)
            .ok_or_else(|| unreadable(&format!("it is a {} of {:?}", self.kind, self.api_version)))
    }

    fn fill(&self, record: &mut dyn Record) -> Result<(), Status> {
        let filled = match self.fields {
            Fields::Proto(message) => proto::decode(message, record),
            Fields::Json(text) => json::decode(text, record, None, Limits::RESPONSE),
        };
        filled.map_err(|error| unreadable(&error))
    }

    fn list(&self, resource: &Resource) -> Result<List, Status> {
        let Fields::Proto(message) = self.fields else {
            return Err(unreadable(&"a list came in JSON, which was not asked for"));
        };
        let row = resources().iter().find(|row| {
            (row.kind.group, row.kind.version, row.plural)
                == (&*resource.group, &*resource.version, &*resource.plural)
        });
        let kind = row.and_then(|row| object_type(row.kind.group, row.kind.version, row.kind.kind));
        let new = kind.ok_or_else(|| unreadable(&format!("nothing is known of {resource}")))?.new;
        let mut meta = v1::ListMeta::default();
        let items = proto::decode_list(message, &mut meta, new).map_err(|error| unreadable(&error))?;
        Ok(List {
            items: items.into_iter().map(Arc::from).collect(),
            revision: Revision(meta.resource_version.parse().unwrap_or_default()),
            continue_: meta.continue_,
            remaining: meta.remaining_item_count,
        })
    }
}

#[cfg(test)]
mod tests {
    use api_types::GroupVersionKind;
    use api_types::core::v1::Pod;
    use http::HeaderValue;

    use super::*;

    const PODS: Resource = Resource::of("", "v1", "pods");
    const POD: GroupVersionKind<'static> = GroupVersionKind { group: "", version: "v1", kind: "Pod" };

    fn headers(content_type: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers
    }

    fn pod(name: &str) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = name.to_owned();
        pod
    }

    #[test]
    fn a_list_is_its_items_and_its_revision() {
        let meta = v1::ListMeta { resource_version: "7".to_owned(), ..v1::ListMeta::default() };
        let items: Vec<Arc<dyn Record>> = vec![Arc::new(pod("a")), Arc::new(pod("b"))];
        let kind = GroupVersionKind { kind: "PodList", ..POD };
        let body = proto::encode_list(&meta, &items, &kind);
        let question = Question { verb: Verb::List, resource: &PODS };
        let answer = read(&question, 200, &headers(crate::ask::PROTOBUF), &body).expect("an answer");
        let Outcome::List(list) = answer.outcome else { panic!("no list") };
        let names: Vec<_> = list
            .items
            .iter()
            .filter_map(|item| Some(item.downcast_ref::<Pod>()?.metadata.name.as_str()))
            .collect();
        assert_eq!((names, list.revision), (vec!["a", "b"], Revision(7)));
    }

    #[test]
    fn an_object_is_what_its_envelope_says() {
        let mut given = headers(crate::ask::PROTOBUF);
        given.append("warning", HeaderValue::from_static("299 - \"spec.a: \\\"b\\\" is old\""));
        let question = Question { verb: Verb::Create, resource: &PODS };
        let answer = read(&question, 201, &given, &proto::encode(&pod("a"), &POD)).expect("an answer");
        let Outcome::Object(object) = answer.outcome else { panic!("no object") };
        assert_eq!(object.downcast_ref::<Pod>().map(|pod| pod.metadata.name.as_str()), Some("a"));
        assert!(answer.created);
        assert_eq!(answer.warnings, [r#"spec.a: "b" is old"#]);
    }

    #[test]
    fn failures_keep_their_words() {
        let question = Question { verb: Verb::Get, resource: &PODS };
        let refused = |code, content_type, body: &[u8]| {
            read(&question, code, &headers(content_type), body).err().expect("a failure")
        };
        let status = Status::not_found(api_meta::gvk::GroupResource { group: "", resource: "pods" }, "web");
        let kind = GroupVersionKind { kind: "Status", ..POD };
        let body = proto::encode(&status.clone().into_inner(), &kind);
        assert_eq!(refused(404, crate::ask::PROTOBUF, &body), status);
        let json = br#"{"kind":"Status","apiVersion":"v1","code":409,"reason":"Conflict","message":"no"}"#;
        assert!(refused(409, "application/json", json).is_conflict());
        let gateway = refused(503, "text/html", b"<html>");
        let words = "the server is currently unable to handle the request (get pods)";
        assert_eq!((gateway.code, gateway.message.as_str()), (503, words));
        assert!(read(&question, 200, &headers("text/plain"), b"hello").is_err());
    }
}
