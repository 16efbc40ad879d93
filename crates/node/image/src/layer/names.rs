//! Names within a layer: cleaning them, refusing those that lead out, and telling whiteouts. Pure.

use crate::error::LayerError;

const WHITEOUT: &[u8] = b".wh.";
const AUFS: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// What a cleaned path stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// The layer's own root.
    Root,
    /// What docker's old AUFS driver left: `.wh..wh.plnk` and the like.
    Skipped,
    /// `directory` hides all that lies below it.
    Opaque { directory: Vec<u8> },
    /// `hidden`, in `directory`, is deleted from the layers below.
    Whiteout { directory: Vec<u8>, hidden: Vec<u8> },
    /// Something to be made.
    Entry { directory: Vec<u8>, name: Vec<u8> },
}

/// A path without `.`, `..`, doubled and leading slashes. Going up is fine as long as it stays within.
///
/// # Errors
/// When it leads out of the layer, or cannot be a path.
pub(super) fn clean(path: &[u8]) -> Result<Vec<u8>, LayerError> {
    let escape = || LayerError::Escape(show(path));
    if path.contains(&0) {
        return Err(escape());
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop().ok_or_else(escape)?;
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join(&b'/'))
}

/// Tells what a cleaned path stands for.
///
/// # Errors
/// When a whiteout hides nothing that could have a name, such as `.wh...`.
pub(super) fn classify(path: &[u8]) -> Result<Name, LayerError> {
    if path.is_empty() {
        return Ok(Name::Root);
    }
    let (directory, name) = match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (path[..slash].to_vec(), &path[slash + 1..]),
        None => (Vec::new(), path),
    };
    if name == OPAQUE {
        return Ok(Name::Opaque { directory });
    }
    if path.split(|byte| *byte == b'/').any(|part| part.starts_with(AUFS)) {
        return Ok(Name::Skipped);
    }
    match name.strip_prefix(WHITEOUT) {
        Some(b"" | b"." | b"..") => Err(LayerError::Escape(show(path))),
        Some(hidden) => Ok(Name::Whiteout { directory, hidden: hidden.to_vec() }),
        None => Ok(Name::Entry { directory, name: name.to_vec() }),
    }
}

pub(super) fn show(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_or_refused() {
        for (path, expected) in [
            ("a/b", Some("a/b")),
            ("./a//b/.", Some("a/b")),
            ("/etc/passwd", Some("etc/passwd")),
            ("a/../b", Some("b")),
            ("./", Some("")),
            ("..", None),
            ("../etc/passwd", None),
            ("a/../../b", None),
            ("/../b", None),
            ("a\0b", None),
        ] {
            assert_eq!(clean(path.as_bytes()).ok().as_deref(), expected.map(str::as_bytes), "{path}");
        }
    }

    #[test]
    fn whiteouts_are_told_from_entries() {
        let entry =
            |directory: &str, name: &str| Name::Entry { directory: directory.into(), name: name.into() };
        for (path, expected) in [
            ("", Some(Name::Root)),
            ("a", Some(entry("", "a"))),
            ("a/b/c", Some(entry("a/b", "c"))),
            ("a/.wh.b", Some(Name::Whiteout { directory: "a".into(), hidden: "b".into() })),
            ("a/.wh..wh..opq", Some(Name::Opaque { directory: "a".into() })),
            (".wh..wh.plnk/1.2", Some(Name::Skipped)),
            (".wh..wh.aufs", Some(Name::Skipped)),
            ("a/.wh...", None),
            ("a/.wh..", None),
            ("a/.wh.", None),
        ] {
            assert_eq!(classify(path.as_bytes()).ok(), expected, "{path}");
        }
    }
}
