//! The objects of files, folders and standard input: YAML and JSON, several documents in one, and lists.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use api_codec::limits::Limits;
use api_codec::yaml;
use serde_json::Value;

/// Endings of files that are read from folders: kubectl's.
const ENDINGS: [&str; 3] = ["json", "yaml", "yml"];

/// The objects in the order in which they stand. `-` is standard input.
pub fn read(names: &[PathBuf], recursive: bool) -> anyhow::Result<Vec<Value>> {
    let mut objects = Vec::new();
    for name in names {
        for (shown, text) in texts(name, recursive)? {
            let wrong = || format!("{shown} cannot be read");
            for document in documents(&text) {
                let json = yaml::to_json(document.as_bytes(), Limits::RESPONSE).with_context(wrong)?;
                let object: Value = serde_json::from_slice(&json).with_context(wrong)?;
                unpack(object, &mut objects);
            }
        }
    }
    anyhow::ensure!(!objects.is_empty(), "no objects passed to plan");
    Ok(objects)
}

fn texts(name: &Path, recursive: bool) -> anyhow::Result<Vec<(String, String)>> {
    if name == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("reading standard input")?;
        return Ok(vec![("standard input".to_owned(), text)]);
    }
    let mut files = Vec::new();
    collect(name, recursive, true, &mut files)?;
    let read = |path: PathBuf| {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {shown}"))?;
        Ok((shown, text))
    };
    files.into_iter().map(read).collect()
}

fn collect(path: &Path, recursive: bool, is_named: bool, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let shown = || format!("reading {}", path.display());
    if !std::fs::metadata(path).with_context(shown)?.is_dir() {
        let fits = path.extension().is_some_and(|end| ENDINGS.iter().any(|known| end == *known));
        files.extend((is_named || fits).then(|| path.to_owned()));
        return Ok(());
    }
    if !is_named && !recursive {
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).with_context(shown)? {
        entries.push(entry.with_context(shown)?.path());
    }
    entries.sort();
    entries.iter().try_for_each(|entry| collect(entry, recursive, false, files))
}

/// The documents of a YAML stream; those without content are none.
fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        let is_separator = line
            .strip_prefix("---")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        match documents.last_mut() {
            Some(last) if !is_separator => {
                last.push_str(line);
                last.push('\n');
            }
            _ => documents.push(String::new()),
        }
    }
    let has_content = |document: &String| {
        document.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    };
    documents.into_iter().filter(has_content).collect()
}

/// The items of a list, or the object itself.
fn unpack(object: Value, objects: &mut Vec<Value>) {
    let is_list = object.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
    match object {
        Value::Object(mut map) if is_list && map.get("items").is_some_and(Value::is_array) => {
            if let Some(Value::Array(items)) = map.remove("items") {
                items.into_iter().for_each(|item| unpack(item, objects));
            }
        }
        Value::Null => {}
        object => objects.push(object),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_streams_and_lists_are_taken_apart() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
            std::fs::write(path, text).expect("it can be written");
        };
        write("a.yaml", "# first\n---\nkind: A\n--- # second\nkind: B\n---\n");
        write("b.json", r#"{"kind": "List", "items": [{"kind": "C"}, {"kind": "D"}]}"#);
        write("c.txt", "kind: X\n");
        write("deep/e.yml", "kind: E\n");
        let kinds = |recursive| {
            let objects = read(&[folder.path().to_owned()], recursive).expect("they can be read");
            objects.iter().map(|object| object["kind"].as_str().unwrap_or("?").to_owned()).collect::<String>()
        };
        assert_eq!((kinds(false).as_str(), kinds(true).as_str()), ("ABCD", "ABCDE"));
        let named = read(&[folder.path().join("c.txt")], false).expect("it was named");
        assert_eq!(named.len(), 1);
        assert!(read(&[folder.path().join("deep/none")], false).is_err());
    }
}
