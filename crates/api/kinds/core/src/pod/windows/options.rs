//! The options that a security context has for Windows alone: whose credentials a process gets, and as whom it runs.

use api_kind::checks::each;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::core::v1::WindowsSecurityContextOptions;

const CREDENTIAL_KIB: usize = 64;
/// The first length of a domain that is too long.
const DOMAIN_BYTES: usize = 256;
const USER_BYTES: usize = 104;
const NOT_IN_USERS: &[char] =
    &['"', '/', '\\', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '[', ']'];
const NOT_IN_NETBIOS: &[char] = &['\\', '/', ':', '*', '?', '"', '<', '>', '|'];

/// Checks the options.
pub fn check(errors: &mut ErrorList, path: &Path, options: Option<&WindowsSecurityContextOptions>) {
    let Some(options) = options else { return };
    if let Some(name) = &options.gmsa_credential_spec_name {
        each(errors, &path.child("gmsaCredentialSpecName"), name, names::is_dns1123_subdomain(name));
    }
    if let Some(text) = &options.gmsa_credential_spec {
        let at = path.child("gmsaCredentialSpec");
        if text.is_empty() {
            let why = "gmsaCredentialSpec cannot be an empty string";
            errors.push(FieldError::invalid(&at, text, why));
        } else if text.len() > CREDENTIAL_KIB * 1024 {
            let why = format!("gmsaCredentialSpec size must be under {CREDENTIAL_KIB} KiB");
            errors.push(FieldError::invalid(&at, text, why));
        }
    }
    if let Some(name) = &options.run_as_user_name {
        let faults = faults(name).into_iter().map(|fault| format!("runAsUserName{fault}")).collect();
        each(errors, &path.child("runAsUserName"), name, faults);
    }
}

/// What is wrong with a user's name, which may have a domain before it: what follows the field's name in upstream's messages.
fn faults(name: &str) -> Vec<String> {
    if name.is_empty() {
        return vec![" cannot be an empty string".into()];
    }
    if name.contains(|c: char| c.is_ascii_control()) {
        return vec![" cannot contain control characters".into()];
    }
    let (domain, user) = match name.split_once('\\') {
        None => (None, name),
        Some((_, user)) if user.contains('\\') => {
            return vec![" cannot contain more than one backslash".into()];
        }
        Some((domain, user)) => (Some(domain), user),
    };
    let mut faults = Vec::new();
    if domain.is_some_and(|domain| domain.len() >= DOMAIN_BYTES) {
        faults.push(format!("'s Domain length must be under {DOMAIN_BYTES} characters"));
    }
    if domain.is_some_and(|domain| !is_netbios(domain) && !is_dns(domain)) {
        faults.push("'s Domain doesn't match the NetBios nor the DNS format".into());
    }
    if user.is_empty() {
        faults.push("'s User cannot be empty".into());
    } else if user.len() > USER_BYTES {
        faults.push(format!("'s User length must not be longer than {USER_BYTES} characters"));
    }
    if !user.is_empty() && user.chars().all(|c| matches!(c, '.' | ' ')) {
        faults.push("'s User cannot contain only periods or spaces".into());
    }
    if user.contains(NOT_IN_USERS) {
        faults.push("'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]".into());
    }
    faults
}

fn is_netbios(domain: &str) -> bool {
    (1..=15).contains(&domain.chars().count()) && !domain.starts_with('.') && !domain.contains(NOT_IN_NETBIOS)
}

/// Looser than the names of objects: letters may be large.
fn is_dns(domain: &str) -> bool {
    domain.split('.').all(|label| {
        let edges = [label.bytes().next(), label.bytes().last()];
        (1..=63).contains(&label.len())
            && edges.into_iter().flatten().all(|b| b.is_ascii_alphanumeric())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    })
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::faults;
    use crate::pod::KIND;

    #[test]
    fn a_users_name_may_have_a_domain() {
        let long = "a".repeat(256);
        for (name, expected) in [
            ("ContainerAdministrator", &[][..]),
            ("NT AUTHORITY\\NETWORK SERVICE", &[]),
            ("Example.COM\\user", &[]),
            ("", &[" cannot be an empty string"]),
            ("a\tb", &[" cannot contain control characters"]),
            ("a\\b\\c", &[" cannot contain more than one backslash"]),
            (
                &format!("{long}\\u"),
                &[
                    "'s Domain length must be under 256 characters",
                    "'s Domain doesn't match the NetBios nor the DNS format",
                ],
            ),
            ("\\u", &["'s Domain doesn't match the NetBios nor the DNS format"]),
            (".a\\u", &["'s Domain doesn't match the NetBios nor the DNS format"]),
            ("d\\", &["'s User cannot be empty"]),
            (". .", &["'s User cannot contain only periods or spaces"]),
            ("a@b", &["'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]"]),
            (&long[..105], &["'s User length must not be longer than 104 characters"]),
        ] {
            assert_eq!(faults(name), expected, "{name}");
        }
    }

    #[test]
    fn the_options_of_pods_and_of_containers_are_held_to_the_same() {
        let options =
            "windowsOptions: {gmsaCredentialSpecName: A, gmsaCredentialSpec: '', runAsUserName: ''}";
        let made = create(
            &KIND,
            &format!(
                "spec: {{securityContext: {{{options}}}, containers: [{{name: c, image: i, securityContext: {{{options}}}}}]}}"
            ),
        );
        let of = |place: &str| {
            let at = format!("{place}securityContext.windowsOptions");
            [
                format!(
                    "{at}.gmsaCredentialSpecName: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                ),
                format!(
                    "{at}.gmsaCredentialSpec: Invalid value: \"\": gmsaCredentialSpec cannot be an empty string"
                ),
                format!("{at}.runAsUserName: Invalid value: \"\": runAsUserName cannot be an empty string"),
            ]
        };
        assert_eq!(made.errors, [of("spec.containers[0]."), of("spec.")].concat());
    }
}
