//! Makes a question smaller while the answers still differ in the same place.

use serde_json::Value;

use super::question::Question;

/// How many smaller questions are tried for one difference.
const TRIES: usize = 600;

/// A step into a tree.
#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

/// The smallest question that is found: nothing can be left out of it.
///
/// # Errors
/// When `differs` cannot say.
pub fn shrink<E>(
    question: Question,
    mut differs: impl FnMut(&Question) -> Result<bool, E>,
) -> Result<Question, E> {
    let mut smallest = question;
    let mut tries = 0;
    loop {
        let mut progress = false;
        let configurations = (0..smallest.configurations.len()).map(Part::Configuration);
        for part in configurations.chain([Part::Patch, Part::Object]).collect::<Vec<_>>() {
            let Some(tree) = part.of(&smallest) else { continue };
            // Large parts first: what is nested in a part that could be left out is not looked at.
            for path in paths(tree) {
                let Some(tree) = part.of(&smallest) else { break };
                let mut smaller = tree.clone();
                if !remove(&mut smaller, &path) {
                    continue;
                }
                tries += 1;
                if tries > TRIES {
                    return Ok(smallest);
                }
                let mut candidate = smallest.clone();
                part.set(&mut candidate, smaller);
                if differs(&candidate)? {
                    smallest = candidate;
                    progress = true;
                }
            }
        }
        if !progress {
            return Ok(smallest);
        }
    }
}

#[derive(Clone, Copy)]
enum Part {
    Object,
    Patch,
    Configuration(usize),
}

impl Part {
    fn of(self, question: &Question) -> Option<&Value> {
        match self {
            Part::Object => Some(&question.object),
            Part::Patch => question.patch.as_ref(),
            Part::Configuration(index) => question.configurations.get(index),
        }
    }

    fn set(self, question: &mut Question, tree: Value) {
        match self {
            Part::Object => question.object = tree,
            Part::Patch => question.patch = Some(tree),
            Part::Configuration(index) => question.configurations[index] = tree,
        }
    }
}

/// The paths of all that is in a tree, level by level; the last elements of a list before the first.
fn paths(tree: &Value) -> Vec<Vec<Step>> {
    let mut all: Vec<Vec<Step>> = Vec::new();
    let mut level: Vec<(Vec<Step>, &Value)> = vec![(Vec::new(), tree)];
    while !level.is_empty() {
        let mut next = Vec::new();
        for (path, value) in level {
            let steps: Vec<(Step, &Value)> = match value {
                Value::Object(map) => {
                    map.iter().map(|(key, value)| (Step::Key(key.clone()), value)).collect()
                }
                Value::Array(list) => {
                    list.iter().enumerate().rev().map(|(index, value)| (Step::Index(index), value)).collect()
                }
                _ => Vec::new(),
            };
            for (step, value) in steps {
                let mut path = path.clone();
                path.push(step);
                all.push(path.clone());
                next.push((path, value));
            }
        }
        level = next;
    }
    all
}

/// Removes what is at a path; `false` if nothing is there any more.
fn remove(tree: &mut Value, path: &[Step]) -> bool {
    let Some((last, way)) = path.split_last() else { return false };
    let mut place = tree;
    for step in way {
        let next = match (step, place) {
            (Step::Key(key), Value::Object(map)) => map.get_mut(key),
            (Step::Index(index), Value::Array(list)) => list.get_mut(*index),
            _ => None,
        };
        let Some(next) = next else { return false };
        place = next;
    }
    match (last, place) {
        (Step::Key(key), Value::Object(map)) => map.shift_remove(key).is_some(),
        (Step::Index(index), Value::Array(list)) if *index < list.len() => {
            list.remove(*index);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oracle::question::Op;

    #[test]
    fn only_what_matters_is_left() {
        let question = Question {
            op: Op::Default,
            group: String::new(),
            version: "v1".into(),
            kind: "Pod".into(),
            resource: "pods".into(),
            object: json!({"a": [1, {"b": 2, "c": 3}, 4], "d": {"e": null}}),
            patch: None,
            configurations: Vec::new(),
            force: false,
            to_group: String::new(),
            to_version: String::new(),
        };
        let shrunk =
            shrink(question, |candidate| Ok::<_, ()>(candidate.object.to_string().contains("\"c\":3")));
        assert_eq!(shrunk.expect("nothing fails").object, json!({"a": [{"c": 3}]}));
    }
}
