//! Flow schemas: which requests belong together, and to which priority level.

use std::collections::BTreeSet;

use api_kind::checks::{each, required, shown};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::flowcontrol::v1::{FlowSchema, FlowSchemaSpec, FlowSchemaStatus};

use super::{mandatory, rules};

const MOST_PRECEDENCE: i32 = 10_000;
const METHODS: &[&str] = &["ByNamespace", "ByUser"];

/// The row.
pub const KIND: Kind<FlowSchema> =
    Kind::<FlowSchema>::of("flowcontrol.apiserver.k8s.io", "v1", "flowschemas")
        .generation()
        .frozen_metadata()
        .defaults(|_, own| {
            if own.spec.matching_precedence == 0 {
                own.spec.matching_precedence = 1000;
            }
        })
        .validate(validate)
        .columns(&[
            Column::<FlowSchema>::name(),
            Column::<FlowSchema>::text(
                "PriorityLevel",
                "`name` is the name of the priority level configuration being referenced Required.",
                |own, _| own.spec.priority_level_configuration.name.as_str().into(),
            ),
            Column::<FlowSchema> {
                type_: "string",
                ..Column::<FlowSchema>::number(
                    "MatchingPrecedence",
                    "`matchingPrecedence` is used to choose among the FlowSchemas that match a given request.",
                    |own, _| own.spec.matching_precedence.into(),
                )
            },
            Column::<FlowSchema>::text(
                "DistinguisherMethod",
                "`distinguisherMethod` defines how to compute the flow distinguisher for requests that match this schema.",
                |own, _| {
                    let method = own.spec.distinguisher_method.as_ref();
                    method.map_or("<none>", |method| method.type_.as_str()).into()
                },
            ),
            Column::<FlowSchema>::age(),
            Column::<FlowSchema>::text(
                "MissingPL",
                "references a broken or non-existent PriorityLevelConfiguration",
                |own, _| {
                    let dangling = own.status.conditions.iter().find(|condition| condition.type_ == "Dangling");
                    dangling.map_or("?", |condition| condition.status.as_str()).into()
                },
            ),
        ]);

fn validate(ctx: &Ctx<'_>, own: &FlowSchema, _: Option<&FlowSchema>, errors: &mut ErrorList) {
    status(errors, &Path::new("status"), &own.status);
    if ctx.subresource == "status" {
        return;
    }
    let (path, name) = (Path::new("spec"), own.metadata.name.as_str());
    spec(errors, &path, name, &own.spec);
    if mandatory::flow_schema(name).is_some_and(|fixed| fixed != own.spec) {
        let why = format!("spec of '{name}' must equal the fixed value");
        errors.push(FieldError::invalid(&path, shown(&own.spec), why));
    }
}

fn spec(errors: &mut ErrorList, path: &Path, name: &str, own: &FlowSchemaSpec) {
    let (at, precedence) = (path.child("matchingPrecedence"), own.matching_precedence);
    if precedence <= 0 {
        errors.push(FieldError::invalid(&at, precedence, "must be a positive value"));
    }
    if precedence > MOST_PRECEDENCE {
        let why = format!("must not be greater than {MOST_PRECEDENCE}");
        errors.push(FieldError::invalid(&at, precedence, why));
    }
    if precedence == 1 && name != mandatory::EXEMPT {
        let why = "only the schema named 'exempt' may have matchingPrecedence 1";
        errors.push(FieldError::invalid(&at, precedence, why));
    }
    if let Some(method) = own.distinguisher_method.as_deref().filter(|own| !METHODS.contains(&&*own.type_)) {
        let at = path.child("distinguisherMethod").child("type");
        errors.push(FieldError::not_supported(&at, shown(method), METHODS));
    }
    let level = &own.priority_level_configuration.name;
    let at = path.child("priorityLevelConfiguration").child("name");
    if level.is_empty() {
        errors.push(FieldError::required(&at, "must reference a priority level"));
    } else {
        each(errors, &at, level, names::name_is_dns_subdomain(level, false));
    }
    for (index, rule) in own.rules.iter().enumerate() {
        rules::check(errors, &path.child("rules").index(index), rule);
    }
}

fn status(errors: &mut ErrorList, path: &Path, own: &FlowSchemaStatus) {
    let types = own.conditions.iter().map(|condition| condition.type_.as_str());
    condition_types(errors, path, types);
}

/// Conditions have a type each.
pub fn condition_types<'a>(errors: &mut ErrorList, path: &Path, types: impl Iterator<Item = &'a str>) {
    let mut seen = BTreeSet::new();
    for (index, type_) in types.enumerate() {
        let at = path.child("conditions").index(index).child("type");
        if !seen.insert(type_) {
            errors.push(FieldError::duplicate(&at, type_));
        }
        required(errors, &at, type_);
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    const RULES: &str = "rules: [{subjects: [{kind: Group, group: {name: 'system:masters'}}], resourceRules: [{verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true}], nonResourceRules: [{verbs: ['*'], nonResourceURLs: ['*']}]}]";

    #[test]
    fn what_the_server_needs_stays_as_it_is() {
        let own = format!(
            "{{metadata: {{name: exempt}}, spec: {{priorityLevelConfiguration: {{name: exempt}}, matchingPrecedence: 1, {RULES}}}}}"
        );
        let made = create(&KIND, &own);
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "exempt|exempt|1|<none>|<unknown>|?");
        let changed = update(&KIND, "", &own, &own.replace("matchingPrecedence: 1", "matchingPrecedence: 2"));
        assert_eq!(changed.errors.len(), 1, "{:?}", changed.errors);
        assert!(changed.errors[0].ends_with("spec of 'exempt' must equal the fixed value"));
        let other = create(&KIND, &own.replace("{name: exempt}, spec", "{name: mine}, spec"));
        assert_eq!(
            other.errors,
            [
                "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1"
            ]
        );
    }

    #[test]
    fn its_status_is_written_apart() {
        let own = format!("spec: {{priorityLevelConfiguration: {{name: a}}, {RULES}}}");
        let written = update(
            &KIND,
            "status",
            &own,
            "{metadata: {labels: {a: b}}, status: {conditions: [{type: Dangling, status: 'True'}, {type: Dangling}]}}",
        );
        assert_eq!(written.errors, ["status.conditions[1].type: Duplicate value: \"Dangling\""]);
        assert_eq!(written.cells(&KIND), "x|a|1000|<none>|<unknown>|True");
        assert!(api_types::object_meta(&*written.object).is_some_and(|meta| meta.labels.is_empty()));
    }
}
