//! The API of a server elsewhere.

use std::sync::Arc;

use api_meta::Status;
use base::error::Chain;
use base::time::Clock;
use bytes::Bytes;
use client::reflect::SharedViews;
use client::{Answer, Api, BoxFuture, Caller, Feed, RawView, Request, Revision, Scope, Target, Uri, Verb};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::access::{Access, AccessError, Credentials};
use crate::answer::{self, Question};
use crate::ask::{self, Asked, JSON, PROTOBUF};
use crate::connect::Connector;
use crate::limits;
use crate::watch::Events;

/// The API of a server elsewhere. Clones share its connections and views.
#[derive(Clone)]
pub struct Remote(Arc<Inner>);

struct Inner {
    http: Client<Connector, Full<Bytes>>,
    server: String,
    authorization: Option<HeaderValue>,
    clock: Arc<dyn Clock>,
    views: SharedViews,
}

impl Remote {
    /// A client of a server. Connects when it is first asked something.
    ///
    /// # Errors
    /// When the access is not usable as it is given.
    pub fn new(access: &Access, clock: Arc<dyn Clock>) -> Result<Remote, AccessError> {
        let bad_address = || AccessError::Address(access.server.clone());
        let uri: http::Uri = access.server.parse().map_err(|_| bad_address())?;
        if uri.scheme_str() != Some("https") || uri.host().is_none() {
            return Err(bad_address());
        }
        let authorization = match &access.credentials {
            Credentials::Token(token) => {
                let mut value =
                    HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| AccessError::Token)?;
                value.set_sensitive(true);
                Some(value)
            }
            Credentials::None | Credentials::Certificate(_) => None,
        };
        let mut tls = access.tls()?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let http = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .http2_keep_alive_interval(limits::PING.0)
            .http2_keep_alive_timeout(limits::PING.1)
            .http2_adaptive_window(true)
            .build(Connector::new(tls));
        let server = access.server.trim_end_matches('/').to_owned();
        Ok(Remote(Arc::new(Inner { http, server, authorization, clock, views: SharedViews::default() })))
    }

    /// Asks in the name of a program, which owns what it writes.
    async fn send(&self, program: &str, asked: Asked) -> Result<Response<Incoming>, Status> {
        self.send_accepting(&format!("{PROTOBUF},{JSON}"), program, asked).await
    }

    async fn send_accepting(
        &self,
        accept: &str,
        program: &str,
        asked: Asked,
    ) -> Result<Response<Incoming>, Status> {
        let Asked { method, path, content_type, body } = asked;
        let program = if program.is_empty() { "knarr" } else { program };
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.0.server))
            .header(ACCEPT, accept)
            .header(USER_AGENT, format!("{program}/{}", env!("CARGO_PKG_VERSION")));
        if !content_type.is_empty() {
            request = request.header(CONTENT_TYPE, content_type);
        }
        if let Some(value) = &self.0.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(Full::new(body)).map_err(|error| {
            Status::bad_request(format!("this cannot be asked of {}: {error}", self.0.server))
        })?;
        self.0.http.request(request).await.map_err(|error| {
            Status::service_unavailable(format!("{} cannot be asked: {}", self.0.server, Chain(&error)))
        })
    }

    async fn call(&self, who: &Caller, request: Request) -> Result<Answer, Status> {
        let (verb, resource) = (request.verb, request.target.resource.clone());
        let asked = ask::request(&request)?;
        let answered = base::time::timeout(&*self.0.clock, limits::REQUEST, async {
            let response = self.send(who.program(), asked).await?;
            let (parts, body) = response.into_parts();
            Ok::<_, Status>((parts, whole(body).await?))
        });
        let (parts, body) = answered.await.map_err(|_| self.late())??;
        answer::read(&Question { verb, resource: &resource }, parts.status.as_u16(), &parts.headers, &body)
    }

    /// The document about a target, in JSON: of groups whose types are not known here.
    ///
    /// # Errors
    /// When it cannot be asked, is not answered in time, or the answer is no success.
    pub async fn document(&self, who: &Caller, target: &Target, uri: Uri) -> Result<Bytes, Status> {
        let asked = Asked { method: Method::GET, path: uri.into(), content_type: "", body: Bytes::new() };
        let question = Question { verb: Verb::Get, resource: &target.resource };
        self.in_json(who, asked, &question).await
    }

    /// What a request is answered with, in JSON: of groups whose types are not known here. Warnings are not told.
    ///
    /// # Errors
    /// As [`Remote::document`].
    pub async fn answered(&self, who: &Caller, request: &Request) -> Result<Bytes, Status> {
        let question = Question { verb: request.verb, resource: &request.target.resource };
        self.in_json(who, ask::request(request)?, &question).await
    }

    async fn in_json(&self, who: &Caller, asked: Asked, question: &Question<'_>) -> Result<Bytes, Status> {
        let answered = base::time::timeout(&*self.0.clock, limits::REQUEST, async {
            let (parts, body) = self.send_accepting(JSON, who.program(), asked).await?.into_parts();
            Ok::<_, Status>((parts, whole(body).await?))
        });
        let (parts, body) = answered.await.map_err(|_| self.late())??;
        if parts.status.is_success() {
            return Ok(body);
        }
        Err(answer::failure(Some(question), parts.status.as_u16(), &parts.headers, &body))
    }

    fn late(&self) -> Status {
        Status::timeout(format!("{} did not answer in time", self.0.server).as_str(), 0)
    }

    /// What a path answers that is no resource's, such as `/version`.
    ///
    /// # Errors
    /// When it cannot be asked, or the answer is no success.
    pub async fn raw(&self, path: &str) -> Result<Bytes, Status> {
        let asked =
            Asked { method: Method::GET, path: path.to_owned(), content_type: "", body: Bytes::new() };
        let accept = format!("{JSON}, */*");
        let (parts, body) = self.send_accepting(&accept, "", asked).await?.into_parts();
        let body = whole(body).await?;
        if parts.status.is_success() {
            return Ok(body);
        }
        Err(answer::failure(None, parts.status.as_u16(), &parts.headers, &body))
    }
}

async fn whole(body: Incoming) -> Result<Bytes, Status> {
    let collected = Limited::new(body, limits::ANSWER_BYTES).collect().await;
    collected
        .map(|collected| collected.to_bytes())
        .map_err(|error| Status::service_unavailable(format!("the server's answer broke off: {error}")))
}

impl Api for Remote {
    fn call<'a>(&'a self, who: &'a Caller, request: Request) -> BoxFuture<'a, Result<Answer, Status>> {
        Box::pin(Remote::call(self, who, request))
    }

    fn watch<'a>(
        &'a self,
        who: &'a Caller,
        scope: Scope,
        from: Revision,
    ) -> BoxFuture<'a, Result<Feed, Status>> {
        Box::pin(async move {
            let path = ask::watch(&scope, from);
            let asked = Asked { method: Method::GET, path, content_type: "", body: Bytes::new() };
            let sent = self.send(who.program(), asked);
            let response = base::time::timeout(&*self.0.clock, limits::REQUEST, sent).await;
            let response = response.map_err(|_| self.late())??;
            let (parts, body) = response.into_parts();
            if !parts.status.is_success() {
                let body = whole(body).await?;
                return Err(answer::failure(None, parts.status.as_u16(), &parts.headers, &body));
            }
            Ok(Feed::new(Events::new(body)))
        })
    }

    fn view<'a>(&'a self, who: &'a Caller, scope: Scope) -> BoxFuture<'a, Result<RawView, Status>> {
        Box::pin(async move {
            let api: Arc<dyn Api> = Arc::new(self.clone());
            Ok(self.0.views.open(api, who, scope, Arc::clone(&self.0.clock), None))
        })
    }
}
