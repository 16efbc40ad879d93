//! What is measured, for the autoscalers: by whoever serves the metrics APIs, this server itself or those that APIServices lead to.

use std::sync::Arc;

use api_codec::json::encode;
use api_meta::Status;
use api_meta::gvk::GroupResource;
use api_meta::status::ServerResponse;
use api_record::Record;
use client::{Api as _, BoxFuture, Caller, Outcome, Request, Target, Verb};
use control::autoscale::{Meters, Narrowed};
use serde_json::{Value, json};
use server_extend::aggregation::Aggregation;
use server_local::Local;

/// What this server serves, and what APIServices lead to.
pub struct Served {
    /// This server.
    pub local: Local,
    /// The others.
    pub aggregation: Aggregation,
}

impl Meters for Served {
    fn versions<'a>(
        &'a self,
        _: &'a Caller,
        group: &'static str,
    ) -> BoxFuture<'a, Result<Vec<String>, Status>> {
        Box::pin(async move {
            let routes = self.aggregation.routes();
            let own = routes.registered().iter().filter(|((served, _), _)| served == group);
            let mut versions: Vec<_> =
                own.map(|((_, version), place)| (place.version, version.clone())).collect();
            versions.sort_by(|a, b| b.cmp(a));
            Ok(versions.into_iter().map(|(_, version)| version).collect())
        })
    }

    fn read<'a>(
        &'a self,
        who: &'a Caller,
        target: &'a Target,
        narrowed: &'a Narrowed,
    ) -> BoxFuture<'a, Result<Value, Status>> {
        Box::pin(async move {
            let resource = &target.resource;
            let routes = self.aggregation.routes();
            if let Some(route) = routes.find(&resource.group, &resource.version) {
                let verb = if target.name.is_empty() { Verb::List } else { Verb::Get };
                self.local.check(who, verb.name(), target)?;
                return self.aggregation.read(who, route, target, narrowed.uri(target)).await;
            }
            let mut request = Request::new(Verb::List, target.clone());
            request.list.labels.clone_from(&narrowed.labels);
            match self.local.call(who, request).await {
                Ok(answer) => listed(answer.outcome),
                Err(status) if status.is_not_found() => Err(not_served(target)),
                Err(status) => Err(status),
            }
        })
    }
}

/// A list of this server's own, as a document.
fn listed(outcome: Outcome) -> Result<Value, Status> {
    let Outcome::List(list) = outcome else {
        return Err(Status::internal_error("a list was answered with something else"));
    };
    let one = |item: &Arc<dyn Record>| {
        let mut text = Vec::new();
        encode(&**item, None, &mut text);
        serde_json::from_slice::<Value>(&text).map_err(Status::internal_error)
    };
    let items: Vec<Value> = list.items.iter().map(one).collect::<Result<_, _>>()?;
    Ok(json!({ "items": items }))
}

/// What a client makes of the answer to what nobody serves.
fn not_served(target: &Target) -> Status {
    Status::generic_server_response(&ServerResponse {
        code: 404,
        verb: "GET",
        resource: GroupResource { group: &target.resource.group, resource: &target.resource.plural },
        name: &target.name,
        unexpected: true,
        ..ServerResponse::default()
    })
}
