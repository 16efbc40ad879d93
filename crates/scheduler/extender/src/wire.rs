//! What is said to extenders, and what they say: `k8s.io/kube-scheduler/extender/v1`, whose fields have no JSON names of their own.
//!
//! So they are written as Go names them, and read in any case, as Go reads: many extenders answer in the lower case of older versions.

use std::collections::BTreeMap;

use api_codec::{DecodeError, json};
use api_record::Record;
use api_types::core::v1::{Node, Pod};
use serde_json::{Map, Value};

/// Pods that could be evicted from a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Victims {
    /// As they are; one that is not known any more is left out.
    pub(crate) pods: Vec<Pod>,
    pub(crate) uids: Vec<String>,
    pub(crate) violations: i64,
}

/// `ExtenderFilterResult`; of nodes their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FilterResult {
    pub(crate) nodes: Option<Vec<String>>,
    pub(crate) node_names: Option<Vec<String>>,
    pub(crate) failed: BTreeMap<String, String>,
    pub(crate) failed_for_good: BTreeMap<String, String>,
    pub(crate) error: String,
}

/// `MetaVictims`: the uids, and how many evictions go against budgets.
pub(crate) type MetaVictims = (Vec<String>, i64);

/// `ExtenderArgs`: the nodes in full, or their names for those who know them.
pub(crate) fn about_nodes(pod: &Pod, nodes: &[&Node], by_name: bool) -> Vec<u8> {
    let mut out = begin(pod);
    if by_name {
        out.extend_from_slice(b",\"Nodes\":null,\"NodeNames\":[");
        separated(&mut out, nodes, |out, node| json::write_string(out, &node.metadata.name));
        out.extend_from_slice(b"]}");
    } else {
        out.extend_from_slice(b",\"Nodes\":{\"metadata\":{},\"items\":[");
        separated(&mut out, nodes, |out, node| {
            let mut node = (*node).clone();
            node.metadata.managed_fields = Vec::new();
            record(out, &node);
        });
        out.extend_from_slice(b"]},\"NodeNames\":null}");
    }
    out
}

/// `ExtenderPreemptionArgs`: the victims in full, or their uids.
pub(crate) fn about_victims(pod: &Pod, victims: &BTreeMap<String, Victims>, by_uid: bool) -> Vec<u8> {
    let mut out = begin(pod);
    out.extend_from_slice(match by_uid {
        true => b",\"NodeNameToVictims\":null,\"NodeNameToMetaVictims\":{",
        false => b",\"NodeNameToVictims\":{",
    });
    separated(&mut out, victims, |out, (node, of)| {
        json::write_string(out, node);
        out.extend_from_slice(b":{\"Pods\":[");
        if by_uid {
            separated(out, &of.uids, |out, uid| {
                out.extend_from_slice(b"{\"UID\":");
                json::write_string(out, uid);
                out.push(b'}');
            });
        } else {
            separated(out, &of.pods, write_pod);
        }
        out.extend_from_slice(format!("],\"NumPDBViolations\":{}}}", of.violations).as_bytes());
    });
    out.extend_from_slice(if by_uid { b"}}" } else { b"},\"NodeNameToMetaVictims\":null}" });
    out
}

/// `ExtenderBindingArgs`.
pub(crate) fn binding(pod: &Pod, node: &str) -> Vec<u8> {
    let meta = &pod.metadata;
    let said = serde_json::json!({
        "PodName": meta.name, "PodNamespace": meta.namespace, "PodUID": meta.uid, "Node": node,
    });
    said.to_string().into_bytes()
}

fn begin(pod: &Pod) -> Vec<u8> {
    let mut out = b"{\"Pod\":".to_vec();
    write_pod(&mut out, pod);
    out
}

fn write_pod(out: &mut Vec<u8>, pod: &Pod) {
    // Upstream's views keep none of those.
    let mut pod = pod.clone();
    pod.metadata.managed_fields = Vec::new();
    record(out, &pod);
}

fn record(out: &mut Vec<u8>, record: &dyn Record) {
    json::encode(record, None, out);
}

fn separated<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
}

/// Reads an `ExtenderFilterResult`.
///
/// # Errors
/// In Go's words, here and below.
pub(crate) fn filter_result(body: &[u8]) -> Result<FilterResult, String> {
    let value = value(body)?;
    let of = Fields::of(&value, "ExtenderFilterResult")?;
    let nodes = match of.get("Nodes") {
        None => None,
        Some(list) => {
            let list = object(list, || of.place("Nodes"), "v1.NodeList")?;
            let items = get(list, "items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let name = |node: &Value| {
                let name = node.get("metadata").and_then(|meta| meta.get("name")).and_then(Value::as_str);
                name.unwrap_or_default().to_owned()
            };
            Some(items.iter().map(name).collect())
        }
    };
    let node_names = match of.get("NodeNames") {
        None => None,
        Some(names) => {
            let names =
                names.as_array().ok_or_else(|| mismatch(names, &of.place("NodeNames"), "[]string"))?;
            let name = |name: &Value| text(name, || of.place("NodeNames"));
            Some(names.iter().map(name).collect::<Result<_, _>>()?)
        }
    };
    Ok(FilterResult {
        nodes,
        node_names,
        failed: of.texts("FailedNodes")?,
        failed_for_good: of.texts("FailedAndUnresolvableNodes")?,
        error: of.text("Error")?,
    })
}

/// Reads a `HostPriorityList`.
pub(crate) fn priorities(body: &[u8]) -> Result<Vec<(String, i64)>, String> {
    let value = value(body)?;
    if value.is_null() {
        return Ok(Vec::new());
    }
    let list = value.as_array().ok_or_else(|| mismatch(&value, "value", "v1.HostPriorityList"))?;
    let read = |item: &Value| {
        let of = Fields::of(item, "HostPriority")?;
        Ok((of.text("Host")?, of.number("Score")?))
    };
    list.iter().map(read).collect()
}

/// Reads an `ExtenderPreemptionResult`; a node may come without victims.
pub(crate) fn preemption_result(body: &[u8]) -> Result<BTreeMap<String, MetaVictims>, String> {
    let value = value(body)?;
    let of = Fields::of(&value, "ExtenderPreemptionResult")?;
    let field = "NodeNameToMetaVictims";
    let Some(nodes) = of.get(field) else { return Ok(BTreeMap::new()) };
    let nodes = object(nodes, || of.place(field), "map[string]*v1.MetaVictims")?;
    let read = |(node, victims): (&String, &Value)| {
        let of = Fields::of(victims, "MetaVictims")?;
        let pods = of
            .get("Pods")
            .map(|pods| pods.as_array().ok_or_else(|| mismatch(pods, &of.place("Pods"), "[]*v1.MetaPod")));
        let pods = pods.transpose()?.map(Vec::as_slice).unwrap_or_default();
        let uids: Result<Vec<String>, String> =
            pods.iter().map(|pod| Fields::of(pod, "MetaPod")?.text("UID")).collect();
        Ok((node.clone(), (uids?, of.number("NumPDBViolations")?)))
    };
    nodes.iter().map(read).collect()
}

/// Reads an `ExtenderBindingResult`: its error, if there is one.
pub(crate) fn binding_result(body: &[u8]) -> Result<String, String> {
    Fields::of(&value(body)?, "ExtenderBindingResult")?.text("Error")
}

/// The first value of a body; what follows is not looked at.
fn value(body: &[u8]) -> Result<Value, String> {
    match serde_json::Deserializer::from_slice(body).into_iter::<Value>().next() {
        None => Err("EOF".to_owned()),
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) if error.is_eof() => Err("unexpected EOF".to_owned()),
        Some(Err(error)) => match json::type_meta(body, api_codec::limits::Limits { bytes: body.len() }) {
            Err(DecodeError::Syntax(why)) => Err(why),
            _ => Err(error.to_string()),
        },
    }
}

/// The fields of a struct of Go's; null is one without any.
struct Fields<'a> {
    of: Option<&'a Map<String, Value>>,
    kind: &'static str,
}

impl<'a> Fields<'a> {
    fn of(value: &'a Value, kind: &'static str) -> Result<Fields<'a>, String> {
        if value.is_null() {
            return Ok(Fields { of: None, kind });
        }
        let of = value.as_object().ok_or_else(|| mismatch(value, "value", &format!("v1.{kind}")))?;
        Ok(Fields { of: Some(of), kind })
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        get(self.of?, name)
    }

    fn place(&self, field: &str) -> String {
        format!("struct field {}.{field}", self.kind)
    }

    fn text(&self, field: &str) -> Result<String, String> {
        self.get(field).map_or(Ok(String::new()), |value| text(value, || self.place(field)))
    }

    fn number(&self, field: &str) -> Result<i64, String> {
        let Some(value) = self.get(field) else { return Ok(0) };
        value.as_i64().ok_or_else(|| mismatch(value, &self.place(field), "int64"))
    }

    fn texts(&self, field: &str) -> Result<BTreeMap<String, String>, String> {
        let Some(value) = self.get(field) else { return Ok(BTreeMap::new()) };
        let map = object(value, || self.place(field), "v1.FailedNodesMap")?;
        map.iter().map(|(key, value)| Ok((key.clone(), text(value, || self.place(field))?))).collect()
    }
}

/// A field by its name in any case; of several the last counts, and null is as good as none.
fn get<'a>(of: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let found = of.iter().rfind(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value).filter(|value| !value.is_null())
}

fn object<'a>(
    value: &'a Value,
    place: impl Fn() -> String,
    wanted: &str,
) -> Result<&'a Map<String, Value>, String> {
    value.as_object().ok_or_else(|| mismatch(value, &place(), wanted))
}

fn text(value: &Value, place: impl Fn() -> String) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        other => Err(mismatch(other, &place(), "string")),
    }
}

fn mismatch(value: &Value, place: &str, wanted: &str) -> String {
    let found = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) if wanted.starts_with("int") => format!("number {number}"),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    };
    let (place, wanted) = (place.to_owned(), wanted.to_owned());
    DecodeError::Type { found, place, wanted }.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str) -> Pod {
        let mut pod = Pod::default();
        (pod.metadata.name, pod.metadata.uid) = (name.into(), format!("uid-{name}"));
        pod.metadata.managed_fields = vec![Default::default()];
        pod
    }

    fn said(body: Vec<u8>) -> Value {
        serde_json::from_slice(&body).expect("well-formed")
    }

    #[test]
    fn questions_name_fields_as_go_does() {
        let mut node = Node::default();
        node.metadata.name = "n".into();
        let whole = said(about_nodes(&pod("p"), &[&node, &node], false));
        assert_eq!(whole["Nodes"]["items"][1]["metadata"]["name"], "n");
        assert_eq!(whole["Pod"]["metadata"], serde_json::json!({ "name": "p", "uid": "uid-p" }));
        assert!(whole["NodeNames"].is_null() && whole["Nodes"]["metadata"].is_object());
        let names = said(about_nodes(&pod("p"), &[&node, &node], true));
        assert_eq!((&names["NodeNames"], &names["Nodes"]), (&serde_json::json!(["n", "n"]), &Value::Null));
        let victims = Victims { pods: vec![pod("v")], uids: vec!["uid-v".into()], violations: 2 };
        let victims = BTreeMap::from([("a".to_owned(), victims.clone()), ("b".to_owned(), victims)]);
        let whole = said(about_victims(&pod("p"), &victims, false));
        assert_eq!(whole["NodeNameToVictims"]["b"]["Pods"][0]["metadata"]["name"], "v");
        assert!(whole["NodeNameToMetaVictims"].is_null());
        let meta = said(about_victims(&pod("p"), &victims, true));
        let expected = serde_json::json!({ "Pods": [{ "UID": "uid-v" }], "NumPDBViolations": 2 });
        assert_eq!(meta["NodeNameToMetaVictims"]["a"], expected);
        assert!(meta["NodeNameToVictims"].is_null());
        let binding = said(binding(&pod("p"), "n"));
        assert_eq!([&binding["PodName"], &binding["PodUID"], &binding["Node"]], ["p", "uid-p", "n"]);
    }

    #[test]
    fn answers_are_read_in_any_case() {
        let read = filter_result(
            br#"{"nodes": {"items": [{"metadata": {"name": "a"}}]}, "nodenames": ["b"], "failedNodes": {"c": "no"},
                "FAILEDANDUNRESOLVABLENODES": {"d": "never"}, "Error": null, "other": 1} and more"#,
        );
        let read = read.expect("it is an answer");
        assert_eq!((read.nodes, read.node_names), (Some(vec!["a".into()]), Some(vec!["b".into()])));
        assert_eq!((read.failed["c"].as_str(), read.failed_for_good["d"].as_str()), ("no", "never"));
        assert_eq!(filter_result(b"{}"), Ok(FilterResult::default()));
        assert_eq!(
            priorities(br#"[{"host": "a", "Score": 3}, {}]"#),
            Ok(vec![("a".into(), 3), (String::new(), 0)])
        );
        let read = preemption_result(
            br#"{"nodeNameToMetaVictims": {"a": {"pods": [{"uid": "u"}], "NumPDBViolations": 1}, "b": null}}"#,
        );
        let expected = [("a".to_owned(), (vec!["u".to_owned()], 1)), ("b".to_owned(), (Vec::new(), 0))];
        assert_eq!(read, Ok(expected.into()));
        assert_eq!(binding_result(br#"{"error": "taken"}"#), Ok("taken".to_owned()));
    }

    #[test]
    fn nonsense_is_told_as_go_tells_it() {
        for (body, why) in [
            ("", "EOF"),
            ("{\"Nodes\":", "unexpected EOF"),
            ("<html>", "invalid character '<' looking for beginning of value"),
            ("[]", "json: cannot unmarshal array into Go value of type v1.ExtenderFilterResult"),
            (
                "{\"FailedNodes\": []}",
                "json: cannot unmarshal array into Go struct field ExtenderFilterResult.FailedNodes of type v1.FailedNodesMap",
            ),
            (
                "{\"NodeNames\": [1]}",
                "json: cannot unmarshal number into Go struct field ExtenderFilterResult.NodeNames of type string",
            ),
        ] {
            assert_eq!(filter_result(body.as_bytes()), Err(why.to_owned()), "{body}");
        }
        let why = "json: cannot unmarshal number 1.5 into Go struct field HostPriority.Score of type int64";
        assert_eq!(priorities(b"[{\"Score\": 1.5}]"), Err(why.to_owned()));
    }
}
