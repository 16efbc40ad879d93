//! The API of a cluster on a link of its own, asked from a thread that is on it.

use anyhow::{Context as _, Result, bail};
use base::error::Chain;
use bytes::Bytes;
use client_remote::{Access, Certificate, Credentials, Pooled};
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::cluster::Cluster;

/// How many connections are kept for the next request.
const CONNECTIONS: usize = 8;

/// An API, asked as its administrator.
#[derive(Clone)]
pub struct Api {
    http: Pooled,
    server: String,
}

/// What was told of an object.
pub struct Told {
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub what: String,
    /// The resource's name.
    pub resource: &'static str,
    /// The object.
    pub object: Value,
}

impl Api {
    /// That of a cluster.
    ///
    /// # Errors
    /// When the administrator's files cannot be read.
    pub fn of(cluster: &Cluster) -> Result<Api> {
        let (authority, certificate, key) = cluster.administrator();
        let read = |path: &std::path::Path| {
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
        };
        let certificate = Certificate::from_pem(&read(&certificate)?, &read(&key)?)?;
        let credentials = Credentials::Certificate(certificate.into());
        let access = Access::new(&cluster.server(), &read(&authority)?, credentials);
        Ok(Api { http: access.connector()?.pooled(CONNECTIONS), server: cluster.server() })
    }

    /// Asks, and answers what comes of it.
    ///
    /// # Errors
    /// When nothing comes, or a refusal.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let asked = format!("{method} {path}");
        let (status, body) = async {
            let response = self.send(method, path, body).await?;
            Ok::<_, anyhow::Error>((response.status(), response.into_body().collect().await?.to_bytes()))
        }
        .await
        .with_context(|| asked.clone())?;
        if !status.is_success() {
            bail!("{asked}: {status}: {}", String::from_utf8_lossy(&body));
        }
        serde_json::from_slice(&body).with_context(|| format!("{asked}: the answer"))
    }

    /// The same, where nobody minds if the object is not there, or is another by now.
    ///
    /// # Errors
    /// As [`Api::ask`] otherwise.
    pub async fn try_ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<()> {
        let response = self.send(method, path, body).await.with_context(|| path.to_owned())?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        if status.is_success() || [StatusCode::NOT_FOUND, StatusCode::CONFLICT].contains(&status) {
            return Ok(());
        }
        bail!("{path}: {status}: {}", String::from_utf8_lossy(&body))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<http::Response<Incoming>> {
        let form = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let request = Request::builder().method(method).uri(format!("{}{path}", self.server));
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.header(CONTENT_TYPE, form).body(Full::new(Bytes::from(body)))?;
        self.http.request(request).await.map_err(|error| anyhow::anyhow!("{}", Chain(&error)))
    }

    /// Tells of all objects of a resource, and of what becomes of them, until nobody listens.
    ///
    /// # Errors
    /// When it cannot, or the watch ends.
    pub async fn watch(
        self,
        (prefix, resource): (&'static str, &'static str),
        teller: UnboundedSender<Told>,
    ) -> Result<()> {
        let path = format!("{prefix}/{resource}?watch=true&timeoutSeconds=3600");
        let mut body = self.send(Method::GET, &path, None).await?.into_body();
        let mut rest = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.with_context(|| path.clone())?.into_data() else { continue };
            rest.extend_from_slice(&data);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                let mut event: Value = serde_json::from_slice(&line).with_context(|| path.clone())?;
                let what = event["type"].as_str().unwrap_or_default().to_owned();
                if what == "ERROR" {
                    bail!("{path}: {}", event["object"]);
                }
                let told = Told { what, resource, object: event["object"].take() };
                if teller.send(told).is_err() {
                    return Ok(());
                }
            }
        }
        bail!("{path}: the watch ended")
    }
}
