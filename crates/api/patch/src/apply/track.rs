//! Who owns what after a create, an update or a patch.
//!
//! Walks the records themselves: this happens on every write.

use api_record::Record;
use api_types::meta::v1::ManagedFieldsEntry;
use api_types::{object_meta, object_meta_mut};

use super::compare::{self, Diff};
use super::managers::{Managers, Operation, Owned, asks_reset};
use super::mentioned::coarsened;
use super::request::{Request, Root, given, stripped, taken};

/// Who owns what of an object that was there before anybody applied it.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Writes into an object who owns which of its fields, now that `live` becomes it; both in the request's version. `live` is the
/// empty object when one is made.
pub fn track(request: &Request<'_>, live: &dyn Record, new: &mut dyn Record) {
    let Some(meta) = object_meta_mut(new) else { return };
    let sent = std::mem::take(&mut meta.managed_fields);
    let (before, is_new) =
        object_meta(live).map_or((&[][..], true), |meta| (&meta.managed_fields[..], meta.uid.is_empty()));
    let diff =
        compare::records(request.root(live).kind(), live, new).map(|fields| request.reset.filter(fields));
    let is_kept = sent == before || !request.subresource.is_empty();
    if diff.is_empty() && is_kept {
        if let Some(meta) = object_meta_mut(new) {
            meta.managed_fields = before.to_vec();
        }
        return;
    }
    let managers = known(request, &sent, before);
    // Nobody's fields stay nobody's until the object is applied.
    if managers.entries.is_empty() && !is_new {
        return;
    }
    let updated = update(request, live, new, &diff, managers);
    if let Some(meta) = object_meta_mut(new) {
        meta.managed_fields = updated.encode();
    }
}

/// The owners that the request knows of: what it says, unless it says nothing that can be understood. Subresources have no say.
fn known(request: &Request<'_>, sent: &[ManagedFieldsEntry], live: &[ManagedFieldsEntry]) -> Managers {
    let kept = || Managers::open(live).unwrap_or_default();
    if !request.subresource.is_empty() || sent == live {
        return kept();
    }
    if asks_reset(sent) {
        return Managers::default();
    }
    match Managers::decode_foreign(sent) {
        Ok(managers) if !managers.entries.is_empty() => managers,
        _ => kept(),
    }
}

/// The owners after an update by which the objects differ like this.
fn update(
    request: &Request<'_>,
    live: &dyn Record,
    new: &dyn Record,
    diff: &Diff,
    managers: Managers,
) -> Managers {
    let manager = request.manager(Operation::Update);
    let mut managers = reconciled(request, live, managers, |owned| owned.may_meet(diff));
    taken(request, &mut managers, None, diff, &in_version(request, live, new));
    let fields = stripped(&diff.modified.union(&diff.added));
    given(request, &mut managers, manager, fields);
    managers.cap();
    managers
}

fn in_version<'a>(
    request: &'a Request<'_>,
    live: &'a dyn Record,
    new: &'a dyn Record,
) -> impl Fn(&str) -> Option<Diff> + 'a {
    move |version| {
        let convert = |object| request.versions.convert(object, request.api_version, version);
        let (live, new) = (convert(live)?, convert(new)?);
        let root = Root::of(request.versions, version, &*live);
        Some(compare::records(root.kind(), &*live, &*new).map(|fields| request.reset.filter(fields)))
    }
}

/// The owners of an object that has none, when it is first applied.
pub(super) fn before_first_apply(request: &Request<'_>, live: &dyn Record) -> Managers {
    let Some(empty) = request.versions.empty(request.api_version) else { return Managers::default() };
    let before = Request { manager: BEFORE_FIRST_APPLY, reset: request.reset.clone(), ..*request };
    let diff =
        compare::records(request.root(live).kind(), &*empty, live).map(|fields| before.reset.filter(fields));
    update(&before, &*empty, live, &diff, Managers::default())
}

/// The owners with their fields in terms of the schemas as they are now; managers of versions that are gone go. The schema of what
/// is built in changes with a release only: there it is enough to look at those of whom `is_concerned` says that it matters.
pub(super) fn reconciled(
    request: &Request<'_>,
    live: &dyn Record,
    mut managers: Managers,
    is_concerned: impl Fn(&Owned) -> bool,
) -> Managers {
    managers.entries.retain(|_, owned| {
        let other = match owned.api_version == request.api_version {
            true => None,
            false => match request.versions.empty(&owned.api_version) {
                Some(other) => Some(other),
                None => return false,
            },
        };
        let root = Root::of(request.versions, &owned.api_version, other.as_deref().unwrap_or(live));
        if other.is_none() && !root.is_made_at_run_time() && !is_concerned(owned) {
            return true;
        }
        if let Some(fields) = coarsened(root.kind(), owned.fields()) {
            owned.set_fields(fields);
        }
        true
    });
    managers
}

/// Whether managed fields differ in times and in nothing else: if nothing else of the object differs either, it has not changed.
pub fn differs_in_times(new: &[ManagedFieldsEntry], old: &[ManagedFieldsEntry]) -> bool {
    let same = |(new, old): (&ManagedFieldsEntry, &ManagedFieldsEntry)| {
        *new == ManagedFieldsEntry { time: new.time, ..old.clone() }
    };
    new.len() == old.len()
        && new.iter().zip(old).any(|(new, old)| new.time != old.time)
        && new.iter().zip(old).all(same)
}
