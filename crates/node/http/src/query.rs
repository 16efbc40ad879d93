//! What the query of a request to a node says.

use std::collections::BTreeMap;
use std::time::Duration;

use api_meta::Status;
use base::time::Time;
use node_agent::node_api::LogOptions;
use node_stream::session::Options;

/// A query's parameters, with all their values.
pub(crate) struct Query(BTreeMap<String, Vec<String>>);

impl Query {
    pub(crate) fn parse(text: &str) -> Query {
        let decode = |text: &str| {
            percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
        };
        let mut query: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            query.entry(decode(key)).or_default().push(decode(value));
        }
        Query(query)
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, key: &str) -> &[String] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    fn first(&self, key: &str) -> Option<&str> {
        self.all(key).first().map(String::as_str).filter(|value| !value.is_empty())
    }

    fn flag(&self, key: &str) -> bool {
        self.first(key).is_some_and(|value| matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True"))
    }

    /// Which streams of a session are wanted.
    pub(crate) fn streams(&self) -> Result<Options, Status> {
        Options::new(self.flag("input"), self.flag("output"), self.flag("error"), self.flag("tty"))
            .map_err(Status::bad_request)
    }

    /// Which part of a log is wanted.
    pub(crate) fn log(&self, now: Time) -> Result<LogOptions, Status> {
        let number = |key: &str| match self.first(key) {
            None => Ok(None),
            Some(text) => text
                .parse::<u64>()
                .map(Some)
                .map_err(|_| Status::bad_request(format!("{key} is no number that makes sense: {text:?}"))),
        };
        let since = match (self.first("sinceTime"), number("sinceSeconds")?) {
            (Some(text), _) => {
                let time: api_record::scalar::Time = text
                    .parse()
                    .map_err(|_| Status::bad_request(format!("sinceTime is no time: {text:?}")))?;
                Some(time.into())
            }
            (None, Some(seconds)) => Some(now - Duration::from_secs(seconds)),
            (None, None) => None,
        };
        Ok(LogOptions {
            follow: self.flag("follow"),
            previous: self.flag("previous"),
            since,
            timestamps: self.flag("timestamps"),
            tail_lines: number("tailLines")?,
            limit_bytes: number("limitBytes")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_log_are_read() {
        let query = Query::parse("follow=true&tailLines=5&sinceTime=2026-01-01T00%3A00%3A00Z");
        let options = query.log(Time::EPOCH).expect("they make sense");
        assert!(options.follow && options.tail_lines == Some(5));
        assert_eq!(options.since.map(Time::unix_seconds), Some(1_767_225_600));
        let refused = Query::parse("tailLines=-1").log(Time::EPOCH);
        assert!(refused.is_err_and(|status| status.is_bad_request()));
    }
}
