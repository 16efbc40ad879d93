//! What statuses say of policies' types.

use api_types::admissionregistration::v1::{MatchResources, Validation, Variable};
use api_types::apiextensions::v1::{
    CustomResourceDefinitionVersion, CustomResourceValidation, JSONSchemaProps,
};
use client::Revision;
use client::reconcile::name;

use super::*;

/// A policy about a resource, with validations of these expressions and messages.
fn policy(group: &str, plural: &str, validations: &[(&str, &str)]) -> ValidatingAdmissionPolicy {
    let mut policy = ValidatingAdmissionPolicy::default();
    policy.metadata.name = "p".to_owned();
    policy.metadata.generation = 2;
    policy.status.observed_generation = 1;
    let mut constraints = MatchResources { resource_rules: vec![Default::default()], ..Default::default() };
    let rule = &mut constraints.resource_rules[0].rule_with_operations.rule;
    rule.api_groups = vec![group.to_owned()];
    rule.api_versions = vec!["v1".to_owned()];
    rule.resources = vec![plural.to_owned(), "pods/exec".to_owned()];
    policy.spec.match_constraints = Some(Box::new(constraints));
    let validation = |(expression, message): &(&str, &str)| Validation {
        expression: (*expression).to_owned(),
        message_expression: (*message).to_owned(),
        ..Validation::default()
    };
    policy.spec.validations = validations.iter().map(validation).collect();
    policy
}

fn definition() -> CustomResourceDefinition {
    let typed = |of: &str| JSONSchemaProps { type_: of.to_owned(), ..JSONSchemaProps::default() };
    let mut spec = typed("object");
    spec.properties.insert("replicas".to_owned(), typed("integer"));
    let mut root = typed("object");
    root.properties.insert("spec".to_owned(), spec);
    let mut definition = CustomResourceDefinition::default();
    definition.metadata.name = "crontabs.example.com".to_owned();
    definition.spec.group = "example.com".to_owned();
    definition.spec.names.plural = "crontabs".to_owned();
    definition.spec.names.kind = "CronTab".to_owned();
    definition.spec.versions = vec![CustomResourceDefinitionVersion {
        name: "v1".to_owned(),
        served: true,
        schema: Some(Box::new(CustomResourceValidation { open_apiv3_schema: Some(Box::new(root)) })),
        ..CustomResourceDefinitionVersion::default()
    }]
    .into();
    definition
}

/// What the status says then: where, and the first line of what; `None` if nothing is written.
fn told(policy: ValidatingAdmissionPolicy) -> Option<Vec<(String, String)>> {
    let world = World::default().with([policy], Revision(1)).with([definition()], Revision(1));
    let plan = PolicyTypes.plan(&name("", "p"), &world, Time::EPOCH);
    let written: &ValidatingAdmissionPolicy = plan.writes().next()?.object()?;
    assert_eq!(written.status.observed_generation, written.metadata.generation);
    let checking = written.status.type_checking.as_ref().expect("it was checked");
    let first = |warning: &ExpressionWarning| {
        let line = warning.warning.lines().next().unwrap_or_default().to_owned();
        (warning.field_ref.clone(), line)
    };
    Some(checking.expression_warnings.iter().map(first).collect())
}

#[test]
fn what_fits_is_checked_once_and_warned_of_nothing() {
    let fits = policy("apps", "deployments", &[("object.spec.replicas > 1", "'no ' + object.metadata.name")]);
    assert_eq!(told(fits.clone()), Some(Vec::new()));
    let mut checked = fits;
    checked.status.observed_generation = 2;
    assert_eq!(told(checked), None);
}

fn rows(all: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
    Some(all.iter().map(|(place, what)| ((*place).to_owned(), (*what).to_owned())).collect())
}

#[test]
fn what_does_not_fit_is_said_with_its_kind_and_place() {
    let confused =
        policy("apps", "deployments", &[("object.spec.replicas > '1'", "'got ' + object.spec.replicas")]);
    let expected = rows(&[
        (
            "spec.validations[0].expression",
            "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'",
        ),
        (
            "spec.validations[0].messageExpression",
            "apps/v1, Kind=Deployment: ERROR: <input>:1:8: found no matching overload for '_+_' applied to '(string, int)'",
        ),
    ]);
    assert_eq!(told(confused), expected);
}

#[test]
fn definitions_and_variables_have_types_too() {
    let mut custom =
        policy("example.com", "crontabs", &[("variables.many", ""), ("object.spec.nothing > 1", "")]);
    custom.spec.variables =
        vec![Variable { name: "many".to_owned(), expression: "object.spec.replicas > 1".to_owned() }];
    custom.spec.validations.push(Validation {
        expression: "object.metadata.labels.size() > 0 && variables.many > 1".to_owned(),
        ..Validation::default()
    });
    let kind = "example.com/v1, Kind=CronTab";
    let expected = [
        ("spec.validations[1].expression", format!("{kind}: ERROR: <input>:1:12: undefined field 'nothing'")),
        (
            "spec.validations[2].expression",
            format!(
                "{kind}: ERROR: <input>:1:53: found no matching overload for '_>_' applied to '(bool, int)'"
            ),
        ),
    ];
    let expected: Vec<(&str, &str)> = expected.iter().map(|(place, what)| (*place, what.as_str())).collect();
    assert_eq!(told(custom), rows(&expected));
    // Of what nobody serves nothing is known.
    assert_eq!(told(policy("nowhere", "things", &[("object.spec.nothing > 1", "")])), rows(&[]));
}
