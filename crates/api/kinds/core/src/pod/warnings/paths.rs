//! Files of a volume that are to lie at the same path, or one below the other.

use api_meta::quote::go;
use api_types::core::v1::{DownwardAPIVolumeFile, KeyToPath, Volume, VolumeProjection};

#[derive(Clone, PartialEq)]
struct Place {
    path: String,
    source: String,
}

impl Place {
    fn shown(&self) -> String {
        let path = go(&self.path);
        if self.source.is_empty() { path } else { format!("{path} ({})", self.source) }
    }

    fn meets(&self, other: &Place) -> bool {
        let (own, others) = (format!("{}/", self.path), format!("{}/", other.path));
        own.starts_with(&others) || others.starts_with(&own)
    }
}

fn place(path: &str, source: &str) -> Place {
    Place { path: path.trim_end_matches('/').to_owned(), source: source.to_owned() }
}

fn items(items: &[KeyToPath], source: &str) -> Vec<Place> {
    items.iter().map(|item| place(&item.path, source)).collect()
}

fn files(files: &[DownwardAPIVolumeFile], source: &str) -> Vec<Place> {
    files.iter().map(|file| place(&file.path, source)).collect()
}

pub(super) fn overlapping(out: &mut Vec<String>, volumes: &[Volume]) {
    for volume in volumes {
        let (name, source) = (go(&volume.name), &volume.volume_source);
        if let Some(map) = &source.config_map {
            let what = format!("ConfigMap {}", go(&map.local_object_reference.name));
            report(out, &name, &what, items(&map.items, ""));
        }
        if let Some(secret) = &source.secret {
            report(out, &name, &format!("Secret {}", go(&secret.secret_name)), items(&secret.items, ""));
        }
        if let Some(downward) = &source.downward_api {
            report(out, &name, "DownwardAPI", files(&downward.items, ""));
        }
        if let Some(projected) = &source.projected {
            let mut places = Vec::new();
            for source in projected.sources.iter() {
                if *source == VolumeProjection::default() {
                    out.push(format!("volume {name} (Projected) has no sources provided"));
                } else {
                    places.extend(projection(source));
                }
            }
            report(out, &name, "Projected", places);
        }
    }
}

fn projection(source: &VolumeProjection) -> Vec<Place> {
    if let Some(map) = source.config_map.as_ref().filter(|map| !map.items.is_empty()) {
        items(&map.items, &format!("ConfigMap {}", go(&map.local_object_reference.name)))
    } else if let Some(secret) = source.secret.as_ref().filter(|secret| !secret.items.is_empty()) {
        items(&secret.items, &format!("Secret {}", go(&secret.local_object_reference.name)))
    } else if let Some(downward) = source.downward_api.as_ref().filter(|one| !one.items.is_empty()) {
        files(&downward.items, "DownwardAPI")
    } else if let Some(token) = &source.service_account_token {
        vec![place(&token.path, "ServiceAccountToken")]
    } else if let Some(bundle) = &source.cluster_trust_bundle {
        let name = bundle.name.as_deref().or(bundle.signer_name.as_deref()).unwrap_or_default();
        vec![place(&bundle.path, &format!("ClusterTrustBundle {}", go(name)))]
    } else if let Some(certificate) = &source.pod_certificate {
        let paths = [
            (&certificate.certificate_chain_path, "PodCertificate chain"),
            (&certificate.key_path, "PodCertificate key"),
            (&certificate.credential_bundle_path, "PodCertificate credential bundle"),
        ];
        let given = paths.into_iter().filter(|(path, _)| !path.is_empty());
        given.map(|(path, source)| place(path, source)).collect()
    } else {
        Vec::new()
    }
}

fn report(out: &mut Vec<String>, volume: &str, what: &str, places: Vec<Place>) {
    for (index, place) in places.iter().enumerate().filter(|(_, place)| !place.path.is_empty()) {
        let others = places[..index].iter().filter(|other| !other.path.is_empty() && other.meets(place));
        for other in others {
            out.push(format!(
                "volume {volume} ({what}): overlapping paths: {} with {}",
                place.shown(),
                other.shown()
            ));
        }
    }
}
