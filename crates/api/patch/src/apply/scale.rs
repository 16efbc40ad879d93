//! The subresource `scale`: who owns the replicas of a workload, seen from either side.
//!
//! A Scale has the managers of its workload that own the replicas, in its own version; what a write of it makes of them is put
//! back among the workload's. Upstream: `managedfields/scalehandler.go`.

use api_types::meta::v1::ManagedFieldsEntry;

use super::element::Element;
use super::managers::{Manager, Managers, ManagersError, Operation, Owned};
use super::set::Set;

/// The version that Scales are written in.
pub const VERSION: &str = "autoscaling/v1";

/// Where the replicas are in a version of the workload: `None` if there is no such version, nowhere if it has no scale.
pub type Replicas<'a> = dyn Fn(&str) -> Option<Vec<Element>> + 'a;

/// Where they are in a Scale and in most workloads.
pub fn usual() -> Vec<Element> {
    vec![Element::Field("spec".into()), Element::Field("replicas".into())]
}

fn only(path: &[Element]) -> Set {
    let mut set = Set::EMPTY;
    set.insert(path);
    set
}

fn in_version(manager: &Manager, version: &str) -> Manager {
    let api_version = if manager.operation == Operation::Update { version } else { "" };
    Manager { api_version: api_version.to_owned(), ..manager.clone() }
}

/// The managed fields of the Scale of a workload.
///
/// # Errors
/// If the workload's cannot be read.
pub fn to_scale(
    workload: &[ManagedFieldsEntry],
    replicas: &Replicas<'_>,
) -> Result<Vec<ManagedFieldsEntry>, ManagersError> {
    let mut scale = Managers::default();
    for (manager, owned) in Managers::decode(workload)?.entries {
        if replicas(&owned.api_version).is_some_and(|path| owned.fields().has(&path)) {
            let owned = Owned::new(VERSION, only(&usual()), owned.time);
            scale.entries.insert(in_version(&manager, VERSION), owned);
        }
    }
    Ok(scale.encode())
}

/// The managed fields of a workload whose Scale was written in the workload's `version`. Whoever owns the replicas anew has no
/// time, as upstream has it.
///
/// # Errors
/// If those of one of them cannot be read.
pub fn from_scale(
    workload: &[ManagedFieldsEntry],
    scale: &[ManagedFieldsEntry],
    version: &str,
    replicas: &Replicas<'_>,
) -> Result<Vec<ManagedFieldsEntry>, ManagersError> {
    let mut managers = Managers::decode(workload)?;
    let mut scale = Managers::decode(scale)?.entries;
    managers.entries.retain(|manager, owned| {
        let Some(path) = replicas(&owned.api_version) else { return false };
        if owned.fields().has(&path) && scale.remove(&in_version(manager, VERSION)).is_none() {
            owned.set_fields(owned.fields().difference(&only(&path)));
        }
        !owned.fields().is_empty()
    });
    for (manager, owned) in scale {
        if owned.fields().has(&usual()) {
            let manager = in_version(&manager, version);
            let entry =
                managers.entries.entry(manager).or_insert_with(|| Owned::new(version, Set::EMPTY, None));
            let own = replicas(version).unwrap_or_default();
            entry.set_fields(entry.fields().union(&only(&own)));
        }
    }
    Ok(managers.encode())
}

#[cfg(test)]
mod tests {
    use api_record::scalar::{RawJson, Time};

    use super::*;

    fn entry(manager: &str, operation: &str, version: &str, part: &str, fields: &str) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: manager.into(),
            operation: operation.into(),
            api_version: version.into(),
            time: Some(Time { seconds: 7 }),
            fields_type: "FieldsV1".into(),
            fields_v1: Some(RawJson(Some(fields.as_bytes().to_vec().into()))),
            subresource: part.into(),
        }
    }

    fn shown(entries: &[ManagedFieldsEntry]) -> Vec<String> {
        let show = |entry: &ManagedFieldsEntry| {
            let fields = entry.fields_v1.as_ref().map(|raw| String::from_utf8_lossy(raw.text()).into_owned());
            let timed = if entry.time.is_some() { "timed" } else { "no time" };
            format!(
                "{} {} {} {:?} {timed} {}",
                entry.manager,
                entry.operation,
                entry.api_version,
                entry.subresource,
                fields.unwrap_or_default()
            )
        };
        entries.iter().map(show).collect()
    }

    const BOTH: &str = r#"{"f:spec":{"f:paused":{},"f:replicas":{}}}"#;
    const REPLICAS: &str = r#"{"f:spec":{"f:replicas":{}}}"#;

    #[test]
    fn a_scale_has_the_owners_of_the_replicas_and_gives_them_back() {
        let known = |version: &str| (version == "apps/v1").then(usual);
        let workload = [
            entry("me", "Apply", "apps/v1", "", BOTH),
            entry("you", "Update", "apps/v1", "", BOTH),
            entry("other", "Update", "apps/v1", "", r#"{"f:spec":{"f:paused":{}}}"#),
            entry("old", "Update", "apps/v0", "", BOTH),
        ];
        let scale = to_scale(&workload, &known).expect("readable");
        assert_eq!(
            shown(&scale),
            [
                format!("me Apply autoscaling/v1 \"\" timed {REPLICAS}"),
                format!("you Update autoscaling/v1 \"\" timed {REPLICAS}"),
            ]
        );
        let back = from_scale(&workload, &scale, "apps/v1", &known).expect("readable");
        assert_eq!(back.len(), 3, "all but the one whose version is gone");
        assert!(shown(&back).iter().any(|line| line.starts_with("you") && line.ends_with(BOTH)));
        // Somebody scales: the replicas are his alone.
        let scaled = [entry("hpa", "Update", "autoscaling/v1", "scale", REPLICAS)];
        let taken = from_scale(&workload, &scaled, "apps/v1", &known).expect("readable");
        assert_eq!(
            shown(&taken),
            [
                "me Apply apps/v1 \"\" timed {\"f:spec\":{\"f:paused\":{}}}".to_owned(),
                format!("hpa Update apps/v1 \"scale\" no time {REPLICAS}"),
                "other Update apps/v1 \"\" timed {\"f:spec\":{\"f:paused\":{}}}".to_owned(),
                "you Update apps/v1 \"\" timed {\"f:spec\":{\"f:paused\":{}}}".to_owned(),
            ]
        );
    }
}
