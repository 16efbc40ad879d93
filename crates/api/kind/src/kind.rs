//! Rows: how a kind is written down, and how engines use it.

use std::borrow::Cow;

use api_meta::field::{ErrorList, FieldError};
use api_meta::names::{self, NameCheck};
use api_record::{Record, Schema, Typed, Value};
use api_types::GroupVersionKind;
use base::time::Time;

use crate::{Cell, Column, Ctx, Reset, Version};

/// How many seconds an object may take to end, if the deletion asks for so many.
pub type Grace<T> = fn(&T, asked: Option<i64>) -> i64;

/// Reads the value of a field that field selectors can name.
pub type Selected<T> = fn(&T) -> Cow<'_, str>;

/// A row: the hub type, and what is special about its kind.
pub struct Kind<T: Typed> {
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    generation: bool,
    unconditional_update: bool,
    create_on_update: bool,
    grace: Option<Grace<T>>,
    held: fn(&T) -> bool,
    deleting: Option<fn(&mut T)>,
    frozen_metadata: bool,
    brings_status: bool,
    any_finalizers: bool,
    orphans: bool,
    bare: &'static [&'static str],
    own_gates: &'static [&'static str],
    resets: fn(&str) -> Option<Reset>,
    name: NameCheck,
    defaults: fn(&Ctx<'_>, &mut T),
    prepare: fn(&Ctx<'_>, &mut T, Option<&T>),
    validate: fn(&Ctx<'_>, &T, Option<&T>, &mut ErrorList),
    warnings: fn(&Ctx<'_>, &T, Option<&T>) -> Vec<String>,
    columns: &'static [Column<T>],
    selectable: &'static [(&'static str, Selected<T>)],
    versions: &'static [Version],
}

impl<T: Typed> Kind<T> {
    /// A row of the resource `plural`, stored as `group` and `version`, with nothing special about it.
    pub const fn of(group: &'static str, version: &'static str, plural: &'static str) -> Kind<T> {
        Kind {
            group,
            version,
            plural,
            generation: false,
            unconditional_update: true,
            create_on_update: false,
            grace: None,
            held: |_| false,
            deleting: None,
            frozen_metadata: false,
            brings_status: false,
            any_finalizers: false,
            orphans: false,
            bare: &[],
            own_gates: &[],
            resets: |_| None,
            name: names::name_is_dns_subdomain,
            defaults: |_, _| {},
            prepare: |_, _, _| {},
            validate: |_, _, _, _| {},
            warnings: |_, _, _| Vec::new(),
            columns: &[],
            selectable: &[],
            versions: &[],
        }
    }

    /// `metadata.generation` counts the changes of the spec.
    #[must_use]
    pub const fn generation(mut self) -> Self {
        self.generation = true;
        self
    }

    /// An update must name the resource version that it is based on.
    #[must_use]
    pub const fn conditional_update(mut self) -> Self {
        self.unconditional_update = false;
        self
    }

    /// An update of an object that does not exist makes it.
    #[must_use]
    pub const fn create_on_update(mut self) -> Self {
        self.create_on_update = true;
        self
    }

    /// A deletion gives the object time to end by itself.
    #[must_use]
    pub const fn graceful(mut self, grace: Grace<T>) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Something besides the metadata's finalizers keeps a deleted object in being.
    #[must_use]
    pub const fn held(mut self, held: fn(&T) -> bool) -> Self {
        self.held = held;
        self
    }

    /// What changes in an object when its deletion is marked and it waits. Besides that only the time is set: neither a grace period
    /// nor a new generation.
    #[must_use]
    pub const fn deleting(mut self, deleting: fn(&mut T)) -> Self {
        self.deleting = Some(deleting);
        self
    }

    /// A write of its status cannot change labels, annotations, finalizers and owners (upstream's
    /// `ResetObjectMetaForStatus`, which only some kinds call).
    #[must_use]
    pub const fn frozen_metadata(mut self) -> Self {
        self.frozen_metadata = true;
        self
    }

    /// A new object keeps the status that it comes with: a node describes itself.
    #[must_use]
    pub const fn brings_status(mut self) -> Self {
        self.brings_status = true;
        self
    }

    /// Finalizers need not be known or fully qualified: upstream validates the metadata of some kinds without the core group's rules.
    #[must_use]
    pub const fn any_finalizers(mut self) -> Self {
        self.any_finalizers = true;
        self
    }

    /// What it owns stays when it is deleted, unless the deletion or a finalizer says otherwise (upstream's `OrphanDependents`, which
    /// some kinds keep for old clients).
    #[must_use]
    pub const fn orphans(mut self) -> Self {
        self.orphans = true;
        self
    }

    /// Subresources whose writes are taken as they are, status and generation included: a pod's binding, the approval of a
    /// signing request.
    #[must_use]
    pub const fn bare(mut self, subresources: &'static [&'static str]) -> Self {
        self.bare = subresources;
        self
    }

    /// Features whose fields its preparation drops itself while they are off, because more goes with them than those fields.
    #[must_use]
    pub const fn own_gates(mut self, features: &'static [&'static str]) -> Self {
        self.own_gates = features;
        self
    }

    /// What a write through a subresource, or through the resource itself, cannot change, where that is not what it is for
    /// most kinds ([`crate::reset`]).
    #[must_use]
    pub const fn resets(mut self, resets: fn(&str) -> Option<Reset>) -> Self {
        self.resets = resets;
        self
    }

    /// The rule of its objects' names; a DNS subdomain if not said.
    #[must_use]
    pub const fn name(mut self, name: NameCheck) -> Self {
        self.name = name;
        self
    }

    /// Fills in what a client left out, beyond the `+default` values of the types.
    #[must_use]
    pub const fn defaults(mut self, defaults: fn(&Ctx<'_>, &mut T)) -> Self {
        self.defaults = defaults;
        self
    }

    /// Changes what a client may not say, before validation; the old object is there on update.
    #[must_use]
    pub const fn prepare(mut self, prepare: fn(&Ctx<'_>, &mut T, Option<&T>)) -> Self {
        self.prepare = prepare;
        self
    }

    /// Says what is wrong, beyond the declarative rules of the types; the old object is there on update.
    #[must_use]
    pub const fn validate(mut self, validate: fn(&Ctx<'_>, &T, Option<&T>, &mut ErrorList)) -> Self {
        self.validate = validate;
        self
    }

    /// Says what is unwise.
    #[must_use]
    pub const fn warnings(mut self, warnings: fn(&Ctx<'_>, &T, Option<&T>) -> Vec<String>) -> Self {
        self.warnings = warnings;
        self
    }

    /// The columns of its tables; name and age if not said.
    #[must_use]
    pub const fn columns(mut self, columns: &'static [Column<T>]) -> Self {
        self.columns = columns;
        self
    }

    /// The fields that field selectors can name, besides `metadata.name` and `metadata.namespace`.
    #[must_use]
    pub const fn selectable(mut self, fields: &'static [(&'static str, Selected<T>)]) -> Self {
        self.selectable = fields;
        self
    }

    /// The versions that it is served in besides the hub's.
    #[must_use]
    pub const fn versions(mut self, versions: &'static [Version]) -> Self {
        self.versions = versions;
        self
    }
}

/// A row as engines see it: of any type.
pub trait AnyKind: Send + Sync {
    /// The hub's group, the version that it is stored as, and its name in paths.
    fn resource(&self) -> (&str, &str, &str);
    /// The hub's fields.
    fn schema(&self) -> &'static Schema;
    /// An empty object of the hub's type.
    fn new_object(&self) -> Box<dyn Record>;
    /// Whether `metadata.generation` counts the changes of the spec.
    fn has_generation(&self) -> bool;
    /// Whether the status is written through a subresource of its own.
    fn has_status(&self) -> bool {
        let (group, version, plural) = self.resource();
        crate::generic::has_status(group, version, plural)
    }
    /// Drops from an object that a client sent what its kind does not know; answers what strict validation has to say of that, such
    /// as `unknown field "spec.x"`. Decoding has done so already for the objects of a Rust type.
    ///
    /// # Errors
    /// If the object cannot be one of this kind.
    fn prune(&self, _: &mut dyn Record) -> Result<Vec<String>, FieldError> {
        Ok(Vec::new())
    }
    /// The stored object as it is to be seen, where that is something else than what is stored.
    fn view(&self, _: &dyn Record) -> Option<Box<dyn Record>> {
        None
    }
    /// Whether an update may leave out the resource version that it is based on.
    fn allows_unconditional_update(&self) -> bool;
    /// Whether an update of an object that does not exist makes it.
    fn allows_create_on_update(&self) -> bool;
    /// How many seconds a deletion gives the object to end by itself, if it is asked for so many; `None` if its kind
    /// knows no such thing.
    fn grace(&self, object: &dyn Record, asked: Option<i64>) -> Option<i64>;
    /// Whether something besides the metadata's finalizers keeps a deleted object in being.
    fn is_held(&self, object: &dyn Record) -> bool;
    /// Whether deletions are marked in a way of the kind's own, by [`AnyKind::mark_deleting`].
    fn marks_deletion(&self) -> bool {
        false
    }
    /// Changes an object whose deletion is being marked.
    fn mark_deleting(&self, _: &mut dyn Record) {}
    /// Whether a write of its status leaves labels, annotations, finalizers and owners as they are.
    fn freezes_metadata(&self) -> bool;
    /// Whether a new object keeps the status that it comes with.
    fn brings_status(&self) -> bool;
    /// Whether finalizers need not be known or fully qualified.
    fn allows_any_finalizers(&self) -> bool;
    /// Whether what it owns stays when it is deleted, if nothing says otherwise.
    fn orphans_dependents(&self) -> bool {
        false
    }
    /// Whether a write through this subresource is taken as it is, status and generation included.
    fn is_bare(&self, subresource: &str) -> bool;
    /// Features whose fields the row's own preparation drops while they are off.
    fn own_gates(&self) -> &'static [&'static str] {
        &[]
    }
    /// What a write through a subresource, or through the resource itself, cannot change, if that is special.
    fn resets(&self, subresource: &str) -> Option<Reset>;
    /// How names are checked.
    fn name_check(&self) -> NameCheck;
    /// The row's own defaults.
    fn defaults(&self, ctx: &Ctx<'_>, object: &mut dyn Record);
    /// The row's own preparation.
    fn prepare(&self, ctx: &Ctx<'_>, object: &mut dyn Record, old: Option<&dyn Record>);
    /// The row's own validation.
    fn validate(&self, ctx: &Ctx<'_>, object: &dyn Record, old: Option<&dyn Record>, errors: &mut ErrorList);
    /// The row's own warnings.
    fn warnings(&self, ctx: &Ctx<'_>, object: &dyn Record, old: Option<&dyn Record>) -> Vec<String>;
    /// The columns' headings.
    fn columns(&self) -> Vec<Heading<'_>>;
    /// A row of the table.
    fn cells(&self, object: &dyn Record, now: Time) -> Vec<Cell>;
    /// The names of the fields that field selectors can name, besides those of every kind.
    fn selectable(&self) -> Vec<&str>;
    /// The value of such a field.
    fn select<'a>(&self, object: &'a dyn Record, field: &str) -> Option<Cow<'a, str>>;
    /// The versions besides the hub's.
    fn versions(&self) -> &'static [Version];
}

/// A column without its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heading<'a> {
    /// [`Column::name`].
    pub name: &'a str,
    /// [`Column::type_`].
    pub type_: &'a str,
    /// [`Column::format`].
    pub format: &'a str,
    /// [`Column::description`].
    pub description: &'a str,
    /// [`Column::priority`].
    pub priority: i32,
}

fn typed<T: Typed>(object: &dyn Record) -> &T {
    object.downcast_ref().expect("a row is given objects of its own hub type")
}

impl<T: Typed> AnyKind for Kind<T> {
    fn resource(&self) -> (&str, &str, &str) {
        (self.group, self.version, self.plural)
    }
    fn schema(&self) -> &'static Schema {
        T::SCHEMA
    }
    fn new_object(&self) -> Box<dyn Record> {
        Box::new(T::default())
    }
    fn has_generation(&self) -> bool {
        self.generation
    }
    fn allows_unconditional_update(&self) -> bool {
        self.unconditional_update
    }
    fn allows_create_on_update(&self) -> bool {
        self.create_on_update
    }
    fn grace(&self, object: &dyn Record, asked: Option<i64>) -> Option<i64> {
        self.grace.map(|grace| grace(typed(object), asked))
    }
    fn is_held(&self, object: &dyn Record) -> bool {
        (self.held)(typed(object))
    }
    fn marks_deletion(&self) -> bool {
        self.deleting.is_some()
    }
    fn mark_deleting(&self, object: &mut dyn Record) {
        if let Some(deleting) = self.deleting {
            deleting(object.downcast_mut().expect("a row is given objects of its own hub type"));
        }
    }
    fn freezes_metadata(&self) -> bool {
        self.frozen_metadata
    }
    fn brings_status(&self) -> bool {
        self.brings_status
    }
    fn allows_any_finalizers(&self) -> bool {
        self.any_finalizers
    }
    fn orphans_dependents(&self) -> bool {
        self.orphans
    }
    fn is_bare(&self, subresource: &str) -> bool {
        self.bare.contains(&subresource)
    }
    fn own_gates(&self) -> &'static [&'static str] {
        self.own_gates
    }
    fn resets(&self, subresource: &str) -> Option<Reset> {
        (self.resets)(subresource)
    }
    fn name_check(&self) -> NameCheck {
        self.name
    }
    fn defaults(&self, ctx: &Ctx<'_>, object: &mut dyn Record) {
        (self.defaults)(ctx, object.downcast_mut().expect("a row is given objects of its own hub type"));
    }
    fn prepare(&self, ctx: &Ctx<'_>, object: &mut dyn Record, old: Option<&dyn Record>) {
        let object = object.downcast_mut().expect("a row is given objects of its own hub type");
        (self.prepare)(ctx, object, old.map(typed));
    }
    fn validate(&self, ctx: &Ctx<'_>, object: &dyn Record, old: Option<&dyn Record>, errors: &mut ErrorList) {
        (self.validate)(ctx, typed(object), old.map(typed), errors);
    }
    fn warnings(&self, ctx: &Ctx<'_>, object: &dyn Record, old: Option<&dyn Record>) -> Vec<String> {
        (self.warnings)(ctx, typed(object), old.map(typed))
    }
    fn columns(&self) -> Vec<Heading<'_>> {
        self.columns.iter().map(heading).collect()
    }
    fn cells(&self, object: &dyn Record, now: Time) -> Vec<Cell> {
        let object = typed(object);
        self.columns.iter().map(|column| (column.cell)(object, now)).collect()
    }
    fn selectable(&self) -> Vec<&str> {
        self.selectable.iter().map(|(name, _)| *name).collect()
    }
    fn select<'a>(&self, object: &'a dyn Record, field: &str) -> Option<Cow<'a, str>> {
        let (_, read) = self.selectable.iter().find(|(name, _)| *name == field)?;
        Some(read(typed(object)))
    }
    fn versions(&self) -> &'static [Version] {
        self.versions
    }
}

fn heading<T: ?Sized>(column: &Column<T>) -> Heading<'static> {
    Heading {
        name: column.name,
        type_: column.type_,
        format: column.format,
        description: column.description,
        priority: column.priority,
    }
}

/// The row of a kind about which nothing special has been written: decoded, stored and served as its schema says.
pub struct Plain {
    /// The hub's kind.
    pub kind: GroupVersionKind<'static>,
    /// Its name in paths.
    pub plural: &'static str,
    /// The hub's fields.
    pub schema: &'static Schema,
    /// An empty object of the hub's type.
    pub new: fn() -> Box<dyn Record>,
    /// The fields, all of them text, that field selectors can name, by their paths.
    pub selectable: &'static [&'static str],
    /// Fills in what a client left out, beyond the `+default` values of the types.
    pub defaults: fn(&mut dyn Record),
}

/// The groups whose kinds are all validated without the core group's rules of metadata.
const UNCHECKED: [&str; 2] = ["admissionregistration.k8s.io", "coordination.k8s.io"];

/// The text at a path of JSON names; empty where nothing is there, as a field selector has it.
fn text_at<'a>(object: &'a dyn Record, path: &str) -> &'a str {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(field) = object.schema().index_of(name) else { return "" };
    match (object.get(field), rest) {
        (Value::Record(nested), Some(rest)) => text_at(nested, rest),
        (Value::Str(text), None) => text,
        _ => "",
    }
}

impl AnyKind for Plain {
    fn resource(&self) -> (&str, &str, &str) {
        (self.kind.group, self.kind.version, self.plural)
    }
    fn schema(&self) -> &'static Schema {
        self.schema
    }
    fn new_object(&self) -> Box<dyn Record> {
        (self.new)()
    }
    fn has_generation(&self) -> bool {
        self.schema.index_of("spec").is_some() && self.schema.index_of("status").is_some()
    }
    fn allows_unconditional_update(&self) -> bool {
        true
    }
    fn allows_create_on_update(&self) -> bool {
        false
    }
    fn grace(&self, _: &dyn Record, _: Option<i64>) -> Option<i64> {
        None
    }
    fn is_held(&self, _: &dyn Record) -> bool {
        false
    }
    fn freezes_metadata(&self) -> bool {
        true
    }
    fn brings_status(&self) -> bool {
        false
    }
    fn allows_any_finalizers(&self) -> bool {
        UNCHECKED.contains(&self.kind.group)
    }
    fn is_bare(&self, _: &str) -> bool {
        false
    }
    fn resets(&self, _: &str) -> Option<Reset> {
        None
    }
    fn name_check(&self) -> NameCheck {
        names::name_is_path_segment
    }
    fn defaults(&self, _: &Ctx<'_>, object: &mut dyn Record) {
        (self.defaults)(object);
    }
    fn prepare(&self, _: &Ctx<'_>, _: &mut dyn Record, _: Option<&dyn Record>) {}
    fn validate(&self, _: &Ctx<'_>, _: &dyn Record, _: Option<&dyn Record>, _: &mut ErrorList) {}
    fn warnings(&self, _: &Ctx<'_>, _: &dyn Record, _: Option<&dyn Record>) -> Vec<String> {
        Vec::new()
    }
    fn columns(&self) -> Vec<Heading<'_>> {
        Vec::new()
    }
    fn cells(&self, _: &dyn Record, _: Time) -> Vec<Cell> {
        Vec::new()
    }
    fn selectable(&self) -> Vec<&str> {
        self.selectable.to_vec()
    }
    fn select<'a>(&self, object: &'a dyn Record, field: &str) -> Option<Cow<'a, str>> {
        self.selectable.contains(&field).then(|| text_at(object, field).into())
    }
    fn versions(&self) -> &'static [Version] {
        &[]
    }
}
