//! Reads Go type declarations: structs with tags and markers, named types, string constants. Not a Go parser; it knows
//! the shapes that API packages are written in, and refuses what it does not know.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context, Result, bail};

/// The modules that packages are read from, and the packages read so far.
#[derive(Default)]
pub struct Sources {
    modules: Vec<(String, PathBuf)>,
    packages: BTreeMap<String, Rc<Package>>,
}

/// The type declarations of a package.
#[derive(Default)]
pub struct Package {
    pub types: BTreeMap<String, Declaration>,
    /// The values of each named string type.
    pub values: BTreeMap<String, Vec<Constant>>,
    /// The text of each string constant.
    constants: BTreeMap<String, String>,
}

/// A value of a named type.
#[derive(Clone)]
pub enum Constant {
    Text(String),
    /// A constant of another package, by its import path and name, that is converted.
    Elsewhere(String, String),
}

/// A type declaration.
pub struct Declaration {
    pub markers: Vec<String>,
    pub body: Body,
    /// What the names before a dot stand for in this file.
    pub imports: Rc<BTreeMap<String, String>>,
}

/// What a type is declared as.
pub enum Body {
    Struct(Vec<Member>),
    Named(String),
}

/// One member of a struct.
pub struct Member {
    /// Empty for an embedded type.
    pub name: String,
    pub type_text: String,
    pub tag: String,
    pub markers: Vec<String>,
}

impl Member {
    /// The value of one key of the struct tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        let start = self.tag.find(&format!("{key}:\""))? + key.len() + 2;
        let end = self.tag[start..].find('"')?;
        Some(&self.tag[start..start + end])
    }
}

impl Sources {
    /// Makes a module known by its import path.
    pub fn add_module(&mut self, import: &str, dir: &Path) {
        self.modules.push((import.to_owned(), dir.to_owned()));
    }

    /// The declarations of the package of an import path.
    pub fn package(&mut self, import: &str) -> Result<Rc<Package>> {
        if let Some(package) = self.packages.get(import) {
            return Ok(Rc::clone(package));
        }
        let (module, dir) = self
            .modules
            .iter()
            .find(|(module, _)| import == module || import.starts_with(&format!("{module}/")))
            .with_context(|| format!("no module holds {import}"))?;
        let dir = dir.join(import[module.len()..].trim_start_matches('/'));
        let mut package = Package::default();
        let mut files: Vec<_> = std::fs::read_dir(&dir)?.collect::<Result<Vec<_>, _>>()?;
        files.sort_by_key(std::fs::DirEntry::file_name);
        for file in files {
            let name = file.file_name().to_string_lossy().into_owned();
            let skip = name.ends_with("_test.go") || name.starts_with("zz_") || name.contains("generated");
            if name.ends_with(".go") && !skip {
                let text = std::fs::read_to_string(file.path())?;
                read(&text, &mut package).with_context(|| format!("in {}", file.path().display()))?;
            }
        }
        let package = Rc::new(package);
        self.packages.insert(import.to_owned(), Rc::clone(&package));
        Ok(package)
    }
}

impl Sources {
    /// The values of a named string type, those written as conversions of other packages' constants included.
    pub fn values(&mut self, package: &Package, name: &str) -> Result<Vec<String>> {
        let mut values = Vec::new();
        for constant in package.values.get(name).into_iter().flatten() {
            match constant {
                Constant::Text(text) => values.push(text.clone()),
                Constant::Elsewhere(import, name) => {
                    let other = self.package(import)?;
                    let text = other.constants.get(name);
                    values.push(text.with_context(|| format!("{import} has no constant {name}"))?.clone());
                }
            }
        }
        Ok(values)
    }
}

fn read(text: &str, package: &mut Package) -> Result<()> {
    let text = without_block_comments(text);
    let lines: Vec<&str> = text.lines().collect();
    let imports = Rc::new(imports(&lines));
    let mut markers = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        at += 1;
        if let Some(comment) = line.strip_prefix("//") {
            push_marker(&mut markers, comment);
        } else if let Some(declaration) = line.strip_prefix("type ") {
            let (name, rest) = declaration.split_once(' ').context("a type without a body")?;
            let body = if let Some(inline) = rest.strip_prefix("struct {").or(rest.strip_prefix("struct{")) {
                let mut members = Vec::new();
                if inline.trim() != "}" {
                    at = self::members(&lines, at, &mut members)?;
                }
                Body::Struct(members)
            } else if rest.starts_with("interface") || rest.starts_with("func") || rest.starts_with('(') {
                markers.clear();
                continue;
            } else {
                let named = rest.split("//").next().unwrap_or_default();
                Body::Named(named.trim_start_matches("= ").trim().to_owned())
            };
            let declaration =
                Declaration { markers: std::mem::take(&mut markers), body, imports: Rc::clone(&imports) };
            package.types.insert(name.to_owned(), declaration);
        } else if line.trim() == "const (" || line.starts_with("const ") {
            at = constants(&lines, at - 1, package, &imports);
            markers.clear();
        } else if !line.trim().is_empty() {
            markers.clear();
        }
    }
    Ok(())
}

/// Empties the lines of comments that open a line with `/*`.
fn without_block_comments(text: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        inside |= line.trim_start().starts_with("/*");
        out += if inside { "" } else { line };
        out.push('\n');
        inside &= !line.contains("*/");
    }
    out
}

fn imports(lines: &[&str]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in lines {
        let line = line.trim().trim_start_matches("import ").trim();
        let Some(start) = line.find('"') else { continue };
        let Some(path) = line[start + 1..].strip_suffix('"') else { continue };
        let alias = line[..start].trim();
        if alias.contains(' ') || alias.contains('=') || path.contains(' ') {
            continue;
        }
        let alias = if alias.is_empty() { path.rsplit('/').next().unwrap_or(path) } else { alias };
        found.entry(alias.to_owned()).or_insert_with(|| path.to_owned());
    }
    found
}

fn push_marker(markers: &mut Vec<String>, comment: &str) {
    if let Some(marker) = comment.trim().strip_prefix('+') {
        markers.push(marker.trim().to_owned());
    }
}

fn members(lines: &[&str], mut at: usize, members: &mut Vec<Member>) -> Result<usize> {
    let mut markers = Vec::new();
    while at < lines.len() {
        let line = lines[at].trim();
        at += 1;
        if line == "}" {
            return Ok(at);
        } else if let Some(comment) = line.strip_prefix("//") {
            push_marker(&mut markers, comment);
        } else if !line.is_empty() {
            members.push(member(line, std::mem::take(&mut markers))?);
        }
    }
    bail!("a struct without an end")
}

fn member(line: &str, markers: Vec<String>) -> Result<Member> {
    let (declaration, tag) = match line.split_once('`') {
        Some((declaration, rest)) => (declaration.trim(), rest.split('`').next().unwrap_or_default()),
        None => (line.split("//").next().unwrap_or_default().trim(), ""),
    };
    let words: Vec<&str> = declaration.split_whitespace().collect();
    let (name, type_text) = match words[..] {
        [embedded] => ("", embedded),
        [name, type_text] => (name, type_text),
        _ => bail!("a struct member of an unknown form: {line}"),
    };
    Ok(Member { name: name.to_owned(), type_text: type_text.to_owned(), tag: tag.to_owned(), markers })
}

/// Reads lines of the forms `Name Type = "value"` and `Name = Type("value")`, and conversions of other constants.
fn constants(
    lines: &[&str],
    start: usize,
    package: &mut Package,
    imports: &BTreeMap<String, String>,
) -> usize {
    let block = lines[start].trim() == "const (";
    let mut at = if block { start + 1 } else { start };
    while at < lines.len() {
        let line = lines[at].trim().trim_start_matches("const ");
        at += 1;
        if line == ")" {
            break;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, type_name, value) = match words[..] {
            [name, type_name, "=", value, ..] => (name, type_name, value),
            [name, "=", value, ..] => (name, "", value),
            _ => ("", "", ""),
        };
        let (type_name, value) = match value.strip_suffix(')').and_then(|value| value.split_once('(')) {
            Some((type_name, value)) => (type_name, value),
            None => (type_name, value),
        };
        let literal = value.strip_prefix('"').and_then(|value| value.split('"').next());
        let elsewhere = value.split_once('.').and_then(|(alias, name)| Some((imports.get(alias)?, name)));
        let constant = match (literal, elsewhere) {
            (Some(text), _) => {
                package.constants.insert(name.to_owned(), text.to_owned());
                Some(Constant::Text(text.to_owned()))
            }
            (None, Some((import, name))) => Some(Constant::Elsewhere(import.clone(), name.to_owned())),
            (None, None) => None,
        };
        if let Some(constant) = constant.filter(|_| !type_name.is_empty()) {
            package.values.entry(type_name.to_owned()).or_default().push(constant);
        }
        if !block {
            break;
        }
    }
    at
}
