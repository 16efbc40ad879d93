//! Asking a cluster as one of its users, with a kubeconfig: what `knarr why` and `knarr plan` do. Nothing of this machine's own cluster is used, and
//! nothing is written.

mod kinds;

use std::sync::Arc;

use anyhow::Context as _;
use api_codec::json;
use api_codec::limits::Limits;
use api_record::{Bytes, Record};
use api_types::meta::v1::PartialObjectMetadata;
use api_types::object_meta;
use base::time::{Clock, SystemClock};
use cli::arguments::ClientFlags;
use cli::kubeconfig::owner;
use cli::surroundings::ProcessSurroundings;
use client::{Api as _, Body, Caller, Outcome, PatchKind, Request, Scope, Status, Target, Uri, Verb};
use client_remote::{Remote, kubeconfig};
use explain::{Named, Subject};
use serde_json::Value;

pub use kinds::Kind;

/// A cluster, and who asks it.
pub struct Cluster {
    api: Remote,
    who: Caller,
    /// The namespace that is meant where none is named.
    pub namespace: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// As whom fields are applied: as `kubectl apply --server-side` has it.
const FIELD_MANAGER: &str = "kubectl";

/// What the server would make of an object.
pub struct DryRun {
    /// The object, as JSON has it.
    pub object: Value,
    /// Itself, if its kind is a built-in one.
    pub record: Option<Arc<dyn Record>>,
    /// What the server warns of.
    pub warnings: Vec<String>,
}

fn unreadable(error: &dyn std::fmt::Display) -> Status {
    Status::internal_error(format!("the server's answer cannot be read: {error}"))
}

fn parsed(text: &[u8]) -> Result<Value, Status> {
    serde_json::from_slice(text).map_err(|error| unreadable(&error))
}

/// An object that was read.
pub struct Read {
    /// What is to be known of it.
    pub subject: Subject,
    /// Itself, if its kind is a built-in one.
    pub record: Option<Arc<dyn Record>>,
}

impl Cluster {
    /// The cluster that flags and kubeconfigs lead to; nothing is asked of it yet.
    pub fn of(flags: &ClientFlags) -> anyhow::Result<Cluster> {
        let paths = owner::to_ask_with(flags.kubeconfig.as_deref(), &ProcessSurroundings);
        let chosen = kubeconfig::choose(&paths, flags.context.as_deref())?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let api = Remote::new(&chosen.access, Arc::clone(&clock))?;
        let namespace = flags.namespace.clone().unwrap_or(chosen.namespace);
        Ok(Cluster { api, who: Caller::default(), namespace, clock })
    }

    /// The objects of a built-in resource in a namespace, or in all if it is empty.
    pub async fn list(
        &self,
        resource: &client::Resource,
        namespace: &str,
    ) -> Result<Vec<Arc<dyn Record>>, Status> {
        let scope = Scope { namespace: namespace.to_owned(), ..Scope::all(resource.clone()) };
        match self.api.call(&self.who, Request::from(&scope)).await?.outcome {
            Outcome::List(list) => Ok(list.items),
            Outcome::Object(_) | Outcome::Status(_) => {
                Err(Status::internal_error("a list was asked for, and something else came"))
            }
        }
    }

    /// An object of whatever kind.
    pub async fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Result<Read, Status> {
        let namespace = if kind.namespaced { namespace } else { "" };
        let target = Target {
            resource: kind.resource.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource: String::new(),
        };
        if !kind.built_in {
            return self.document(kind, &target).await;
        }
        match self.api.call(&self.who, Request::new(Verb::Get, target)).await?.outcome {
            Outcome::Object(record) => Ok(kind.read(record)),
            Outcome::List(_) | Outcome::Status(_) => {
                Err(Status::internal_error("an object was asked for, and something else came"))
            }
        }
    }

    /// An object of a kind that definitions or other API servers brought.
    async fn document(&self, kind: &Kind, target: &Target) -> Result<Read, Status> {
        let text = self.api.document(&self.who, target, Uri::of(target, false)).await?;
        let object = parsed(&text)?;
        let mut partial = PartialObjectMetadata::default();
        json::decode(&text, &mut partial, None, Limits::RESPONSE).map_err(|error| unreadable(&error))?;
        let named = Named::new(&kind.api_version(), &kind.kind, &target.namespace, &target.name);
        Ok(Read { subject: Subject { named, meta: partial.metadata, object }, record: None })
    }

    /// What the server would make of an object that is applied; nothing is kept.
    pub async fn dry_run(
        &self,
        kind: &Kind,
        target: &Target,
        object: Bytes,
        force: bool,
    ) -> Result<DryRun, Status> {
        let mut request = Request::new(Verb::Patch, target.clone());
        request.body = Body::Patch(PatchKind::Apply, object);
        request.write.dry_run = true;
        request.write.force = Some(force);
        request.write.field_manager = FIELD_MANAGER.to_owned();
        if !kind.built_in {
            let object = parsed(&self.api.answered(&self.who, &request).await?)?;
            return Ok(DryRun { object, record: None, warnings: Vec::new() });
        }
        let answer = self.api.call(&self.who, request).await?;
        match answer.outcome {
            Outcome::Object(record) => {
                let read = kind.read(record);
                Ok(DryRun { object: read.subject.object, record: read.record, warnings: answer.warnings })
            }
            Outcome::List(_) | Outcome::Status(_) => {
                Err(Status::internal_error("an object was applied, and something else came"))
            }
        }
    }

    /// A document in JSON that is no object's, such as `/apis`.
    async fn raw(&self, path: &str) -> anyhow::Result<Value> {
        let text =
            self.api.raw(path).await.map_err(|status| anyhow::anyhow!("{path} cannot be read: {status}"))?;
        serde_json::from_slice(&text).with_context(|| format!("{path} is not JSON"))
    }
}

impl Kind {
    /// An object of this kind, as it was read.
    fn read(&self, record: Arc<dyn Record>) -> Read {
        let meta = object_meta(&*record).cloned().unwrap_or_default();
        let mut text = Vec::new();
        let row = api_types::resources().iter().find(|row| self.is_row(row));
        json::encode(&*record, row.map(|row| &row.kind), &mut text);
        let named = Named::new(&self.api_version(), &self.kind, &meta.namespace, &meta.name);
        // What was encoded here is JSON.
        let object = serde_json::from_slice(&text).unwrap_or_default();
        Read { subject: Subject { named, meta, object }, record: Some(record) }
    }
}
