//! Two ends of a connection, and one end against bytes made by hand.

use super::*;
use crate::spdy::frame::REFUSED_STREAM;

fn pair() -> (Connection, Connection) {
    let (a, b) = tokio::io::duplex(8 * 1024);
    (Connection::start(a, Role::Client), Connection::start(b, Role::Server))
}

fn headers(kind: &str) -> Headers {
    Headers::new(&[("streamType", kind)])
}

async fn connect(client: &Connection, server: &mut Connection) -> (Stream, Stream) {
    let accept = async {
        let stream = server.incoming().await.expect("a stream");
        stream.accept();
        stream
    };
    let (ours, theirs) = tokio::join!(client.open(headers("data")), accept);
    (ours.expect("accepted"), theirs)
}

#[tokio::test]
async fn a_stream_carries_both_ways_and_ends_one_way_at_a_time() {
    let (client, mut server) = pair();
    let (mut ours, mut theirs) = connect(&client, &mut server).await;
    assert_eq!((ours.id, theirs.headers.get("StreamType")), (1, Some("data")));
    ours.data.write_all(b"question").await.expect("sent");
    ours.data.shutdown().await.expect("ended");
    let mut text = String::new();
    theirs.data.read_to_string(&mut text).await.expect("read");
    assert_eq!(text, "question");
    theirs.data.write_all(b"answer").await.expect("still open");
    drop(theirs.data);
    let mut text = String::new();
    ours.data.read_to_string(&mut text).await.expect("read");
    assert_eq!(text, "answer");
}

#[tokio::test]
async fn much_goes_through_in_both_directions_at_once() {
    const LENGTH: usize = 3_000_000;
    let (client, mut server) = pair();
    let (ours, theirs) = connect(&client, &mut server).await;
    let run = |stream: Stream, seed: u8| async move {
        let (mut read, mut write) = tokio::io::split(stream.data);
        let send = async move {
            let bytes: Vec<u8> = (0..LENGTH).map(|at| (at as u8).wrapping_mul(seed)).collect();
            write.write_all(&bytes).await.expect("sent");
            write.shutdown().await.expect("ended");
        };
        let receive = async move {
            let mut bytes = Vec::new();
            read.read_to_end(&mut bytes).await.expect("read");
            bytes
        };
        tokio::join!(send, receive).1
    };
    let (at_client, at_server) = tokio::join!(run(ours, 3), run(theirs, 7));
    assert!(at_client.iter().enumerate().all(|(at, byte)| *byte == (at as u8).wrapping_mul(7)));
    assert!(at_server.iter().enumerate().all(|(at, byte)| *byte == (at as u8).wrapping_mul(3)));
    assert_eq!((at_client.len(), at_server.len()), (LENGTH, LENGTH));
}

#[tokio::test]
async fn a_stream_that_nobody_reads_does_not_hold_up_another() {
    let (client, mut server) = pair();
    let (mut stuck, _unread) = connect(&client, &mut server).await;
    let (mut free, mut reading) = connect(&client, &mut server).await;
    let flood = tokio::spawn(async move {
        let _ = stuck.data.write_all(&vec![0; 10 * STREAM_BUFFER_BYTES]).await;
    });
    free.data.write_all(b"hello").await.expect("sent");
    let mut buffer = [0; 5];
    reading.data.read_exact(&mut buffer).await.expect("not held up");
    assert_eq!(&buffer, b"hello");
    flood.abort();
}

#[tokio::test]
async fn a_refused_stream_is_an_error_to_its_opener() {
    let (client, mut server) = pair();
    let refuse = async { server.incoming().await.expect("a stream").refuse() };
    let (ours, ()) = tokio::join!(client.open(headers("x")), refuse);
    assert!(matches!(ours, Err(StreamError::Refused(REFUSED_STREAM))));
}

#[tokio::test]
async fn a_reset_stream_ends_for_both_and_the_connection_goes_on() {
    let (client, mut server) = pair();
    let (mut ours, theirs) = connect(&client, &mut server).await;
    theirs.reset();
    assert_eq!(ours.data.read(&mut [0; 1]).await.expect("ended"), 0);
    connect(&client, &mut server).await;
}

#[tokio::test]
async fn closing_lets_everything_arrive() {
    let (client, mut server) = pair();
    let (mut ours, mut theirs) = connect(&client, &mut server).await;
    let reading = tokio::spawn(async move {
        let mut bytes = Vec::new();
        theirs.data.read_to_end(&mut bytes).await.expect("read");
        bytes.len()
    });
    ours.data.write_all(&vec![1; 200_000]).await.expect("sent");
    drop(ours.data);
    ours.flushed.await.expect("flushed");
    let ended = server.ended();
    client.close(&base::time::SystemClock).await;
    assert_eq!(reading.await.expect("read"), 200_000);
    ended.await;
    assert!(server.incoming().await.is_none());
}

/// An end made by hand, as a peer without windows is.
struct Raw {
    io: DuplexStream,
    packer: Packer,
}

impl Raw {
    fn server() -> (Raw, Connection) {
        let (a, b) = tokio::io::duplex(1024 * 1024);
        (Raw { io: a, packer: Packer::default() }, Connection::start(b, Role::Server))
    }

    async fn send(&mut self, frame: Frame) {
        self.io.write_all(&frame.encode()).await.expect("sent");
    }

    async fn open(&mut self, id: u32) {
        let block = Bytes::from(self.packer.pack(&headers("data")).expect("packed"));
        self.send(Frame::SynStream { id, fin: false, unidirectional: false, block }).await;
    }

    async fn next(&mut self) -> Frame {
        let mut prefix = [0; PREFIX_BYTES];
        self.io.read_exact(&mut prefix).await.expect("a frame");
        let prefix = Prefix::decode(prefix).expect("a prefix");
        let mut payload = vec![0; prefix.length()];
        self.io.read_exact(&mut payload).await.expect("a payload");
        Frame::decode(prefix, Bytes::from(payload)).expect("a frame")
    }
}

#[tokio::test]
async fn a_peer_without_windows_gets_everything_and_grants_nothing() {
    let (mut raw, mut server) = Raw::server();
    raw.open(1).await;
    let mut stream = server.incoming().await.expect("a stream");
    stream.accept();
    assert!(matches!(raw.next().await, Frame::Settings { initial_window: Some(_) }));
    assert!(matches!(raw.next().await, Frame::SynReply { id: 1, .. }));
    tokio::spawn(async move {
        stream.data.write_all(&vec![0; 5 * STREAM_BUFFER_BYTES]).await.expect("sent");
        stream.data.shutdown().await.expect("ended");
        std::future::pending::<()>().await;
    });
    let mut length = 0;
    loop {
        match raw.next().await {
            Frame::Data { fin: true, .. } => break,
            Frame::Data { bytes, .. } => length += bytes.len(),
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(length, 5 * STREAM_BUFFER_BYTES);
}

#[tokio::test]
async fn pings_are_answered_and_answers_are_not() {
    let (mut raw, _server) = Raw::server();
    raw.next().await;
    raw.send(Frame::Ping { id: 2 }).await;
    raw.send(Frame::Unknown { kind: 99 }).await;
    raw.send(Frame::Ping { id: 9 }).await;
    assert_eq!(raw.next().await, Frame::Ping { id: 9 });
}

#[tokio::test]
async fn a_wrong_frame_ends_the_connection() {
    for bytes in [
        Frame::Data { id: 0, fin: false, bytes: Bytes::new() }.encode(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        Frame::SynStream { id: 1, fin: false, unidirectional: false, block: Bytes::from_static(b"x") }
            .encode(),
        Frame::SynReply { id: 1, fin: false, block: Bytes::from_static(b"\x78\xbb\xff\xff\xff\xff") }
            .encode(),
    ] {
        let (mut raw, server) = Raw::server();
        raw.io.write_all(&bytes).await.expect("sent");
        // Cut bytes are an end as well.
        raw.io.shutdown().await.expect("ended");
        server.ended().await;
    }
    let (mut raw, mut server) = Raw::server();
    raw.open(2).await;
    assert!(server.incoming().await.is_none(), "an even number is a server's");
}

#[tokio::test]
async fn an_overflowing_window_resets_its_stream() {
    let (mut raw, mut server) = Raw::server();
    raw.next().await;
    raw.send(Frame::Settings { initial_window: Some(1024) }).await;
    raw.open(1).await;
    let stream = server.incoming().await.expect("a stream");
    raw.send(Frame::WindowUpdate { id: 1, delta: 0x7fff_ffff }).await;
    assert_eq!(raw.next().await, Frame::RstStream { id: 1, status: FLOW_CONTROL_ERROR });
    drop(stream);
}
