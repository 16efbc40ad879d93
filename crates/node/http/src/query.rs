//! What the query of a request to a node says.

use std::time::Duration;

use api_meta::Status;
use base::query::Query;
use base::time::Time;
use node_agent::node_api::LogOptions;
use node_stream::session::Options;

/// Go's `strconv.ParseBool` of a parameter, false where there is none.
fn flag(query: &Query, key: &str) -> bool {
    matches!(query.get(key), "1" | "t" | "T" | "true" | "TRUE" | "True")
}

/// Which streams of a session are wanted.
pub(crate) fn streams(query: &Query) -> Result<Options, Status> {
    let flag = |key| flag(query, key);
    Options::new(flag("input"), flag("output"), flag("error"), flag("tty")).map_err(Status::bad_request)
}

/// Which part of a log is wanted.
pub(crate) fn log(query: &Query, now: Time) -> Result<LogOptions, Status> {
    let number = |key: &str| match query.get(key) {
        "" => Ok(None),
        text => text
            .parse::<u64>()
            .map(Some)
            .map_err(|_| Status::bad_request(format!("{key} is no number that makes sense: {text:?}"))),
    };
    let since = match (query.get("sinceTime"), number("sinceSeconds")?) {
        ("", seconds) => seconds.map(|seconds| now - Duration::from_secs(seconds)),
        (text, _) => {
            let time: api_record::scalar::Time =
                text.parse().map_err(|_| Status::bad_request(format!("sinceTime is no time: {text:?}")))?;
            Some(time.into())
        }
    };
    Ok(LogOptions {
        follow: flag(query, "follow"),
        previous: flag(query, "previous"),
        since,
        timestamps: flag(query, "timestamps"),
        tail_lines: number("tailLines")?,
        limit_bytes: number("limitBytes")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_log_are_read() {
        let query = Query::parse("follow=true&tailLines=5&sinceTime=2026-01-01T00%3A00%3A00Z");
        let options = log(&query, Time::EPOCH).expect("they make sense");
        assert!(options.follow && options.tail_lines == Some(5));
        assert_eq!(options.since.map(Time::unix_seconds), Some(1_767_225_600));
        let refused = log(&Query::parse("tailLines=-1"), Time::EPOCH);
        assert!(refused.is_err_and(|status| status.is_bad_request()));
    }
}
