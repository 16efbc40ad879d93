//! Measures what watchers cost the server: `cargo run --release -p server-http --example watchers [watchers [on a connection]]`.
//!
//! Serves the API over TLS from a store in memory. Another process of this program connects, is answered once on each connection, and then
//! watches ConfigMaps in protobuf over HTTP/2. Prints a line for each figure: what is allocated and what is resident for a connection and for a
//! watcher on it, before and after events were told, and how many events a second reach the watchers. Who watches shares the cores with the server.
//! Sizes are nearly the same in a build that is not optimised; rates are not.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures time and memory")]
#![allow(unsafe_code, reason = "an allocator that counts is one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use api_types::core::v1::ConfigMap;
use base::drain;
use base::random::SystemRandom;
use base::time::SystemClock;
use bytes::{Bytes, BytesMut};
use client::{BoxFuture, Caller, WriteOptions};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use server_http::{
    Body, Document, DocumentRequest, Documents, Handler, Identify, Incoming, Nodes, Peer, Server, Unanswered,
};
use server_local::{Direct, Local, NoTokens, Policy};
use server_registry::admit::Everything;
use server_registry::{Catalog, Registry, Shared};
use store::MemoryStore;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const WATCHERS: usize = 4_096;
const ON_A_CONNECTION: usize = 32;
const ROUNDS: usize = 10;
const CHANGES_A_ROUND: usize = 40;
const PATH: &str = "/api/v1/namespaces/default/configmaps";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf;stream=watch";

/// Counts the bytes that are allocated.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: whatever is asked for is asked of the system's allocator, with the same layout and under the same conditions.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATED.fetch_add(size.wrapping_sub(layout.size()), Ordering::Relaxed);
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number =
        |index: usize, usual| arguments.get(index).map_or(Ok(usual), |number| number.parse::<usize>());
    if let Some(address) = arguments.first().filter(|first| first.contains(':')) {
        let watching = watch(address.parse()?, number(1, WATCHERS)?, number(2, ON_A_CONNECTION)?);
        return tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(watching);
    }
    let (watchers, on_a_connection) = (number(0, WATCHERS)?, number(1, ON_A_CONNECTION)?);
    tokio::runtime::Runtime::new()?.block_on(measure(watchers, on_a_connection))
}

/// What this process holds of memory, in bytes: what it has allocated, and what is resident of it.
struct Memory([usize; 2]);

impl Memory {
    fn now() -> Result<Memory> {
        let allocated = ALLOCATED.load(Ordering::Relaxed);
        let text = std::fs::read_to_string("/proc/self/status")?;
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
        Ok(Memory([allocated, line.trim().trim_end_matches(" kB").parse::<usize>()? * 1_024]))
    }

    /// Prints by how much it has grown since, for each of so many.
    fn told(&self, what: &str, since: &Memory, each: usize) {
        let [allocated, resident] =
            [0, 1].map(|which| self.0[which].saturating_sub(since.0[which]) as f64 / each as f64);
        println!("{what:<44} {allocated:>8.0} bytes allocated, {resident:>8.0} resident");
    }
}

async fn measure(watchers: usize, on_a_connection: usize) -> Result<()> {
    let (registry, address, drain) = serve().await?;
    let mut others = Others::start(address, watchers, on_a_connection)?;
    // The first of everything is not anybody's.
    others.are("there")?;
    let before = Memory::now()?;
    others.go_on()?;
    others.are("connected")?;
    let connected = Memory::now()?;
    connected.told("a connection", &before, watchers.div_ceil(on_a_connection));
    others.go_on()?;
    others.are("watching")?;
    let watched = Memory::now()?;
    watched.told("a watcher", &connected, watchers);
    watched.told("a watcher with its part of a connection", &before, watchers);
    let begun = Instant::now();
    for round in 0..ROUNDS {
        for number in 0..CHANGES_A_ROUND {
            create(&registry, &format!("seen-{round}-{number}")).await?;
        }
        others.are("told")?;
    }
    let rate = (watchers * ROUNDS * CHANGES_A_ROUND) as f64 / begun.elapsed().as_secs_f64();
    println!("{:<44} {rate:>8.0} a second", format!("events told to {watchers} watchers"));
    let told = ALLOCATED.load(Ordering::Relaxed);
    others.end()?;
    drain.drain().await;
    // What is resident stays so; and what the store has been given since is not the watchers'.
    let given_back = told.saturating_sub(ALLOCATED.load(Ordering::Relaxed)) as f64 / watchers as f64;
    println!("{:<44} {given_back:>8.0} bytes allocated", "the same once events were told");
    Ok(())
}

async fn create(registry: &Registry, name: &str) -> Result<()> {
    let mut object = Box::new(ConfigMap::default());
    object.metadata.name = name.to_owned();
    object.data.insert("data".to_owned(), "x".repeat(1_024));
    let served = registry.catalog().find("", "v1", "configmaps").ok_or("no ConfigMaps")?;
    let caller = Caller::new("root", &["system:masters"]);
    let made = registry.create(served, &caller, "default", object, &WriteOptions::default()).await;
    made.map(drop).map_err(|status| status.to_string().into())
}

/// A server whose callers may do everything.
async fn serve() -> Result<(Registry, SocketAddr, drain::Signal)> {
    let clock = Arc::new(SystemClock);
    let shared = Shared {
        store: Arc::new(MemoryStore::new()),
        catalog: Catalog::new(),
        gates: api_kind::Gates::default(),
        clock: Arc::<SystemClock>::clone(&clock),
        random: Arc::new(SystemRandom),
    };
    let registry = Registry::new(Arc::new(shared), Arc::new(Everything));
    let (policy, tokens) = (Arc::new(Policy::default()), Arc::new(NoTokens));
    let direct = Direct::new(registry.clone(), policy, tokens, Arc::<SystemClock>::clone(&clock));
    let nothing = Arc::new(Nothing);
    let (identify, documents, nodes) = (Arc::clone(&nothing), Arc::clone(&nothing), nothing);
    let handler = Handler::new(
        Local::new(direct),
        Arc::<SystemClock>::clone(&clock),
        identify,
        documents,
        nodes,
        String::new(),
    );
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut tls = builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)?;
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (signal, watch) = drain::channel();
    tokio::spawn(Server::new(listener, Arc::new(tls), Arc::new(handler), clock).run(watch));
    Ok((registry, address, signal))
}

struct Nothing;

impl Identify for Nothing {
    fn identify(&self, _: &Peer, _: &HeaderMap, _: &str) -> Option<Caller> {
        Some(Caller::new("root", &["system:masters"]))
    }
}

impl Documents for Nothing {
    fn find(&self, _: &DocumentRequest<'_>) -> Option<Document> {
        None
    }

    fn paths(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Nodes for Nothing {
    fn forward<'a>(
        &'a self,
        node: &'a str,
        _: Request<Incoming>,
    ) -> BoxFuture<'a, std::result::Result<http::Response<Body>, Unanswered>> {
        Box::pin(async move { Err(Unanswered::Dial(format!("there is no {node}"))) })
    }
}

/// The process that watches. It says a word when it has done something, and waits for a line where it is not to go on by itself.
struct Others {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Others {
    fn start(address: SocketAddr, watchers: usize, on_a_connection: usize) -> Result<Others> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([address.to_string(), watchers.to_string(), on_a_connection.to_string()]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = BufReader::new(process.stdout.take().ok_or("no output")?);
        Ok(Others { input: process.stdin.take(), output, process })
    }

    fn are(&mut self, wanted: &str) -> Result<()> {
        let mut line = String::new();
        tokio::task::block_in_place(|| self.output.read_line(&mut line))?;
        if line.trim() == wanted { Ok(()) } else { Err(format!("{line:?} instead of {wanted}").into()) }
    }

    fn go_on(&mut self) -> Result<()> {
        Ok(self.input.as_mut().ok_or("no input")?.write_all(b"\n")?)
    }

    fn end(mut self) -> Result<()> {
        self.input = None;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn watch(address: SocketAddr, watchers: usize, on_a_connection: usize) -> Result<()> {
    let mut lines = std::io::stdin().lines();
    let say = |word: &str| println!("{word}");
    let tls = Arc::new(base_serve::anyone::config(&[b"h2"])?);
    let watched = format!("{PATH}?watch=true");
    drop(ask(connect(address, &tls).await?, &watched).await?);
    let (done, mut told) = mpsc::channel(watchers);
    say("there");
    lines.next();
    let mut connections = Vec::new();
    for _ in 0..watchers.div_ceil(on_a_connection) {
        let connection = connect(address, &tls).await?;
        ask(connection.clone(), PATH).await?.collect().await?;
        connections.push(connection);
    }
    say("connected");
    lines.next();
    for number in 0..watchers {
        let body = ask(connections[number / on_a_connection].clone(), &watched).await?;
        tokio::spawn(hear(body, done.clone()));
    }
    say("watching");
    for _ in 0..ROUNDS {
        for _ in 0..watchers {
            told.recv().await.ok_or("no watch is open")?;
        }
        say("told");
    }
    lines.next();
    Ok(())
}

type Connection = http2::SendRequest<Empty<Bytes>>;

async fn connect(address: SocketAddr, tls: &Arc<rustls::ClientConfig>) -> Result<Connection> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let name = ServerName::try_from("localhost")?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, socket).await?;
    let (requests, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(requests)
}

async fn ask(mut connection: Connection, path: &str) -> Result<Incoming> {
    let request = Request::get(format!("https://localhost{path}")).header("accept", PROTOBUF);
    let request = request.header("user-agent", "watchers/v1.37.1 (linux/amd64) kubernetes/0123456");
    connection.ready().await?;
    let response = connection.send_request(request.body(Empty::new())?).await?;
    if response.status().is_success() {
        Ok(response.into_body())
    } else {
        Err(response.status().as_str().into())
    }
}

/// Says of each round that a watch has told all of it.
async fn hear(mut body: Incoming, done: mpsc::Sender<()>) -> Result<()> {
    let (mut read, mut heard) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await.transpose()? {
        read.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
        while let Some(length) =
            read.first_chunk::<4>().map(|length| 4 + u32::from_be_bytes(*length) as usize)
            && read.len() >= length
        {
            drop(read.split_to(length));
            heard += 1;
            if heard % CHANGES_A_ROUND == 0 {
                done.send(()).await?;
            }
        }
    }
    Ok(())
}
