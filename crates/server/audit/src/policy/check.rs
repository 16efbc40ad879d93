//! What a policy may not say. (`apiserver/pkg/apis/audit/validation`.)

use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use client::trail::Level;

use super::Stage;
use super::read::{Written, WrittenResources, WrittenRule, level};

pub(super) fn policy(own: &Written) -> ErrorList {
    let mut errors = ErrorList::new();
    stages(&Path::new("omitStages"), &own.stages, &mut errors);
    for (index, own) in own.rules.iter().enumerate() {
        rule(&Path::new("rules").index(index), own, &mut errors);
    }
    errors
}

fn rule(at: &Path, own: &WrittenRule, errors: &mut ErrorList) {
    let path = at.child("level");
    if own.level.is_empty() {
        errors.push(FieldError::required(&path, ""));
    } else if level(&own.level).is_none() {
        errors.push(FieldError::not_supported(&path, own.level.as_str(), &Level::ALL.map(Level::name)));
    }
    let path = at.child("nonResourceURLs");
    for (index, url) in own.urls.iter().enumerate().filter(|(_, url)| *url != "*") {
        let at = path.index(index);
        if !url.starts_with('/') {
            let why = "non-resource URL rules must begin with a '/' character";
            errors.push(FieldError::invalid(&at, url.as_str(), why));
        }
        if url.find('*').is_some_and(|place| place + 1 < url.len()) {
            let why = "non-resource URL wildcards '*' must be the final character of the rule";
            errors.push(FieldError::invalid(&at, url.as_str(), why));
        }
    }
    own.resources.iter().for_each(|own| resources(&at.child("resources"), own, errors));
    stages(&at.child("omitStages"), &own.stages, errors);
    let has_objects = !own.resources.is_empty() || !own.namespaces.is_empty();
    if has_objects && !own.urls.is_empty() {
        let why = "rules cannot apply to both regular resources and non-resource URLs";
        errors.push(FieldError::invalid(&path, &own.urls, why));
    }
}

fn resources(at: &Path, own: &WrittenResources, errors: &mut ErrorList) {
    if !own.group.is_empty() && own.group != "*" {
        let problems = names::name_is_dns_subdomain(&own.group, false);
        if !problems.is_empty() {
            errors.push(FieldError::invalid(&at.child("group"), own.group.as_str(), problems.join(",")));
        }
    }
    if !own.names.is_empty() && own.resources.is_empty() {
        let why = "using resourceNames requires at least one resource";
        errors.push(FieldError::invalid(&at.child("resourceNames"), &own.names, why));
    }
}

fn stages(at: &Path, own: &[String], errors: &mut ErrorList) {
    let known = Stage::ALL.map(Stage::name);
    for (index, stage) in own.iter().enumerate().filter(|(_, stage)| !known.contains(&stage.as_str())) {
        let why = format!("allowed stages are {}", known.join(","));
        errors.push(FieldError::invalid(&at.index(index), stage.as_str(), why));
    }
}
