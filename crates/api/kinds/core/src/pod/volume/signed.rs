//! Projections of what signers give: trust bundles, and certificates of the pod's own.

use std::collections::BTreeSet;

use api_kind::checks::{required, shown, supported};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::{SelectorLeniency, validate_label_selector};
use api_types::core::v1::{ClusterTrustBundleProjection, PodCertificateProjection};

use super::non_reserved_path;
use crate::signer_name;

const KEY_TYPES: &[&str] = &["RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"];

pub(super) fn trust_bundle(errors: &mut ErrorList, at: &Path, bundle: &ClusterTrustBundleProjection) {
    match (&bundle.name, &bundle.signer_name) {
        (Some(_), Some(_)) => {
            let why = "only one of name and signerName may be used";
            errors.push(FieldError::invalid(at, shown(bundle), why));
        }
        (None, None) => {
            errors.push(FieldError::required(at, "either name or signerName must be specified"));
        }
        (Some(name), None) => {
            let place = at.child("name");
            if name.is_empty() {
                errors.push(FieldError::required(&place, "must be a valid object name"));
            }
            for message in signer_name::bundle_name_faults(&signer_name::of_bundle(name), name, false) {
                let why = format!("not a valid clustertrustbundlename: {message}");
                errors.push(FieldError::invalid(&place, name, why));
            }
            if let Some(selector) = &bundle.label_selector {
                let why = "labelSelector must be unset if name is specified";
                errors.push(FieldError::invalid(&at.child("labelSelector"), shown(&**selector), why));
            }
        }
        (None, Some(signer)) => {
            let place = at.child("signerName");
            if signer.is_empty() {
                errors.push(FieldError::required(&place, "must be a valid signer name"));
            }
            signer_name::check(errors, &place, signer);
            let (selector, leniency) = (bundle.label_selector.as_deref(), SelectorLeniency::default());
            errors.extend(validate_label_selector(selector, leniency, &at.child("labelSelector")));
        }
    }
    if required(errors, &at.child("path"), &bundle.path) {
        non_reserved_path(errors, &at.child("path"), &bundle.path);
    }
}

pub(super) fn certificate<'a>(
    errors: &mut ErrorList,
    volume: &Path,
    at: &Path,
    wanted: &'a PodCertificateProjection,
    paths: &mut BTreeSet<&'a str>,
) {
    signer_name::check(errors, &at.child("signerName"), &wanted.signer_name);
    signer_name::annotations(errors, &at.child("userAnnotations"), &wanted.user_annotations);
    supported(errors, &at.child("keyType"), &wanted.key_type, KEY_TYPES);
    if let Some(seconds) = wanted.max_expiration_seconds {
        let place = at.child("maxExpirationSeconds");
        let (least, most) = (signer_name::LEAST_SECONDS, signer_name::most_seconds(&wanted.signer_name));
        if seconds < least {
            let why = format!("if provided, maxExpirationSeconds must be >= {least}");
            errors.push(FieldError::invalid(&place, seconds, why));
        }
        if seconds > most {
            let why = format!("if provided, maxExpirationSeconds must be <= {most}");
            errors.push(FieldError::invalid(&place, seconds, why));
        }
    }
    let given = [
        ("credentialBundlePath", &wanted.credential_bundle_path),
        ("keyPath", &wanted.key_path),
        ("certificateChainPath", &wanted.certificate_chain_path),
    ];
    if given.iter().all(|(_, path)| path.is_empty()) {
        let why = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath";
        errors.push(FieldError::required(at, why));
    }
    for (name, path) in given.into_iter().filter(|(_, path)| !path.is_empty()) {
        non_reserved_path(errors, &at.child(name), path);
        if !paths.insert(path) {
            errors.push(FieldError::invalid(volume, path, "conflicting duplicate paths"));
        }
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use crate::pod::KIND;

    const AT: &str = "spec.volumes[0].projected.sources[0]";

    fn errors(source: &str) -> Vec<String> {
        let spec = format!(
            "spec: {{volumes: [{{name: v, projected: {{sources: [{source}]}}}}], containers: [{{name: c, image: i}}]}}"
        );
        let place = |error: &str| error.strip_prefix(AT).map(ToOwned::to_owned);
        create(&KIND, &spec)
            .errors
            .iter()
            .map(|error| place(error).unwrap_or_else(|| error.clone()))
            .collect()
    }

    #[test]
    fn a_trust_bundle_is_one_or_a_signers() {
        for (bundle, expected) in [
            ("name: a.b, path: p", None),
            ("name: 'a.b:c:d', path: p", None),
            ("signerName: a.b/c, labelSelector: {matchLabels: {app: web}}, path: p", None),
            ("signerName: a.b/c, path: p", None),
            ("path: p", Some(": Required value: either name or signerName must be specified")),
            ("name: '', path: p", Some(".name: Required value: must be a valid object name")),
            (
                "name: 'a.b:C', path: p",
                Some(
                    ".name: Invalid value: \"a.b:C\": not a valid clustertrustbundlename: a lowercase RFC 1123 subdomain",
                ),
            ),
            (
                "name: a, labelSelector: {}, path: p",
                Some(".labelSelector: Invalid value: {}: labelSelector must be unset if name is specified"),
            ),
            (
                "signerName: a, path: p",
                Some(
                    ".signerName: Invalid value: \"a\": must be a fully qualified domain and path of the form 'example.com/signer-name'",
                ),
            ),
            (
                "signerName: a.b/c, labelSelector: {matchExpressions: [{key: x, operator: In}]}, path: p",
                Some(".labelSelector.matchExpressions[0].values: Required value"),
            ),
            ("name: a", Some(".path: Required value")),
        ] {
            let found = errors(&format!("{{clusterTrustBundle: {{{bundle}}}}}"));
            match expected {
                None => assert_eq!(found, [""; 0], "{bundle}"),
                Some(start) => {
                    let whole = format!(".clusterTrustBundle{start}");
                    assert!(
                        found.first().is_some_and(|error| error.starts_with(&whole)),
                        "{bundle}: {found:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_certificate_says_of_whom_it_is_for_how_long_and_where_it_goes() {
        const GOOD: &str = "signerName: a.b/c, keyType: ED25519";
        for (certificate, expected) in [
            (format!("{GOOD}, credentialBundlePath: p, maxExpirationSeconds: 3600"), &[][..]),
            (format!("{GOOD}, keyPath: k, certificateChainPath: c, userAnnotations: {{a.b/c: d}}"), &[]),
            (
                GOOD.to_owned(),
                &[
                    ": Required value: specify at least one of credentialBundlePath, keyPath, and certificateChainPath",
                ],
            ),
            (
                format!("{GOOD}, keyPath: k, maxExpirationSeconds: 3599"),
                &[
                    ".maxExpirationSeconds: Invalid value: 3599: if provided, maxExpirationSeconds must be >= 3600",
                ],
            ),
            (
                format!("{GOOD}, keyPath: k, maxExpirationSeconds: 7862401"),
                &[
                    ".maxExpirationSeconds: Invalid value: 7862401: if provided, maxExpirationSeconds must be <= 7862400",
                ],
            ),
            (
                "signerName: kubernetes.io/x, keyType: ED25519, keyPath: k, maxExpirationSeconds: 86401"
                    .to_owned(),
                &[
                    ".maxExpirationSeconds: Invalid value: 86401: if provided, maxExpirationSeconds must be <= 86400",
                ],
            ),
            (
                "signerName: a.b/c, keyType: DSA, keyPath: ../k".to_owned(),
                &[
                    ".keyType: Unsupported value: \"DSA\": supported values: \"RSA3072\", \"RSA4096\", \"ECDSAP256\", \"ECDSAP384\", \"ECDSAP521\", \"ED25519\"",
                    ".keyPath: Invalid value: \"../k\": must not contain '..'",
                ],
            ),
        ] {
            let found = errors(&format!("{{podCertificate: {{{certificate}}}}}"));
            let expected: Vec<String> =
                expected.iter().map(|error| format!(".podCertificate{error}")).collect();
            assert_eq!(found, expected, "{certificate}");
        }
        let twice = format!("{{podCertificate: {{{GOOD}, keyPath: k, certificateChainPath: k}}}}");
        assert_eq!(
            errors(&twice),
            ["spec.volumes[0].projected: Invalid value: \"k\": conflicting duplicate paths"]
        );
    }
}
