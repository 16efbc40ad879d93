//! What the devices of a claim must have in common, or must not (`constraint.go`).

use api_types::resource::v1::{Device, DeviceAttribute, DeviceConstraint, ResourceClaim};

use super::Failure;
use super::request::{Request, shown};
use crate::DeviceId;

/// A constraint, and what the devices chosen so far have.
pub(super) struct Constraint<'a> {
    requests: &'a [String],
    attribute: &'a str,
    is_distinct: bool,
    chosen: Vec<&'a DeviceAttribute>,
}

impl<'a> Constraint<'a> {
    /// The constraints of a claim, met by nothing yet.
    pub(super) fn all(claim: &'a ResourceClaim) -> Result<Vec<Constraint<'a>>, Failure> {
        let constraints = claim.spec.devices.constraints.iter().enumerate();
        let one = |(at, own): (usize, &'a DeviceConstraint)| {
            let (attribute, is_distinct) = match (&own.match_attribute, &own.distinct_attribute) {
                (Some(attribute), _) => (attribute, false),
                (None, Some(attribute)) => (attribute, true),
                (None, None) => {
                    let claim = shown(claim);
                    return Err(Failure::Claims(format!(
                        "claim {claim}, constraint #{at}: empty constraint (unsupported constraint type?)"
                    )));
                }
            };
            Ok(Constraint { requests: &own.requests, attribute, is_distinct, chosen: Vec::new() })
        };
        constraints.map(one).collect()
    }

    /// Whether it is about a request.
    pub(super) fn applies(&self, request: &Request<'_>) -> bool {
        self.requests.is_empty() || request.is_in(self.requests.iter())
    }

    /// Takes in a device for a request, if that may be.
    pub(super) fn add(&mut self, request: &Request<'_>, id: &DeviceId, device: &'a Device) -> bool {
        if !self.applies(request) {
            return true;
        }
        let Some(attribute) = attribute(id, device, self.attribute) else { return false };
        let is_fine = match self.is_distinct {
            true => !self.chosen.iter().any(|other| is_same(attribute, other)),
            // The first is always right; an attribute of a kind that is not known is not the same as itself.
            false => self.chosen.first().is_none_or(|first| is_same(attribute, first)),
        };
        if is_fine {
            self.chosen.push(attribute);
        }
        is_fine
    }

    /// Gives up the device that was taken in last.
    pub(super) fn remove(&mut self, request: &Request<'_>) {
        if self.applies(request) {
            self.chosen.pop();
        }
    }
}

/// An attribute by its full name; that of the driver's own domain may be named without it.
fn attribute<'a>(id: &DeviceId, device: &'a Device, name: &str) -> Option<&'a DeviceAttribute> {
    device.attributes.get(name).or_else(|| {
        let (domain, short) = name.split_once('/')?;
        (domain == &*id.driver).then(|| device.attributes.get(short)).flatten()
    })
}

fn is_same(one: &DeviceAttribute, other: &DeviceAttribute) -> bool {
    (one.string_value.is_some() && one.string_value == other.string_value)
        || (one.int_value.is_some() && one.int_value == other.int_value)
        || (one.bool_value.is_some() && one.bool_value == other.bool_value)
        || (one.version_value.is_some() && one.version_value == other.version_value)
}
