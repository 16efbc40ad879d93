//! Server-side apply: what becomes of an object when a configuration is applied, and who owns what then.

use api_codec::json;
use api_codec::limits::Limits;
use api_meta::Status;
use api_record::Record;
use api_types::{object_meta, object_meta_mut};

use super::check::check;
use super::compare::{self, Diff};
use super::config::{Config, LAST_APPLIED};
use super::conflict::{self, Conflict};
use super::data::Data as _;
use super::managers::{Managers, Operation, Owned};
use super::mentioned::mentioned;
use super::prune::{Convert, prune};
use super::request::{Request, Root, stripped, taken};
use super::set::Set;
use super::track::{before_first_apply, reconciled};
use super::{Tree, merge};

/// The manager that stands for `kubectl`, which goes on where its own way of applying left off.
const KUBECTL: &str = "kubectl";

/// Why a configuration is not applied.
enum Refusal {
    Conflicts(Vec<Conflict>),
    Status(Status),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Refusal {
        Refusal::Status(status)
    }
}

/// Applies a configuration to an object of the request's version, or to the empty one where there is none. What comes out has its
/// managed fields and is not defaulted; it is the object itself where nothing changes.
///
/// # Errors
/// 400 for what is not of the request's kind or says who owns what, 409 with the fields that others own unless `force` is set, 500
/// in upstream's words for what does not fit the schema.
pub fn apply(
    request: &Request<'_>,
    live: &dyn Record,
    config: &Config,
    force: bool,
) -> Result<Box<dyn Record>, Status> {
    if config.api_version != request.api_version || config.kind != request.kind {
        return Err(Status::bad_request(format!("invalid object type: {}", config.gvk())));
    }
    let entries = object_meta(live).map(|meta| &meta.managed_fields[..]).unwrap_or_default();
    let mut managers = Managers::decode(entries)
        .map_err(|error| internal(format!("failed to decode managed fields: {error}")))?;
    if managers.entries.is_empty() {
        managers = before_first_apply(request, live);
    }
    let live_tree = tree_of(live);
    let attempt = |force| once(request, live, &live_tree, config, managers.clone(), force);
    let applied = match attempt(force) {
        Err(Refusal::Conflicts(conflicts)) if request.manager == KUBECTL => {
            let allowed = remembered(request, live, &live_tree).unwrap_or_default();
            let left: Vec<Conflict> =
                conflicts.into_iter().filter(|conflict| !allowed.has(&conflict.path)).collect();
            if left.is_empty() { attempt(true) } else { Err(Refusal::Conflicts(left)) }
        }
        other => other,
    };
    let (mut object, managers) = applied.map_err(|refusal| match refusal {
        Refusal::Conflicts(conflicts) => conflict::status(&conflicts),
        Refusal::Status(status) => status,
    })?;
    if let Some(meta) = object_meta_mut(&mut *object) {
        if request.manager == KUBECTL {
            config.remember(meta);
        }
        meta.managed_fields = managers.encode();
    }
    Ok(object)
}

fn once(
    request: &Request<'_>,
    live: &dyn Record,
    live_tree: &Tree,
    config: &Config,
    managers: Managers,
    force: bool,
) -> Result<(Box<dyn Record>, Managers), Refusal> {
    let root = request.root(live);
    let kind = root.kind();
    if config.says_owners() {
        return Err(Status::bad_request("metadata.managedFields must be nil").into());
    }
    if let Some(wrong) = check(kind, &config.tree) {
        let message = format!("failed to create typed patch object ({}): {wrong}", config.shown());
        return Err(internal(message).into());
    }
    let mut managers = reconciled(request, live, managers, |_| true);
    let merged = merge::merge(kind, live_tree, &config.tree);
    let own = request.manager(Operation::Apply);
    let last = managers.entries.remove(&own);
    let fields = request.reset.filter(&mentioned(kind, &config.tree));
    let time = last.as_ref().and_then(|last| last.time);
    managers.entries.insert(own.clone(), Owned::new(request.api_version, fields.clone(), time));
    let convert = Convert { versions: request.versions };
    let new_tree = prune(&convert, kind, merged, &managers, request.api_version, last.as_ref())
        .ok_or_else(|| internal("failed to prune fields".to_owned()))?;
    let diff = compare::trees(kind, live_tree, &new_tree).map(|fields| request.reset.filter(fields));
    let elsewhere = |version: &str| -> Option<Diff> {
        let in_version = |tree| convert.tree(tree, request.api_version, version);
        let (old, new) = (in_version(live_tree)?, in_version(&new_tree)?);
        let other = request.versions.empty(version)?;
        let root = Root::of(request.versions, version, &*other);
        Some(compare::trees(root.kind(), &old, &new).map(|fields| request.reset.filter(fields)))
    };
    let conflicts = taken(request, &mut managers, Some(&own), &diff, &elsewhere);
    if !force && !conflicts.is_empty() {
        let conflicts = conflicts.iter().flat_map(|(manager, fields)| conflict::of(manager, fields));
        return Err(Refusal::Conflicts(conflicts.collect()));
    }
    let fields = stripped(&fields);
    let changed = !(&new_tree).same(live_tree);
    if fields.is_empty() {
        managers.entries.remove(&own);
    } else if let Some(owned) = managers.entries.get_mut(&own) {
        owned.set_fields(fields);
        if changed {
            owned.time = Some(request.now);
        }
    }
    let object = if changed { decoded(request, config, &new_tree)? } else { live.boxed_clone() };
    Ok((object, managers))
}

fn decoded(request: &Request<'_>, config: &Config, tree: &Tree) -> Result<Box<dyn Record>, Status> {
    let failed = |why: &dyn std::fmt::Display| {
        internal(format!("failed to convert new object ({}) to proper version: {why}", config.shown()))
    };
    let mut object = request.versions.empty(request.api_version).ok_or_else(|| failed(&"no such version"))?;
    json::decode(tree.to_string().as_bytes(), &mut *object, None, Limits::RESPONSE).map_err(|error| {
        failed(&format!("unable to convert unstructured object to {}: {error}", config.gvk()))
    })?;
    Ok(object)
}

/// What `kubectl apply` without the server's help applied last and what the object still has of it: fields that its managers
/// own in `kubectl`'s name.
fn remembered(request: &Request<'_>, live: &dyn Record, live_tree: &Tree) -> Option<Set> {
    let last = object_meta(live)?.annotations.get(LAST_APPLIED)?;
    let last = Config::parse(last.as_bytes()).ok()?;
    let root = request.root(live);
    let kind = root.kind();
    if last.api_version != request.api_version || check(kind, &last.tree).is_some() {
        return None;
    }
    let diff = compare::trees(kind, &last.tree, live_tree);
    let fields = mentioned(kind, &last.tree);
    Some(fields.difference(&diff.modified).difference(&diff.added).difference(&diff.removed))
}

/// The object as a tree without its managed fields.
pub(super) fn tree_of(object: &dyn Record) -> Tree {
    let mut text = Vec::new();
    json::encode(object, None, &mut text);
    // The codec's own output is well-formed, JSON that was kept as it came aside.
    let mut tree: Tree = serde_json::from_slice(&text).unwrap_or_default();
    if let Some(meta) = tree.get_mut("metadata").and_then(Tree::as_object_mut) {
        meta.shift_remove("managedFields");
    }
    tree
}

/// An error that upstream does not classify.
fn internal(message: String) -> Status {
    Status::failure(500, "", message, None)
}
