//! What is seen in one script's namespace, and how it is told so that two clusters can be compared.
//!
//! Names that chance has part in become names by order (`web-H1-#2`), times, identifiers and addresses of services words; who wrote which field, and
//! at which revision, is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::api::Told;
use super::hand;

/// What a namespace has come to, after one thing was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// What was done.
    pub act: String,
    /// What was made and what went, in the order of the store's revisions.
    pub steps: Vec<String>,
    /// Events that came up, in no order.
    pub events: BTreeSet<String>,
    /// All that is there.
    pub objects: BTreeMap<String, Value>,
}

/// Objects of a namespace, as they were last told of.
#[derive(Default)]
pub struct World {
    objects: BTreeMap<(&'static str, String), Value>,
    /// What came and went since the last moment: the revision, and which object.
    changes: Vec<(u64, bool, &'static str, Value)>,
    events: Vec<Value>,
    names: Names,
    /// The pods by their age.
    numbers: BTreeMap<String, usize>,
    done: BTreeSet<(String, String)>,
}

fn word<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"][key].as_str().unwrap_or_default()
}

/// The part of an object's name that chance has no part in.
fn stem(object: &Value) -> &str {
    let (name, generated) = (word(object, "name"), word(object, "generateName"));
    let is_suffix = |rest: &str| rest.len() == 5 && rest.bytes().all(|byte| SUFFIX.contains(&byte));
    let is_made = !generated.is_empty() && name.strip_prefix(generated).is_some_and(is_suffix);
    if is_made { generated } else { name }
}

impl World {
    /// Takes in what was told.
    pub fn see(&mut self, told: Told) {
        let Told { what, resource, object } = told;
        if resource == "events" {
            self.events.push(object);
            return;
        }
        let revision = word(&object, "resourceVersion").parse().unwrap_or(0);
        let key = (resource, word(&object, "name").to_owned());
        match what.as_str() {
            "DELETED" => {
                self.objects.remove(&key);
                self.changes.push((revision, false, resource, object));
            }
            _ => {
                let before = self.objects.insert(key, object.clone());
                if before.is_none_or(|before| word(&before, "uid") != word(&object, "uid")) {
                    self.changes.push((revision, true, resource, object));
                }
            }
        }
    }

    /// The pods that are there, by their age as far as it is settled.
    pub fn pods(&self) -> impl Iterator<Item = &Value> {
        let pods = self.objects.iter().filter(|((resource, _), _)| *resource == "pods");
        let mut pods: Vec<&Value> = pods.map(|(_, pod)| pod).collect();
        pods.sort_by_key(|pod| self.number(pod));
        pods.into_iter()
    }

    /// How many pods there were before this one.
    pub fn number(&self, pod: &Value) -> usize {
        self.numbers.get(word(pod, "uid")).copied().unwrap_or(usize::MAX)
    }

    /// Notes that something was done to an object.
    pub fn done(&mut self, act: &str, object: &Value) {
        self.done.insert((act.to_owned(), word(object, "uid").to_owned()));
    }

    /// Whether that was noted.
    pub fn is_done(&self, act: &str, object: &Value) -> bool {
        self.done.contains(&(act.to_owned(), word(object, "uid").to_owned()))
    }

    /// Numbers what came, now that nothing moves.
    pub fn settle(&mut self) {
        self.changes.sort_by_key(|(revision, ..)| *revision);
        // Controllers make and delete several at once; which of these the store gets first is chance.
        for alike in self.changes.chunk_by_mut(|one, other| (one.1, one.2) == (other.1, other.2)) {
            alike.sort_by_cached_key(|(_, is_new, _, object)| {
                let name = if *is_new { stem(object) } else { word(object, "name") };
                (self.names.text(name), hand::wanted_node(object).map(str::to_owned))
            });
        }
        for (_, is_new, resource, object) in &self.changes {
            if *is_new {
                self.names.learn(object);
                if *resource == "pods" {
                    let next = self.numbers.len();
                    self.numbers.entry(word(object, "uid").to_owned()).or_insert(next);
                }
            }
        }
    }

    /// What came of an act, once it has settled.
    pub fn moment(&mut self, act: &str) -> Moment {
        let names = &self.names;
        let changes = std::mem::take(&mut self.changes);
        let steps = changes.iter().map(|(_, is_new, resource, object)| {
            let verb = if *is_new { "made" } else { "gone" };
            names.text(&format!("{verb} {resource}/{}", word(object, "name")))
        });
        let events = std::mem::take(&mut self.events);
        let events = events.iter().map(|event| {
            let text = |at: &Value| at.as_str().unwrap_or_default().to_owned();
            let of = &event["involvedObject"];
            names.text(&format!(
                "{} {} {}/{} by {}: {}",
                text(&event["type"]),
                text(&event["reason"]),
                text(&of["kind"]),
                text(&of["name"]),
                text(&event["source"]["component"]),
                text(&event["message"])
            ))
        });
        let objects = self.objects.iter().map(|((resource, name), object)| {
            let mut object = object.clone();
            if let Some(metadata) = object["metadata"].as_object_mut() {
                for chance in ["uid", "creationTimestamp", "managedFields"] {
                    metadata.remove(chance);
                }
            }
            names.value(&mut object);
            // They come in any order.
            if let Some(endpoints) = object.get_mut("endpoints").and_then(Value::as_array_mut) {
                endpoints.sort_by_cached_key(Value::to_string);
            }
            (names.text(&format!("{resource}/{name}")), object)
        });
        Moment {
            act: act.to_owned(),
            steps: steps.collect(),
            events: events.collect(),
            objects: objects.collect(),
        }
    }
}

/// What the suffixes of generated names are made of.
const SUFFIX: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Names that chance has part in, by what stands for them.
#[derive(Default)]
struct Names {
    /// The longest first.
    known: Vec<(String, String)>,
    counts: BTreeMap<String, usize>,
}

/// What stands for what chance makes: patterns and words.
static CHANCE: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let patterns = [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
        (r"\b10\.243\.\d+\.\d+\b", "ADDRESS"),
        (r"-\d{8}\b", "-MINUTE"),
        // What was refused never came to be, and has no number.
        (r"-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "-#"),
    ];
    patterns.into_iter().filter_map(|(pattern, word)| Some((Regex::new(pattern).ok()?, word))).collect()
});

impl Names {
    fn learn(&mut self, object: &Value) {
        let name = word(object, "name").to_owned();
        let stem = stem(object);
        if stem != name {
            let prefix = self.text(stem);
            let count = self.counts.entry(prefix.clone()).or_default();
            *count += 1;
            let stands = format!("{prefix}#{count}");
            self.add(name, stands);
            return;
        }
        let labels = &object["metadata"]["labels"];
        let hashes = ["pod-template-hash", "controller.kubernetes.io/hash", "controller-revision-hash"];
        let hashes = if object["kind"] == "Pod" { &[][..] } else { &hashes[..] };
        for hash in hashes.iter().filter_map(|label| labels[*label].as_str()) {
            if self.known.iter().all(|(known, _)| known != hash) {
                let count = self.counts.entry("H".to_owned()).or_default();
                *count += 1;
                let stands = format!("H{count}");
                self.add(hash.to_owned(), stands);
            }
        }
    }

    fn add(&mut self, name: String, stands: String) {
        self.known.push((name, stands));
        self.known.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    }

    fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, stands) in &self.known {
            if text.contains(name.as_str()) {
                text = text.replace(name.as_str(), stands);
            }
        }
        for (pattern, word) in CHANCE.iter() {
            text = pattern.replace_all(&text, *word).into_owned();
        }
        text
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(list) => list.iter_mut().for_each(|each| self.value(each)),
            Value::Object(map) => {
                map.remove("resourceVersion");
                map.values_mut().for_each(|each| self.value(each));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(what: &str, resource: &'static str, object: Value) -> Told {
        Told { what: what.to_owned(), resource, object }
    }

    fn pod(name: &str, revision: &str) -> Value {
        json!({"metadata": {"name": name, "generateName": "web-", "uid": name, "resourceVersion": revision}})
    }

    #[test]
    fn what_chance_makes_is_told_by_order() {
        let mut world = World::default();
        world.see(told("ADDED", "pods", pod("web-zz9zz", "7")));
        world.see(told("ADDED", "pods", pod("web-bb2bb", "9")));
        let set = json!({"metadata": {"name": "set", "uid": "x", "resourceVersion": "8"},
            "status": {"first": "web-bb2bb", "at": "2026-01-01T00:00:00Z", "ip": "10.243.7.9"}});
        world.see(told("ADDED", "replicasets", set));
        world.settle();
        let moment = world.moment("begun");
        assert_eq!(moment.steps, ["made pods/web-#1", "made replicasets/set", "made pods/web-#2"]);
        let status = json!({"first": "web-#2", "at": "TIME", "ip": "ADDRESS"});
        assert_eq!(moment.objects["replicasets/set"], json!({"metadata": {"name": "set"}, "status": status}));
        assert_eq!(world.pods().map(|pod| word(pod, "name")).collect::<Vec<_>>(), ["web-zz9zz", "web-bb2bb"]);
    }

    #[test]
    fn what_goes_and_comes_again_is_told_of_twice() {
        let mut world = World::default();
        world.see(told("ADDED", "pods", pod("web-0", "1")));
        world.settle();
        world.moment("made");
        world.see(told("DELETED", "pods", pod("web-0", "2")));
        let mut again = pod("web-0", "3");
        again["metadata"]["uid"] = json!("another");
        world.see(told("ADDED", "pods", again));
        world.settle();
        assert_eq!(world.moment("gone").steps.len(), 2);
        assert!(world.moment("nothing").steps.is_empty());
    }
}
