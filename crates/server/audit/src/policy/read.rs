//! Reading a policy's file.

use api_codec::limits::Limits;
use api_codec::yaml;
use api_meta::field::ErrorList;
use client::trail::Level;
use serde_json::{Map, Value};

use super::{Policy, Resources, Rule, Stage, check};

/// Why a policy cannot be used.
#[derive(Debug)]
pub enum PolicyError {
    /// It cannot be read.
    Malformed(String),
    /// It is of another group, version or kind.
    Unknown {
        /// What it says that it is.
        found: String,
    },
    /// It says something that policies may not say.
    Invalid(ErrorList),
    /// It has no rules.
    Empty,
}

impl std::fmt::Display for PolicyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PolicyError::Malformed(why) => write!(f, "failed decoding: {why}"),
            PolicyError::Unknown { found } => write!(f, "unknown group version field {found} in policy"),
            PolicyError::Invalid(errors) => write!(f, "{errors}"),
            PolicyError::Empty => f.write_str("loaded illegal policy with 0 rules"),
        }
    }
}

impl std::error::Error for PolicyError {}

/// The fields of a policy and of what is in it; what else there is, is passed over with a warning, as upstream does.
const POLICY: [&str; 6] = ["apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields"];
const RULE: [&str; 9] = [
    "level",
    "users",
    "userGroups",
    "verbs",
    "resources",
    "namespaces",
    "nonResourceURLs",
    "omitStages",
    "omitManagedFields",
];
const RESOURCES: [&str; 3] = ["group", "resources", "resourceNames"];

impl Policy {
    /// Reads a policy in YAML or JSON; answers what it says that means nothing, too.
    ///
    /// # Errors
    /// When it is none, or one that upstream does not take.
    pub fn read(text: &[u8]) -> Result<(Policy, Vec<String>), PolicyError> {
        let json = yaml::to_json(text, Limits::REQUEST);
        let json = json.map_err(|error| PolicyError::Malformed(error.to_string()))?;
        let tree: Value =
            serde_json::from_slice(&json).map_err(|error| PolicyError::Malformed(error.to_string()))?;
        let said = |key: &str| tree[key].as_str().unwrap_or_default().to_owned();
        let (version, kind) = (said("apiVersion"), said("kind"));
        if (version.as_str(), kind.as_str()) != ("audit.k8s.io/v1", "Policy") {
            return Err(PolicyError::Unknown { found: format!("{version}, Kind={kind}") });
        }
        let mut unknown = Vec::new();
        let mut reader = Reader { unknown: &mut unknown };
        let read = reader.policy(&tree).map_err(PolicyError::Malformed)?;
        let errors = check::policy(&read);
        if !errors.is_empty() {
            return Err(PolicyError::Invalid(errors));
        }
        if read.rules.is_empty() {
            return Err(PolicyError::Empty);
        }
        Ok((read.settled(), unknown))
    }
}

/// A policy as it is written, before it is known to be right.
pub(super) struct Written {
    pub(super) rules: Vec<WrittenRule>,
    pub(super) stages: Vec<String>,
    omit_managed_fields: bool,
}

pub(super) struct WrittenRule {
    pub(super) level: String,
    pub(super) stages: Vec<String>,
    pub(super) urls: Vec<String>,
    pub(super) namespaces: Vec<String>,
    pub(super) resources: Vec<WrittenResources>,
    rule: Rule,
}

pub(super) struct WrittenResources {
    pub(super) group: String,
    pub(super) resources: Vec<String>,
    pub(super) names: Vec<String>,
}

impl Written {
    /// The policy, once all names in it are known to be names of something.
    fn settled(self) -> Policy {
        let rules = self.rules.into_iter().map(|own| {
            let resources = own.resources.into_iter();
            let resources = resources.map(|WrittenResources { group, resources, names }| Resources {
                group,
                resources,
                names,
            });
            Rule {
                level: level(&own.level).unwrap_or_default(),
                omitted: omitted(&own.stages),
                urls: own.urls,
                namespaces: own.namespaces,
                resources: resources.collect(),
                ..own.rule
            }
        });
        Policy {
            rules: rules.collect(),
            omitted: omitted(&self.stages),
            omit_managed_fields: self.omit_managed_fields,
        }
    }
}

pub(super) fn level(name: &str) -> Option<Level> {
    Level::ALL.into_iter().find(|level| level.name() == name)
}

fn omitted(names: &[String]) -> [bool; 4] {
    Stage::ALL.map(|stage| names.iter().any(|name| name == stage.name()))
}

struct Reader<'a> {
    unknown: &'a mut Vec<String>,
}

impl Reader<'_> {
    fn policy(&mut self, tree: &Value) -> Result<Written, String> {
        let own = self.fields(tree, "policy", &POLICY)?;
        let rules = list(own, "rules")?.iter().map(|rule| self.rule(rule)).collect::<Result<_, _>>()?;
        Ok(Written {
            rules,
            stages: texts(own, "omitStages")?,
            omit_managed_fields: flag(own, "omitManagedFields")?.unwrap_or(false),
        })
    }

    fn rule(&mut self, tree: &Value) -> Result<WrittenRule, String> {
        let own = self.fields(tree, "rule", &RULE)?;
        let resources = list(own, "resources")?.iter().map(|entry| self.resources(entry));
        Ok(WrittenRule {
            level: text(own, "level")?,
            resources: resources.collect::<Result<_, _>>()?,
            stages: texts(own, "omitStages")?,
            urls: texts(own, "nonResourceURLs")?,
            namespaces: texts(own, "namespaces")?,
            rule: Rule {
                users: texts(own, "users")?,
                groups: texts(own, "userGroups")?,
                verbs: texts(own, "verbs")?,
                omit_managed_fields: flag(own, "omitManagedFields")?,
                ..Rule::default()
            },
        })
    }

    fn resources(&mut self, tree: &Value) -> Result<WrittenResources, String> {
        let own = self.fields(tree, "resources", &RESOURCES)?;
        Ok(WrittenResources {
            group: text(own, "group")?,
            resources: texts(own, "resources")?,
            names: texts(own, "resourceNames")?,
        })
    }

    fn fields<'t>(
        &mut self,
        tree: &'t Value,
        what: &str,
        known: &[&str],
    ) -> Result<&'t Map<String, Value>, String> {
        let own = tree.as_object().ok_or_else(|| format!("a {what} must be a map"))?;
        let others = own.keys().filter(|key| !known.contains(&key.as_str()));
        self.unknown.extend(others.map(|key| format!("unknown field {key:?} of a {what}")));
        Ok(own)
    }
}

fn list<'t>(own: &'t Map<String, Value>, key: &str) -> Result<&'t [Value], String> {
    match own.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(format!("{key} must be a list")),
    }
}

fn texts(own: &Map<String, Value>, key: &str) -> Result<Vec<String>, String> {
    let items = list(own, key)?.iter().map(|item| item.as_str().map(str::to_owned));
    items.collect::<Option<_>>().ok_or_else(|| format!("{key} must be a list of strings"))
}

fn text(own: &Map<String, Value>, key: &str) -> Result<String, String> {
    match own.get(key) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(format!("{key} must be a string")),
    }
}

fn flag(own: &Map<String, Value>, key: &str) -> Result<Option<bool>, String> {
    match own.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(format!("{key} must be true or false")),
    }
}
