//! APIService: who serves a group and version, this server or a service of the cluster.
//!
//! Upstream: `kube-aggregator/pkg/{registry/apiservice,apis/apiregistration}`.

use api_kind::checks::{each, required, supported};
use api_kind::{Column, Ctx, Kind, Verb};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::{names, quote};
use api_record::scalar::Time;
use api_types::apiregistration::v1::{APIService, APIServiceCondition, APIServiceSpec};

/// The condition that says whether requests for the group and version are answered.
pub const AVAILABLE: &str = "Available";

/// The port of a service that names none.
const PORT: i32 = 443;
const GROUP_PRIORITIES: std::ops::RangeInclusive<i32> = 1..=20_000;
const VERSION_PRIORITIES: std::ops::RangeInclusive<i32> = 1..=1_000;

/// The row.
pub const KIND: Kind<APIService> = Kind::<APIService>::of("apiregistration.k8s.io", "v1", "apiservices")
    .conditional_update()
    .frozen_metadata()
    .any_finalizers()
    .name(names::name_is_path_segment)
    .defaults(|_, service| {
        if let Some(service) = &mut service.spec.service {
            service.port.get_or_insert(PORT);
        }
    })
    .prepare(prepare)
    .validate(validate)
    .columns(&[
        Column::<APIService>::name(),
        Column::<APIService>::text(
            "Service",
            "The reference to the service that hosts this API endpoint.",
            |service, _| match &service.spec.service {
                Some(service) => format!("{}/{}", service.namespace, service.name).into(),
                None => "Local".into(),
            },
        ),
        Column::<APIService>::text("Available", "Whether this service is available.", |service, _| {
            match condition(service, AVAILABLE) {
                Some(own) if own.status != "True" && !own.reason.is_empty() => {
                    format!("{} ({})", own.status, own.reason).into()
                }
                Some(own) => own.status.as_str().into(),
                None => "Unknown".into(),
            }
        }),
        Column::<APIService>::age(),
    ]);

/// The condition of a type.
pub fn condition<'a>(service: &'a APIService, type_: &str) -> Option<&'a APIServiceCondition> {
    service.status.conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether requests for the group and version are answered.
pub fn is_available(service: &APIService) -> bool {
    condition(service, AVAILABLE).is_some_and(|condition| condition.status == "True")
}

/// Says whether requests for the group and version are answered; the time is that of the change from one to the other.
pub fn set_available(
    service: &mut APIService,
    status: &str,
    reason: &str,
    message: impl Into<String>,
    now: Option<Time>,
) {
    let mut new = APIServiceCondition {
        type_: AVAILABLE.to_owned(),
        status: status.to_owned(),
        last_transition_time: now,
        reason: reason.to_owned(),
        message: message.into(),
    };
    let all = &mut service.status.conditions;
    match all.iter_mut().find(|own| own.type_ == AVAILABLE) {
        None => all.push(new),
        Some(own) => {
            if own.status == new.status {
                new.last_transition_time = own.last_transition_time;
            }
            *own = new;
        }
    }
}

fn prepare(ctx: &Ctx<'_>, service: &mut APIService, _: Option<&APIService>) {
    if ctx.verb == Verb::Create && service.spec.service.is_none() {
        let now = service.metadata.creation_timestamp;
        set_available(service, "True", "Local", "Local APIServices are always available", now);
    }
}

fn validate(ctx: &Ctx<'_>, service: &APIService, _: Option<&APIService>, errors: &mut ErrorList) {
    if ctx.subresource == "status" {
        let at = Path::new("status").child("conditions");
        for (index, condition) in service.status.conditions.iter().enumerate() {
            let at = at.index(index).child("status");
            supported(errors, &at, &condition.status, &["True", "False", "Unknown"]);
        }
        return;
    }
    let (spec, name) = (&service.spec, &service.metadata.name);
    let wanted = format!("{}.{}", spec.version, spec.group);
    if names::name_is_path_segment(name, false).is_empty() && *name != wanted {
        let why = format!("must be `spec.version+\".\"+spec.group`: {}", quote::go(&wanted));
        errors.push(FieldError::invalid(&Path::new("metadata").child("name"), name.as_str(), why));
    }
    check(&Path::new("spec"), spec, errors);
}

fn check(at: &Path, spec: &APIServiceSpec, errors: &mut ErrorList) {
    if spec.group.is_empty() && spec.version != "v1" {
        let why = "only v1 may have an empty group and it better be legacy kube";
        errors.push(FieldError::required(&at.child("group"), why));
    }
    if !spec.group.is_empty() {
        each(errors, &at.child("group"), &spec.group, names::is_dns1123_subdomain(&spec.group));
    }
    each(errors, &at.child("version"), &spec.version, names::is_dns1035_label(&spec.version));
    let mut priority = |field: &'static str, value: i32, range: std::ops::RangeInclusive<i32>| {
        if !range.contains(&value) {
            let why = format!("must be positive and less than {}", range.end());
            errors.push(FieldError::invalid(&at.child(field), value, why));
        }
    };
    priority("groupPriorityMinimum", spec.group_priority_minimum, GROUP_PRIORITIES);
    priority("versionPriority", spec.version_priority, VERSION_PRIORITIES);
    let bundle = spec.ca_bundle.as_ref().map_or(0, |bundle| bundle.len());
    let (bundle_at, skip_at) = (at.child("caBundle"), at.child("insecureSkipTLSVerify"));
    let Some(service) = &spec.service else {
        if bundle > 0 {
            let why = "local APIServices may not have a caBundle";
            errors.push(FieldError::invalid(&bundle_at, format!("{bundle} bytes"), why));
        }
        if spec.insecure_skip_tls_verify {
            let why = "local APIServices may not have insecureSkipTLSVerify";
            errors.push(FieldError::invalid(&skip_at, true, why));
        }
        return;
    };
    let at = at.child("service");
    required(errors, &at.child("namespace"), &service.namespace);
    required(errors, &at.child("name"), &service.name);
    let port = service.port.unwrap_or_default();
    let messages = names::is_valid_port_num(port.into());
    if !messages.is_empty() {
        let why = format!("port is not valid: {}", messages.join(", "));
        errors.push(FieldError::invalid(&at.child("port"), port, why));
    }
    if spec.insecure_skip_tls_verify && bundle > 0 {
        errors.push(FieldError::invalid(&skip_at, true, "may not be true if caBundle is present"));
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    const REMOTE: &str = "metadata: {name: v1.wardle.example.com}\nspec: {group: wardle.example.com, version: v1, groupPriorityMinimum: 2000, versionPriority: 200, service: {namespace: shop, name: api}}";

    #[test]
    fn what_others_serve_is_not_available_before_somebody_has_looked() {
        let made = create(&KIND, REMOTE);
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "v1.wardle.example.com|shop/api|Unknown|<unknown>");
        assert!(made.body().contains(r#""port":443"#), "{}", made.body());
        let local = "metadata: {name: v1.shop}\nspec: {group: shop, version: v1, groupPriorityMinimum: 1, versionPriority: 1}";
        let made = create(&KIND, local);
        assert_eq!(made.cells(&KIND), "v1.shop|Local|True|<unknown>");
        assert!(
            made.body().contains(r#""reason":"Local","message":"Local APIServices are always available""#)
        );
    }

    #[test]
    fn a_condition_that_stays_keeps_its_time() {
        let mut service = APIService::default();
        set_available(&mut service, "False", "ServiceNotFound", "a", Some(Time { seconds: 1 }));
        set_available(&mut service, "False", "MissingEndpoints", "b", Some(Time { seconds: 2 }));
        let own = condition(&service, AVAILABLE).expect("it is there");
        assert_eq!(
            (own.reason.as_str(), own.last_transition_time.map(|time| time.seconds)),
            ("MissingEndpoints", Some(1))
        );
        set_available(&mut service, "True", "Passed", "c", Some(Time { seconds: 3 }));
        assert_eq!(service.status.conditions[0].last_transition_time.map(|time| time.seconds), Some(3));
        assert!(is_available(&service) && service.status.conditions.len() == 1);
    }

    #[test]
    fn mistakes_are_told_in_upstreams_words() {
        for (text, wanted) in [
            (
                "metadata: {name: v2.shop}\nspec: {group: shop, version: v1, groupPriorityMinimum: 1, versionPriority: 1}",
                vec![
                    r#"metadata.name: Invalid value: "v2.shop": must be `spec.version+"."+spec.group`: "v1.shop""#,
                ],
            ),
            (
                "metadata: {name: v2.}\nspec: {version: v2, groupPriorityMinimum: 20001, versionPriority: 1001}",
                vec![
                    "spec.group: Required value: only v1 may have an empty group and it better be legacy kube",
                    "spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000",
                    "spec.versionPriority: Invalid value: 1001: must be positive and less than 1000",
                ],
            ),
            (
                "metadata: {name: v1.shop}\nspec: {group: shop, version: v1, groupPriorityMinimum: 1, versionPriority: 1, caBundle: YQ==, insecureSkipTLSVerify: true}",
                vec![
                    r#"spec.caBundle: Invalid value: "1 bytes": local APIServices may not have a caBundle"#,
                    "spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify",
                ],
            ),
            (
                "metadata: {name: v1.shop}\nspec: {group: shop, version: v1, groupPriorityMinimum: 1, versionPriority: 1, caBundle: YQ==, insecureSkipTLSVerify: true, service: {port: 70000}}",
                vec![
                    "spec.service.namespace: Required value",
                    "spec.service.name: Required value",
                    "spec.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535, inclusive",
                    "spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present",
                ],
            ),
        ] {
            assert_eq!(create(&KIND, text).errors, wanted);
        }
        let status = "status: {conditions: [{type: Available, status: Maybe}]}";
        assert_eq!(
            update(&KIND, "status", REMOTE, &format!("{REMOTE}\n{status}")).errors,
            [
                r#"status.conditions[0].status: Unsupported value: "Maybe": supported values: "True", "False", "Unknown""#
            ]
        );
    }
}
