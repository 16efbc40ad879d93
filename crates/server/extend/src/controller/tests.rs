//! Worlds of definitions, and the plans that they lead to.

use api_types::apiextensions::v1::{CustomResourceConversion, WebhookClientConfig, WebhookConversion};
use client::Revision;

use super::*;

fn definition(name: &str) -> CustomResourceDefinition {
    let text = format!(
        "metadata: {{name: {name}.example.com, uid: u-{name}, resourceVersion: '7', generation: 1}}
spec:
  group: example.com
  scope: Namespaced
  names: {{plural: {name}, singular: {name}, kind: Thing, listKind: ThingList}}
  versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object}}}}}}]
"
    );
    let object =
        api_kind::trial::object(&api_kinds_more::apiextensions::custom_resource_definition::KIND, &text);
    object.downcast_ref::<CustomResourceDefinition>().cloned().expect("it is one")
}

fn planned(definitions: &[CustomResourceDefinition], key: &str) -> Plan {
    let world = World::default().with(definitions.to_vec(), Revision(7));
    Definitions.plan(&format!("{key}.example.com"), &world, Time::EPOCH)
}

/// The definition after its next write of the status.
fn stepped(definition: &CustomResourceDefinition) -> CustomResourceDefinition {
    let plan = planned(std::slice::from_ref(definition), &definition.spec.names.plural);
    let write = plan.writes().next().expect("a write");
    assert_eq!(write.target.subresource, "status");
    write.object::<CustomResourceDefinition>().expect("a definition").clone()
}

fn said(definition: &CustomResourceDefinition) -> Vec<String> {
    let all = definition.status.conditions.iter();
    all.map(|own| format!("{}={} {}: {}", own.type_, own.status, own.reason, own.message)).collect()
}

#[test]
fn names_are_accepted_before_a_definition_is_established() {
    let accepted = stepped(&definition("foos"));
    assert_eq!(
        said(&accepted),
        [
            "NamesAccepted=True NoConflicts: no conflicts found",
            "Established=False Installing: the initial names have been accepted"
        ]
    );
    assert!(accepted.status.accepted_names == accepted.spec.names);
    let established = stepped(&accepted);
    assert_eq!(
        said(&established)[1],
        "Established=True InitialNamesAccepted: the initial names have been accepted"
    );
    assert!(planned(&[established], "foos").stages.is_empty());
}

#[test]
fn a_definition_whose_webhook_nobody_vouches_for_is_established_once_somebody_does() {
    let mut broken = definition("foos");
    let client_config =
        WebhookClientConfig { ca_bundle: Some(b"nonsense".to_vec().into()), ..Default::default() };
    let webhook = WebhookConversion { client_config: Some(Box::new(client_config)), ..Default::default() };
    let conversion = CustomResourceConversion { webhook: Some(Box::new(webhook)), ..Default::default() };
    broken.spec.conversion = Some(Box::new(conversion));
    let mut waiting = stepped(&stepped(&broken));
    assert_eq!(
        said(&waiting)[1],
        "Established=False InvalidCABundle: The conversion webhook CABundle is invalid"
    );
    assert!(planned(std::slice::from_ref(&waiting), "foos").stages.is_empty());
    waiting.spec.conversion = None;
    assert!(is_true(&stepped(&waiting), "Established"));
}

#[test]
fn a_kind_that_is_taken_is_not_established() {
    let first = stepped(&stepped(&definition("foos")));
    let world = [first, definition("fees")];
    let plan = planned(&world, "fees");
    let second = plan.writes().next().and_then(|write| write.object::<CustomResourceDefinition>());
    assert_eq!(
        said(second.expect("a status")),
        [
            "NamesAccepted=False ListKindConflict: \"ThingList\" is already in use",
            "Established=False NotAccepted: not all names are accepted"
        ]
    );
}

#[test]
fn objects_go_before_their_definition() {
    let mut going = stepped(&stepped(&definition("foos")));
    going.metadata.deletion_timestamp = Some(scalar::Time::default());
    going.metadata.finalizers = vec![FINALIZER.to_owned(), "other".to_owned()];
    let marked = stepped(&going);
    assert_eq!(
        said(&marked)[2],
        "Terminating=True InstanceDeletionInProgress: CustomResource deletion is in progress"
    );
    let plan = planned(&[marked], "foos");
    assert_eq!(
        plan.describe(),
        [
            "deletecollection foos.example.com ",
            "patch customresourcedefinitions.apiextensions.k8s.io foos.example.com"
        ]
    );
    let last = &plan.stages[1][0];
    assert!(matches!(&last.guards[..], [Guard::Empty(target)] if target.resource.plural == "foos"));
    let Op::Patch(_, patch) = &last.op else { panic!("a patch") };
    assert_eq!(patch["metadata"]["finalizers"], serde_json::json!(["other"]));
}

#[test]
fn a_definition_that_never_was_established_goes_at_once() {
    let mut going = definition("foos");
    going.metadata.deletion_timestamp = Some(scalar::Time::default());
    going.metadata.finalizers = vec![FINALIZER.to_owned()];
    let plan = planned(&[going], "foos");
    assert_eq!(plan.describe(), ["patch customresourcedefinitions.apiextensions.k8s.io foos.example.com"]);
}
