//! Reading a document that another API server has, for a component of ours.

use api_meta::Status;
use api_meta::gvk::GroupResource;
use api_meta::status::ServerResponse;
use client::{Caller, Target, Uri};
use serde_json::Value;

use super::Aggregation;
use super::ask::{Question, ask};
use super::route::Route;
use crate::limits::CONTENTS;

impl Aggregation {
    /// The document about a target, at its place, for `who`.
    ///
    /// # Errors
    /// What the other server answers, or why it does not.
    pub async fn read(
        &self,
        who: &Caller,
        route: &Route,
        target: &Target,
        uri: Uri,
    ) -> Result<Value, Status> {
        let unavailable = |why: String| Status::service_unavailable(why);
        if !route.available {
            return Err(unavailable("the server is currently unable to handle the request".to_owned()));
        }
        let address = self.resolve(route).map_err(unavailable)?;
        let path = String::from(uri);
        let (accept, who) = ("application/json", Some(who));
        let question = Question { path: &path, accept, who, limit: CONTENTS, ..Question::default() };
        let answered = ask(self.clock(), route, &address, question).await.map_err(unavailable)?;
        let document: Option<Value> = serde_json::from_slice(&answered.body).ok();
        match (answered.status, document) {
            (200..300, Some(document)) => Ok(document),
            (200..300, None) => Err(Status::internal_error(format!("what {path} answers is no JSON"))),
            (code, document) => Err(failure(code, target, document.as_ref())),
        }
    }
}

/// What a client makes of an answer that is no success: the Status in it, or one of the code.
fn failure(code: u16, target: &Target, document: Option<&Value>) -> Status {
    let said = document.filter(|own| own["kind"] == "Status").and_then(|own| own["message"].as_str());
    if let Some(said) = said {
        let reason = document.and_then(|own| own["reason"].as_str()).unwrap_or_default();
        return Status::failure(i32::from(code), reason, said, None);
    }
    Status::generic_server_response(&ServerResponse {
        code,
        verb: "GET",
        resource: GroupResource { group: &target.resource.group, resource: &target.resource.plural },
        name: &target.name,
        unexpected: true,
        ..ServerResponse::default()
    })
}
