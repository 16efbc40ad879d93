//! Nodes that have the pod's images already are better, the more so the more nodes have them.

use api_types::core::v1::Pod;

use crate::MAX;

const MIN_BYTES: i64 = 23 << 20;
const MAX_BYTES_PER_IMAGE: i64 = 1000 << 20;

/// The normalised names of all images that a pod uses, one entry for each use.
pub fn images(pod: &Pod) -> Vec<String> {
    let containers = pod.spec.init_containers.iter().chain(pod.spec.containers.iter());
    let volumes = pod.spec.volumes.iter().filter_map(|volume| volume.volume_source.image.as_ref());
    containers
        .map(|container| normalized(&container.image))
        .chain(volumes.map(|image| normalized(&image.reference)))
        .collect()
}

/// The name with the tag `latest` if it has none.
pub fn normalized(name: &str) -> String {
    if name.rfind(':').is_none_or(|colon| name.rfind('/').is_some_and(|slash| colon <= slash)) {
        format!("{name}:latest")
    } else {
        name.to_owned()
    }
}

/// What one image on a node is worth: its size, scaled by the share of nodes that have it.
pub fn worth(size_bytes: i64, nodes_with: usize, nodes: usize) -> i64 {
    (size_bytes as f64 * (nodes_with as f64 / nodes as f64)) as i64
}

/// The score of a node whose images are worth `sum` to a pod that uses `uses` images.
pub fn score(sum: i64, uses: usize) -> i64 {
    let most = MAX_BYTES_PER_IMAGE * uses as i64;
    if most <= MIN_BYTES {
        return 0;
    }
    MAX * (sum.clamp(MIN_BYTES, most) - MIN_BYTES) / (most - MIN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_get_a_tag() {
        for (name, expected) in [
            ("nginx", "nginx:latest"),
            ("nginx:1", "nginx:1"),
            ("r.io:5000/nginx", "r.io:5000/nginx:latest"),
            ("r.io:5000/nginx@sha256:00", "r.io:5000/nginx@sha256:00"),
        ] {
            assert_eq!(normalized(name), expected);
        }
    }

    #[test]
    fn large_and_widespread_images_count() {
        assert_eq!(score(worth(40 << 20, 1, 2), 1), 0);
        assert_eq!(score(worth(250 << 20, 1, 2), 1), 10);
        assert_eq!(score(worth(4 << 30, 2, 2), 1), 100);
        assert_eq!(score(0, 0), 0);
    }
}
