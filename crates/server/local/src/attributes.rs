//! A request as the authorizers see it.

use api_meta::Status;
use api_meta::field::Path;
use api_meta::gvk::GroupResource;
use api_meta::labels::Operator;
use api_meta::{fields, labels};
use client::{Caller, Target};
use server_authz::{Attributes, FieldOperator, FieldRequirement, LabelOperator, LabelRequirement};

/// What the selectors of a request require, as far as they can be read.
#[derive(Default)]
pub(crate) struct Selectors {
    pub(crate) labels: Vec<labels::Requirement>,
    pub(crate) fields: Vec<fields::Term>,
}

impl Selectors {
    pub(crate) fn parse(labels: &str, fields: &str) -> Selectors {
        let labels = labels::Selector::parse(labels, &Path::NONE).ok();
        let fields = fields::Selector::parse(fields).ok();
        Selectors {
            labels: labels.as_ref().and_then(labels::Selector::requirements).unwrap_or_default().to_vec(),
            fields: fields.as_ref().map(fields::Selector::terms).unwrap_or_default().to_vec(),
        }
    }

    /// The same in the form that [`Attributes`] borrows.
    pub(crate) fn lend<T>(
        &self,
        to: impl FnOnce(&[FieldRequirement<'_>], &[LabelRequirement<'_>]) -> T,
    ) -> T {
        let operator = |equal: bool| if equal { FieldOperator::Equals } else { FieldOperator::NotEquals };
        let fields: Vec<_> = self
            .fields
            .iter()
            .map(|term| FieldRequirement {
                field: &term.field,
                operator: operator(term.equal),
                value: &term.value,
            })
            .collect();
        let operator = |requirement: &labels::Requirement| LabelOperatorOf(requirement.operator()).into();
        let labels: Vec<_> = self
            .labels
            .iter()
            .map(|own| LabelRequirement { key: own.key(), operator: operator(own), values: own.values() })
            .collect();
        to(&fields, &labels)
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
    let named = selectors.fields.iter().find(|term| term.equal && term.field == "metadata.name");
    let named = named.map(|term| term.value.as_str());
    let name = if target.name.is_empty() { named.unwrap_or_default() } else { &target.name };
    selectors.lend(|fields, labels| {
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
            field_selector: fields,
            label_selector: labels,
            ..Attributes::of(&caller.name, &caller.groups)
        })
    })
}

/// The refusal of a request, in upstream's words.
pub fn forbidden(attributes: &Attributes<'_>, reason: &str) -> Status {
    let resource = GroupResource { group: attributes.api_group, resource: attributes.resource };
    Status::forbidden(resource, attributes.name, server_authz::forbidden::cause(attributes, reason))
}
