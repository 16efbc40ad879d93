//! Values of scalars: likely ones, by the field's name, and odd ones.

use api_record::Shape;
use serde_json::{Value, json};

use super::Dice;

const ODD: [&str; 16] = [
    "",
    "a",
    "<&>",
    "é\u{2028}",
    "line\nline\n",
    " ",
    "yes",
    "0644",
    "null",
    "1e3",
    "\"\\",
    "-bad-",
    "Bad_Value!",
    "a/b/c",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "x.y.z",
];

/// Likely texts by how a field's name ends; the first that fits counts.
const TEXTS: &[(&str, &[&str])] = &[
    ("apiversion", &["v1", "apps/v1"]),
    ("apigroup", &["", "apps", "rbac.authorization.k8s.io"]),
    ("apigroups", &["", "apps", "*"]),
    ("kind", &["Pod", "Deployment", "ConfigMap", "User", "Group", "ServiceAccount", "Role", "ClusterRole"]),
    ("namespace", &["default", "kube-system"]),
    ("namespaces", &["default", "kube-system"]),
    (
        "image",
        &[
            "nginx",
            "nginx:latest",
            "nginx:1.29",
            "a.example:5000/b/c@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ],
    ),
    ("hostip", &["10.0.0.1", "127.0.0.1", "fd00::1"]),
    ("clusterip", &["None", "10.0.0.10", "fd00::10", ""]),
    ("clusterips", &["None", "10.0.0.10", "fd00::10"]),
    ("ip", &["10.0.0.1", "192.168.1.7", "fd00::1"]),
    ("ips", &["10.0.0.1", "192.168.1.7", "fd00::1"]),
    ("addresses", &["10.0.0.1", "fd00::1"]),
    ("cidr", &["10.0.0.0/24", "10.0.0.0/16", "fd00::/64"]),
    ("cidrs", &["10.0.0.0/24", "10.0.0.0/16", "fd00::/64"]),
    ("ranges", &["10.0.0.0/24", "10.0.0.0/16", "fd00::/64"]),
    ("subpath", &["a/b", "a"]),
    ("path", &["/a", "/data/b", "/dev/x", "a/b"]),
    ("dir", &["/a", "/data/b"]),
    ("schedule", &["*/5 * * * *", "@hourly", "0 0 1 * *"]),
    ("timezone", &["Etc/UTC", "Europe/Berlin"]),
    ("host", &["example.com", "*.example.com", "web.example.com"]),
    ("hosts", &["example.com", "*.example.com"]),
    ("hostname", &["node-1", "example.com", "web"]),
    ("url", &["https://example.com/a", "https://127.0.0.1:443"]),
    ("operator", &["In", "NotIn", "Exists", "DoesNotExist", "Equal", "Gt"]),
    ("effect", &["NoSchedule", "NoExecute", "PreferNoSchedule"]),
    ("topologykey", &["kubernetes.io/hostname", "topology.kubernetes.io/zone"]),
    ("key", &["app", "example.com/tier", "tls.crt", "node.kubernetes.io/not-ready"]),
    ("verbs", &["get", "list", "*", "create"]),
    ("resources", &["pods", "deployments", "*", "pods/status"]),
    ("resource", &["limits.cpu", "requests.memory", "pods", "cpu"]),
    ("resourcename", &["cpu", "memory", "example.com/gpu"]),
    ("fieldpath", &["metadata.name", "status.podIP", "spec.nodeName", "metadata.labels['app']"]),
    ("uid", &["1b4e28ba-2fa1-11d2-883f-0016d3cca427"]),
    ("accessmodes", &["ReadWriteOnce", "ReadOnlyMany"]),
    ("signername", &["kubernetes.io/kubelet-serving", "example.com/signer"]),
    ("provisioner", &["example.com/disk", "kubernetes.io/no-provisioner"]),
    ("driver", &["disk.example.com", "dra.example.com"]),
    ("finalizers", &["example.com/f", "kubernetes"]),
    ("expression", &["true", "object.metadata.name == 'a'"]),
    ("name", &["web", "web-0", "data", "http", "kube-api-access"]),
];

const PLAIN: [&str; 8] = ["web", "web-0", "data", "example.com/a", "a", "b", "1", "Always"];
const RESOURCES: [&str; 7] =
    ["cpu", "memory", "storage", "ephemeral-storage", "pods", "example.com/gpu", "hugepages-2Mi"];
const QUANTITIES: [&str; 12] =
    ["0", "1", "100m", "1Gi", "1.5", "1e3", "1000m", "0.5Ki", "2", "1536Mi", "12E", "64Mi"];

/// A value that the field of this name may well have.
pub fn likely(dice: &mut Dice, shape: &Shape, name: &str) -> Value {
    let name = name.to_ascii_lowercase();
    match shape {
        Shape::Bool => (dice.below(2) == 0).into(),
        Shape::Int32 | Shape::Int64 if name.ends_with("port") => {
            [80, 443, 8080, 30_080][dice.below(4)].into()
        }
        Shape::Int32 | Shape::Int64 => [0, 1, 1, 2, 5, 30, 300, 420][dice.below(8)].into(),
        Shape::Float => [json!(0.0), json!(1.5), json!(100.0)][dice.below(3)].clone(),
        Shape::String => {
            let texts =
                TEXTS.iter().find(|(end, _)| name.ends_with(end)).map_or(&PLAIN[..], |(_, texts)| *texts);
            dice.pick(texts).into()
        }
        Shape::Bytes => dice.pick(&["", "YQ==", "AP8="]).into(),
        Shape::Quantity => dice.pick(&QUANTITIES).into(),
        Shape::IntOrString => [json!(80), json!(1), json!("http"), json!("25%")][dice.below(4)].clone(),
        Shape::Time => dice.pick(&["2008-01-01T01:01:01Z", "2026-05-04T03:02:01Z"]).into(),
        Shape::MicroTime => dice.pick(&["2008-01-01T01:01:01.000001Z", "2026-05-04T03:02:01.500000Z"]).into(),
        Shape::Duration => dice.pick(&["0s", "1h2m3s", "30s"]).into(),
        Shape::Json => [json!({}), json!({"a": {"b": [1, "x"]}}), json!("a")][dice.below(3)].clone(),
        Shape::Record(_) | Shape::List(_) | Shape::Items(_) | Shape::Map(_) => Value::Null,
    }
}

/// A value that fits the type and little else.
pub fn odd(dice: &mut Dice, shape: &Shape) -> Value {
    match shape {
        Shape::Bool => false.into(),
        Shape::Int32 => {
            [json!(0), json!(-1), json!(65_536), json!(i32::MAX), json!(i32::MIN)][dice.below(5)].clone()
        }
        Shape::Int64 => {
            [json!(0), json!(-1), json!(65_536), json!(i64::MAX), json!(i64::MIN)][dice.below(5)].clone()
        }
        Shape::Float => [json!(1e21), json!(-1e-7), json!(0.1)][dice.below(3)].clone(),
        Shape::String => dice.pick(&ODD).into(),
        Shape::Bytes => dice.pick(&["", "AAECAwQFBgc="]).into(),
        Shape::Quantity => [
            json!(""),
            json!("+5"),
            json!("-1"),
            json!(2),
            json!(1.5),
            json!("1n"),
            json!("9223372036854775808"),
            json!("0.0001"),
        ][dice.below(8)]
        .clone(),
        Shape::IntOrString => {
            [json!(0), json!(-1), json!(""), json!("150%"), json!("A_b")][dice.below(5)].clone()
        }
        Shape::Time => dice
            .pick(&["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "2008-01-01T02:01:01+01:00"])
            .into(),
        Shape::MicroTime => dice.pick(&["0001-01-01T00:00:00.000000Z", "2008-01-01T02:01:01.5+01:00"]).into(),
        Shape::Duration => dice.pick(&["1.5s", "-1ns", "0"]).into(),
        Shape::Json => [json!(null), json!([]), json!(""), json!(0), json!({"<": "&"}), json!([{}])]
            [dice.below(6)]
        .clone(),
        Shape::Record(_) | Shape::List(_) | Shape::Items(_) | Shape::Map(_) => Value::Null,
    }
}

/// A map's key; `quantities` where the values are amounts of resources.
pub fn key(dice: &mut Dice, quantities: bool, odd: bool) -> &'static str {
    match (quantities, odd) {
        (_, true) => dice.pick(&ODD),
        (true, false) => dice.pick(&RESOURCES),
        (false, false) => dice.pick(&[
            "app",
            "example.com/tier",
            "kubernetes.io/os",
            "a",
            "tls.crt",
            "kubernetes.io/metadata.name",
        ]),
    }
}
