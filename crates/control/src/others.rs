//! What other API servers keep, for the controllers that deal with objects of all kinds. They are asked, not followed.

use client::{BoxFuture, Caller, Resource};

/// Other API servers behind this one.
pub trait Others: Send + Sync {
    /// Whether there are any.
    fn are_there(&self) -> bool;

    /// The groups and versions of which nobody can say what they have now, such as `shop.example.com/v1`.
    fn unknown(&self) -> Vec<String>;

    /// Deletes what they keep in a namespace, and answers how many objects of which resources are left.
    ///
    /// # Errors
    /// Why something could not be deleted, or asked for.
    fn empty<'a>(
        &'a self,
        who: &'a Caller,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Vec<(Resource, usize)>, String>>;
}
