//! Which requests rules, selectors and names are about: for policies and for webhooks.
//! (`apiserver/pkg/admission/plugin/{policy/matching,webhook/predicates}`.)

use api_meta::labels::{Labels, Selector};
use api_record::Record;
use api_types::admissionregistration::v1::{MatchResources, RuleWithOperations};
use api_types::meta::v1::LabelSelector;
use api_types::object_meta;
use client::{Resource, Status};
use server_registry::admit::{Attributes, Operation};

use crate::{Lookup, Versions};

const NAMESPACES: Resource = Resource::of("", "v1", "namespaces");

/// How requests are told apart.
pub(crate) struct Subject<'a> {
    pub(crate) attributes: &'a Attributes<'a>,
    pub(crate) object: Option<&'a dyn Record>,
    pub(crate) old: Option<&'a dyn Record>,
    pub(crate) lookup: &'a dyn Lookup,
    pub(crate) versions: &'a dyn Versions,
}

/// An operation as rules name it.
pub(crate) fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
        Operation::Connect => "CONNECT",
    }
}

/// Whether a request is about how admission works: nobody but the server has a say in that, or nobody could take a bad configuration away.
pub(crate) fn is_exempt(attributes: &Attributes<'_>) -> bool {
    const EXEMPT: [&str; 6] = [
        "validatingwebhookconfigurations",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
    ];
    attributes.resource.group == "admissionregistration.k8s.io"
        && EXEMPT.contains(&&*attributes.resource.plural)
}

/// Rules, and the names of objects that each is limited to.
pub(crate) type Rules<'a> = Vec<(&'a RuleWithOperations, &'a [String])>;

impl Subject<'_> {
    /// The version in which a policy or binding looks at the object, if it is about it at all.
    pub(crate) async fn matches(&self, criteria: &MatchResources) -> Result<Option<Resource>, Status> {
        let exact = criteria.match_policy.as_deref() != Some("Equivalent");
        let excluded: Rules<'_> = named(&criteria.exclude_resource_rules);
        if self.rules(&excluded, exact).is_some() {
            return Ok(None);
        }
        let rules: Rules<'_> = named(&criteria.resource_rules);
        let found =
            if rules.is_empty() { Some(self.attributes.resource.clone()) } else { self.rules(&rules, exact) };
        let Some(found) = found else { return Ok(None) };
        if !self.object_matches(criteria.object_selector.as_deref())? {
            return Ok(None);
        }
        let matches = self.namespace_matches(criteria.namespace_selector.as_deref()).await?;
        Ok(matches.then_some(found))
    }

    /// The version that one of the rules names: the request's own, or, unless only that will do, another of the same objects.
    pub(crate) fn rules(&self, rules: &Rules<'_>, exact: bool) -> Option<Resource> {
        let own = &self.attributes.resource;
        // Other versions have the same plural: most rules are about something else, and not worth looking for these.
        let concerned: Rules<'_> =
            rules.iter().copied().filter(|(rule, names)| self.concerns(rule, names, own)).collect();
        if concerned.iter().any(|(rule, _)| serves(rule, own)) {
            return Some(own.clone());
        }
        if exact || concerned.is_empty() {
            return None;
        }
        let others = self.versions.equivalents(own);
        // What earlier rules ask for comes first.
        concerned.iter().find_map(|(rule, _)| others.iter().find(|other| serves(rule, other)).cloned())
    }

    /// Whether a rule is about the request, whatever its group and version.
    fn concerns(&self, rule: &RuleWithOperations, names: &[String], resource: &Resource) -> bool {
        let named = names.is_empty() || names.iter().any(|name| name == self.attributes.name);
        let own = &rule.rule;
        named
            && one(&rule.operations, operation(self.attributes.operation))
            && self.scope(own.scope.as_deref(), resource)
            && own.resources.iter().any(|name| {
                let (plural, part) = name.split_once('/').unwrap_or((name, ""));
                let whole = part == "*" || part == self.attributes.subresource;
                (plural == "*" || plural == resource.plural) && whole
            })
    }

    fn scope(&self, scope: Option<&str>, resource: &Resource) -> bool {
        // A request for a namespace has its own name as namespace upstream, and is not of a namespace all the same.
        let cluster = self.attributes.namespace.is_empty() || *resource == NAMESPACES;
        match scope {
            Some("Namespaced") => !cluster,
            Some("Cluster") => cluster,
            _ => true,
        }
    }

    pub(crate) fn object_matches(&self, selector: Option<&LabelSelector>) -> Result<bool, Status> {
        let Some(selector) = wanted(selector)? else { return Ok(true) };
        let labels = |object: Option<&dyn Record>| {
            object.and_then(object_meta).map(|meta| selector.matches(&meta.labels))
        };
        Ok(labels(self.object) == Some(true) || labels(self.old) == Some(true))
    }

    pub(crate) async fn namespace_matches(&self, selector: Option<&LabelSelector>) -> Result<bool, Status> {
        let Some(selector) = wanted(selector)? else { return Ok(true) };
        let about_namespace = self.attributes.resource == NAMESPACES;
        if self.attributes.namespace.is_empty() && !about_namespace {
            return Ok(true);
        }
        let of = |labels: &Labels| selector.matches(labels);
        if about_namespace && let Some(object) = self.object.or(self.old) {
            return Ok(object_meta(object).is_some_and(|meta| of(&meta.labels)));
        }
        let name = if about_namespace { self.attributes.name } else { self.attributes.namespace };
        let namespace = self.lookup.get(&NAMESPACES, "", name).await?;
        Ok(object_meta(&*namespace).is_some_and(|meta| of(&meta.labels)))
    }
}

fn one(all: &[String], wanted: &str) -> bool {
    all.iter().any(|own| own == "*" || own == wanted)
}

/// Whether a rule names a resource's group and version.
fn serves(rule: &RuleWithOperations, resource: &Resource) -> bool {
    one(&rule.rule.api_groups, &resource.group) && one(&rule.rule.api_versions, &resource.version)
}

fn named(rules: &[api_types::admissionregistration::v1::NamedRuleWithOperations]) -> Rules<'_> {
    rules.iter().map(|named| (&named.rule_with_operations, named.resource_names.as_slice())).collect()
}

/// A selector, unless everything will do.
fn wanted(selector: Option<&LabelSelector>) -> Result<Option<Selector>, Status> {
    let selector =
        selector.map(|own| Selector::from_api(Some(own))).transpose().map_err(Status::internal_error)?;
    Ok(selector.filter(|selector| !selector.is_everything()))
}
