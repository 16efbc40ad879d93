//! What a request asks for, whichever of its forms it has.

use std::sync::Arc;

use api_cel::Program;
use api_types::resource::v1::{
    CapacityRequirements, DeviceClass, DeviceRequest, DeviceSelector, DeviceSubRequest, DeviceToleration,
    ExactDeviceRequest, ResourceClaim,
};

use super::{Allocator, Failure};
use crate::selector::{self, Selectors};

/// How many devices are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Count(usize),
    All,
}

/// A request, or one of its alternatives.
pub(super) struct Request<'a> {
    pub(super) name: &'a str,
    /// The request whose alternative it is.
    pub(super) parent: Option<&'a str>,
    pub(super) class: &'a DeviceClass,
    pub(super) wanted: Wanted,
    pub(super) is_admin: bool,
    pub(super) tolerations: &'a [DeviceToleration],
    pub(super) capacity: Option<&'a CapacityRequirements>,
    selectors: Vec<Selector>,
}

/// An expression, and whose it is.
struct Selector {
    whose: String,
    program: Arc<Result<Program, String>>,
}

/// What both forms of a request have.
struct Parts<'a> {
    name: &'a str,
    parent: Option<&'a str>,
    class: &'a str,
    selectors: &'a [DeviceSelector],
    mode: &'a str,
    count: i64,
    is_admin: bool,
    tolerations: &'a [DeviceToleration],
    capacity: Option<&'a CapacityRequirements>,
    is_derived: bool,
}

impl<'a> Parts<'a> {
    fn exact(name: &'a str, own: &'a ExactDeviceRequest) -> Parts<'a> {
        Parts {
            name,
            parent: None,
            class: &own.device_class_name,
            selectors: &own.selectors,
            mode: &own.allocation_mode,
            count: own.count,
            is_admin: own.admin_access == Some(true),
            tolerations: &own.tolerations,
            capacity: own.capacity.as_deref(),
            is_derived: !own.derived_attributes.is_empty(),
        }
    }

    fn alternative(parent: &'a str, own: &'a DeviceSubRequest) -> Parts<'a> {
        Parts {
            name: &own.name,
            parent: Some(parent),
            class: &own.device_class_name,
            selectors: &own.selectors,
            mode: &own.allocation_mode,
            count: own.count,
            is_admin: false,
            tolerations: &own.tolerations,
            capacity: own.capacity.as_deref(),
            is_derived: !own.derived_attributes.is_empty(),
        }
    }
}

/// A claim as messages name it.
pub(super) fn shown(claim: &ResourceClaim) -> String {
    format!("{}/{}", claim.metadata.namespace, claim.metadata.name)
}

impl<'a> Request<'a> {
    /// A request's alternatives, of which most have just one.
    pub(super) fn all(
        allocator: &Allocator<'a>,
        claim: &'a ResourceClaim,
        request: &'a DeviceRequest,
    ) -> Result<Vec<Request<'a>>, Failure> {
        let name = &request.name;
        let parts: Vec<Parts<'a>> = match &request.exactly {
            Some(exact) => vec![Parts::exact(name, exact)],
            None => request.first_available.iter().map(|own| Parts::alternative(name, own)).collect(),
        };
        if parts.is_empty() {
            let claim = shown(claim);
            return Err(Failure::Claims(format!(
                "claim {claim}, request {name}: missing device class name (unsupported request type?)"
            )));
        }
        parts.into_iter().map(|parts| Request::of(allocator, claim, &parts)).collect()
    }

    fn of(
        allocator: &Allocator<'a>,
        claim: &'a ResourceClaim,
        parts: &Parts<'a>,
    ) -> Result<Request<'a>, Failure> {
        let failed =
            |what: String| Failure::Claims(format!("claim {}, request {}: {what}", shown(claim), parts.name));
        if parts.is_derived {
            let why = "cannot handle request with derived attributes, the feature is disabled";
            return Err(failed(why.to_owned()));
        }
        if let Some(at) = parts.selectors.iter().position(|selector| selector.cel.is_none()) {
            return Err(failed(format!("selector #{at}: CEL expression empty (unsupported selector type?)")));
        }
        let class = allocator.classes.get(parts.class).ok_or_else(|| {
            let class = parts.class;
            failed(format!(
                "could not retrieve device class {class}: deviceclass.resource.k8s.io {class:?} not found"
            ))
        })?;
        let wanted = match parts.mode {
            "ExactCount" => Wanted::Count(
                usize::try_from(parts.count)
                    .map_err(|_| failed(format!("exact count {} is too large", parts.count)))?,
            ),
            "All" => Wanted::All,
            other => return Err(failed(format!("unsupported count mode {other}"))),
        };
        let of_class = format!("class {}", class.metadata.name);
        let mut selectors = Selector::all(allocator.selectors, &of_class, &class.spec.selectors);
        let of_claim = format!("claim {}", shown(claim));
        selectors.extend(Selector::all(allocator.selectors, &of_claim, parts.selectors));
        Ok(Request {
            name: parts.name,
            parent: parts.parent,
            class,
            wanted,
            is_admin: parts.is_admin,
            tolerations: parts.tolerations,
            capacity: parts.capacity,
            selectors,
        })
    }

    /// As results name it.
    pub(super) fn full_name(&self) -> String {
        match self.parent {
            Some(parent) => format!("{parent}/{}", self.name),
            None => self.name.to_owned(),
        }
    }

    /// Whether a list of requests' names means it: itself, or the request whose alternative it is.
    pub(super) fn is_in<'b>(&self, mut names: impl Iterator<Item = &'b String>) -> bool {
        let full = self.full_name();
        names.any(|name| *name == full || self.parent.is_some_and(|parent| name == parent))
    }

    /// Whether anything is asked of devices by class or request.
    pub(super) fn is_choosy(&self) -> bool {
        !self.selectors.is_empty()
    }

    /// Whether the selectors of class and request let a device pass.
    pub(super) fn selects(&self, id: &crate::DeviceId, device: &api_cel::Value) -> Result<bool, Failure> {
        for selector in &self.selectors {
            let whose = &selector.whose;
            let program = match &*selector.program {
                Ok(program) => program,
                Err(error) => return Err(Failure::Claims(format!("{whose}: CEL compile error: {error}"))),
            };
            match selector::matches(program, device) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => {
                    let what = format!("{whose} on device {id}: CEL runtime error: {error}");
                    return Err(Failure::Claims(what));
                }
            }
        }
        Ok(true)
    }
}

impl Selector {
    fn all(compiled: &Selectors, whose: &str, own: &[DeviceSelector]) -> Vec<Selector> {
        let expressions =
            own.iter().map(|selector| selector.cel.as_ref().map_or("", |cel| cel.expression.as_str()));
        expressions
            .enumerate()
            .map(|(at, expression)| Selector {
                whose: format!("{whose}: selector #{at}"),
                program: compiled.of(expression),
            })
            .collect()
    }
}
