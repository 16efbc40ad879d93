//! Volumes of iSCSI targets, and the names that initiators and targets have.

use api_kind::checks::required;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names::inclusive_range_error;
use api_types::core::v1::ISCSIPersistentVolumeSource;

const FORMAT: &str = "must be valid format";
const PORTAL_BYTES: usize = 64;

pub fn check(errors: &mut ErrorList, at: &Path, volume: &str, own: &ISCSIPersistentVolumeSource) {
    let portal = &own.target_portal;
    required(errors, &at.child("targetPortal"), portal);
    if own.initiator_name.is_some() && volume.len() + 1 + portal.len() > PORTAL_BYTES {
        let why = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";
        errors.push(FieldError::invalid(&at.child("targetportal"), portal, why));
    }
    let place = at.child("iqn");
    if required(errors, &place, &own.iqn) && !is_name(&own.iqn) {
        errors.push(FieldError::invalid(&place, &own.iqn, FORMAT));
    }
    if !(0..=255).contains(&own.lun) {
        errors.push(FieldError::invalid(&at.child("lun"), own.lun, inclusive_range_error(0, 255)));
    }
    let place = at.child("secretRef");
    match &own.secret_ref {
        None if own.discovery_chap_auth || own.session_chap_auth => {
            errors.push(FieldError::required(&place, ""));
        }
        None => {}
        Some(secret) => {
            required(errors, &place.child("name"), &secret.name);
        }
    }
    if let Some(initiator) = own.initiator_name.as_ref().filter(|name| !is_name(name)) {
        errors.push(FieldError::invalid(&at.child("initiatorname"), initiator, FORMAT));
    }
}

/// Whether a text is a name of RFC 3720's three forms, as loosely as upstream's patterns read them.
fn is_name(text: &str) -> bool {
    if text.starts_with("iqn") {
        // The pattern is not bound to the beginning.
        return text.match_indices("iqn.").any(|(at, prefix)| is_qualified(&text[at + prefix.len()..]));
    }
    let rest_of = |length: usize| {
        let mut rest = text.chars().skip(3);
        rest.next().is_some_and(|any| any != '\n')
            && rest.clone().count() == length
            && rest.all(|c| c.is_ascii_alphanumeric())
    };
    (text.starts_with("eui") && rest_of(16)) || (text.starts_with("naa") && rest_of(32))
}

/// `2001-04.com.example:anything`, behind `iqn.`.
fn is_qualified(text: &str) -> bool {
    let Some((authority, own)) = text.split_once(':') else { return false };
    let digits = |range: std::ops::Range<usize>| {
        authority.get(range).is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()))
    };
    let date =
        digits(0..4) && authority.get(4..5) == Some("-") && digits(5..7) && authority.get(7..8) == Some(".");
    let named = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
    };
    let space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\u{c}' | '\r');
    date && authority.get(8..).is_some_and(named)
        && !own.is_empty()
        && !own.contains(|c: char| matches!(c, ',' | ';' | '*' | '&' | '$' | '|') || space(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_of_three_forms() {
        for (name, fits) in [
            ("iqn.2001-04.com.example:storage.disk1", true),
            ("iqn.2001-04.com.example", false),
            ("iqn.2001-4.com.example:a", false),
            ("iqn.2001-04.com.example:a b", false),
            ("iqn iqn.2001-04.a:b", true),
            ("eui.02004567A425678D", true),
            ("eui.02004567A425678", false),
            ("naa.52004567BA64678D0000000000000000", true),
            ("naa.1", false),
            ("abc", false),
        ] {
            assert_eq!(is_name(name), fits, "{name}");
        }
    }
}
