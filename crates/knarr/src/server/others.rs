//! Other API servers, for the controllers that deal with objects of all kinds.

use client::{BoxFuture, Caller, Resource};
use server_extend::aggregation::Aggregation;

/// What APIServices lead to.
pub struct Behind(pub Aggregation);

impl control::Others for Behind {
    fn are_there(&self) -> bool {
        self.0.is_used()
    }

    fn unknown(&self) -> Vec<String> {
        self.0.unknown().into_iter().map(|(group, version)| format!("{group}/{version}")).collect()
    }

    fn empty<'a>(
        &'a self,
        who: &'a Caller,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Vec<(Resource, usize)>, String>> {
        Box::pin(async move {
            let left = self.0.empty(who, namespace).await?;
            Ok(left.into_iter().map(|left| (left.resource, left.count)).collect())
        })
    }
}
