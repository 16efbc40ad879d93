//! Writing: making and changing objects.

use std::sync::Arc;

use api_kind::Verb;
use api_meta::Status;
use api_meta::names::{SUFFIX_ALPHABET, generate_name};
use api_record::Record;
use api_types::meta::v1::ObjectMeta;
use api_types::{object_meta, object_meta_mut};
use base::random;
use client::{Caller, Precondition, WriteOptions};
use store::{Entry, Txn};

use crate::admit::{Attributes, Notes, Operation, Options};
use crate::commit::Outcome;
use crate::limits::{CHOICE_ATTEMPTS, WRITE_ATTEMPTS};
use crate::scale::{scale_of, set_replicas};
use crate::{Owners, Registry, Served, managed};

/// Upstream's words for a write that was based on what is no longer so.
pub(crate) const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

/// How often a generated name that is taken is generated anew.
const NAME_ATTEMPTS: usize = 8;

/// How long events are kept, in seconds: upstream's default of `--event-ttl`.
const EVENT_TTL_SECONDS: u64 = 3600;

/// Makes the new object, in the served version, from the current one.
pub type Change<'a> = dyn Fn(Option<&dyn Record>) -> Result<Box<dyn Record>, Status> + Send + Sync + 'a;

/// An object that was written.
pub struct Written {
    /// The object in the served version, as it is kept now.
    pub object: Arc<dyn Record>,
    /// Whether it was made.
    pub created: bool,
    /// What the caller should know.
    pub warnings: Vec<String>,
}

impl Registry {
    /// Makes an object.
    pub async fn create(
        &self,
        served: &Served,
        caller: &Caller,
        namespace: &str,
        object: Box<dyn Record>,
        options: &WriteOptions,
    ) -> Result<Written, Status> {
        self.create_owned(served, caller, namespace, object, options, Owners::Tracked).await
    }

    async fn create_owned(
        &self,
        served: &Served,
        caller: &Caller,
        namespace: &str,
        object: Box<dyn Record>,
        options: &WriteOptions,
        owners: Owners,
    ) -> Result<Written, Status> {
        let ctx = self.ctx(served, Verb::Create, "");
        let mut object = served.to_hub(object);
        let meta = metadata(&mut *object)?;
        match_namespace(served, namespace, meta)?;
        wipe_system_fields(meta);
        api_kind::default(&*served.kind, &ctx, &mut *object);
        if owners == Owners::Tracked {
            self.track(served, caller, "", options, &mut *object, None)?;
        }
        let warnings = self.admit_new(served, caller, namespace, &mut *object, options).await?;
        let meta = metadata(&mut *object)?;
        // Whoever changes objects in between may not move them.
        match_namespace(served, namespace, meta)?;
        meta.uid = random::uuid(&*self.shared.random);
        meta.creation_timestamp = Some(self.shared.clock.now().into());
        if !meta.name.is_empty() {
            return self.create_once(served, caller, namespace, object, options, owners, &warnings).await;
        }
        for attempt in 1.. {
            let mut object = object.clone();
            let meta = metadata(&mut *object)?;
            meta.name = self.generated(&meta.generate_name);
            let result =
                self.create_once(served, caller, namespace, object, options, owners, &warnings).await;
            match result {
                Err(status) if attempt < NAME_ATTEMPTS && status.is_already_exists() => {}
                other => return other,
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Has admission change a new object, which has neither a generated name nor a uid yet; answers what the caller is to be told.
    async fn admit_new(
        &self,
        served: &Served,
        caller: &Caller,
        namespace: &str,
        object: &mut dyn Record,
        options: &WriteOptions,
    ) -> Result<Vec<String>, Status> {
        let name = metadata(object)?.name.clone();
        let attributes = creation(served, caller, namespace, &name, options);
        let mended = self.mutate(&attributes, object, None).await?;
        let mut warnings = attributes.notes.warnings();
        warnings.extend(mended);
        Ok(warnings)
    }

    #[allow(clippy::too_many_arguments, reason = "a request has this many parts")]
    async fn create_once(
        &self,
        served: &Served,
        caller: &Caller,
        namespace: &str,
        mut object: Box<dyn Record>,
        options: &WriteOptions,
        owners: Owners,
        warnings: &[String],
    ) -> Result<Written, Status> {
        let name = metadata(&mut *object)?.name.clone();
        let attributes = creation(served, caller, namespace, &name, options);
        warnings.iter().for_each(|warning| attributes.notes.warn(warning.clone()));
        for _ in 0..CHOICE_ATTEMPTS {
            if let Some(written) = self.write_new(served, &attributes, object.clone(), owners).await? {
                return Ok(written);
            }
        }
        Err(Status::conflict(served.group_resource(), &name, MODIFIED))
    }

    /// Has admission change an object; answers a warning if it left the owners of its fields unreadable.
    async fn mutate(
        &self,
        attributes: &Attributes<'_>,
        object: &mut dyn Record,
        old: Option<&dyn Record>,
    ) -> Result<Option<String>, Status> {
        let before = managed::owners(object).to_vec();
        self.admission.mutate(attributes, object, old).await?;
        if let (Some(old), Ok(meta)) = (old.and_then(object_meta), metadata(object)) {
            keep_deletion(meta, old);
        }
        Ok(Registry::mend_owners(object, before))
    }

    /// `None` when what was chosen for the object was taken in between.
    async fn write_new(
        &self,
        served: &Served,
        attributes: &Attributes<'_>,
        mut object: Box<dyn Record>,
        owners: Owners,
    ) -> Result<Option<Written>, Status> {
        let ctx = self.ctx(served, Verb::Create, "");
        let (namespace, name) = (attributes.namespace, attributes.name);
        self.effects.choose(self, served, "", &mut *object, None).await?;
        api_kind::prepare(&*served.kind, &ctx, &mut *object, None);
        let mut warnings = served.kind.warnings(&ctx, &*object, None);
        let errors = api_kind::validate(&*served.kind, &ctx, served.resource.namespaced, &*object, None);
        if !errors.is_empty() {
            return Err(Status::invalid(served.group_kind(), name, &errors));
        }
        self.admission.validate(attributes, Some(&*object), None).await?;
        warnings.extend(attributes.notes.warnings());
        let key = served.key(namespace, name);
        if attributes.dry_run {
            if self.entry(served, namespace, name).await?.is_some() {
                return Err(Status::already_exists(served.group_resource(), name));
            }
            let hub: Arc<dyn Record> = Arc::from(object);
            return Ok(Some(Written { object: self.show(served, &hub), created: true, warnings }));
        }
        // Upstream's store says it, which is asked last, and not at all for a dry run.
        if metadata(&mut *object)?.resource_version.parse::<u64>().is_ok_and(|version| version != 0) {
            let why = "resourceVersion should not be set on objects to be created";
            return Err(Status::failure(500, "", why, None));
        }
        let value = self.encode(served, &mut *object, owners).await?;
        let txn = self.expiring(served, Txn::create(key.into_bytes(), value));
        match self.commit(served, Some(&*object), None, txn, attributes.notes.take_beside()).await? {
            Outcome::Done(revision) => {
                let hub = at_revision(object, revision);
                Ok(Some(Written { object: self.show(served, &hub), created: true, warnings }))
            }
            Outcome::Lost => Err(Status::already_exists(served.group_resource(), name)),
            Outcome::Taken => Ok(None),
        }
    }

    /// Changes an object, or makes it where its kind and the change allow that.
    #[allow(clippy::too_many_arguments, reason = "a request has this many parts")]
    pub async fn update(
        &self,
        served: &Served,
        caller: &Caller,
        namespace: &str,
        name: &str,
        subresource: &str,
        change: &Change<'_>,
        precondition: &Precondition,
        options: &WriteOptions,
    ) -> Result<Written, Status> {
        let write = Write {
            caller,
            namespace,
            name,
            subresource,
            precondition,
            options,
            owners: Owners::Tracked,
            creates: served.kind.allows_create_on_update(),
        };
        self.write(served, &write, change).await
    }

    /// The same with all that can be said of a write.
    pub async fn write(
        &self,
        served: &Served,
        write: &Write<'_>,
        change: &Change<'_>,
    ) -> Result<Written, Status> {
        let Write { caller, namespace, name, options, owners, .. } = *write;
        for _ in 0..WRITE_ATTEMPTS {
            let Some(entry) = self.entry(served, namespace, name).await? else {
                if !write.creates || !write.subresource.is_empty() {
                    return Err(Status::not_found(served.group_resource(), name));
                }
                let mut object = change(None)?;
                let meta = metadata(&mut *object)?;
                check_name(meta, name)?;
                // What a change is based on does not count where there is nothing that it could be.
                meta.resource_version.clear();
                let made = self.create_owned(served, caller, namespace, object, options, owners);
                match Box::pin(made).await {
                    // Somebody else made it in between: then it is there to be changed.
                    Err(status) if status.is_already_exists() => continue,
                    other => return other,
                }
            };
            if let Some(written) = self.update_once(served, write, change, &entry).await? {
                return Ok(written);
            }
        }
        Err(Status::conflict(served.group_resource(), name, MODIFIED))
    }

    /// Has admission change the Scale of an object: its replicas, and nothing else of it.
    async fn mutate_scale(
        &self,
        served: &Served,
        attributes: &Attributes<'_>,
        new: &mut dyn Record,
        old: &dyn Record,
    ) -> Result<(), Status> {
        let (mut scale, before) = (scale_of(served, new)?, scale_of(served, old)?);
        let wanted = scale.spec.replicas;
        self.admission.mutate(attributes, &mut scale, Some(&before)).await?;
        if scale.spec.replicas == wanted { Ok(()) } else { set_replicas(served, new, scale.spec.replicas) }
    }

    /// Has admission judge a change as it sees it.
    async fn validate_update(
        &self,
        served: &Served,
        attributes: &Attributes<'_>,
        new: &dyn Record,
        old: &dyn Record,
    ) -> Result<(), Status> {
        if attributes.subresource == "scale" {
            let (new, old) = (scale_of(served, new)?, scale_of(served, old)?);
            return self.admission.validate(attributes, Some(&new), Some(&old)).await;
        }
        self.admission.validate(attributes, Some(new), Some(old)).await
    }

    /// `None` when somebody else wrote in between and it is worth trying again.
    async fn update_once(
        &self,
        served: &Served,
        write: &Write<'_>,
        change: &Change<'_>,
        entry: &Entry,
    ) -> Result<Option<Written>, Status> {
        let Write { caller, namespace, name, subresource, precondition, options, .. } = *write;
        let ctx = self.ctx(served, Verb::Update, subresource);
        let kept = self.decode(served, entry).await?;
        let mut old = Arc::clone(&kept);
        if served.is_custom() {
            // Defaults that its definition has got since are no change of the object.
            old = self.show(served, &old);
        }
        check_precondition(served, name, &*old, precondition)?;
        let mut new = served.to_hub(change(Some(&*self.show(served, &old)))?);
        self.keep_system_fields(served, name, namespace, &mut *new, &*old)?;
        api_kind::default(&*served.kind, &ctx, &mut *new);
        if write.owners == Owners::Tracked {
            self.track(served, caller, subresource, options, &mut *new, Some(&*old))?;
        }
        let attributes = Attributes {
            caller,
            operation: Operation::Update,
            resource: served_resource(served),
            subresource,
            namespace,
            name,
            dry_run: options.dry_run,
            options: Options::Write(options),
            notes: Notes::default(),
        };
        let mended = if subresource == "scale" {
            self.mutate_scale(served, &attributes, &mut *new, &*old).await?;
            None
        } else {
            self.mutate(&attributes, &mut *new, Some(&*old)).await?
        };
        self.effects.choose(self, served, subresource, &mut *new, Some(&*old)).await?;
        api_kind::prepare(&*served.kind, &ctx, &mut *new, Some(&*old));
        managed::keep_times(&mut *new, &*old, |new| self.is_unchanged(served, new, &*kept, entry));
        let mut warnings = served.kind.warnings(&ctx, &*new, Some(&*old));
        warnings.extend(mended);
        let errors = api_kind::validate(&*served.kind, &ctx, served.resource.namespaced, &*new, Some(&*old));
        if !errors.is_empty() {
            return Err(Status::invalid(served.group_kind(), name, &errors));
        }
        self.validate_update(served, &attributes, &*new, &*old).await?;
        warnings.extend(attributes.notes.warnings());
        let unchanged = self.is_unchanged(served, &*new, &*kept, entry);
        let value = if options.dry_run || unchanged {
            entry.value.clone()
        } else {
            self.encode(served, &mut *new, write.owners).await?
        };
        if options.dry_run || value == entry.value {
            let hub: Arc<dyn Record> = Arc::from(new);
            return Ok(Some(Written { object: self.show(served, &hub), created: false, warnings }));
        }
        let finished = is_finished(served, &*new);
        let txn = if finished {
            Txn::remove(entry.key.clone(), entry.modified)
        } else {
            self.expiring(served, Txn::update(entry.key.clone(), value, entry.modified))
        };
        let left = (!finished).then_some(&*new);
        match self.commit(served, left, Some(&*old), txn, attributes.notes.take_beside()).await? {
            Outcome::Done(revision) => {
                let hub = at_revision(new, revision);
                Ok(Some(Written { object: self.show(served, &hub), created: false, warnings }))
            }
            // Made again of what is there then; a change that names the version it is based on is refused there.
            Outcome::Lost | Outcome::Taken => Ok(None),
        }
    }

    fn generated(&self, base: &str) -> String {
        if base.is_empty() {
            return String::new();
        }
        let text = random::text(&*self.shared.random, 5, SUFFIX_ALPHABET.as_ref());
        let mut random = [0; 5];
        random.copy_from_slice(text.as_bytes());
        generate_name(base, random)
    }

    /// Keeps of the old object what no client may change; refuses what is based on another version of it.
    fn keep_system_fields(
        &self,
        served: &Served,
        name: &str,
        namespace: &str,
        new: &mut dyn Record,
        old: &dyn Record,
    ) -> Result<(), Status> {
        let Some(before) = object_meta(old) else {
            return Err(Status::internal_error("a stored object has no metadata"));
        };
        let meta = metadata(new)?;
        match_namespace(served, namespace, meta)?;
        check_name(meta, name)?;
        if !meta.uid.is_empty() && meta.uid != before.uid {
            let why = format!(
                "Precondition failed: UID in precondition: {}, UID in object meta: {}",
                meta.uid, before.uid
            );
            return Err(Status::conflict(served.group_resource(), name, why));
        }
        let conditional = !matches!(meta.resource_version.as_str(), "" | "0");
        if conditional && meta.resource_version != before.resource_version {
            return Err(Status::conflict(served.group_resource(), name, MODIFIED));
        }
        if !conditional && !served.kind.allows_unconditional_update() {
            let mut errors = api_meta::field::ErrorList::new();
            let path = api_meta::field::Path::new("metadata").child("resourceVersion");
            errors.push(api_meta::field::FieldError::invalid(&path, 0, "must be specified for an update"));
            return Err(Status::invalid(served.group_kind(), name, &errors));
        }
        meta.uid.clone_from(&before.uid);
        meta.creation_timestamp = before.creation_timestamp;
        meta.generate_name.clone_from(&before.generate_name);
        keep_deletion(meta, before);
        Ok(())
    }

    fn expiring(&self, served: &Served, txn: Txn) -> Txn {
        if served.hub.kind.group.is_empty() && &*served.hub.kind.kind == "Event" {
            txn.expiring(self.shared.clock.now() + std::time::Duration::from_secs(EVENT_TTL_SECONDS))
        } else {
            txn
        }
    }
}

/// A change of an object that may or may not be there.
#[derive(Clone, Copy)]
pub struct Write<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// The object's namespace, empty for none.
    pub namespace: &'a str,
    /// The object.
    pub name: &'a str,
    /// The part of it that is written, empty for the object itself.
    pub subresource: &'a str,
    /// What must hold of it.
    pub precondition: &'a Precondition,
    /// How it is to be written.
    pub options: &'a WriteOptions,
    /// Who says who owns its fields then.
    pub owners: Owners,
    /// The change makes it if it is not there.
    pub creates: bool,
}

/// What no client says of a new object.
fn wipe_system_fields(meta: &mut ObjectMeta) {
    meta.uid.clear();
    meta.creation_timestamp = None;
    meta.deletion_timestamp = None;
    meta.deletion_grace_period_seconds = None;
    meta.self_link.clear();
    meta.generation = 0;
}

/// What neither clients nor whoever changes objects after them say of one that is there.
fn keep_deletion(meta: &mut ObjectMeta, before: &ObjectMeta) {
    meta.resource_version.clone_from(&before.resource_version);
    meta.deletion_timestamp = before.deletion_timestamp;
    meta.deletion_grace_period_seconds = before.deletion_grace_period_seconds;
    meta.self_link.clear();
}

/// The creation of an object, as admission sees it.
fn creation<'a>(
    served: &Served,
    caller: &'a Caller,
    namespace: &'a str,
    name: &'a str,
    options: &'a WriteOptions,
) -> Attributes<'a> {
    Attributes {
        caller,
        operation: Operation::Create,
        resource: served_resource(served),
        subresource: "",
        namespace,
        name,
        dry_run: options.dry_run,
        options: Options::Write(options),
        notes: Notes::default(),
    }
}

fn check_name(meta: &ObjectMeta, name: &str) -> Result<(), Status> {
    if meta.name.is_empty() {
        return Err(Status::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )));
    }
    if meta.name != *name {
        return Err(Status::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({name})",
            meta.name
        )));
    }
    Ok(())
}

pub(crate) fn served_resource(served: &Served) -> client::Resource {
    served.name()
}

/// The object as it is kept at a revision.
pub(crate) fn at_revision(mut object: Box<dyn Record>, revision: store::Revision) -> Arc<dyn Record> {
    if let Some(meta) = object_meta_mut(&mut *object) {
        meta.resource_version = revision.to_string();
    }
    Arc::from(object)
}

pub(crate) fn metadata(object: &mut dyn Record) -> Result<&mut ObjectMeta, Status> {
    object_meta_mut(object).ok_or_else(|| Status::bad_request("the object has no metadata"))
}

fn match_namespace(served: &Served, namespace: &str, meta: &mut ObjectMeta) -> Result<(), Status> {
    if !served.resource.namespaced {
        meta.namespace.clear();
    } else if meta.namespace.is_empty() {
        namespace.clone_into(&mut meta.namespace);
    } else if meta.namespace != namespace {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

pub(crate) fn check_precondition(
    served: &Served,
    name: &str,
    object: &dyn Record,
    precondition: &Precondition,
) -> Result<(), Status> {
    let Some(meta) = object_meta(object) else { return Ok(()) };
    let checks = [
        ("UID", &precondition.uid, &meta.uid),
        ("ResourceVersion", &precondition.version, &meta.resource_version),
    ];
    for (what, wanted, found) in checks {
        if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != found) {
            let why = format!(
                "Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}"
            );
            return Err(Status::conflict(served.group_resource(), name, why));
        }
    }
    Ok(())
}

/// Whether an object that is being deleted has nothing left to wait for.
pub(crate) fn is_finished(served: &Served, object: &dyn Record) -> bool {
    let Some(meta) = object_meta(object) else { return false };
    meta.deletion_timestamp.is_some()
        && meta.finalizers.is_empty()
        && meta.deletion_grace_period_seconds.unwrap_or(0) == 0
        && !served.kind.is_held(object)
}
