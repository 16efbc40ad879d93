//! Which types are generated: those that the served kinds reach, their lists, and the types of options and answers.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};

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
    ("policy", "v1", &["Eviction"]),
];

/// A row of the table of built-in resources.
pub struct Resource {
    pub plural: String,
    pub kind: Kind,
    pub namespaced: bool,
    /// Each with its verbs.
    pub subresources: Vec<(String, Vec<String>)>,
    pub verbs: Vec<String>,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub stage: String,
    pub served: bool,
}

/// What metrics-server serves elsewhere, in the form of the table, which is of what upstream's API server serves itself.
const METRICS: [&str; 2] = [
    "nodes\tNodeMetrics\tmetrics.k8s.io\tv1beta1\tfalse\t\tget,list\t\t\tbeta\ton",
    "pods\tPodMetrics\tmetrics.k8s.io\tv1beta1\ttrue\t\tget,list\t\t\tbeta\ton",
];

/// Reads the table of built-in resources.
pub fn resources(table: &Path) -> Result<Vec<Resource>> {
    let text = std::fs::read_to_string(table).with_context(|| format!("reading {}", table.display()))?;
    text.lines().skip(1).chain(METRICS).map(resource).collect()
}

fn resource(row: &str) -> Result<Resource> {
    let cells: Vec<&str> = row.split('\t').collect();
    let [
        plural,
        kind,
        group,
        version,
        namespaced,
        subresources,
        verbs,
        short_names,
        categories,
        stage,
        served,
    ] = cells[..]
    else {
        bail!("a row of {} cells: {row}", cells.len());
    };
    let words = |cell: &str| -> Vec<String> {
        cell.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let subresources = subresources.split(';').filter(|cell| !cell.is_empty()).map(|cell| {
        let (name, verbs) =
            cell.split_once('(').with_context(|| format!("a subresource without verbs: {cell}"))?;
        Ok((name.to_owned(), words(verbs.trim_end_matches(')'))))
    });
    Ok(Resource {
        plural: plural.to_owned(),
        kind: Kind::of(group, version, kind),
        namespaced: namespaced == "true",
        subresources: subresources.collect::<Result<_>>()?,
        verbs: words(verbs),
        short_names: words(short_names),
        categories: words(categories),
        stage: stage.to_owned(),
        served: served == "on",
    })
}

/// The kinds of the table of built-in resources, their lists, and the other types.
pub fn kinds(resources: &[Resource]) -> Vec<Kind> {
    let mut kinds = BTreeSet::new();
    for Resource { kind, verbs, .. } in resources {
        kinds.insert(kind.clone());
        if verbs.iter().any(|verb| verb == "list") {
            kinds.insert(Kind::of(&kind.group, &kind.version, &format!("{}List", kind.name)));
        }
    }
    for (group, version, names) in OTHERS {
        kinds.extend(names.iter().map(|name| Kind::of(group, version, name)));
    }
    kinds.into_iter().collect()
}
