//! What may be asked of a log: upstream's `ValidatePodLogOptions`, with what is alpha there switched off.

use api_meta::Status;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::gvk::GroupKind;

use crate::options::Query;

/// Refuses options of a pod's log that make no sense.
pub(super) fn check(pod: &str, query: &Query) -> Result<(), Status> {
    let mut errors = ErrorList::default();
    if let Some(lines) = query.number("tailLines")?.filter(|lines| *lines < 0) {
        errors.push(FieldError::invalid(
            &Path::new("tailLines"),
            lines,
            "must be greater than or equal to 0",
        ));
    }
    if let Some(bytes) = query.number("limitBytes")?.filter(|bytes| *bytes < 1) {
        errors.push(FieldError::invalid(&Path::new("limitBytes"), bytes, "must be greater than 0"));
    }
    match query.number("sinceSeconds")? {
        Some(_) if !query.get("sinceTime").is_empty() => {
            let detail = "at most one of `sinceTime` or `sinceSeconds` may be specified";
            errors.push(FieldError::forbidden(&Path::new(""), detail));
        }
        Some(seconds) if seconds < 1 => {
            errors.push(FieldError::invalid(&Path::new("sinceSeconds"), seconds, "must be greater than 0"));
        }
        _ => {}
    }
    // `PodLogsQuerySplitStreams`.
    if query.has("stream") {
        errors.push(FieldError::forbidden(&Path::new("stream"), "may not be specified"));
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid(GroupKind { group: "", kind: "PodLogOptions" }, pod, &errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_make_no_sense_are_refused() {
        for (query, why) in [
            ("follow=true&tailLines=0&limitBytes=1&sinceSeconds=1", ""),
            ("sinceTime=2026-01-01T00:00:00Z", ""),
            ("tailLines=-1", "tailLines: Invalid value: -1: must be greater than or equal to 0"),
            ("limitBytes=0", "limitBytes: Invalid value: 0: must be greater than 0"),
            ("sinceSeconds=0", "sinceSeconds: Invalid value: 0: must be greater than 0"),
            (
                "sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z",
                ": Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
            ),
            ("stream=All", "stream: Forbidden: may not be specified"),
        ] {
            let checked = check("web", &Query::parse(query));
            let said = checked.err().map(|status| (status.http_code(), status.message.clone()));
            let wanted = (!why.is_empty()).then(|| (422, format!("PodLogOptions \"web\" is invalid: {why}")));
            assert_eq!(said, wanted, "{query}");
        }
        let refused = check("web", &Query::parse("tailLines=x")).expect_err("no number");
        assert_eq!(refused.http_code(), 400);
    }
}
