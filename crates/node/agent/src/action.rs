//! What probes and hooks do: run a command in a container, ask a server by HTTP or gRPC, open a connection.
#![allow(clippy::disallowed_types, reason = "probes and hooks reach pods by the network")]

use std::time::Duration;

use api_record::scalar::IntOrString;
use api_types::core::v1::{Container, HTTPGetAction};
use base::error::Chain;
use base::time::{Clock, timeout};
use node_runtime::PodHandle;
use node_runtime::spec::ExecSpec;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::limits;

mod grpc;
mod tls;

pub(crate) use grpc::grpc;

/// What came of it: well or not, and what was said.
pub(crate) type Outcome = Result<String, String>;

const KILL: i32 = 9;

/// The number of a port that a container's probe or hook names.
pub(crate) fn port(port: &IntOrString, container: &Container) -> Result<u16, String> {
    match port {
        IntOrString::Int(number) => u16::try_from(*number)
            .ok()
            .filter(|number| *number > 0)
            .ok_or(format!("invalid port number: {number}")),
        IntOrString::String(name) => {
            let named = container.ports.iter().find(|port| port.name == *name);
            match named.map(|port| port.container_port) {
                Some(number) => u16::try_from(number).map_err(|_| format!("invalid port number: {number}")),
                None => name.parse().map_err(|_| format!("couldn't find port: {name:?} in pod")),
            }
        }
    }
}

async fn read_some(output: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(output) = output {
        // What comes after an error is lost with it.
        let _ = output.take(limits::ACTION_OUTPUT_BYTES).read_to_end(&mut bytes).await;
    }
    bytes
}

/// Runs a command in a container; it succeeds with code 0.
pub(crate) async fn exec(
    handle: &PodHandle,
    id: &str,
    command: &[String],
    clock: &dyn Clock,
    patience: Duration,
) -> Outcome {
    let spec = ExecSpec { container: id.to_owned(), args: command.to_vec(), ..ExecSpec::default() };
    let mut exec = handle.exec(spec).await.map_err(|error| Chain(&error).to_string())?;
    let (stdout, stderr) = (exec.stdout.take(), exec.stderr.take());
    let ran = async {
        let (mut out, err) = tokio::join!(read_some(stdout), read_some(stderr));
        out.extend(err);
        (exec.wait().await, String::from_utf8_lossy(&out).into_owned())
    };
    match timeout(clock, patience, ran).await {
        Ok((Ok(0), text)) => Ok(text),
        Ok((Ok(_), text)) => Err(text),
        Ok((Err(error), _)) => Err(Chain(&error).to_string()),
        Err(_) => {
            // The process's streams cannot be shared between threads, so its signal is sent from a thread of its own.
            let runtime = tokio::runtime::Handle::current();
            // It may have ended meanwhile.
            let _ = tokio::task::spawn_blocking(move || runtime.block_on(exec.signal(KILL))).await;
            let words: Vec<String> = command.iter().map(|word| format!("{word:?}")).collect();
            let (words, seconds) = (words.join(" "), patience.as_secs());
            Err(format!("command timed out: {words} timed out after {seconds}s"))
        }
    }
}

/// Opens a connection and closes it again.
pub(crate) async fn tcp(host: &str, port: u16, clock: &dyn Clock, patience: Duration) -> Outcome {
    match timeout(clock, patience, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(String::new()),
        Ok(Err(error)) => Err(format!("dial tcp {host}:{port}: {}", said(&error))),
        Err(_) => Err(format!("dial tcp {host}:{port}: i/o timeout")),
    }
}

/// Asks an HTTP server; codes from 200 to 399 are a success.
pub(crate) async fn http(
    action: &HTTPGetAction,
    host: &str,
    port: u16,
    clock: &dyn Clock,
    patience: Duration,
) -> Outcome {
    let path = if action.path.starts_with('/') { action.path.clone() } else { format!("/{}", action.path) };
    let scheme = if action.scheme == "HTTPS" { "https" } else { "http" };
    let url = format!("{scheme}://{host}:{port}{path}");
    let asked = timeout(clock, patience, ask(action, host, port, &path)).await;
    match asked {
        Ok(Ok((200..400, body))) => Ok(body),
        Ok(Ok((code, _))) => Err(format!("HTTP probe failed with statuscode: {code}")),
        Ok(Err(Broken::Dial(error))) => Err(format!("Get {url:?}: dial tcp {host}:{port}: {}", said(&error))),
        Ok(Err(Broken::Talk(error))) => Err(format!("Get {url:?}: {error}")),
        Err(_) => Err(format!(
            "Get {url:?}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        )),
    }
}

/// Where a request broke.
enum Broken {
    Dial(std::io::Error),
    Talk(std::io::Error),
}

/// Why there is no connection, in the words that events of probes have everywhere.
fn said(error: &std::io::Error) -> String {
    let known = match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused",
        std::io::ErrorKind::HostUnreachable => "no route to host",
        std::io::ErrorKind::NetworkUnreachable => "network is unreachable",
        _ => return error.to_string(),
    };
    format!("connect: {known}")
}

async fn ask(action: &HTTPGetAction, host: &str, port: u16, path: &str) -> Result<(u16, String), Broken> {
    let stream = TcpStream::connect((host, port)).await.map_err(Broken::Dial)?;
    if action.scheme == "HTTPS" {
        let stream = tls::connect(host, stream).await.map_err(Broken::Talk)?;
        return talk(action, host, port, path, stream).await.map_err(Broken::Talk);
    }
    talk(action, host, port, path, stream).await.map_err(Broken::Talk)
}

async fn talk(
    action: &HTTPGetAction,
    host: &str,
    port: u16,
    path: &str,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
) -> std::io::Result<(u16, String)> {
    let invalid = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let own = |name: &str| action.http_headers.iter().any(|header| header.name.eq_ignore_ascii_case(name));
    let mut request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in [
        ("Host", format!("{host}:{port}")),
        ("User-Agent", "kube-probe/1.37".into()),
        ("Accept", "*/*".into()),
    ] {
        if !own(name) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    for header in &action.http_headers {
        // The API allows no line breaks in them; a second guard costs nothing.
        if header.name.contains(['\r', '\n']) || header.value.contains(['\r', '\n']) {
            return Err(invalid("a header holds a line break"));
        }
        request.push_str(&format!("{}: {}\r\n", header.name, header.value));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    match stream.take(limits::ACTION_OUTPUT_BYTES).read_to_end(&mut bytes).await {
        // Servers that end a TLS connection without saying so are many; what they sent counts.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof && !bytes.is_empty() => {}
        other => drop(other?),
    }
    let text = String::from_utf8_lossy(&bytes);
    let code =
        text.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|code| code.parse().ok());
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    Ok((code.ok_or_else(|| invalid("malformed HTTP response"))?, body.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base::time::SystemClock;
    use rustls::ServerConfig;
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// Answers one request over TLS, with a certificate that nobody vouches for, and ends without saying so.
    async fn serve(listener: TcpListener, answer: &str) {
        let own = rcgen::generate_simple_self_signed(["elsewhere.example".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }

    #[tokio::test]
    async fn a_server_over_tls_is_asked_whoever_it_is() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\nwell", Ok("well".to_owned())),
            ("HTTP/1.1 500 Oh\r\n\r\n", Err("HTTP probe failed with statuscode: 500".to_owned())),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let action = HTTPGetAction { scheme: "HTTPS".into(), ..HTTPGetAction::default() };
            let patience = Duration::from_secs(60);
            let (said, ()) = tokio::join!(
                http(&action, "127.0.0.1", port, &SystemClock, patience),
                serve(listener, answer)
            );
            assert_eq!(said, expected);
        }
    }
}
