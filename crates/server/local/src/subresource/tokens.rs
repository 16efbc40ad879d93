//! `serviceaccounts/token`: tokens for service accounts.

use std::sync::Arc;

use api_meta::Status;
use api_types::authentication::v1::TokenRequest;
use api_types::core::v1::ServiceAccount;
use client::{Answer, BoxFuture, Caller, Request};
use server_registry::Served;
use server_registry::admit::{Attributes, Notes, Operation, Options};

use crate::direct::{Direct, missing, object_answer, object_of};

/// Whoever holds the key that signs tokens.
pub trait TokenIssuer: Send + Sync {
    /// Issues the token that `request` asks for, on behalf of `who`, and answers the request with its status filled in.
    fn issue<'a>(
        &'a self,
        direct: &'a Direct,
        who: &'a Caller,
        account: &'a ServiceAccount,
        request: TokenRequest,
    ) -> BoxFuture<'a, Result<TokenRequest, Status>>;
}

/// Nobody who could sign a token: for servers in memory, whose tokens would be of no use anywhere.
pub struct NoTokens;

impl TokenIssuer for NoTokens {
    fn issue<'a>(
        &'a self,
        _: &'a Direct,
        _: &'a Caller,
        _: &'a ServiceAccount,
        _: TokenRequest,
    ) -> BoxFuture<'a, Result<TokenRequest, Status>> {
        Box::pin(async { Err(Status::bad_request("there is nobody here who signs tokens")) })
    }
}

/// Issues a token for a service account.
pub(crate) async fn answer(
    direct: &Direct,
    who: &Caller,
    served: &Arc<Served>,
    request: Request,
) -> Result<Answer, Status> {
    let Request { target, body, write, .. } = request;
    let mut wanted = object_of(body)?;
    let attributes = Attributes {
        caller: who,
        operation: Operation::Create,
        resource: target.resource.clone(),
        subresource: "token",
        namespace: &target.namespace,
        name: &target.name,
        dry_run: write.dry_run,
        options: Options::Write(&write),
        notes: Notes::default(),
    };
    direct.registry().admit(&attributes, &mut *wanted, None).await?;
    let wanted: &TokenRequest =
        wanted.downcast_ref().ok_or_else(|| Status::bad_request("not a TokenRequest object"))?;
    let account = direct.registry().get_hub(served, &target.namespace, &target.name).await?;
    let account: &ServiceAccount = account.downcast_ref().ok_or_else(missing)?;
    let issued = direct.tokens().issue(direct, who, account, wanted.clone()).await?;
    let mut answer = object_answer(Arc::new(issued));
    answer.created = true;
    Ok(answer)
}
