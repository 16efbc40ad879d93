//! The path to a field.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A path such as `spec.containers[0].name`, made longer step by step; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Path(Option<Arc<Step>>);

#[derive(Debug)]
struct Step {
    parent: Path,
    name: Name,
}

#[derive(Debug)]
enum Name {
    Field(Cow<'static, str>),
    Index(usize),
    Key(String),
}

impl Path {
    /// No path at all, which upstream writes as `<nil>`; its children are roots.
    pub const NONE: Path = Path(None);

    /// A root field.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Path {
        Path::NONE.child(name)
    }

    fn step(&self, name: Name) -> Path {
        Path(Some(Arc::new(Step { parent: self.clone(), name })))
    }

    /// A field of this one.
    pub fn child(&self, name: impl Into<Cow<'static, str>>) -> Path {
        self.step(Name::Field(name.into()))
    }

    /// An element of this list.
    pub fn index(&self, index: usize) -> Path {
        self.step(Name::Index(index))
    }

    /// An entry of this map.
    pub fn key(&self, key: impl Into<String>) -> Path {
        self.step(Name::Key(key.into()))
    }
}

impl Step {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = &self.parent.0 {
            parent.write(f)?;
        }
        match &self.name {
            Name::Field(name) if self.parent.0.is_none() => f.write_str(name),
            Name::Field(name) => write!(f, ".{name}"),
            Name::Index(index) => write!(f, "[{index}]"),
            Name::Key(key) => write!(f, "[{key}]"),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(step) => step.write(f),
            None => f.write_str("<nil>"),
        }
    }
}

impl From<&'static str> for Path {
    fn from(name: &'static str) -> Path {
        Path::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_upstreams() {
        let spec = Path::new("spec");
        assert_eq!(spec.child("containers").index(0).child("name").to_string(), "spec.containers[0].name");
        assert_eq!(Path::new("metadata").child("labels").key("a.b/c").to_string(), "metadata.labels[a.b/c]");
        assert_eq!(Path::NONE.to_string(), "<nil>");
        assert_eq!(Path::NONE.child("values").index(2).to_string(), "values[2]");
    }
}
