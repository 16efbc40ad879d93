//! Reaching the nodes: the one in this process by a call.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use api_meta::Status;
use client::BoxFuture;
use http::{Request, Response};
use server_http::{Body, Incoming, Nodes};

/// A node's own HTTP API, called directly.
pub trait NodeApi: Send + Sync {
    /// Answers a request whose path is the node's own.
    fn answer(&self, request: Request<Incoming>) -> BoxFuture<'_, Result<Response<Body>, Status>>;
}

/// The nodes of this process.
#[derive(Default)]
pub struct OwnNodes {
    nodes: RwLock<BTreeMap<String, Arc<dyn NodeApi>>>,
}

impl OwnNodes {
    /// Makes a node known.
    pub fn add(&self, name: &str, node: Arc<dyn NodeApi>) {
        self.nodes.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), node);
    }
}

impl Nodes for OwnNodes {
    fn forward<'a>(
        &'a self,
        node: &'a str,
        request: Request<Incoming>,
    ) -> BoxFuture<'a, Result<Response<Body>, Status>> {
        Box::pin(async move {
            let found = self.nodes.read().unwrap_or_else(PoisonError::into_inner).get(node).cloned();
            match found {
                Some(node) => node.answer(request).await,
                None => Err(Status::internal_error(format!(
                    "the node {node} cannot be reached: it is not part of this server"
                ))),
            }
        })
    }
}
