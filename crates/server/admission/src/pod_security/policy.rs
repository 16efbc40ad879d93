//! Which level of security, of which version, a namespace's labels ask for. Upstream: `k8s.io/pod-security-admission/api`.

use std::fmt;

use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::Labels;

/// How strict it is; each level forbids what those before it forbid, and more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Privileged,
    Baseline,
    Restricted,
}

impl Level {
    fn parse(text: &str) -> Option<Level> {
        [Level::Privileged, Level::Baseline, Level::Restricted].into_iter().find(|level| level.name() == text)
    }

    fn name(self) -> &'static str {
        match self {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        }
    }
}

/// The release whose rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// 1.x.
    Minor(u32),
    /// This one's.
    Latest,
}

impl Version {
    fn parse(text: &str) -> Option<Version> {
        if text == "latest" {
            return Some(Version::Latest);
        }
        let digits = text.strip_prefix("v1.")?;
        let plain =
            digits.bytes().all(|digit| digit.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
        plain.then(|| digits.parse().ok())?.map(Version::Minor)
    }
}

/// A level of a version, shown as `baseline:v1.30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standard {
    pub(crate) level: Level,
    pub(crate) version: Version,
}

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Version::Latest => write!(f, "{}:latest", self.level.name()),
            Version::Minor(minor) => write!(f, "{}:v1.{minor}", self.level.name()),
        }
    }
}

/// What a namespace asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// What violates this is refused.
    pub(crate) enforce: Standard,
    /// What violates this is written down.
    pub(crate) audit: Standard,
    /// Whoever makes what violates this is warned.
    pub(crate) warn: Standard,
}

const NONE: Standard = Standard { level: Level::Privileged, version: Version::Latest };

struct Labelled<'a> {
    labels: &'a Labels,
    errors: ErrorList,
}

impl Labelled<'_> {
    /// The level of a mode and whether it could be read; `None` if the label is missing.
    fn level(&mut self, mode: &str) -> Option<Option<Level>> {
        let why = "must be one of privileged, baseline, restricted";
        self.read(mode, Level::parse, why)
    }

    fn version(&mut self, mode: &str) -> Option<Version> {
        let read = self.read(&format!("{mode}-version"), Version::parse, "must be \"latest\" or \"v1.x\"")?;
        Some(read.unwrap_or(Version::Latest))
    }

    fn read<T>(&mut self, mode: &str, parse: fn(&str) -> Option<T>, why: &str) -> Option<Option<T>> {
        let label = format!("pod-security.kubernetes.io/{mode}");
        let text = self.labels.get(&label)?;
        let parsed = parse(text);
        if parsed.is_none() {
            let path = Path::new("metadata").child("labels").key(&label);
            self.errors.push(FieldError::invalid(&path, text, why));
        }
        Some(parsed)
    }
}

impl Policy {
    /// The policy of a namespace with these labels, and what is wrong with them. What cannot be read is enforced as
    /// `restricted` and neither audited nor warned of.
    pub(crate) fn of(labels: &Labels) -> (Policy, ErrorList) {
        let mut policy = Policy { enforce: NONE, audit: NONE, warn: NONE };
        let mut from = Labelled { labels, errors: ErrorList::new() };
        let enforced = from.level("enforce");
        if let Some(level) = enforced {
            policy.enforce.level = level.unwrap_or(Level::Restricted);
        }
        let version = from.version("enforce");
        policy.enforce.version = version.unwrap_or(Version::Latest);
        if let Some(level) = from.level("audit") {
            policy.audit.level = level.unwrap_or(Level::Privileged);
        }
        policy.audit.version = from.version("audit").unwrap_or(Version::Latest);
        let warned = from.level("warn");
        if let Some(level) = warned {
            policy.warn.level = level.unwrap_or(Level::Privileged);
        }
        let version = from.version("warn");
        policy.warn.version = version.unwrap_or(Version::Latest);
        // Who is refused pods is warned of the workloads that would make them.
        if let (None, Some(Some(level))) = (warned, enforced)
            && level > policy.warn.level
        {
            policy.warn.level = level;
            policy.warn.version = version.unwrap_or(policy.enforce.version);
        }
        (policy, from.errors)
    }

    /// Whether nothing is asked for in any mode.
    pub(crate) fn is_privileged(&self) -> bool {
        [self.enforce, self.audit, self.warn].iter().all(|standard| standard.level == Level::Privileged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(labels: &[(&str, &str)]) -> (String, Vec<String>) {
        let labels: Labels = labels
            .iter()
            .map(|(mode, value)| (format!("pod-security.kubernetes.io/{mode}"), (*value).to_owned()))
            .collect();
        let (policy, errors) = Policy::of(&labels);
        let shown = format!("{} {} {}", policy.enforce, policy.audit, policy.warn);
        (shown, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn labels_say_what_is_enforced_audited_and_warned_of() {
        for (labels, expected) in [
            (&[][..], "privileged:latest privileged:latest privileged:latest"),
            (&[("enforce", "baseline")], "baseline:latest privileged:latest baseline:latest"),
            (
                &[("enforce", "restricted"), ("enforce-version", "v1.24")],
                "restricted:v1.24 privileged:latest restricted:v1.24",
            ),
            (
                &[("enforce", "restricted"), ("warn", "baseline"), ("warn-version", "v1.0")],
                "restricted:latest privileged:latest baseline:v1.0",
            ),
            (
                &[("audit", "baseline"), ("audit-version", "latest")],
                "privileged:latest baseline:latest privileged:latest",
            ),
        ] {
            assert_eq!(policy(labels), (expected.to_owned(), Vec::new()), "{labels:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_enforced_strictly_and_warned_of_not_at_all() {
        let (shown, errors) =
            policy(&[("enforce", "strict"), ("audit", "x"), ("warn", "y"), ("warn-version", "v1.01")]);
        assert_eq!(shown, "restricted:latest privileged:latest privileged:latest");
        assert_eq!(
            errors[0],
            "metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"strict\": must be one of privileged, \
             baseline, restricted"
        );
        assert_eq!(
            errors[3],
            "metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: \"v1.01\": must be \"latest\" or \
             \"v1.x\""
        );
    }
}
