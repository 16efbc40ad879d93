//! The trust anchors that a volume shows, of one bundle or of a signer's. Pure.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};

use api_meta::labels::Selector;
use api_types::certificates::v1::ClusterTrustBundle;
use api_types::core::v1::ClusterTrustBundleProjection;

use crate::payload::PayloadError;

/// The anchors that a projection asks for, as PEM without anything between them, each once. They are in an order that says nothing and
/// that another `seed` changes, so that nobody comes to depend on one, as with kubelet, which draws it anew at each start.
///
/// # Errors
/// When the bundle is not there, or the signer has none, and it is not optional.
pub fn anchors<'a>(
    wanted: &ClusterTrustBundleProjection,
    bundles: impl Iterator<Item = &'a ClusterTrustBundle>,
    seed: u64,
) -> Result<Vec<u8>, PayloadError> {
    let (selected, missing) = match (&wanted.name, &wanted.signer_name) {
        (Some(name), _) => {
            let named = bundles.filter(|bundle| bundle.metadata.name == *name).collect::<Vec<_>>();
            (named, PayloadError::NoTrustBundle(name.clone()))
        }
        (None, Some(signer)) => {
            // No selector selects nothing, an empty one everything.
            let selector = Selector::from_api(wanted.label_selector.as_deref())
                .map_err(|error| PayloadError::BadSelector(error.to_string()))?;
            let of_signer = bundles.filter(|bundle| {
                bundle.spec.signer_name == *signer && selector.matches(&bundle.metadata.labels)
            });
            (of_signer.collect(), PayloadError::NoTrustBundles)
        }
        (None, None) => return Err(PayloadError::NamelessTrustBundle),
    };
    match selected.is_empty() && wanted.optional != Some(true) {
        true => Err(missing),
        false => Ok(merged(&selected, seed)),
    }
}

fn merged(bundles: &[&ClusterTrustBundle], seed: u64) -> Vec<u8> {
    let anchors = bundles.iter().flat_map(|bundle| parsed(&bundle.spec.trust_bundle));
    let ordered: BTreeSet<(u64, Vec<u8>)> = anchors.map(|anchor| (place(&anchor, seed), anchor)).collect();
    encoded(ordered.into_iter().map(|(_, anchor)| anchor)).into_bytes()
}

/// The contents of the blocks of a PEM text that the API has let in; what is no block is passed over there, too.
pub(crate) fn parsed(text: &str) -> impl Iterator<Item = Vec<u8>> + use<> {
    pem::parse_many(text).unwrap_or_default().into_iter().map(pem::Pem::into_contents)
}

/// Certificates as PEM, with nothing between them.
pub(crate) fn encoded(certificates: impl IntoIterator<Item = Vec<u8>>) -> String {
    let ending = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    let text = |bytes| pem::encode_config(&pem::Pem::new("CERTIFICATE", bytes), ending);
    certificates.into_iter().map(text).collect()
}

fn place(bytes: &[u8], seed: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(seed);
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use api_types::meta::v1::LabelSelector;

    use super::*;

    fn block(content: &[u8]) -> String {
        encoded([content.to_vec()])
    }

    fn bundle(name: &str, signer: &str, label: &str, text: &str) -> ClusterTrustBundle {
        let mut bundle = ClusterTrustBundle::default();
        bundle.metadata.name = name.to_owned();
        bundle.metadata.labels.insert("alive".to_owned(), label.to_owned());
        bundle.spec.signer_name = signer.to_owned();
        bundle.spec.trust_bundle = text.to_owned();
        bundle
    }

    fn by_signer(signer: &str, labels: Option<&[(&str, &str)]>) -> ClusterTrustBundleProjection {
        let selector = labels.map(|labels| {
            let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            Box::new(LabelSelector { match_labels: labels.collect(), ..LabelSelector::default() })
        });
        ClusterTrustBundleProjection {
            signer_name: Some(signer.to_owned()),
            label_selector: selector,
            ..ClusterTrustBundleProjection::default()
        }
    }

    fn sorted(found: Vec<u8>) -> Vec<String> {
        let text = String::from_utf8(found).unwrap();
        let mut blocks: Vec<String> =
            pem::parse_many(&text).unwrap().iter().map(|one| block(one.contents())).collect();
        assert_eq!(blocks.concat(), text, "nothing but blocks");
        blocks.sort();
        blocks
    }

    #[test]
    fn anchors_are_one_bundles_or_a_signers() {
        let (one, two, three) = (block(b"one"), block(b"two"), block(b"three"));
        let bundles = [
            bundle("nobody", "", "true", &format!("words before\n{one}and between\n{two}")),
            bundle("a.b:c:1", "a.b/c", "true", &one),
            bundle("a.b:c:2", "a.b/c", "false", &format!("{three}{one}")),
            bundle("a.b:d:1", "a.b/d", "true", &two),
        ];
        let named = |name: &str| ClusterTrustBundleProjection {
            name: Some(name.to_owned()),
            ..ClusterTrustBundleProjection::default()
        };
        for (wanted, expected) in [
            (named("nobody"), Ok(vec![&one, &two])),
            (
                named("gone"),
                Err(
                    "while getting ClusterTrustBundle: clustertrustbundle.certificates.k8s.io \"gone\" not found",
                ),
            ),
            (by_signer("a.b/c", Some(&[("alive", "true")])), Ok(vec![&one])),
            (by_signer("a.b/c", Some(&[])), Ok(vec![&one, &three])),
            (
                by_signer("a.b/c", None),
                Err("combination of signerName and labelSelector matched zero ClusterTrustBundles"),
            ),
            (
                ClusterTrustBundleProjection::default(),
                Err("ClusterTrustBundle projection requires either name or signerName to be set"),
            ),
        ] {
            let found = anchors(&wanted, bundles.iter(), 1).map(sorted).map_err(|error| error.to_string());
            let mut expected = expected.map(|blocks| blocks.into_iter().cloned().collect::<Vec<_>>());
            if let Ok(blocks) = &mut expected {
                blocks.sort();
            }
            assert_eq!(found, expected.map_err(str::to_owned));
            let lenient = ClusterTrustBundleProjection { optional: Some(true), ..wanted };
            if found.is_err() && (lenient.name.is_some() || lenient.signer_name.is_some()) {
                assert_eq!(anchors(&lenient, bundles.iter(), 1), Ok(Vec::new()));
            }
        }
    }

    #[test]
    fn their_order_holds_until_the_seed_is_another() {
        let text: String = (0..20_u8).map(|number| block(&[number])).collect();
        let bundles = [bundle("a", "", "", &text)];
        let wanted = ClusterTrustBundleProjection { name: Some("a".to_owned()), ..Default::default() };
        let found = |seed| anchors(&wanted, bundles.iter(), seed).unwrap();
        assert_eq!(found(1), found(1));
        assert_ne!(found(1), found(2));
        assert_eq!(sorted(found(1)), sorted(found(2)));
    }
}
