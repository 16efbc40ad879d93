//! What is answered to a request for a document: everything but the writing of it.

use bytes::Bytes;

use crate::document::Document;
use crate::documents::{Documents, location};
use crate::media::{Form, Version};

/// A GET or HEAD below `/openapi`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The path, such as `/openapi/v3/apis/apps/v1`.
    pub path: &'a str,
    /// The parameter `hash` of the query.
    pub hash: Option<&'a str>,
    /// The header `Accept`, empty if there is none.
    pub accept: &'a str,
    /// The header `If-None-Match`, empty if there is none.
    pub if_none_match: &'a str,
    /// Whether `Accept-Encoding` names gzip.
    pub gzip: bool,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, except those that any body has.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

/// For as long as the location holds a hash, what is there does not change. Upstream says this with `Expires`.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

impl Documents {
    /// The answer to a request; `None` if there is no such document. It may have to be made first, which takes a while.
    pub fn answer(&self, request: &Request<'_>) -> Option<Answer> {
        match request.path.trim_end_matches('/') {
            "/openapi/v2" => self.in_form(request, Version::V2, |form| Some(self.v2(form))),
            "/openapi/v3" => {
                let headers = vec![("content-type", "application/json".to_owned())];
                Some(content(request, self.v3_index(), headers))
            }
            path => self.part(request, path.strip_prefix("/openapi/v3/")?),
        }
    }

    fn part(&self, request: &Request<'_>, name: &str) -> Option<Answer> {
        let hash = request.hash.filter(|hash| !hash.is_empty());
        let document = self.v3(name, Form::Json)?;
        let is_moved = hash.is_some_and(|hash| hash != document.hash());
        if is_moved && Version::V3.negotiate(request.accept).is_some() {
            let headers = vec![
                ("vary", "Accept".to_owned()),
                ("etag", document.etag()),
                ("location", location(name, document.hash())),
            ];
            return Some(Answer { status: 301, headers, body: Bytes::new() });
        }
        let mut answer = self.in_form(request, Version::V3, |form| self.v3(name, form))?;
        if hash.is_some() && answer.status != 406 {
            answer.headers.push(("cache-control", FOR_GOOD.to_owned()));
        }
        Some(answer)
    }

    fn in_form<'a>(
        &'a self,
        request: &Request<'_>,
        version: Version,
        find: impl FnOnce(Form) -> Option<&'a Document>,
    ) -> Option<Answer> {
        let Some(form) = version.negotiate(request.accept) else {
            // A document that does not exist is not found, in whatever form.
            find(Form::Json)?;
            let headers = vec![("vary", "Accept".to_owned())];
            return Some(Answer { status: 406, headers, body: Bytes::new() });
        };
        let document = find(form)?;
        let headers =
            vec![("vary", "Accept".to_owned()), ("content-type", version.content_type(form).to_owned())];
        Some(content(request, document, headers))
    }
}

fn content(request: &Request<'_>, document: &Document, mut headers: Vec<(&'static str, String)>) -> Answer {
    let etag = document.etag();
    let is_known = request.if_none_match.split(',').any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
    });
    headers.push(("vary", "Accept-Encoding".to_owned()));
    headers.push(("etag", etag));
    if is_known {
        headers.retain(|(name, _)| *name != "content-type");
        return Answer { status: 304, headers, body: Bytes::new() };
    }
    let body = if request.gzip {
        headers.push(("content-encoding", "gzip".to_owned()));
        document.gzip()
    } else {
        document.bytes()
    };
    Answer { status: 200, headers, body }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use api_types::resources;

    use super::*;

    static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| {
        Documents::new(resources().iter().filter(|resource| resource.kind.group == "batch"))
    });

    const PROTO: &str = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf";

    fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
        answer.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    fn answer(request: &Request<'_>) -> Answer {
        DOCUMENTS.answer(request).expect("there is such a document")
    }

    #[test]
    fn forms() {
        let cases = [
            ("/openapi/v2", "", 200, Some("application/json")),
            ("/openapi/v2/", "application/json, */*", 200, Some("application/json")),
            ("/openapi/v2", "text/html", 406, None),
            ("/openapi/v3", "text/html", 200, Some("application/json")),
            ("/openapi/v3/apis/batch/v1", "", 200, Some("application/json")),
            (
                "/openapi/v3/apis/batch/v1",
                PROTO,
                200,
                Some("application/com.github.proto-openapi.spec.v3.v1.0+protobuf"),
            ),
            ("/openapi/v3/apis/batch/v1", "text/html", 406, None),
        ];
        for (path, accept, status, content_type) in cases {
            let answer = answer(&Request { path, accept, ..Request::default() });
            assert_eq!(
                (answer.status, header(&answer, "content-type")),
                (status, content_type),
                "{path} {accept}"
            );
            assert_eq!(answer.body.is_empty(), status == 406, "{path} {accept}");
        }
        for path in ["/openapi", "/openapi/v1", "/openapi/v3/apis/batch/v2", "/openapi/v3/apis/apps/v1"] {
            for accept in ["", "text/html"] {
                assert_eq!(DOCUMENTS.answer(&Request { path, accept, ..Request::default() }), None, "{path}");
            }
        }
    }

    #[test]
    fn what_is_known_is_not_sent_again() {
        let path = "/openapi/v3/apis/batch/v1";
        let first = answer(&Request { path, ..Request::default() });
        let etag = header(&first, "etag").expect("a tag").to_owned();
        for (tags, status) in
            [(etag.as_str(), 304), (&format!("\"other\", W/{etag}"), 304), ("*", 304), ("\"other\"", 200)]
        {
            let again = answer(&Request { path, if_none_match: tags, ..Request::default() });
            assert_eq!(again.status, status, "{tags}");
            assert_eq!(header(&again, "etag"), Some(etag.as_str()));
            assert_eq!(again.body.is_empty(), status == 304);
        }
    }

    #[test]
    fn a_location_with_a_hash_is_for_good() {
        let path = "/openapi/v3/apis/batch/v1";
        let document = DOCUMENTS.v3("apis/batch/v1", Form::Json).expect("there is such a document");
        let right =
            answer(&Request { path, hash: Some(document.hash()), accept: PROTO, ..Request::default() });
        assert_eq!((right.status, header(&right, "cache-control")), (200, Some(FOR_GOOD)));
        let wrong = answer(&Request { path, hash: Some("0"), ..Request::default() });
        assert_eq!(wrong.status, 301);
        assert_eq!(header(&wrong, "location"), Some(location("apis/batch/v1", document.hash()).as_str()));
        let none = answer(&Request { path, hash: Some(""), ..Request::default() });
        assert_eq!((none.status, header(&none, "cache-control")), (200, None));
    }

    #[test]
    fn compressed_if_it_may_be() {
        let path = "/openapi/v2";
        let packed = answer(&Request { path, gzip: true, ..Request::default() });
        assert_eq!(header(&packed, "content-encoding"), Some("gzip"));
        assert!(packed.body.len() * 2 < answer(&Request { path, ..Request::default() }).body.len());
    }
}
