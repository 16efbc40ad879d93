//! Image references, parsed and refused word for word as docker, containerd and kubelet do (the module
//! `github.com/distribution/reference`). Pure; used by everything that names an image.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use regex::Regex;

use crate::digest::{Digest, DigestError};

#[cfg(test)]
mod tests;

const DEFAULT_DOMAIN: &str = "docker.io";
const LEGACY_DEFAULT_DOMAIN: &str = "index.docker.io";
const OFFICIAL_PREFIX: &str = "library/";
const DEFAULT_TAG: &str = "latest";
const REPOSITORY_CHARACTERS: usize = 255;

/// Why a text is no image reference. The wording is upstream's: it ends up in the waiting message of a container.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Does not follow the grammar.
    #[error("invalid reference format")]
    Format,
    /// Upper case in the repository's name.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    Uppercase(String),
    /// Would be valid in lower case.
    #[error("repository name must be lowercase")]
    UppercaseName,
    /// 64 hex digits are an image's id, never a name.
    #[error("invalid repository name ({0}), cannot specify 64-byte hexadecimal strings")]
    Identifier(String),
    /// More than 255 characters in the repository's path.
    #[error("repository name must not be more than {REPOSITORY_CHARACTERS} characters")]
    TooLong,
    /// A digest that is none.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

/// A complete reference: `docker.io/library/nginx:1.27`, with a tag or a digest or both, its defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The registry's host, with its port if it has one; `docker.io` when none was named.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository within the registry; `library/…` for docker.io's official images.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Registry and repository, without tag and digest.
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// The tag; `latest` when neither tag nor digest was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one was given.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What containerd looks up: with both tag and digest, the digest alone counts.
    pub fn canonical(&self) -> Reference {
        let tag = if self.digest.is_some() { None } else { self.tag.clone() };
        Reference { tag, ..self.clone() }
    }

    /// The same repository, by digest.
    pub fn with_digest(&self, digest: Digest) -> Reference {
        Reference { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// The same repository by `tag`, if that is a valid one.
    pub fn with_tag(&self, tag: &str) -> Option<Reference> {
        TAG.is_match(tag).then(|| Reference { tag: Some(tag.to_owned()), digest: None, ..self.clone() })
    }

    /// As people write it: `nginx:1.27` for `docker.io/library/nginx:1.27`.
    pub fn familiar(&self) -> String {
        let whole = self.to_string();
        if self.domain != DEFAULT_DOMAIN {
            return whole;
        }
        let short = &whole[DEFAULT_DOMAIN.len() + 1..];
        match self.path.strip_prefix(OFFICIAL_PREFIX) {
            Some(rest) if !rest.contains('/') => short[OFFICIAL_PREFIX.len()..].to_owned(),
            _ => short.to_owned(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.path)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Reference, ReferenceError> {
        if text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(ReferenceError::Identifier(text.to_owned()));
        }
        let (domain, remainder) = split_domain(text);
        let remote = remainder.split(':').next().unwrap_or_default();
        if remote.to_lowercase() != remote {
            return Err(ReferenceError::Uppercase(remote.to_owned()));
        }
        parse_whole(&format!("{domain}/{remainder}"))
    }
}

fn split_domain(text: &str) -> (&str, String) {
    let Some((first, rest)) = text.split_once('/') else {
        return (DEFAULT_DOMAIN, format!("{OFFICIAL_PREFIX}{text}"));
    };
    let (domain, remote) = if first == LEGACY_DEFAULT_DOMAIN {
        (DEFAULT_DOMAIN, rest)
    } else if first == "localhost" || first.contains(['.', ':']) || first.to_lowercase() != first {
        (first, rest)
    } else {
        (DEFAULT_DOMAIN, text)
    };
    if domain == DEFAULT_DOMAIN && !remote.contains('/') {
        return (domain, format!("{OFFICIAL_PREFIX}{remote}"));
    }
    (domain, remote.to_owned())
}

fn parse_whole(text: &str) -> Result<Reference, ReferenceError> {
    let Some(parts) = REFERENCE.captures(text) else {
        let lower = text.to_lowercase();
        return Err(if lower != text && REFERENCE.is_match(&lower) {
            ReferenceError::UppercaseName
        } else {
            ReferenceError::Format
        });
    };
    let part = |index: usize| parts.get(index).map(|found| found.as_str().to_owned());
    let (Some(domain), Some(path)) = (part(1), part(2)) else {
        return Err(ReferenceError::Format);
    };
    if path.len() > REPOSITORY_CHARACTERS {
        return Err(ReferenceError::TooLong);
    }
    let digest = part(4).map(|digest| digest.parse::<Digest>()).transpose()?;
    let tag = part(3).or_else(|| digest.is_none().then(|| DEFAULT_TAG.to_owned()));
    Ok(Reference { domain, path, tag, digest })
}

const TAG_PATTERN: &str = "[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}";

static TAG: LazyLock<Regex> = LazyLock::new(|| pattern(&format!("^{TAG_PATTERN}$")));

static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    let label = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
    let domain = format!(r"(?:{label}(?:\.{label})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?");
    let component = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
    let digest = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
    pattern(&format!(
        r"^(?:({domain})/)?({component}(?:/{component})*)(?::({TAG_PATTERN}))?(?:@({digest}))?$"
    ))
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern, compiled by the tests")
}
