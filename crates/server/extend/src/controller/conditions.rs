//! The conditions of a definition, with upstream's reasons and messages.

use api_custom::structural;
use api_kinds_more::apiextensions::custom_resource_definition::{
    Approval, approval, ca_bundle_fault, condition, is_true, set_condition, under_protection,
};
use api_meta::field::{ErrorList, FieldError, Path};
use api_record::scalar::Time;
use api_types::apiextensions::v1::{CustomResourceDefinition, CustomResourceDefinitionCondition};

use crate::names::Outcome;

fn of(
    type_: &str,
    status: &str,
    reason: &str,
    message: String,
    now: Time,
) -> CustomResourceDefinitionCondition {
    CustomResourceDefinitionCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        last_transition_time: Some(now),
        observed_generation: 0,
    }
}

/// Writes the accepted names and all conditions but the last step to being established.
pub(super) fn update(definition: &mut CustomResourceDefinition, outcome: Outcome, now: Time) {
    names(definition, outcome, now);
    schema(definition, now);
    policy(definition, now);
}

fn names(definition: &mut CustomResourceDefinition, outcome: Outcome, now: Time) {
    // Conditions that are there stay as they are while the names do.
    let settled = definition.spec.names == definition.status.accepted_names
        && condition(definition, "NamesAccepted").is_some();
    if settled {
        return;
    }
    definition.status.accepted_names = outcome.names;
    let accepted = outcome.conflict.is_none();
    let condition_of_names = match outcome.conflict {
        None => of("NamesAccepted", "True", "NoConflicts", "no conflicts found".to_owned(), now),
        Some((reason, why)) => of("NamesAccepted", "False", reason, why, now),
    };
    set_condition(definition, condition_of_names);
    if is_true(definition, "Established") {
        return;
    }
    if accepted {
        let message = "the initial names have been accepted".to_owned();
        set_condition(definition, of("Established", "False", "Installing", message, now));
    } else if condition(definition, "Established").is_none() {
        let message = "not all names are accepted".to_owned();
        set_condition(definition, of("Established", "False", "NotAccepted", message, now));
    }
}

/// Whether a definition has its names and waits to be established.
pub(super) fn is_installing(definition: &CustomResourceDefinition) -> bool {
    is_true(definition, "NamesAccepted") && !is_true(definition, "Established")
}

/// The last step, which a definition does not take with a webhook that nobody vouches for.
pub(super) fn establish(definition: &mut CustomResourceDefinition, now: Time) {
    if ca_bundle_fault(definition).is_some() {
        let message = "The conversion webhook CABundle is invalid".to_owned();
        set_condition(definition, of("Established", "False", "InvalidCABundle", message, now));
        return;
    }
    let message = "the initial names have been accepted".to_owned();
    set_condition(definition, of("Established", "True", "InitialNamesAccepted", message, now));
}

fn schema(definition: &mut CustomResourceDefinition, now: Time) {
    let mut errors = ErrorList::new();
    let spec = Path::new("spec");
    if definition.spec.preserve_unknown_fields {
        errors.push(FieldError::invalid(&spec.child("preserveUnknownFields"), true, "must be false"));
    }
    for (index, version) in definition.spec.versions.iter().enumerate() {
        if let Some(own) = version.schema.as_deref().and_then(|own| own.open_apiv3_schema.as_deref()) {
            let at = spec.child("versions").index(index).child("schema").child("openAPIV3Schema");
            errors.extend(structural::check(&at, own));
        }
    }
    if errors.is_empty() {
        definition.status.conditions.retain(|own| own.type_ != "NonStructuralSchema");
    } else {
        set_condition(definition, of("NonStructuralSchema", "True", "Violations", errors.to_string(), now));
    }
}

fn policy(definition: &mut CustomResourceDefinition, now: Time) {
    if !under_protection(&definition.spec.group) {
        return;
    }
    let (approval, why) = approval(definition);
    let (status, reason) = match approval {
        Approval::Approved => ("True", "ApprovedAnnotation"),
        Approval::Bypassed => ("False", "UnapprovedAnnotation"),
        Approval::Missing => ("False", "MissingAnnotation"),
        Approval::Invalid => ("False", "InvalidAnnotation"),
    };
    set_condition(definition, of("KubernetesAPIApprovalPolicyConformant", status, reason, why, now));
}
