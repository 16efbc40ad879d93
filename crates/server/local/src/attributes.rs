//! A request as the authorizers see it.

use api_meta::Status;
use api_meta::field::Path;
use api_meta::gvk::GroupResource;
use api_meta::labels::Operator;
use api_meta::{fields, labels};
use client::{Caller, Target};
use server_authz::{Attributes, FieldOperator, FieldRequirement, LabelOperator, LabelRequirement};

/// The selectors of a request, as far as they can be read, in a form that [`Attributes`] borrows.
#[derive(Default)]
pub(crate) struct Selectors {
    labels: Option<labels::Selector>,
    fields: Option<fields::Selector>,
}

impl Selectors {
    pub(crate) fn parse(labels: &str, fields: &str) -> Selectors {
        Selectors {
            labels: labels::Selector::parse(labels, &Path::NONE).ok(),
            fields: fields::Selector::parse(fields).ok(),
        }
    }

    fn field_requirements(&self) -> Vec<FieldRequirement<'_>> {
        let terms = self.fields.as_ref().map(fields::Selector::terms).unwrap_or_default();
        let operator = |equal: bool| if equal { FieldOperator::Equals } else { FieldOperator::NotEquals };
        terms
            .iter()
            .map(|term| FieldRequirement {
                field: &term.field,
                operator: operator(term.equal),
                value: &term.value,
            })
            .collect()
    }

    fn label_requirements(&self) -> Vec<LabelRequirement<'_>> {
        let requirements = self.labels.as_ref().and_then(labels::Selector::requirements).unwrap_or_default();
        let requirement = |requirement: &labels::Requirement| LabelOperatorOf(requirement.operator()).into();
        requirements
            .iter()
            .map(|own| LabelRequirement { key: own.key(), operator: requirement(own), values: own.values() })
            .collect()
    }
}

struct LabelOperatorOf(Operator);

impl From<LabelOperatorOf> for LabelOperator {
    fn from(operator: LabelOperatorOf) -> LabelOperator {
        match operator.0 {
            Operator::In | Operator::Equals | Operator::DoubleEquals => LabelOperator::In,
            Operator::NotIn | Operator::NotEquals => LabelOperator::NotIn,
            Operator::Exists => LabelOperator::Exists,
            Operator::DoesNotExist => LabelOperator::DoesNotExist,
            Operator::GreaterThan => LabelOperator::GreaterThan,
            Operator::LessThan => LabelOperator::LessThan,
        }
    }
}

/// Hands the request of `caller` for `target` to `decide`, with all that it borrows from.
pub(crate) fn with<T>(
    caller: &Caller,
    verb: &str,
    target: &Target,
    selectors: &Selectors,
    decide: impl FnOnce(&Attributes<'_>) -> T,
) -> T {
    let fields = selectors.field_requirements();
    let labels = selectors.label_requirements();
    let named = selectors.fields.as_ref().and_then(|fields| fields.exact_match("metadata.name"));
    let name = if target.name.is_empty() { named.unwrap_or_default() } else { &target.name };
    decide(&Attributes {
        uid: &caller.uid,
        extra: &caller.extra,
        verb,
        is_resource_request: true,
        api_group: &target.resource.group,
        api_version: &target.resource.version,
        resource: &target.resource.plural,
        subresource: &target.subresource,
        name,
        namespace: &target.namespace,
        field_selector: &fields,
        label_selector: &labels,
        ..Attributes::of(&caller.name, &caller.groups)
    })
}

/// The refusal of a request, in upstream's words.
pub fn forbidden(attributes: &Attributes<'_>, reason: &str) -> Status {
    let resource = GroupResource { group: attributes.api_group, resource: attributes.resource };
    Status::forbidden(resource, attributes.name, server_authz::forbidden::cause(attributes, reason))
}
