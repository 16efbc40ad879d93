//! Where admission steps in: after a request is understood and before anything is kept.

mod notes;

use api_meta::Status;
use api_record::Record;
use client::{BoxFuture, Caller, DeleteOptions, Resource, WriteOptions};

pub use notes::{Beside, Notes};

/// What is being done, as admission sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// An object is made.
    Create,
    /// An object is changed.
    Update,
    /// An object is deleted.
    Delete,
    /// A stream is opened to it.
    Connect,
}

/// How it is to be done.
#[derive(Clone, Copy, Debug, Default)]
pub enum Options<'a> {
    /// Nothing was said, as of streams.
    #[default]
    None,
    /// How an object is to be written.
    Write(&'a WriteOptions),
    /// How it is to be deleted.
    Delete(&'a DeleteOptions),
}

/// A request, as admission sees it.
pub struct Attributes<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// What is being done.
    pub operation: Operation,
    /// The resource.
    pub resource: Resource,
    /// The subresource, empty for the object itself.
    pub subresource: &'a str,
    /// The namespace, empty for none.
    pub namespace: &'a str,
    /// The object's name, empty while it is to be generated: for those who change objects, it always is then.
    pub name: &'a str,
    /// Nothing will be kept.
    pub dry_run: bool,
    /// What else was said of it.
    pub options: Options<'a>,
    /// What admission has to say, and to write, besides yes or no.
    pub notes: Notes,
}

/// Changes and refuses what is written. Objects are of the hub's type.
pub trait Admission: Send + Sync {
    /// May change an object that is made or changed.
    fn mutate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>>;

    /// May refuse; there is no object when one is deleted.
    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>>;
}

/// Lets everything pass as it is: for what admission itself must read, and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Everything;

impl Admission for Everything {
    fn mutate<'a>(
        &'a self,
        _: &'a Attributes<'a>,
        _: &'a mut dyn Record,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async { Ok(()) })
    }

    fn validate<'a>(
        &'a self,
        _: &'a Attributes<'a>,
        _: Option<&'a dyn Record>,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async { Ok(()) })
    }
}
