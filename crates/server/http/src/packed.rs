//! Answers packed with gzip, for clients that can unpack it.
//!
//! As upstream's API server does (`APIResponseCompression`): the first level, and nothing smaller than 128 KiB, because on a
//! fast network packing takes longer than sending.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue, VARY};
use http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame};

use crate::content::{Body, Broken};
use crate::limits::PACKED_FROM_BYTES;

/// Whether a client unpacks gzip.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    codings.flat_map(|codings| codings.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next() == Some("gzip") && parts.next() != Some("q=0")
    })
}

/// Packs an answer that is large, or whose size is not known yet.
pub(crate) fn packed(response: Response<Body>) -> Response<Body> {
    if response.body().size_hint().exact().is_some_and(|size| size < PACKED_FROM_BYTES) {
        return response;
    }
    let packer = GzEncoder::new(Vec::new(), Compression::fast());
    let mut response = response.map(|body| Packed { body, packer: Some(packer) }.boxed_unsync());
    response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response.headers_mut().append(VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}

/// A body that is packed while it passes.
struct Packed {
    body: Body,
    /// Nothing once the end has been written.
    packer: Option<GzEncoder<Vec<u8>>>,
}

impl Packed {
    fn feed(&mut self, data: &[u8]) -> io::Result<Vec<u8>> {
        let Some(packer) = &mut self.packer else { return Ok(Vec::new()) };
        packer.write_all(data)?;
        Ok(std::mem::take(packer.get_mut()))
    }
}

impl HttpBody for Packed {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        while self.packer.is_some() {
            let made = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.feed(&data),
                    // Answers have no trailers.
                    Err(_) => continue,
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.packer.take().map_or(Ok(Vec::new()), GzEncoder::finish),
            };
            match made {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes.into())))),
                Err(error) => return Poll::Ready(Some(Err(Broken::new(error)))),
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use http_body_util::StreamBody;

    use super::*;
    use crate::content;

    #[test]
    fn gzip_must_be_named() {
        let wanted = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            is_wanted(&headers)
        };
        assert!(
            wanted("gzip") && wanted("deflate, gzip;q=1.0") && !wanted("identity") && !wanted("gzip;q=0")
        );
        assert!(!is_wanted(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn what_is_large_or_of_unknown_size_is_packed() {
        let small = packed(Response::new(content::whole("small")));
        assert!(small.headers().is_empty());
        let text = "abc".repeat(100_000);
        let pieces: Vec<_> = text.as_bytes().chunks(7_000).map(Bytes::copy_from_slice).collect();
        let stream = futures_util::stream::iter(pieces.into_iter().map(|piece| Ok(Frame::data(piece))));
        for body in [content::whole(text.clone()), content::unfailing(StreamBody::new(stream))] {
            let response = packed(Response::new(body));
            assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
            let bytes = response.into_body().collect().await.expect("nothing breaks off").to_bytes();
            let mut unpacked = String::new();
            GzDecoder::new(&bytes[..]).read_to_string(&mut unpacked).expect("it is gzip");
            assert!(bytes.len() < 10_000 && unpacked == text);
        }
    }
}
