//! Trust anchors for the whole cluster, of a signer or of nobody in particular.

use std::collections::BTreeMap;

use api_kind::checks::immutable;
use api_kind::{Column, Ctx, Kind, structural};
use api_kinds_core::signer_name::{self, bundle_name_faults};
use api_meta::field::{ErrorList, FieldError, Path};
use api_types::certificates::v1::ClusterTrustBundle;
use api_types::certificates::v1beta1;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

const BUNDLE_BYTES: usize = 1 << 20;

/// The row.
pub const KIND: Kind<ClusterTrustBundle> =
    Kind::<ClusterTrustBundle>::of("certificates.k8s.io", "v1", "clustertrustbundles")
        .versions(&[structural::<v1beta1::ClusterTrustBundle, ClusterTrustBundle>(
            "certificates.k8s.io",
            "v1beta1",
        )])
        .conditional_update()
        // What a name must be depends on the signer.
        .name(|_, _| Vec::new())
        .validate(validate)
        .columns(&[
            Column::<ClusterTrustBundle>::name(),
            Column::<ClusterTrustBundle>::text(
                "SignerName",
                "signerName indicates the associated signer, if any.",
                |own, _| {
                    if own.spec.signer_name.is_empty() {
                        "<none>".into()
                    } else {
                        own.spec.signer_name.as_str().into()
                    }
                },
            ),
        ])
        .selectable(&[("spec.signerName", |own| own.spec.signer_name.as_str().into())]);

fn validate(_: &Ctx<'_>, own: &ClusterTrustBundle, old: Option<&ClusterTrustBundle>, errors: &mut ErrorList) {
    let (meta, path, signer) = (&own.metadata, Path::new("spec"), own.spec.signer_name.as_str());
    if !meta.generate_name.is_empty() {
        let at = Path::new("metadata").child("generateName");
        errors.extend(ErrorList::invalid(
            &at,
            &meta.generate_name,
            bundle_name_faults(signer, &meta.generate_name, true),
        ));
    }
    if !meta.name.is_empty() {
        let at = Path::new("metadata").child("name");
        errors.extend(ErrorList::invalid(&at, &meta.name, bundle_name_faults(signer, &meta.name, false)));
    }
    let at = path.child("signerName");
    if !signer.is_empty() {
        signer_name::check(errors, &at, signer);
    }
    let bundle = own.spec.trust_bundle.as_str();
    if old.is_none_or(|old| old.spec.trust_bundle != bundle) {
        anchors(errors, &path.child("trustBundle"), bundle);
    }
    if let Some(old) = old {
        immutable(errors, &at, signer == old.spec.signer_name, signer);
    }
}

/// PEM blocks, each a certificate of an authority, and none twice.
fn anchors(errors: &mut ErrorList, path: &Path, text: &str) {
    if text.len() > BUNDLE_BYTES {
        errors.push(FieldError::too_long(path, BUNDLE_BYTES));
        return;
    }
    let mut faults = Vec::new();
    let mut places = BTreeMap::<Vec<u8>, Vec<usize>>::new();
    // What is no block is passed over.
    for (index, block) in pem::parse_many(text).unwrap_or_default().into_iter().enumerate() {
        match fault(&block) {
            Some(fault) => faults.push(format!("entry {index} {fault}")),
            None => places.entry(block.into_contents()).or_default().push(index),
        }
    }
    if faults.is_empty() && places.is_empty() {
        faults.push("at least one trust anchor must be provided".to_owned());
    } else if faults.is_empty() {
        for indices in places.values().filter(|indices| indices.len() > 1) {
            let indices: Vec<String> = indices.iter().map(usize::to_string).collect();
            faults.push(format!("duplicate trust anchor (indices [{}])", indices.join(" ")));
        }
    }
    errors.extend(ErrorList::invalid(path, "<value omitted>", faults));
}

fn fault(block: &pem::Pem) -> Option<String> {
    if block.tag() != "CERTIFICATE" {
        return Some(format!("has bad block type: {}", block.tag()));
    }
    if block.headers().iter().next().is_some() {
        return Some("has PEM block headers".to_owned());
    }
    match X509Certificate::from_der(block.contents()) {
        Ok(([], certificate)) if certificate.is_ca() => None,
        Ok(([], _)) => Some("does not have the CA bit set".to_owned()),
        _ => Some("does not parse as X.509".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn names_go_with_signers_and_anchors_are_certificates() {
        assert_eq!(
            create(&KIND, "spec: {signerName: a.b/c}").errors,
            [
                "metadata.name: Invalid value: \"x\": ClusterTrustBundle for signerName a.b/c must be named with prefix a.b:c:",
                "spec.trustBundle: Invalid value: \"<value omitted>\": at least one trust anchor must be provided",
            ]
        );
        let own = "{metadata: {name: 'a.b:c:x'}, spec: {signerName: a.b/c, trustBundle: \"-----BEGIN CERTIFICATE-----\\nYQ==\\n-----END CERTIFICATE-----\\n\"}}";
        let made = create(&KIND, own);
        assert_eq!(
            made.errors,
            ["spec.trustBundle: Invalid value: \"<value omitted>\": entry 0 does not parse as X.509"]
        );
        assert_eq!(made.cells(&KIND), "a.b:c:x|a.b/c");
        // What is stored is not parsed again.
        assert_eq!(update(&KIND, "", own, own).errors, [""; 0]);
    }
}
