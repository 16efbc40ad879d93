//! Which types are generated: those that the served kinds reach, their lists, and the types of options and answers.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};

/// A kind by its group, version and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    pub group: String,
    pub version: String,
    pub name: String,
}

impl Kind {
    fn of(group: &str, version: &str, name: &str) -> Kind {
        Kind { group: group.into(), version: version.into(), name: name.into() }
    }

    /// The import path of the Go package that declares it.
    pub fn import(&self) -> String {
        let version = &self.version;
        match self.group.as_str() {
            "" => format!("k8s.io/api/core/{version}"),
            "meta.k8s.io" => format!("k8s.io/apimachinery/pkg/apis/meta/{version}"),
            "apiextensions.k8s.io" => {
                format!("k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/{version}")
            }
            "apiregistration.k8s.io" => format!("k8s.io/kube-aggregator/pkg/apis/apiregistration/{version}"),
            "metrics.k8s.io" => format!("k8s.io/metrics/pkg/apis/metrics/{version}"),
            "internal.apiserver.k8s.io" => format!("k8s.io/api/apiserverinternal/{version}"),
            group => format!("k8s.io/api/{}/{version}", group.split('.').next().unwrap_or(group)),
        }
    }
}

/// Types that no row of the table names: what requests and answers are made of.
const OTHERS: &[(&str, &str, &[&str])] = &[
    (
        "meta.k8s.io",
        "v1",
        &[
            "APIGroup",
            "APIGroupList",
            "APIResourceList",
            "APIVersions",
            "CreateOptions",
            "DeleteOptions",
            "GetOptions",
            "LabelSelector",
            "List",
            "ListOptions",
            "PartialObjectMetadata",
            "PartialObjectMetadataList",
            "PatchOptions",
            "Status",
            "TableOptions",
            "UpdateOptions",
            "WatchEvent",
        ],
    ),
    (
        "",
        "v1",
        &[
            "NodeProxyOptions",
            "PodAttachOptions",
            "PodExecOptions",
            "PodLogOptions",
            "PodPortForwardOptions",
            "PodProxyOptions",
            "RangeAllocation",
            "SerializedReference",
            "ServiceProxyOptions",
        ],
    ),
    ("admission.k8s.io", "v1", &["AdmissionReview"]),
    ("apidiscovery.k8s.io", "v2", &["APIGroupDiscovery", "APIGroupDiscoveryList"]),
    ("authentication.k8s.io", "v1", &["TokenRequest"]),
    ("autoscaling", "v1", &["Scale"]),
    ("metrics.k8s.io", "v1beta1", &["NodeMetrics", "NodeMetricsList", "PodMetrics", "PodMetricsList"]),
    ("policy", "v1", &["Eviction"]),
];

/// The kinds of the table of built-in resources, their lists, and the other types.
pub fn read(table: &Path) -> Result<Vec<Kind>> {
    let text = std::fs::read_to_string(table).with_context(|| format!("reading {}", table.display()))?;
    let mut kinds = BTreeSet::new();
    for row in text.lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        let (kind, group, version, verbs) = (cells[1], cells[2], cells[3], cells[6]);
        kinds.insert(Kind::of(group, version, kind));
        if verbs.split(',').any(|verb| verb == "list") {
            kinds.insert(Kind::of(group, version, &format!("{kind}List")));
        }
    }
    for (group, version, names) in OTHERS {
        kinds.extend(names.iter().map(|name| Kind::of(group, version, name)));
    }
    Ok(kinds.into_iter().collect())
}
