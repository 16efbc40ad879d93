//! Lists of all objects of a scope, written while they are read: a collection of any size takes the memory of a page or two.

use std::sync::Arc;

use api_codec::proto;
use api_meta::Status;
use base::time::Time;
use bytes::Bytes;
use client::{List, ListOptions};
use futures_util::{Stream, StreamExt as _, stream};
use http::Response;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame as BodyFrame;
use server_registry::{Kept, Pages, Served};

use crate::content::{self, Body, Broken};
use crate::encode::Frame;
use crate::handler::{Handler, bytes_answer, warn};
use crate::limits;
use crate::negotiate::{Codec, Form, Shown};
use crate::resource::Asked;
use crate::table::Included;

/// Answers a list that has no limit; `None` if what is asked for is another thing.
pub(crate) async fn answer(
    handler: &Handler,
    asked: &Asked<'_>,
    options: &ListOptions,
) -> Result<Option<Response<Body>>, Status> {
    let Some((mut pages, warnings)) = handler.local.pages(asked.caller, asked.target, options)? else {
        return Ok(None);
    };
    let written = async {
        let first = pages.next().await?.unwrap_or_default();
        let included = Included::of(asked.query.get("includeObject"));
        let (served, form, now) = (Arc::clone(pages.served()), asked.form, handler.clock.now());
        let begun = Begun { sheet: Sheet { served, form, included, now, written: 0 }, pages, first };
        begun.body(Arc::clone(&handler.clock)).await
    };
    let called = base::time::timeout(&*handler.clock, limits::REQUEST, written).await;
    let body =
        called.map_err(|_| Status::timeout("request did not complete within the allotted timeout", 0))??;
    let mut response = bytes_answer(200, asked.form.codec.media_type(), Bytes::new());
    *response.body_mut() = body;
    warn(&mut response, &warnings);
    Ok(Some(response))
}

type Clock = Arc<dyn base::time::Clock>;

/// A list whose first page has been read.
struct Begun {
    sheet: Sheet,
    pages: Pages,
    first: Vec<Kept>,
}

impl Begun {
    async fn body(self, clock: Clock) -> Result<Body, Status> {
        let Form { codec, shown, pretty } = self.sheet.form;
        match codec {
            Codec::Json if !pretty => self.json(clock),
            Codec::Proto if shown == Shown::Object && self.pages.are_shown_as_kept() => {
                self.kept(clock).await
            }
            _ => self.whole().await,
        }
    }

    /// In forms that are made of the whole list.
    async fn whole(mut self) -> Result<Body, Status> {
        let mut list = List { revision: self.pages.revision(), ..List::default() };
        let mut page = self.first;
        loop {
            for kept in &page {
                list.items.push(self.pages.shown(kept)?);
            }
            match self.pages.next().await? {
                Some(next) => page = next,
                None => return Ok(content::whole(self.sheet.frame().list(&list))),
            }
        }
    }

    fn json(self, clock: Clock) -> Result<Body, Status> {
        let Begun { mut sheet, pages, first } = self;
        let mut out = Vec::new();
        let meta = List { revision: pages.revision(), ..List::default() };
        sheet.frame().open_list(&meta, &mut out);
        sheet.write(&pages, &first, &mut out)?;
        if pages.is_at_end() {
            sheet.frame().close_list(&mut out);
            return Ok(content::whole(out));
        }
        let write = move |pages: &Pages, page: Option<&[Kept]>, out: &mut Vec<u8>| match page {
            Some(page) => sheet.write(pages, page, out),
            None => {
                sheet.frame().close_list(out);
                Ok(())
            }
        };
        Ok(streamed(out, pages, clock, write))
    }

    /// In the form that objects are kept in: none is decoded. Their sizes come first, so what is kept is read twice.
    async fn kept(self, clock: Clock) -> Result<Body, Status> {
        let Begun { sheet, pages, first } = self;
        let mut items = length(&first)?;
        let mut ahead = pages.clone();
        while let Some(page) = ahead.next().await? {
            items += length(&page)?;
        }
        let meta = List { revision: pages.revision(), ..List::default() };
        let mut out = sheet.frame().proto_head(&meta, items);
        write_kept(&first, &mut out)?;
        if pages.is_at_end() {
            out.extend_from_slice(&proto::list_tail());
            return Ok(content::whole(out));
        }
        let write = |_: &Pages, page: Option<&[Kept]>, out: &mut Vec<u8>| match page {
            Some(page) => write_kept(page, out),
            None => {
                out.extend_from_slice(&proto::list_tail());
                Ok(())
            }
        };
        Ok(streamed(out, pages, clock, write))
    }
}

/// What is ready, then a piece for each page, and one for the end. A client that takes longer than a request may is given up.
fn streamed(
    ready: Vec<u8>,
    pages: Pages,
    clock: Clock,
    write: impl FnMut(&Pages, Option<&[Kept]>, &mut Vec<u8>) -> Result<(), Status> + Send + 'static,
) -> Body {
    let first = stream::once(std::future::ready(Ok(ready)));
    let begun = clock.now();
    let rest = stream::try_unfold(Some((pages, write)), move |state| {
        let clock = Arc::clone(&clock);
        async move {
            let Some((mut pages, mut write)) = state else { return Ok(None) };
            if clock.now().since(begun) > limits::REQUEST {
                return Err(Status::timeout("request did not complete within the allotted timeout", 0));
            }
            let page = pages.next().await?;
            let mut out = Vec::new();
            write(&pages, page.as_deref(), &mut out)?;
            Ok(Some((out, page.map(|_| (pages, write)))))
        }
    });
    body(first.chain(rest))
}

fn body(pieces: impl Stream<Item = Result<Vec<u8>, Status>> + Send + 'static) -> Body {
    let frames = pieces.map(|piece| match piece {
        Ok(bytes) => Ok(BodyFrame::data(Bytes::from(bytes))),
        Err(status) => Err(Broken::new(status.message.clone())),
    });
    StreamBody::new(frames).boxed_unsync()
}

/// What a list is written with.
struct Sheet {
    served: Arc<Served>,
    form: Form,
    included: Included,
    now: Time,
    written: usize,
}

impl Sheet {
    fn frame(&self) -> Frame<'_> {
        Frame { served: &self.served, form: self.form, included: self.included, now: self.now }
    }

    fn write(&mut self, pages: &Pages, page: &[Kept], out: &mut Vec<u8>) -> Result<(), Status> {
        for kept in page {
            let object = pages.shown(kept)?;
            self.frame().list_item(&object, self.written == 0, out);
            self.written += 1;
        }
        Ok(())
    }
}

/// A kept object's message, and its resource version.
fn message(kept: &Kept) -> Result<(proto::Kept<'_>, String), Status> {
    let damaged = |error| Status::internal_error(format!("a stored value cannot be read: {error}"));
    let envelope = proto::open(kept.value(), api_codec::limits::Limits::RESPONSE).map_err(damaged)?;
    let message = proto::Kept::new(envelope.raw).map_err(damaged)?;
    Ok((message, kept.revision().to_string()))
}

fn length(page: &[Kept]) -> Result<usize, Status> {
    page.iter().try_fold(0, |sum, kept| {
        let (message, version) = message(kept)?;
        Ok(sum + proto::list_item_len(message.len(&version)))
    })
}

fn write_kept(page: &[Kept], out: &mut Vec<u8>) -> Result<(), Status> {
    for kept in page {
        let (message, version) = message(kept)?;
        proto::list_item(message.len(&version), out);
        message.write(&version, out);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
