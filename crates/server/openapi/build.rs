//! Collects the descriptions of the built-in types from the `k8s-openapi` crate, and leaves them compressed for the
//! library to embed.
//!
//! The form is JSON: by definition, its description, those of its fields, and which of these are required. Nothing of it
//! is committed.
#![allow(clippy::disallowed_methods, reason = "a build script's work is to write a file")]

use std::error::Error;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use k8s_openapi::schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

#[path = "build/roots.rs"]
mod roots;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/roots.rs");
    let mut generator = SchemaGenerator::default();
    roots::collect(&mut generator);
    let mut all = Map::new();
    for (name, schema) in generator.take_definitions(false) {
        let fields = schema.get("properties").and_then(Value::as_object);
        let fields: Map<String, Value> = fields
            .into_iter()
            .flatten()
            .filter_map(|(field, schema)| Some((field.clone(), schema.get("description")?.clone())))
            .collect();
        let description = schema.get("description").cloned().unwrap_or_else(|| "".into());
        let required = schema.get("required").cloned().unwrap_or_else(|| json!([]));
        all.insert(name, json!([description, fields, required]));
    }
    if all.len() < 700 {
        return Err(format!("only {} types have descriptions", all.len()).into());
    }
    let text = serde_json::to_vec(&all)?;
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&text)?;
    let out = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&out).join("descriptions.json.zz"), encoder.finish()?)?;
    Ok(())
}
