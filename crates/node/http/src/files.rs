//! The machine's logs below `/logs/`: a directory's files and listings, as kubelet serves `/var/log` with Go's `http.FileServer`.
//!
//! Only regular files are read, and only those that are within the directory once links have been followed: a pod that may write there
//! could otherwise show what it likes of the machine.

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};

use api_meta::Status;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderName, LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use crate::direct::{Body, whole};
use crate::limits;

/// Where kubelet's machine keeps its logs.
pub(crate) const DIRECTORY: &str = "/var/log";

/// Answers for a path below a directory.
///
/// # Errors
/// When nothing that may be read is there.
pub(crate) async fn answer(root: &Path, path: &str, headers: &HeaderMap) -> Result<Response<Body>, Status> {
    let path = percent_decode_str(path).decode_utf8_lossy().into_owned();
    let (place, found) = find(root, &path).await.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Status::failure(403, "Forbidden", "403 Forbidden", None),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidInput => missing(),
        _ => Status::internal_error(error),
    })?;
    let failed = |error: io::Error| Status::internal_error(error);
    if found.is_dir() {
        // Relative links lead astray from a directory without its slash.
        return if path.is_empty() || path.ends_with('/') {
            listing(&place).await.map_err(failed)
        } else {
            Ok(moved(&format!("{}/", path.rsplit('/').next().unwrap_or_default())))
        };
    }
    if !found.is_file() || path.ends_with('/') {
        return Err(missing());
    }
    file(&place, found.len(), headers).await.map_err(failed)
}

fn missing() -> Status {
    Status::failure(404, "NotFound", "404 page not found", None)
}

/// What is at a path, within the directory.
async fn find(root: &Path, path: &str) -> io::Result<(PathBuf, std::fs::Metadata)> {
    if path.contains('\0') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let root = tokio::fs::canonicalize(root).await?;
    let mut place = root.clone();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            return Err(io::ErrorKind::NotFound.into());
        }
        place.push(part);
    }
    let place = tokio::fs::canonicalize(place).await?;
    if !place.starts_with(&root) {
        return Err(io::ErrorKind::NotFound.into());
    }
    let found = tokio::fs::metadata(&place).await?;
    Ok((place, found))
}

fn moved(to: &str) -> Response<Body> {
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(value) = HeaderValue::from_str(&escaped(to)) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

fn escaped(name: &str) -> String {
    const KEPT: percent_encoding::AsciiSet =
        NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
    utf8_percent_encode(name, &KEPT).to_string()
}

/// A directory as a page of links.
async fn listing(place: &Path) -> io::Result<Response<Body>> {
    let mut names = Vec::new();
    let mut entries = tokio::fs::read_dir(place).await?;
    while let Some(entry) = entries.next_entry().await? {
        // More than a person could look through.
        if names.len() == limits::LISTED {
            break;
        }
        let mut name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().await?.is_dir() {
            name.push('/');
        }
        names.push(name);
    }
    names.sort_unstable();
    let mut page =
        String::from("<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n");
    for name in names {
        let text = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let text = text.replace('"', "&#34;").replace('\'', "&#39;");
        page += &format!("<a href=\"{}\">{text}</a>\n", escaped(&name));
    }
    page += "</pre>\n";
    let mut response = Response::new(whole(page.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Ok(response)
}

/// A file, or the part of it that was asked for.
async fn file(place: &Path, length: u64, headers: &HeaderMap) -> io::Result<Response<Body>> {
    let mut file = File::open(place).await?;
    let mut first = BytesMut::with_capacity(limits::SNIFFED_BYTES);
    (&mut file).take(limits::SNIFFED_BYTES as u64).read_buf(&mut first).await?;
    let wanted =
        headers.get(RANGE).and_then(|value| value.to_str().ok()).and_then(|text| range(text, length));
    let (status, from, count) = match wanted {
        None => (StatusCode::OK, 0, length),
        Some(Some((from, count))) => (StatusCode::PARTIAL_CONTENT, from, count),
        Some(None) => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    file.seek(SeekFrom::Start(from)).await?;
    let chunks = stream::try_unfold(file.take(count), |mut file| async move {
        let mut chunk = BytesMut::with_capacity(limits::FILE_CHUNK_BYTES);
        let read = file.read_buf(&mut chunk).await?;
        Ok::<_, io::Error>((read > 0).then(|| (Frame::data(chunk.freeze()), file)))
    });
    let mut response = Response::new(BodyExt::boxed_unsync(StreamBody::new(chunks)));
    *response.status_mut() = status;
    let mut say = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    };
    say(ACCEPT_RANGES, "bytes".to_owned());
    say(CONTENT_LENGTH, count.to_string());
    say(CONTENT_TYPE, kind(&first).to_owned());
    match status {
        StatusCode::PARTIAL_CONTENT => {
            say(CONTENT_RANGE, format!("bytes {from}-{}/{length}", from + count - 1));
        }
        StatusCode::RANGE_NOT_SATISFIABLE => say(CONTENT_RANGE, format!("bytes */{length}")),
        _ => {}
    }
    Ok(response)
}

/// What a file's first bytes look like.
fn kind(first: &[u8]) -> &'static str {
    let binary = |byte: &u8| matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    if first.starts_with(&[0x1f, 0x8b, 0x08]) {
        "application/x-gzip"
    } else if first.iter().any(binary) {
        "application/octet-stream"
    } else {
        "text/plain; charset=utf-8"
    }
}

/// The one range of bytes that is asked for: where it begins and how long it is, or that it is beyond the end. `None` for anything else, which
/// is answered with the whole, as RFC 9110 allows.
fn range(text: &str, length: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = text.strip_prefix("bytes=")?.trim().split_once('-')?;
    if first.is_empty() {
        let count = last.parse::<u64>().ok()?.min(length);
        return Some((count > 0).then(|| (length - count, count)));
    }
    let first: u64 = first.parse().ok()?;
    let last = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
    if last < first {
        return None;
    }
    let end = last.saturating_add(1).min(length);
    Some((first < length).then(|| (first, end - first)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    async fn asked(root: &Path, path: &str, range: &str) -> (u16, String, HeaderMap) {
        let mut headers = HeaderMap::new();
        if !range.is_empty() {
            headers.insert(RANGE, HeaderValue::from_str(range).expect("a value"));
        }
        match answer(root, path, &headers).await {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                let bytes = body.collect().await.expect("it is read").to_bytes();
                (parts.status.as_u16(), String::from_utf8_lossy(&bytes).into_owned(), parts.headers)
            }
            Err(status) => (status.http_code(), status.message.clone(), HeaderMap::new()),
        }
    }

    #[tokio::test]
    async fn files_are_listed_and_read() {
        let root = tempfile::tempdir().expect("a directory");
        let place = root.path();
        std::fs::write(place.join("a b<.log"), "0123456789").expect("written");
        std::fs::write(place.join("packed"), [0x1f, 0x8b, 8, 0]).expect("written");
        std::fs::create_dir(place.join("pods")).expect("made");
        symlink("a b<.log", place.join("link")).expect("linked");
        let (code, page, headers) = asked(place, "/", "").await;
        assert_eq!(
            (code, &headers[CONTENT_TYPE]),
            (200, &HeaderValue::from_static("text/html; charset=utf-8"))
        );
        let lines: Vec<&str> = page.lines().skip(3).collect();
        let wanted = [
            "<a href=\"a%20b%3C.log\">a b&lt;.log</a>",
            "<a href=\"link\">link</a>",
            "<a href=\"packed\">packed</a>",
            "<a href=\"pods/\">pods/</a>",
            "</pre>",
        ];
        assert_eq!(lines, wanted);
        for (path, range, code, text) in [
            ("/a%20b%3C.log", "", 200, "0123456789"),
            ("/link", "bytes=2-4", 206, "234"),
            ("/link", "bytes=8-", 206, "89"),
            ("/link", "bytes=-3", 206, "789"),
            ("/link", "bytes=-30", 206, "0123456789"),
            ("/link", "bytes=10-", 416, ""),
            ("/link", "bytes=4-2", 200, "0123456789"),
            ("/link", "lines=1-2", 200, "0123456789"),
            ("/link/", "", 404, "404 page not found"),
            ("/pods", "", 301, ""),
            ("/none", "", 404, "404 page not found"),
        ] {
            let (found, body, _) = asked(place, path, range).await;
            assert_eq!((found, body.as_str()), (code, text), "{path} {range}");
        }
        assert_eq!(asked(place, "/pods", "").await.2[LOCATION], "pods/");
        assert_eq!(asked(place, "/packed", "").await.2[CONTENT_TYPE], "application/x-gzip");
        assert_eq!(asked(place, "/link", "bytes=2-4").await.2[CONTENT_RANGE], "bytes 2-4/10");
    }

    #[tokio::test]
    async fn nothing_beyond_the_directory_is_read() {
        let root = tempfile::tempdir().expect("a directory");
        let place = root.path().join("log");
        std::fs::create_dir(&place).expect("made");
        std::fs::write(root.path().join("secret"), "x").expect("written");
        symlink("../secret", place.join("out")).expect("linked");
        symlink("/", place.join("all")).expect("linked");
        for path in ["/out", "/all/", "/../secret", "/%2e%2e/secret", "/a%00b"] {
            assert_eq!(asked(&place, path, "").await.0, 404, "{path}");
        }
        assert_eq!(asked(&root.path().join("absent"), "/", "").await.0, 404);
        let fifo = nix_fifo(&place);
        assert_eq!(asked(&place, &fifo, "").await.0, 404, "what would never end");
    }

    /// A pipe, which nobody writes to.
    fn nix_fifo(place: &Path) -> String {
        let made = std::process::Command::new("mkfifo").arg(place.join("pipe")).status();
        assert!(made.is_ok_and(|status| status.success()));
        "/pipe".to_owned()
    }
}
