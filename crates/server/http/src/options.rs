//! What the query of a request says.

use std::num::IntErrorKind;
use std::ops::Deref;

use api_meta::gvk::GroupKind;
use api_meta::limits::FIELD_MANAGER_BYTES;
use api_meta::{Status, options, quote};
use api_types::meta::v1;
use client::{
    DeleteOptions, FieldValidation, ListOptions, Precondition, Propagation, Verb, VersionMatch, WriteOptions,
};
use http::HeaderMap;
use http::header::USER_AGENT;

/// A query's parameters.
pub(crate) struct Query(base::query::Query);

impl Deref for Query {
    type Target = base::query::Query;
    fn deref(&self) -> &base::query::Query {
        &self.0
    }
}

impl Query {
    pub(crate) fn parse(query: &str) -> Query {
        Query(base::query::Query::parse(query))
    }

    /// Go's `strconv.ParseBool`, where a parameter without a value is true.
    pub(crate) fn flag(&self, key: &str) -> bool {
        match self.all(key).next() {
            None => false,
            Some(value) => !matches!(value, "0" | "f" | "F" | "false" | "FALSE" | "False"),
        }
    }

    pub(crate) fn number(&self, key: &str) -> Result<Option<i64>, Status> {
        match self.get(key) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|error: std::num::ParseIntError| {
                let why = match error.kind() {
                    IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
                    _ => "invalid syntax",
                };
                Status::bad_request(format!("strconv.ParseInt: parsing {text:?}: {why}"))
            }),
        }
    }

    pub(crate) fn list(&self) -> Result<ListOptions, Status> {
        let version_match = match self.get("resourceVersionMatch") {
            "" => None,
            "Exact" => Some(VersionMatch::Exact),
            "NotOlderThan" => Some(VersionMatch::NotOlderThan),
            other => {
                return Err(Status::bad_request(format!(
                    "resourceVersionMatch: Unsupported value: {other:?}: supported values: \"Exact\", \"NotOlderThan\", \"\""
                )));
            }
        };
        Ok(ListOptions {
            labels: self.get("labelSelector").to_owned(),
            fields: self.get("fieldSelector").to_owned(),
            limit: usize::try_from(self.number("limit")?.unwrap_or(0)).unwrap_or(0),
            continue_: self.get("continue").to_owned(),
            version: self.get("resourceVersion").to_owned(),
            version_match,
        })
    }

    /// The options of a write, which must be in order for what is written; `apply` is whether that is a server-side apply.
    pub(crate) fn write(&self, verb: Verb, apply: bool) -> Result<WriteOptions, Status> {
        let text = |key| self.get(key).to_owned();
        let dry_run: Vec<String> =
            self.all("dryRun").filter(|value| !value.is_empty()).map(str::to_owned).collect();
        let force = self.has("force").then(|| self.flag("force"));
        let options = v1::PatchOptions {
            dry_run,
            force,
            field_manager: text("fieldManager"),
            field_validation: text("fieldValidation"),
        };
        let (kind, errors) = match verb {
            Verb::Create | Verb::Update => {
                let v1::PatchOptions { dry_run, field_manager, field_validation, .. } = options.clone();
                let kind = if verb == Verb::Create { "CreateOptions" } else { "UpdateOptions" };
                let same = v1::UpdateOptions { dry_run, field_manager, field_validation };
                (kind, options::validate_update(&same))
            }
            Verb::Patch => ("PatchOptions", options::validate_patch(&options, apply)),
            _ => (
                "DeleteOptions",
                options::validate_delete(&v1::DeleteOptions {
                    dry_run: options.dry_run.clone(),
                    ..v1::DeleteOptions::default()
                }),
            ),
        };
        if !errors.is_empty() {
            return Err(Status::invalid(GroupKind { group: "meta.k8s.io", kind }, "", &errors));
        }
        let field_validation = match options.field_validation.as_str() {
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            _ => FieldValidation::Warn,
        };
        Ok(WriteOptions {
            dry_run: !options.dry_run.is_empty(),
            field_validation,
            field_manager: options.field_manager,
            force,
        })
    }

    /// The options of a deletion, of which the body's count before the query's.
    pub(crate) fn delete(&self, body: Option<&v1::DeleteOptions>) -> Result<DeleteOptions, Status> {
        let policy = match body {
            Some(body) => body.propagation_policy.clone().unwrap_or_default(),
            None => self.get("propagationPolicy").to_owned(),
        };
        let orphan = match body {
            Some(body) => body.orphan_dependents,
            None if self.get("orphanDependents").is_empty() => None,
            None => Some(self.flag("orphanDependents")),
        };
        let propagation = match (policy.as_str(), orphan) {
            ("Orphan", _) | ("", Some(true)) => Some(Propagation::Orphan),
            ("Background", _) | ("", Some(false)) => Some(Propagation::Background),
            ("Foreground", _) => Some(Propagation::Foreground),
            ("", None) => None,
            (other, _) => {
                return Err(Status::bad_request(format!(
                    "propagationPolicy: Unsupported value: {other:?}: supported values: \"Foreground\", \"Background\", \"Orphan\""
                )));
            }
        };
        let grace_seconds = match body {
            Some(body) => body.grace_period_seconds,
            None => self.number("gracePeriodSeconds")?,
        };
        let precondition = body
            .and_then(|body| body.preconditions.as_deref())
            .map(|wanted| Precondition { uid: wanted.uid.clone(), version: wanted.resource_version.clone() });
        Ok(DeleteOptions { grace_seconds, propagation, precondition: precondition.unwrap_or_default() })
    }
}

/// The program that a request comes from: what its `User-Agent` says before the first slash, as far as it can be a manager's name.
pub(crate) fn program(headers: &HeaderMap) -> String {
    let agent = headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let agent = agent.as_deref().unwrap_or_default();
    let mut program = String::new();
    for c in agent.split('/').next().unwrap_or_default().chars().filter(|c| quote::printable(*c)) {
        if program.len() + c.len_utf8() > FIELD_MANAGER_BYTES {
            break;
        }
        program.push(c);
    }
    if program.is_empty() { "unknown".to_owned() } else { program }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_manager_that_is_not_named_is_the_program_that_asks() {
        let long = "x".repeat(200);
        for (agent, wanted) in [
            ("kubectl/v1.32.0 (linux/amd64) kubernetes/70d3cc9", "kubectl"),
            ("curl", "curl"),
            ("", "unknown"),
            ("/x", "unknown"),
            ("a\tb/c", "ab"),
            (long.as_str(), &long[..128]),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(USER_AGENT, HeaderValue::from_str(agent).expect("a header"));
            assert_eq!(program(&headers), wanted, "{agent}");
        }
        assert_eq!(program(&HeaderMap::new()), "unknown");
    }

    #[test]
    fn what_is_no_number_is_refused_as_go_refuses_it() {
        for (text, wanted) in [
            ("12", Ok(Some(12))),
            ("", Ok(None)),
            ("x", Err("invalid syntax")),
            ("99999999999999999999", Err("value out of range")),
        ] {
            let read = Query::parse(&format!("limit={text}")).number("limit");
            let wanted = wanted.map_err(|why| format!("strconv.ParseInt: parsing {text:?}: {why}"));
            assert_eq!(read.map_err(|status| status.message.clone()), wanted);
        }
    }

    #[test]
    fn an_apply_must_name_its_manager_and_only_it_may_be_forced() {
        let write = |query: &str, apply| Query::parse(query).write(Verb::Patch, apply);
        let refused = write("force=true", true).expect_err("no manager");
        assert_eq!(
            (refused.code, refused.message.as_str()),
            (
                422,
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"
            )
        );
        let refused = write("force=true&fieldManager=me", false).expect_err("no apply");
        assert!(refused.message.ends_with("force: Forbidden: may not be specified for non-apply patch"));
        let long = format!("fieldManager={}", "x".repeat(129));
        assert!(write(&long, true).expect_err("too long").message.contains("fieldManager: Too long"));
        let options = write("force=true&fieldManager=me&dryRun=All", true).expect("in order");
        assert_eq!(
            (options.force, options.dry_run, options.field_manager.as_str()),
            (Some(true), true, "me")
        );
        assert_eq!(write("fieldManager=me&force=false", true).expect("in order").force, Some(false));
        assert!(
            write("dryRun=Some", false)
                .expect_err("no such way")
                .message
                .contains("dryRun: Unsupported value")
        );
    }
}
