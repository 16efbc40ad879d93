//! Formats of text (`k8s.io/kube-openapi/pkg/validation/strfmt`), and those of numbers.

mod numbers;
pub(crate) mod times;

use std::sync::LazyLock;

use api_meta::names;
use regex::Regex;

/// A format that is checked. Others are ignored, as upstream ignores them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Int32,
    Int64,
    Float,
    Double,
    /// Of text, by its place in [`TEXT`].
    Text(&'static TextFormat),
}

/// A format of text by its name without dashes, and whether a text has it.
type TextFormat = (&'static str, fn(&str) -> bool);

/// The formats of text, in the order of their names.
static TEXT: [TextFormat; 26] = [
    ("bsonobjectid", |text| text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())),
    ("byte", |text| BASE64.is_match(text)),
    ("cidr", |text| names::parse_cidr_sloppy(text).is_some()),
    ("creditcard", numbers::is_credit_card),
    ("date", times::is_date),
    ("datetime", times::is_date_time),
    ("duration", times::is_duration),
    ("email", is_email),
    ("hexcolor", |text| HEX_COLOR.is_match(text)),
    ("hostname", is_hostname),
    ("ipv4", |text| text.contains('.') && names::parse_ip_sloppy(text).is_some()),
    ("ipv6", |text| text.contains(':') && text.parse::<std::net::Ipv6Addr>().is_ok()),
    ("isbn", |text| numbers::is_isbn10(text) || numbers::is_isbn13(text)),
    ("isbn10", numbers::is_isbn10),
    ("isbn13", numbers::is_isbn13),
    ("k8slongname", |text| names::content::is_dns1123_subdomain(text).is_empty()),
    ("k8sshortname", |text| names::content::is_dns1123_label(text).is_empty()),
    ("mac", numbers::is_mac),
    ("password", |_| true),
    ("rgbcolor", |text| RGB_COLOR.is_match(text)),
    ("ssn", |text| SSN.is_match(text)),
    ("uri", is_request_uri),
    ("uuid", |text| UUID.is_match(text)),
    ("uuid3", |text| UUID.is_match(text) && uuid_version(text) == '3'),
    ("uuid4", |text| UUID.is_match(text) && uuid_version(text) == '4' && has_uuid_variant(text)),
    ("uuid5", |text| UUID.is_match(text) && uuid_version(text) == '5' && has_uuid_variant(text)),
];

fn regex(text: &str) -> Regex {
    Regex::new(text).expect("it stands in this file, and the tests compile it")
}

static BASE64: LazyLock<Regex> = LazyLock::new(|| {
    regex("^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$")
});
static HEX_COLOR: LazyLock<Regex> = LazyLock::new(|| regex("^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$"));
static RGB_COLOR: LazyLock<Regex> = LazyLock::new(|| {
    let byte = r"\s*(?:0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*";
    regex(&format!(r"^rgb\({byte},{byte},{byte}\)$"))
});
static SSN: LazyLock<Regex> = LazyLock::new(|| regex(r"^\d{3}[- ]?\d{2}[- ]?\d{4}$"));
static UUID: LazyLock<Regex> =
    LazyLock::new(|| regex("(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"));
static HOSTNAME: LazyLock<Regex> = LazyLock::new(|| {
    let symbol = r"a-zA-Z0-9\p{S}\p{L}";
    regex(&format!(
        r"^([{symbol}]((-?[{symbol}]{{0,62}})?)|([{symbol}](([{symbol}-]{{0,61}}[{symbol}])?)(\.)){{1,}}([a-zA-Z\p{{L}}]){{2,63}})$"
    ))
});

fn uuid_version(text: &str) -> char {
    text.chars().filter(|c| *c != '-').nth(12).unwrap_or_default()
}

fn has_uuid_variant(text: &str) -> bool {
    let at = text.chars().filter(|c| *c != '-').nth(16).unwrap_or_default();
    matches!(at.to_ascii_lowercase(), '8' | '9' | 'a' | 'b')
}

/// The format that a schema of this type names, if it is one that is checked.
pub(crate) fn of(type_: &str, format: &str) -> Option<Format> {
    match (type_, format) {
        (_, "") => None,
        ("integer", "int32") => Some(Format::Int32),
        ("integer", "int64") => Some(Format::Int64),
        ("number", "float") => Some(Format::Float),
        ("number", "double") => Some(Format::Double),
        ("" | "string", _) => {
            let name = format.replace('-', "");
            TEXT.iter().find(|(known, _)| *known == name).map(Format::Text)
        }
        _ => None,
    }
}

/// Whether a format means anything to a schema of this type.
pub fn is_known(type_: &str, format: &str) -> bool {
    format.is_empty() || of(type_, format).is_some()
}

impl Format {
    /// What messages call it: its normalized name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Int32 => "int32",
            Format::Int64 => "int64",
            Format::Float => "float",
            Format::Double => "double",
            Format::Text(("datetime", _)) => "date-time",
            Format::Text(("k8slongname", _)) => "k8s-long-name",
            Format::Text(("k8sshortname", _)) => "k8s-short-name",
            Format::Text((name, _)) => name,
        }
    }

    /// Whether a text has it.
    pub(crate) fn fits(self, text: &str) -> bool {
        match self {
            Format::Text((_, fits)) => fits(text),
            _ => true,
        }
    }
}

fn is_hostname(text: &str) -> bool {
    text.len() <= 255 && HOSTNAME.is_match(text) && text.split('.').all(|part| part.len() <= 63)
}

/// Go's `net/mail.ParseAddress`, as far as single addresses go: `a@b`, or `Name <a@b>`.
fn is_email(text: &str) -> bool {
    let text = text.trim();
    let address = match text.strip_suffix('>') {
        Some(rest) => match rest.rsplit_once('<') {
            Some((_, address)) => address,
            None => return false,
        },
        None => text,
    };
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii();
    let dotted = |text: &str| text.split('.').all(|part| !part.is_empty() && part.chars().all(atom));
    let quoted = local.len() > 1 && local.starts_with('"') && local.ends_with('"');
    let literal = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    (quoted || dotted(local)) && (dotted(domain) || literal.is_some_and(|text| !text.is_empty()))
}

/// Go's `net/url.ParseRequestURI`: an absolute URI or an absolute path.
fn is_request_uri(text: &str) -> bool {
    if text.is_empty() || text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return false;
    }
    if text == "*" {
        return true;
    }
    let (scheme, rest) = match text.split_once(':') {
        Some(("", _)) => return false,
        Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
        _ => ("", text),
    };
    if !rest.starts_with('/') {
        return !scheme.is_empty();
    }
    let path = rest.split('?').next().unwrap_or_default();
    let authority = path.strip_prefix("//").filter(|_| !scheme.is_empty() || !path.starts_with("///"));
    let host = authority.map(|rest| rest.split('/').next().unwrap_or_default()).unwrap_or_default();
    is_host(host) && are_escapes_whole(path)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

fn is_host(text: &str) -> bool {
    let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
    if host.contains([' ', '<', '>', '"', '\\', '^', '`', '{', '|', '}']) {
        return false;
    }
    let after = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((_, after)) => after,
            None => return false,
        },
        None => host.find(':').map_or("", |at| &host[at..]),
    };
    after.is_empty() || after.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

fn are_escapes_whole(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'%')
        .all(|(at, _)| bytes.get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)))
}
