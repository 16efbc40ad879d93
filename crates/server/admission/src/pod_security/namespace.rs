//! Labels of namespaces: they must be ones that can be read, and whoever raises the enforced level is told which pods that are
//! there already would be refused.

use std::collections::{BTreeMap, BTreeSet};

use api_meta::gvk::GroupKind;
use api_meta::{Status, owners};
use api_types::core::v1::{Namespace, Pod};
use client::Resource;
use server_registry::admit::Attributes;

use super::checks::{Subject, judge, reasons};
use super::policy::{Policy, Standard};
use super::{Level, PodSecurity};
use crate::limits::{PODS_CHECK_TIME, PODS_CHECKED};

const PODS: Resource = Resource::of("", "v1", "pods");

impl PodSecurity {
    pub(super) async fn check_namespace(
        &self,
        attributes: &Attributes<'_>,
        namespace: &Namespace,
        old: Option<&Namespace>,
    ) -> Result<(), Status> {
        let (policy, errors) = Policy::of(&namespace.metadata.labels);
        let before = old.map(|old| Policy::of(&old.metadata.labels));
        let known = before.as_ref().is_some_and(|(_, before)| {
            before.iter().map(ToString::to_string).eq(errors.iter().map(ToString::to_string))
        });
        if !errors.is_empty() && !known {
            let kind = GroupKind { group: "", kind: "Namespace" };
            return Err(Status::invalid(kind, attributes.name, &errors));
        }
        let Some((before, _)) = before else { return Ok(()) };
        let (new, was) = (policy.enforce, before.enforce);
        let relaxed = new.version == was.version && new.level <= was.level;
        if new == was || new.level == Level::Privileged || relaxed {
            return Ok(());
        }
        for warning in self.violations(&namespace.metadata.name, new).await {
            attributes.notes.warn(warning);
        }
        Ok(())
    }

    /// Which pods violate a level, as warnings.
    async fn violations(&self, namespace: &str, standard: Standard) -> Vec<String> {
        let deadline = self.clock.now() + PODS_CHECK_TIME;
        let Ok(found) = self.lookup.list(&PODS, namespace).await else {
            return vec!["failed to list pods while checking new PodSecurity enforce level".to_owned()];
        };
        let pods = one_of_each_first(found.iter().filter_map(|pod| pod.downcast_ref()).collect());
        let mut checked = 0;
        let mut violators: BTreeMap<String, (&str, usize)> = BTreeMap::new();
        for pod in pods.iter().take(PODS_CHECKED) {
            let faults = judge(standard, Subject { meta: &pod.metadata, spec: &pod.spec });
            if !faults.is_empty() {
                let name = pod.metadata.name.as_str();
                let known = violators.entry(reasons(&faults)).or_insert((name, 0));
                *known = (known.0.min(name), known.1 + 1);
            }
            checked += 1;
            if self.clock.now() > deadline {
                break;
            }
        }
        let mut warnings = Vec::new();
        if checked < pods.len() {
            let all = pods.len();
            warnings.push(format!(
                "new PodSecurity enforce level only checked against the first {checked} of {all} existing pods"
            ));
        }
        if !violators.is_empty() {
            warnings.push(format!(
                "existing pods in namespace {namespace:?} violate the new PodSecurity enforce level \"{standard}\""
            ));
        }
        let mut each: Vec<String> = violators
            .into_iter()
            .map(|(reasons, (first, count))| match count {
                1 => format!("{first}: {reasons}"),
                2 => format!("{first} (and 1 other pod): {reasons}"),
                _ => format!("{first} (and {} other pods): {reasons}", count - 1),
            })
            .collect();
        each.sort();
        warnings.extend(each);
        warnings
    }
}

/// The pods so that those which resemble one before, having the same controller, come last.
fn one_of_each_first(pods: Vec<&Pod>) -> Vec<&Pod> {
    let mut seen = BTreeSet::new();
    let (mut first, more): (Vec<&Pod>, Vec<&Pod>) = pods.into_iter().partition(|pod| {
        let controller = owners::controller_of(&pod.metadata);
        controller.is_none_or(|reference| seen.insert(reference.uid.clone()))
    });
    first.extend(more);
    first
}
