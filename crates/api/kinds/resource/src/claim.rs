//! What is asked for: requests, what they have in common, and what their drivers are told. Templates of claims share it.

use std::collections::BTreeMap;

use api_kind::Ctx;
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_types::resource::v1::{
    DeviceClaim, DeviceConstraint, DeviceRequest, DeviceSubRequest, ExactDeviceRequest, ResourceClaimSpec,
};

use crate::{names, parts, taint};

const ONE_OF: &str = "exactly one of `exactly` or `firstAvailable` is required";

/// Fills in one device where nothing else is asked for.
pub fn defaults(spec: &mut ResourceClaimSpec) {
    for request in spec.devices.requests.iter_mut() {
        if let Some(exactly) = &mut request.exactly {
            allocation(&mut exactly.allocation_mode, &mut exactly.count);
        }
        for alternative in request.first_available.iter_mut() {
            allocation(&mut alternative.allocation_mode, &mut alternative.count);
        }
    }
}

fn allocation(mode: &mut String, count: &mut i64) {
    if mode.is_empty() {
        "ExactCount".clone_into(mode);
    }
    if mode == "ExactCount" && *count == 0 {
        *count = 1;
    }
}

/// The names of a claim's requests, and of the alternatives within each.
pub struct Requests<'a>(BTreeMap<&'a str, Vec<&'a str>>);

impl<'a> Requests<'a> {
    /// Those of a claim.
    pub fn of(claim: &'a DeviceClaim) -> Requests<'a> {
        Requests(
            claim
                .requests
                .iter()
                .map(|request| {
                    let alternatives = request.first_available.iter().map(|one| one.name.as_str());
                    (request.name.as_str(), alternatives.collect())
                })
                .collect(),
        )
    }

    /// Whether there is a request, or an alternative, of this name.
    pub fn has(&self, name: &str) -> bool {
        match name.split_once('/') {
            None => self.0.contains_key(name),
            Some((request, alternative)) => {
                self.0.get(request).is_some_and(|known| known.contains(&alternative))
            }
        }
    }
}

/// Checks a new claim's spec.
pub fn check(errors: &mut ErrorList, ctx: &Ctx<'_>, path: &Path, spec: &ResourceClaimSpec) {
    let (path, claim) = (path.child("devices"), &spec.devices);
    let known = Requests::of(claim);
    let at = path.child("requests");
    for (index, one) in claim.requests.iter().enumerate() {
        request(errors, &at.index(index), one);
    }
    parts::unique_records(errors, &at, &claim.requests, |request| &request.name);
    for (index, one) in claim.constraints.iter().enumerate() {
        constraint(errors, ctx, &path.child("constraints").index(index), one, &known);
    }
    for (index, one) in claim.config.iter().enumerate() {
        let at = path.child("config").index(index);
        references(errors, &at.child("requests"), &one.requests, &known);
        parts::configuration(errors, &at, &one.device_configuration, false);
    }
}

fn request(errors: &mut ErrorList, path: &Path, own: &DeviceRequest) {
    names::label(errors, &path.child("name"), &own.name);
    let alternatives = path.child("firstAvailable");
    match (&own.exactly, own.first_available.is_empty()) {
        (None, true) => errors.push(FieldError::required(path, ONE_OF)),
        (Some(_), false) => {
            let why = format!("{ONE_OF}, but multiple fields are set");
            errors.push(FieldError::invalid(path, BadValue::null(), why));
        }
        (Some(one), true) => exactly(errors, &path.child("exactly"), one),
        (None, false) => {
            for (index, one) in own.first_available.iter().enumerate() {
                alternative(errors, &alternatives.index(index), one);
            }
        }
    }
    parts::unique_records(errors, &alternatives, &own.first_available, |one| &one.name);
}

fn exactly(errors: &mut ErrorList, path: &Path, own: &ExactDeviceRequest) {
    parts::class(errors, &path.child("deviceClassName"), &own.device_class_name);
    parts::selectors(errors, &path.child("selectors"), &own.selectors, false);
    count(errors, path, &own.allocation_mode, own.count);
    taint::tolerations(errors, &path.child("tolerations"), &own.tolerations);
}

fn alternative(errors: &mut ErrorList, path: &Path, own: &DeviceSubRequest) {
    names::label(errors, &path.child("name"), &own.name);
    parts::selectors(errors, &path.child("selectors"), &own.selectors, false);
    count(errors, path, &own.allocation_mode, own.count);
    taint::tolerations(errors, &path.child("tolerations"), &own.tolerations);
}

/// How many there shall be; that the mode is one of those that are known, its declared rule says.
fn count(errors: &mut ErrorList, path: &Path, mode: &str, count: i64) {
    let at = path.child("count");
    match mode {
        "All" if count != 0 => {
            let why = "must not be specified when allocationMode is 'All'";
            errors.push(FieldError::invalid(&at, count, why));
        }
        "ExactCount" if count <= 0 => {
            errors.push(FieldError::invalid(&at, count, "must be greater than zero"));
        }
        _ => {}
    }
}

/// References to requests of the claim.
pub fn references(errors: &mut ErrorList, path: &Path, list: &[String], known: &Requests<'_>) {
    for (index, name) in list.iter().enumerate() {
        parts::reference(errors, &path.index(index), name, |name| known.has(name));
    }
    parts::unique(errors, path, list.iter());
}

fn constraint(
    errors: &mut ErrorList,
    ctx: &Ctx<'_>,
    path: &Path,
    own: &DeviceConstraint,
    known: &Requests<'_>,
) {
    references(errors, &path.child("requests"), &own.requests, known);
    let (same, distinct) = (&own.match_attribute, &own.distinct_attribute);
    for (field, name) in [("matchAttribute", same), ("distinctAttribute", distinct)] {
        name.iter().for_each(|name| names::fully_qualified(errors, &path.child(field), name));
    }
    if same.is_some() || distinct.is_some() {
        return;
    }
    if ctx.gates.is_on("DRAConsumableCapacity") {
        let why = "exactly one of \"matchAttribute\" or \"distinctAttribute\" is required, but multiple fields are set";
        errors.push(FieldError::required(path, why));
    } else {
        errors.push(FieldError::required(&path.child("matchAttribute"), ""));
    }
}
