//! The example's HTTP server: `hello ADDRESS:PORT DIRECTORY` answers `GET /` with a greeting, its machine's name, and the page
//! `index.html` of the directory; `GET /healthz` with `ok`. Each request is a line on standard output.
//!
//! Used by `examples/shop`, in a container beside busybox. The greeting is the environment's `GREETING`. The page is read for each
//! request, so a ConfigMap that changes shows. Deliberately absent: everything else of HTTP.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a program of its own")]

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, thread};

/// The longest request line that is read, in bytes.
const LINE_BYTES: u64 = 8 << 10;
/// How long a client may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let [address, directory] = &words[..] else {
        eprintln!("usage: hello ADDRESS:PORT DIRECTORY");
        return ExitCode::from(2);
    };
    let listener = match TcpListener::bind(address) {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("error: cannot listen at {address}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let site = Arc::new(Site {
        greeting: env::var("GREETING").unwrap_or_else(|_| "hello".to_owned()),
        machine: fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned(),
        directory: PathBuf::from(directory),
    });
    println!("the shop is open at {address}");
    for stream in listener.incoming().flatten() {
        let site = Arc::clone(&site);
        // A client that hangs up has had enough.
        thread::spawn(move || drop(serve(&site, stream)));
    }
    ExitCode::SUCCESS
}

struct Site {
    greeting: String,
    machine: String,
    directory: PathBuf,
}

/// Answers one request and hangs up.
fn serve(site: &Site, mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?.take(LINE_BYTES));
    let mut line = String::new();
    reader.read_line(&mut line)?;
    // Headers are read up to their end: to close with some unread would reset the connection.
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let (status, body) = answer(site, line.trim_end());
    println!("{} {status}", line.trim_end());
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The answer to a request's first line.
fn answer(site: &Site, line: &str) -> (&'static str, String) {
    let mut words = line.split(' ');
    match (words.next(), words.next().map(|target| target.split('?').next().unwrap_or_default())) {
        (Some("GET"), Some("/")) => match page(&site.directory) {
            Ok(page) => ("200 OK", format!("{} from {}\n{page}", site.greeting, site.machine)),
            Err(error) => ("500 Internal Server Error", format!("the page cannot be read: {error}\n")),
        },
        (Some("GET"), Some("/healthz")) => ("200 OK", "ok\n".to_owned()),
        (Some("GET"), Some(_)) => ("404 Not Found", "nothing here\n".to_owned()),
        _ => ("405 Method Not Allowed", "only GET is understood\n".to_owned()),
    }
}

fn page(directory: &Path) -> io::Result<String> {
    fs::read_to_string(directory.join("index.html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_has_its_answer() {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let site = Site { greeting: "ahoy".into(), machine: "web-1".into(), directory: here };
        for (line, status) in [
            ("GET / HTTP/1.1", "500 Internal Server Error"),
            ("GET /healthz?x HTTP/1.1", "200 OK"),
            ("GET /else HTTP/1.1", "404 Not Found"),
            ("PUT / HTTP/1.1", "405 Method Not Allowed"),
            ("", "405 Method Not Allowed"),
        ] {
            assert_eq!(answer(&site, line).0, status, "{line}");
        }
    }
}
