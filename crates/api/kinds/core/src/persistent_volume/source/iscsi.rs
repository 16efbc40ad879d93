//! Volumes of iSCSI targets, and the names that initiators and targets have.

use api_kind::checks::required;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names::inclusive_range_error;
use api_types::core::v1::{ISCSIPersistentVolumeSource, ISCSIVolumeSource};

const FORMAT: &str = "must be valid format";
const PORTAL_BYTES: usize = 64;
const TOO_LONG: &str = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";

/// What volumes and pods say alike of a target.
struct Target<'a> {
    portal: &'a str,
    iqn: &'a str,
    lun: i32,
    initiator: Option<&'a str>,
    lacks_secret: bool,
    /// What is said of a name whose form cannot even be told.
    unknown_form: &'static str,
}

impl Target<'_> {
    fn check(&self, errors: &mut ErrorList, at: &Path) {
        required(errors, &at.child("targetPortal"), self.portal);
        if required(errors, &at.child("iqn"), self.iqn) {
            self.name(errors, &at.child("iqn"), self.iqn);
        }
        if !(0..=255).contains(&self.lun) {
            errors.push(FieldError::invalid(&at.child("lun"), self.lun, inclusive_range_error(0, 255)));
        }
        if self.lacks_secret {
            errors.push(FieldError::required(&at.child("secretRef"), ""));
        }
        if let Some(initiator) = self.initiator {
            self.name(errors, &at.child("initiatorname"), initiator);
        }
    }

    fn name(&self, errors: &mut ErrorList, at: &Path, name: &str) {
        let has_form = ["iqn", "eui", "naa"].iter().any(|form| name.starts_with(form));
        if !is_name(name) {
            errors.push(FieldError::invalid(at, name, if has_form { FORMAT } else { self.unknown_form }));
        }
    }
}

/// Whether a portal's name with a volume's before it is more than drivers keep where initiators are named.
fn is_too_long(volume: &str, portal: &str, initiator: Option<&String>) -> bool {
    initiator.is_some() && volume.len() + 1 + portal.len() > PORTAL_BYTES
}

/// A volume's own.
pub fn of_volume(errors: &mut ErrorList, at: &Path, volume: &str, own: &ISCSIPersistentVolumeSource) {
    let portal = &own.target_portal;
    let target = Target {
        portal,
        iqn: &own.iqn,
        lun: own.lun,
        initiator: own.initiator_name.as_deref(),
        lacks_secret: (own.discovery_chap_auth || own.session_chap_auth) && own.secret_ref.is_none(),
        unknown_form: FORMAT,
    };
    target.check(errors, at);
    if is_too_long(volume, portal, own.initiator_name.as_ref()) {
        errors.push(FieldError::invalid(&at.child("targetportal"), portal, TOO_LONG));
    }
    if let Some(secret) = &own.secret_ref {
        required(errors, &at.child("secretRef").child("name"), &secret.name);
    }
}

/// A pod's.
pub fn of_pod(errors: &mut ErrorList, at: &Path, own: &ISCSIVolumeSource) {
    let target = Target {
        portal: &own.target_portal,
        iqn: &own.iqn,
        lun: own.lun,
        initiator: own.initiator_name.as_deref(),
        lacks_secret: (own.discovery_chap_auth || own.session_chap_auth) && own.secret_ref.is_none(),
        unknown_form: "must be valid format starting with iqn, eui, or naa",
    };
    target.check(errors, at);
}

/// The name of a pod's volume, which drivers write before the target's; upstream looks at it also where another source counts.
pub fn pod_volume_name(errors: &mut ErrorList, at: &Path, volume: &str, own: &ISCSIVolumeSource) {
    if is_too_long(volume, &own.target_portal, own.initiator_name.as_ref()) {
        errors.push(FieldError::invalid(at, volume, TOO_LONG));
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
