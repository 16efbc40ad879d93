//! Paths as Go's `path` and `net/url` write them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What Go leaves as it is when it writes a path.
const IN_PATHS: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');

/// A path as it is written in a URL.
pub(crate) fn escaped(path: &str) -> String {
    utf8_percent_encode(path, &IN_PATHS).to_string()
}

/// The path that stands in a URL, read.
pub(crate) fn unescaped(path: &str) -> String {
    percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned()
}

/// One path below another, without empty parts and with `.` and `..` followed, which never lead above the root (Go's `path.Join` of
/// rooted paths). A slash at the end stays. Nothing joined with nothing is nothing.
pub(crate) fn join(above: &str, below: &str) -> String {
    if above.is_empty() && below.is_empty() {
        return String::new();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in above.split('/').chain(below.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut joined = String::from("/");
    joined += &parts.join("/");
    let last = if below.is_empty() { above } else { below };
    if last.ends_with('/') && !joined.ends_with('/') {
        joined.push('/');
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_as_go_joins_them() {
        for (above, below, wanted) in [
            ("", "", ""),
            ("", "/", "/"),
            ("", "/a/b", "/a/b"),
            ("", "/a//b/", "/a/b/"),
            ("", "/../../etc/passwd", "/etc/passwd"),
            ("", "/a/./b/../c", "/a/c"),
            ("/p/q", "/a", "/p/q/a"),
            ("/p/q", "/", "/p/q/"),
            ("/p/q/", "", "/p/q/"),
        ] {
            assert_eq!(join(above, below), wanted, "{above} {below}");
        }
    }

    #[test]
    fn paths_are_escaped_as_go_escapes_them() {
        for (path, wanted) in [
            ("/a/b-c_d.e~f", "/a/b-c_d.e~f"),
            ("/x$&+,:;=@y", "/x$&+,:;=@y"),
            ("/a b?c#d%e", "/a%20b%3Fc%23d%25e"),
            ("/(a)!*'[b]", "/%28a%29%21%2A%27%5Bb%5D"),
            ("/\u{e9}", "/%C3%A9"),
        ] {
            assert_eq!(escaped(path), wanted);
            assert_eq!(unescaped(wanted), path);
        }
    }
}
