//! A client that does as little as it can, because it shares the cores with the server: one HTTP/2 connection over TLS.

use anyhow::{Context as _, Result, bail};
use api_codec::limits::Limits;
use api_codec::proto;
use api_types::core::v1::ConfigMap;
use api_types::meta::v1::WatchEvent;
use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::access::Access;

/// Kubernetes' media type of protobuf.
pub const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

const WATCHED_PROTOBUF: &str = "application/vnd.kubernetes.protobuf;stream=watch";

const JSON: &str = "application/json";

/// A connection to the API. Its clones share it.
#[derive(Clone)]
pub struct Client {
    requests: SendRequest<Full<Bytes>>,
    authority: String,
}

impl Client {
    /// Connects.
    pub async fn connect(access: &Access) -> Result<Client> {
        let socket = TcpStream::connect(access.address).await?;
        socket.set_nodelay(true)?;
        let name = ServerName::IpAddress(access.address.ip().into());
        let stream = TlsConnector::from(access.tls.clone()).connect(name, socket).await?;
        let (requests, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        // It ends with the last clone, or with the server; whoever has a request open is told.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Client { requests, authority: access.address.to_string() })
    }

    async fn open(&self, method: Method, path: &str, media: &str, body: Bytes) -> Result<Response<Incoming>> {
        // A patch says what sort it is of; it is answered with JSON.
        let accepted = if method == Method::PATCH { JSON } else { media };
        let request = Request::builder()
            .method(method)
            .uri(format!("https://{}{path}", self.authority))
            .header("accept", accepted)
            .header("content-type", media)
            .body(Full::new(body))?;
        let mut requests = self.requests.clone();
        requests.ready().await?;
        Ok(requests.send_request(request).await?)
    }

    /// Asks, and reads the whole answer.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        media: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes)> {
        let response = self.open(method, path, media, body).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    /// Asks in protobuf; anything but success is an error.
    pub async fn proto(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes> {
        succeeded(path, self.ask(method, path, PROTOBUF, body).await?)
    }

    /// Asks in JSON; anything but success is an error.
    pub async fn json(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let answer = succeeded(path, self.ask(method, path, JSON, body).await?)?;
        serde_json::from_slice(&answer).with_context(|| format!("{path} answered no JSON"))
    }

    /// Patches as kubelet patches statuses; anything but success is an error.
    pub async fn patch(&self, path: &str, patch: &Value) -> Result<Bytes> {
        const MEDIA: &str = "application/strategic-merge-patch+json";
        succeeded(path, self.ask(Method::PATCH, path, MEDIA, patch.to_string().into()).await?)
    }

    /// Watches ConfigMaps in protobuf from a version on. Only the messages are told apart. The path has a query.
    pub async fn frames(&self, path: &str, version: &str) -> Result<Frames> {
        let body = self.stream(&from(path, version), WATCHED_PROTOBUF).await?;
        let (client, path) = (self.clone(), path.to_owned());
        Ok(Frames {
            client,
            path,
            version: version.to_owned(),
            last: Bytes::new(),
            body,
            read: BytesMut::new(),
        })
    }

    /// Watches in JSON. The path has a query.
    pub async fn watch(&self, path: &str) -> Result<Watch> {
        let body = self.stream(path, JSON).await?;
        let (client, path) = (self.clone(), path.to_owned());
        Ok(Watch { client, path, seen: String::new(), body, read: Vec::new() })
    }

    async fn stream(&self, path: &str, media: &str) -> Result<Incoming> {
        let response = self.open(Method::GET, path, media, Bytes::new()).await?;
        if !response.status().is_success() {
            bail!("{path}: {}", response.status());
        }
        Ok(response.into_body())
    }
}

fn succeeded(path: &str, (status, answer): (StatusCode, Bytes)) -> Result<Bytes> {
    if !status.is_success() {
        bail!("{path}: {status}: {}", String::from_utf8_lossy(&answer));
    }
    Ok(answer)
}

/// The path of a watch that goes on from a version.
fn from(path: &str, version: &str) -> String {
    format!("{path}&resourceVersion={version}")
}

/// An open watch. Where the server ends it, it goes on from what it has seen, as informers do: Kubernetes' own ends those of watchers that fall
/// behind.
pub struct Watch {
    client: Client,
    path: String,
    /// The version of the last object.
    seen: String,
    body: Incoming,
    read: Vec<u8>,
}

impl Watch {
    /// The next event: its type and its object.
    pub async fn next(&mut self) -> Result<(String, Value)> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let mut event: Value = serde_json::from_slice(&self.read[..end])?;
                self.read.drain(..=end);
                let version = event["object"]["metadata"]["resourceVersion"].as_str();
                version.context("a watch said what is no object")?.clone_into(&mut self.seen);
                return Ok((event["type"].as_str().unwrap_or_default().to_owned(), event["object"].take()));
            }
            let Some(frame) = self.body.frame().await.transpose()? else {
                self.read.clear();
                self.body = self.client.stream(&from(&self.path, &self.seen), JSON).await?;
                continue;
            };
            if let Some(data) = frame.data_ref() {
                self.read.extend_from_slice(data);
            }
        }
    }

    /// The next object of which something holds.
    pub async fn until(&mut self, wanted: impl Fn(&str, &Value) -> bool) -> Result<Value> {
        loop {
            let (kind, object) = self.next().await?;
            if wanted(&kind, &object) {
                return Ok(object);
            }
        }
    }
}

/// An open watch of ConfigMaps in protobuf, which goes on likewise.
pub struct Frames {
    client: Client,
    path: String,
    /// What it began from.
    version: String,
    last: Bytes,
    body: Incoming,
    read: BytesMut,
}

impl Frames {
    /// The next message, which carries its length before it.
    pub async fn next(&mut self) -> Result<Bytes> {
        loop {
            if let Some(length) = self.read.first_chunk::<4>().map(|length| u32::from_be_bytes(*length)) {
                let end = 4 + length as usize;
                if self.read.len() >= end {
                    self.last = self.read.split_to(end).freeze();
                    return Ok(self.last.clone());
                }
            }
            let Some(frame) = self.body.frame().await.transpose()? else {
                self.read.clear();
                let seen =
                    if self.last.is_empty() { self.version.clone() } else { version(&self.last[4..])? };
                self.body = self.client.stream(&from(&self.path, &seen), WATCHED_PROTOBUF).await?;
                continue;
            };
            if let Some(data) = frame.data_ref() {
                self.read.extend_from_slice(data);
            }
        }
    }
}

/// The version of the ConfigMap that an event tells of.
fn version(message: &[u8]) -> Result<String> {
    let (mut event, mut object) = (WatchEvent::default(), ConfigMap::default());
    proto::decode(message, &mut event).context("a watch said what is no event")?;
    let envelope = event.object.0.context("an event of no object")?;
    let raw = proto::open(&envelope, Limits::RESPONSE).context("an event of what is no object")?.raw;
    proto::decode(raw, &mut object).context("an event of what is no ConfigMap")?;
    Ok(object.metadata.resource_version)
}
