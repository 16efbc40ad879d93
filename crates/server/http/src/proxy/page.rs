//! The body of a page, rewritten while it passes, also where it is packed.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateDecoder, DeflateEncoder, GzEncoder, MultiGzDecoder};
use hyper::body::{Body as HttpBody, Frame};

use super::html::Rewriter;
use super::links::Links;
use crate::content::{Body, Broken};
use crate::limits;

/// How a page is packed (`Content-Encoding`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Gzip,
    Deflate,
}

impl Packing {
    /// The packing of this name; `None` for one that is not known here, whose pages pass as they are.
    pub(crate) fn of(name: &str) -> Option<Packing> {
        match name {
            "" => Some(Packing::None),
            "gzip" => Some(Packing::Gzip),
            "deflate" => Some(Packing::Deflate),
            _ => None,
        }
    }
}

/// A page on its way.
pub(crate) struct Page {
    body: Body,
    /// `None` once the page is over.
    work: Option<Work>,
    /// Trailers that wait for the last of the page.
    trailers: Option<Frame<Bytes>>,
}

struct Work {
    rewriter: Rewriter,
    packing: Coder,
}

enum Coder {
    None,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>, GzEncoder<Vec<u8>>),
    Deflate(Box<DeflateDecoder<Vec<u8>>>, DeflateEncoder<Vec<u8>>),
}

impl Page {
    /// The page that a body holds.
    pub(crate) fn new(body: Body, links: Links, packing: Packing) -> Page {
        let packing = match packing {
            Packing::None => Coder::None,
            Packing::Gzip => Coder::Gzip(
                Box::new(MultiGzDecoder::new(Vec::new())),
                GzEncoder::new(Vec::new(), Compression::default()),
            ),
            Packing::Deflate => Coder::Deflate(
                Box::new(DeflateDecoder::new(Vec::new())),
                DeflateEncoder::new(Vec::new(), Compression::best()),
            ),
        };
        let work = Work { rewriter: Rewriter::new(links), packing };
        Page { body, work: Some(work), trailers: None }
    }
}

impl Work {
    fn feed(&mut self, data: &[u8]) -> io::Result<Vec<u8>> {
        let Work { rewriter, packing } = self;
        match packing {
            Coder::None => {
                let mut out = Vec::new();
                rewriter.feed(data, &mut out);
                Ok(out)
            }
            Coder::Gzip(unpack, pack) => {
                repack(data, rewriter, &mut **unpack, MultiGzDecoder::get_mut, pack)?;
                Ok(std::mem::take(pack.get_mut()))
            }
            Coder::Deflate(unpack, pack) => {
                repack(data, rewriter, &mut **unpack, DeflateDecoder::get_mut, pack)?;
                Ok(std::mem::take(pack.get_mut()))
            }
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        let Work { mut rewriter, packing } = self;
        let mut last = |unpacked: Vec<u8>| {
            let mut out = Vec::new();
            rewriter.feed(&unpacked, &mut out);
            rewriter.finish(&mut out);
            out
        };
        match packing {
            Coder::None => Ok(last(Vec::new())),
            Coder::Gzip(unpack, mut pack) => {
                pack.write_all(&last(unpack.finish()?))?;
                pack.finish()
            }
            Coder::Deflate(unpack, mut pack) => {
                pack.write_all(&last(unpack.finish()?))?;
                pack.finish()
            }
        }
    }
}

/// Unpacks, rewrites and packs again, a little at a time: a few bytes can hold a thousand times as many.
fn repack<U: io::Write>(
    data: &[u8],
    rewriter: &mut Rewriter,
    unpack: &mut U,
    unpacked: fn(&mut U) -> &mut Vec<u8>,
    pack: &mut impl io::Write,
) -> io::Result<()> {
    let mut out = Vec::new();
    for piece in data.chunks(limits::PACKED_PIECE_BYTES) {
        unpack.write_all(piece)?;
        unpack.flush()?;
        rewriter.feed(&std::mem::take(unpacked(unpack)), &mut out);
        pack.write_all(&out)?;
        out.clear();
    }
    pack.flush()
}

impl HttpBody for Page {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            if self.work.is_none() {
                return Poll::Ready(self.trailers.take().map(Ok));
            }
            let made = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.work.as_mut().map_or(Ok(Vec::new()), |work| work.feed(&data)),
                    Err(trailers) => {
                        self.trailers = Some(trailers);
                        self.work.take().map_or(Ok(Vec::new()), Work::finish)
                    }
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.work.take().map_or(Ok(Vec::new()), Work::finish),
            };
            match made {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes.into())))),
                Err(error) => return Poll::Ready(Some(Err(Broken::new(error)))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::{DeflateDecoder, GzDecoder};
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::content;

    fn links() -> Links {
        Links { prefix: "/p".into(), backend: "b".into(), asked: "a".into() }
    }

    async fn through(packed: Vec<u8>, packing: Packing) -> Result<Vec<u8>, Broken> {
        let page = Page::new(content::whole(packed), links(), packing);
        page.collect().await.map(|collected| collected.to_bytes().to_vec())
    }

    #[tokio::test]
    async fn packed_pages_are_rewritten_and_packed_again() {
        let (page, wanted) = ("<a href='/x'>".repeat(5_000), "<a href=\"/p/x\">".repeat(5_000));
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(page.as_bytes()).unwrap();
        let passed = through(gzip.finish().unwrap(), Packing::Gzip).await.unwrap();
        let mut text = String::new();
        GzDecoder::new(&passed[..]).read_to_string(&mut text).unwrap();
        assert!(text == wanted);
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::fast());
        deflate.write_all(page.as_bytes()).unwrap();
        let passed = through(deflate.finish().unwrap(), Packing::Deflate).await.unwrap();
        text.clear();
        DeflateDecoder::new(&passed[..]).read_to_string(&mut text).unwrap();
        assert!(text == wanted);
        assert_eq!(through(page.into_bytes(), Packing::None).await.unwrap(), wanted.as_bytes());
    }

    #[tokio::test]
    async fn what_is_not_packed_as_it_says_breaks_off() {
        assert!(through(b"<a href='/x'>".to_vec(), Packing::Gzip).await.is_err());
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(b"<a href='/x'>").unwrap();
        let packed = gzip.finish().unwrap();
        assert!(through(packed[..packed.len() / 2].to_vec(), Packing::Gzip).await.is_err());
    }
}
