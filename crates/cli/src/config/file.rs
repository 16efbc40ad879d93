//! The configuration file: one YAML mapping from the long names of flags to their values, and the drop-ins beside it.
//!
//! Used by [`crate::invocation`]. As in K3s, later files win, a key that ends in `+` adds to the values before it, and a key of another
//! command is left alone, since one file may serve both server and agent. Deliberately absent: reading files, and what values mean.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::limits;
use crate::nearest::nearest;

/// What can be wrong with a configuration file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It is no YAML.
    #[error("{path} is not valid YAML")]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    /// It is longer than a configuration can be.
    #[error("{path} has more than {limit} bytes: this is no configuration file", limit = limits::CONFIG_BYTES)]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It holds something else than a mapping.
    #[error("{path} must hold a mapping of flags' names to their values, such as `data-dir: /var/lib/knarr`")]
    NoMapping {
        /// The file.
        path: PathBuf,
    },
    /// No flag has this name.
    #[error("{path}: unknown key {key:?}{}", hint(suggestion.as_deref()))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What it may have meant.
        suggestion: Option<String>,
    },
    /// The value has the wrong shape.
    #[error("{path}: {key} {problem}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What is wrong with its value.
        problem: &'static str,
    },
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

/// The values of one key, and the file that set them last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its values as text, one unless the flag may be repeated.
    pub values: Vec<String>,
    /// The file.
    pub path: PathBuf,
}

/// A flag that may stand in the file.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Whether it may have several values.
    pub repeated: bool,
}

/// Merges files in the order that they are given.
///
/// # Errors
/// For the first thing that is wrong, with the file that it is in.
pub fn merge(
    files: &[(PathBuf, String)],
    keys: &BTreeMap<String, Key>,
) -> Result<BTreeMap<String, Setting>, FileError> {
    let mut settings: BTreeMap<String, Setting> = BTreeMap::new();
    for (path, text) in files {
        for (written, value) in mapping(path, text)? {
            let (name, adds) = match written.strip_suffix('+') {
                Some(name) => (name, true),
                None => (written.as_str(), false),
            };
            let Some(key) = keys.get(name) else {
                let suggestion = nearest(name, keys.keys().map(String::as_str)).map(str::to_owned);
                return Err(FileError::UnknownKey { path: path.clone(), key: written, suggestion });
            };
            let shape = |problem| FileError::Shape { path: path.clone(), key: written.clone(), problem };
            let mut values = texts(&value).map_err(shape)?;
            if !key.repeated && (values.len() > 1 || adds) {
                return Err(shape("has one value only"));
            }
            if let (true, Some(earlier)) = (adds, settings.get(name)) {
                values.splice(0..0, earlier.values.iter().cloned());
            }
            settings.insert(name.to_owned(), Setting { values, path: path.clone() });
        }
    }
    Ok(settings)
}

fn mapping(path: &Path, text: &str) -> Result<Vec<(String, Value)>, FileError> {
    let path = path.to_owned();
    if text.len() > limits::CONFIG_BYTES {
        return Err(FileError::TooLong { path });
    }
    // YAML 1.2's numbers: `write-kubeconfig-mode: 0644` stays the digits that its author meant.
    match serde_saphyr::from_str::<Option<Value>>(text) {
        Ok(None | Some(Value::Null)) => Ok(Vec::new()),
        Ok(Some(Value::Object(entries))) => Ok(entries.into_iter().collect()),
        Ok(Some(_)) => Err(FileError::NoMapping { path }),
        Err(source) => Err(FileError::Yaml { path, source: Box::new(source) }),
    }
}

fn texts(value: &Value) -> Result<Vec<String>, &'static str> {
    match value {
        Value::Array(values) => values.iter().map(scalar).collect(),
        other => Ok(vec![scalar(other)?]),
    }
}

fn scalar(value: &Value) -> Result<String, &'static str> {
    match value {
        Value::String(text) => Ok(text.clone()),
        // A number with a leading zero is no integer in YAML 1.2, and reaches us as a fraction without one.
        Value::Number(number) => Ok(number.to_string().trim_end_matches(".0").to_owned()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Null => Err("has no value"),
        Value::Array(_) | Value::Object(_) => Err("must be one value or a list of values"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> BTreeMap<String, Key> {
        let key = |name: &str, repeated| (name.to_owned(), Key { repeated });
        [
            key("data-dir", false),
            key("write-kubeconfig-mode", false),
            key("debug", false),
            key("tls-san", true),
        ]
        .into()
    }

    fn merged(texts: &[&str]) -> Result<BTreeMap<String, Vec<String>>, String> {
        let files: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(i, text)| (PathBuf::from(format!("{i}.yaml")), (*text).to_owned()))
            .collect();
        let settings = merge(&files, &keys()).map_err(|error| error.to_string())?;
        Ok(settings.into_iter().map(|(key, setting)| (key, setting.values)).collect())
    }

    #[test]
    fn later_files_win_and_plus_adds() {
        for (files, key, expected) in [
            (&["data-dir: /a", "data-dir: /b"][..], "data-dir", &["/b"][..]),
            (&["tls-san: [a, b]", "tls-san: c"], "tls-san", &["c"]),
            (&["tls-san: [a, b]", "tls-san+: [c]"], "tls-san", &["a", "b", "c"]),
            (&["tls-san+: a"], "tls-san", &["a"]),
            (&["write-kubeconfig-mode: 0644"], "write-kubeconfig-mode", &["644"]),
            (&["write-kubeconfig-mode: \"0644\""], "write-kubeconfig-mode", &["0644"]),
            (&["debug: true"], "debug", &["true"]),
        ] {
            assert_eq!(merged(files).unwrap()[key], expected, "{files:?}");
        }
        assert!(merged(&["", "# nothing\n", "---\n"]).unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_file() {
        for (text, expected) in [
            ("datadir: /a", "0.yaml: unknown key \"datadir\"; did you mean \"data-dir\"?"),
            ("flannel-backend: none", "0.yaml: unknown key \"flannel-backend\""),
            ("data-dir: [/a, /b]", "0.yaml: data-dir has one value only"),
            ("data-dir+: /a", "0.yaml: data-dir+ has one value only"),
            ("data-dir:", "0.yaml: data-dir has no value"),
            ("data-dir: {a: b}", "0.yaml: data-dir must be one value or a list of values"),
            (
                "- a",
                "0.yaml must hold a mapping of flags' names to their values, such as `data-dir: /var/lib/knarr`",
            ),
            ("a: [", "0.yaml is not valid YAML"),
        ] {
            assert_eq!(merged(&[text]).expect_err(text), expected);
        }
    }

    #[test]
    fn a_key_written_twice_is_refused() {
        assert_eq!(merged(&["debug: true\ndebug: false"]).expect_err("twice"), "0.yaml is not valid YAML");
    }
}
