//! What the query of a request says.

use std::ops::Deref;

use api_meta::Status;
use api_types::meta::v1;
use client::{
    DeleteOptions, FieldValidation, ListOptions, Precondition, Propagation, VersionMatch, WriteOptions,
};

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
            text => text.parse().map(Some).map_err(|_| {
                Status::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
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

    pub(crate) fn write(&self) -> Result<WriteOptions, Status> {
        let dry_run = match self.get("dryRun") {
            "" => false,
            "All" => true,
            other => {
                return Err(Status::bad_request(format!(
                    "dryRun: Unsupported value: {other:?}: supported values: \"All\""
                )));
            }
        };
        let field_validation = match self.get("fieldValidation") {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                return Err(Status::bad_request(format!(
                    "fieldValidation: Unsupported value: {other:?}: supported values: \"Ignore\", \"Strict\", \"Warn\""
                )));
            }
        };
        Ok(WriteOptions { dry_run, field_validation, field_manager: self.get("fieldManager").to_owned() })
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
