//! What a word such as `po`, `deploy` or `widgets.example.com` means: by the table of built-in resources, or else by what the server says that
//! it serves.

use std::borrow::Cow;

use client::Resource;
use serde_json::Value;

use super::Cluster;

/// A kind that a server serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The resource that its objects are of.
    pub resource: Resource,
    /// Its name.
    pub kind: String,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
    /// Whether its type is known here.
    pub built_in: bool,
}

impl Kind {
    /// Its group and version.
    pub fn api_version(&self) -> String {
        let Resource { group, version, .. } = &self.resource;
        if group.is_empty() { version.to_string() } else { format!("{group}/{version}") }
    }

    pub(super) fn is_row(&self, row: &api_types::Resource) -> bool {
        (row.kind.group, row.kind.version, row.plural)
            == (&*self.resource.group, &*self.resource.version, &*self.resource.plural)
    }

    fn of_row(row: &'static api_types::Resource) -> Kind {
        Kind {
            resource: Resource::of(row.kind.group, row.kind.version, row.plural),
            kind: row.kind.kind.to_owned(),
            namespaced: row.namespaced,
            built_in: true,
        }
    }

    /// A row of a list of resources; `None` for subresources.
    fn of_served(group: &str, version: &str, row: &Value) -> Option<Kind> {
        let plural = row.get("name")?.as_str()?;
        let kind = row.get("kind")?.as_str()?;
        (!plural.contains('/')).then(|| Kind {
            resource: Resource {
                group: Cow::Owned(group.to_owned()),
                version: Cow::Owned(version.to_owned()),
                plural: Cow::Owned(plural.to_owned()),
            },
            kind: kind.to_owned(),
            namespaced: row.get("namespaced").and_then(Value::as_bool).unwrap_or(false),
            built_in: false,
        })
    }
}

/// A word that names a resource: `pods`, `deployments.apps`, `deployments.v1.apps`.
struct Word<'a> {
    name: &'a str,
    /// What stands behind the first dot.
    rest: &'a str,
}

impl<'a> Word<'a> {
    fn of(word: &'a str) -> Word<'a> {
        let (name, rest) = word.split_once('.').unwrap_or((word, ""));
        Word { name, rest }
    }

    /// Whether what is named is of this group and version. A group may be named by its beginning, as kubectl has it.
    fn is_of(&self, group: &str, version: &str) -> bool {
        let exact =
            self.rest.strip_prefix(version).and_then(|rest| rest.strip_prefix('.')).unwrap_or(self.rest);
        let begins = |rest: &str| {
            group.strip_prefix(rest).is_some_and(|more| more.is_empty() || more.starts_with('.'))
        };
        self.rest.is_empty() || self.rest == version && group.is_empty() || begins(self.rest) || begins(exact)
    }

    fn is_named<'b>(&self, plural: &str, kind: &str, mut short: impl Iterator<Item = &'b str>) -> bool {
        let is = |name: &str| name.eq_ignore_ascii_case(self.name);
        is(plural) || is(kind) || short.any(is)
    }
}

/// The built-in kind that a word means.
fn built_in(word: &Word<'_>) -> Option<Kind> {
    let names = |row: &&api_types::Resource| {
        let kind = &row.kind;
        row.verbs.contains(&"get")
            && word.is_of(kind.group, kind.version)
            && word.is_named(row.plural, kind.kind, row.short_names.iter().copied())
    };
    let rows = || api_types::resources().iter();
    let is_stable = |row: &&api_types::Resource| row.stage == api_types::Stage::Stable;
    let first = rows().filter(is_stable).find(names).or_else(|| rows().find(names))?;
    // Of several versions of it the highest that every server has.
    let same = rows().filter(|row| is_stable(row) && names(row) && row.kind.group == first.kind.group);
    let number =
        |row: &&api_types::Resource| row.kind.version.trim_start_matches('v').parse::<u32>().unwrap_or(0);
    Some(Kind::of_row(same.max_by_key(number).unwrap_or(first)))
}

impl Cluster {
    /// The kind that a word means.
    ///
    /// # Errors
    /// If nothing of that name is served, or what is cannot be read.
    pub async fn kind(&self, word: &str) -> anyhow::Result<Kind> {
        let parsed = Word::of(word);
        if let Some(kind) = built_in(&parsed) {
            return Ok(kind);
        }
        for (group, version) in self.groups().await? {
            if !parsed.is_of(&group, &version) {
                continue;
            }
            // A group whose server is away hides its own kinds alone.
            let Ok(list) = self.raw(&format!("/apis/{group}/{version}")).await else { continue };
            let rows = list.get("resources").and_then(Value::as_array);
            let found = rows.into_iter().flatten().find(|row| is_named(&parsed, row));
            if let Some(kind) = found.and_then(|row| Kind::of_served(&group, &version, row)) {
                return Ok(kind);
            }
        }
        anyhow::bail!("the server doesn't have a resource type {word:?}")
    }

    /// The groups that are served, each with the version that is preferred.
    async fn groups(&self) -> anyhow::Result<Vec<(String, String)>> {
        let list = self.raw("/apis").await?;
        let groups = list.get("groups").and_then(Value::as_array).into_iter().flatten();
        let preferred = groups.filter_map(|group| {
            let version = group.pointer("/preferredVersion/version")?.as_str()?;
            Some((group.get("name")?.as_str()?.to_owned(), version.to_owned()))
        });
        Ok(preferred.collect())
    }

    /// The kind that an owner reference names; `None` if nothing of the sort is served.
    pub async fn owner_kind(&self, api_version: &str, kind: &str) -> Option<Kind> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let is_own = |row: &&api_types::Resource| {
            (row.kind.group, row.kind.version, row.kind.kind) == (group, version, kind)
                && row.verbs.contains(&"get")
        };
        if let Some(row) = api_types::resources().iter().find(is_own) {
            return Some(Kind::of_row(row));
        }
        let list = self.raw(&format!("/apis/{group}/{version}")).await.ok()?;
        let rows = list.get("resources")?.as_array()?;
        rows.iter().filter_map(|row| Kind::of_served(group, version, row)).find(|found| found.kind == kind)
    }
}

fn is_named(word: &Word<'_>, row: &Value) -> bool {
    let text = |field: &str| row.get(field).and_then(Value::as_str).unwrap_or_default();
    let short = row.get("shortNames").and_then(Value::as_array).into_iter().flatten();
    let short = short.filter_map(Value::as_str).chain([text("singularName")]).filter(|name| !name.is_empty());
    word.is_named(text("name"), text("kind"), short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_what_they_mean_to_kubectl() {
        for (word, wanted) in [
            ("po", "v1 Pod"),
            ("pods", "v1 Pod"),
            ("Pod", "v1 Pod"),
            ("deploy", "apps/v1 Deployment"),
            ("deployments.apps", "apps/v1 Deployment"),
            ("deployments.v1.apps", "apps/v1 Deployment"),
            ("hpa", "autoscaling/v2 HorizontalPodAutoscaler"),
            ("pdb", "policy/v1 PodDisruptionBudget"),
            ("events", "v1 Event"),
            ("events.events", "events.k8s.io/v1 Event"),
            ("ing", "networking.k8s.io/v1 Ingress"),
            ("sc", "storage.k8s.io/v1 StorageClass"),
        ] {
            let kind = built_in(&Word::of(word)).unwrap_or_else(|| panic!("{word} is known"));
            assert_eq!(format!("{} {}", kind.api_version(), kind.kind), wanted, "{word}");
        }
        for unknown in ["widgets", "widgets.example.com", "pods.apps", "deployments.example.com"] {
            assert_eq!(built_in(&Word::of(unknown)), None, "{unknown}");
        }
    }

    #[test]
    fn served_kinds_go_by_plural_singular_and_short_names() {
        let row = serde_json::json!({"name": "widgets", "singularName": "widget", "kind": "Widget", "namespaced": true, "shortNames": ["wd"]});
        for word in ["widgets", "widget", "wd", "Widget", "widgets.example.com"] {
            assert!(is_named(&Word::of(word), &row), "{word}");
        }
        assert!(!is_named(&Word::of("gadgets"), &row));
        assert!(Word::of("widgets.example").is_of("example.com", "v1"));
        assert!(!Word::of("widgets.exam").is_of("example.com", "v1"));
        let kind = Kind::of_served("example.com", "v1", &row).expect("a kind");
        assert_eq!(
            (kind.api_version().as_str(), kind.built_in, kind.namespaced),
            ("example.com/v1", false, true)
        );
        assert_eq!(
            Kind::of_served(
                "example.com",
                "v1",
                &serde_json::json!({"name": "widgets/status", "kind": "Widget"})
            ),
            None
        );
    }
}
