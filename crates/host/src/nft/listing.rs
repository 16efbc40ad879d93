//! `nft -j list` output as [`Contents`]. Pure.

use serde_json::Value;

use super::{Contents, Elements, NftError, Table};

pub(super) fn decode(table: &Table, bytes: &[u8]) -> Result<Contents, NftError> {
    let wrong = |problem: String| NftError::Listing { table: table.name.clone(), problem };
    let listing: Value = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    let objects =
        listing["nftables"].as_array().ok_or_else(|| wrong("there is no list of objects".into()))?;
    let mut contents = Contents::default();
    for object in objects {
        if let Some(name) = object["chain"]["name"].as_str() {
            contents.chains.push(name.to_owned());
        }
        let set = object.get("map").or_else(|| object.get("set"));
        let Some((set, name)) = set.and_then(|set| Some((set, set["name"].as_str()?))) else { continue };
        let mut elements = Elements::new();
        for element in set["elem"].as_array().into_iter().flatten() {
            // A map's element is a pair; a set's is its key alone.
            let (key, value) = match element.as_array().map(Vec::as_slice) {
                Some([key, value]) => (key, text(value)),
                _ => (element, Some(String::new())),
            };
            let (key, value) =
                text(key).zip(value).ok_or_else(|| wrong(format!("an element of {name}: {element}")))?;
            elements.insert(key, value);
        }
        contents.sets.insert(name.to_owned(), elements);
    }
    Ok(contents)
}

/// An expression in nft's notation.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => return Some(text.clone()),
        Value::Number(number) => return Some(number.to_string()),
        _ => {}
    }
    let (kind, body) = value.as_object()?.iter().next()?;
    match kind.as_str() {
        "elem" => text(body.get("val")?),
        "concat" => {
            let parts: Option<Vec<String>> = body.as_array()?.iter().map(text).collect();
            Some(parts?.join(" . "))
        }
        "prefix" => Some(format!("{}/{}", body["addr"].as_str()?, body["len"])),
        "range" => {
            let ends: Option<Vec<String>> = body.as_array()?.iter().map(text).collect();
            Some(ends?.join("-"))
        }
        "goto" | "jump" => Some(format!("{kind} {}", body["target"].as_str()?)),
        "drop" | "accept" | "return" | "continue" => Some(kind.clone()),
        _ => None,
    }
}
