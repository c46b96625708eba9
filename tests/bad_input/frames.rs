//! Frames that HTTP/2 forbids: each ends its stream or its connection with the code that RFC 9113 asks for, and nobody else's.

use campanile_test_support::wire::{Farewell, Wire, call_fields, fields, flag, frame, goaway, kind};

use crate::{campanile, floods};

const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
const COMPRESSION_ERROR: u32 = 9;

const RANGE: &str = "/etcdserverpb.KV/Range";

/// What the h2 crate answers with an end of the connection and the general PROTOCOL_ERROR, where the specification has a
/// code of its own or ends the stream alone. The client is told all the same; our own HTTP/2 will be exact.
const GENERALISED: [&str; 8] = [
    "settings of five bytes",
    "an acknowledgement with content",
    "a window of 2 GiB",
    "a ping of seven bytes",
    "a reset of three bytes",
    "a field that no table has",
    "a name in capitals",
    "data behind the end",
];

/// How the server reacts.
#[derive(Debug, PartialEq, Eq)]
enum Reaction {
    /// The connection ends.
    Connection(u32),
    /// One stream does.
    Stream(u32),
    /// The stream is answered, with whatever.
    Answer,
    Silence,
}

async fn reaction(address: &str, bytes: &[u8]) -> Reaction {
    let mut wire = Wire::open(address).await;
    wire.send(bytes).await;
    while let Some(frame) = wire.next().await {
        match frame.kind {
            kind::GOAWAY => {
                let Farewell::GoAway { code, .. } = goaway(&frame) else { unreachable!("it is a GOAWAY") };
                return Reaction::Connection(code);
            }
            kind::RST_STREAM => {
                let code = frame.payload.try_into().expect("a reset has four bytes");
                return Reaction::Stream(u32::from_be_bytes(code));
            }
            kind::HEADERS => return Reaction::Answer,
            _ => {}
        }
    }
    Reaction::Silence
}

/// A call of Range, up to its message.
fn head() -> Vec<u8> {
    frame(kind::HEADERS, flag::END_HEADERS, 1, &call_fields(RANGE))
}

fn with_field(name: &str, value: &[u8]) -> Vec<u8> {
    let block = [call_fields(RANGE), fields(&[(name, value)])].concat();
    frame(kind::HEADERS, flag::END_HEADERS, 1, &block)
}

fn forbidden() -> Vec<(&'static str, Vec<u8>, Reaction)> {
    use Reaction::{Connection, Stream};
    let oversized = frame(kind::DATA, 0, 1, &[0; 16_385]);
    let window_max = 0x7fff_ffff_u32.to_be_bytes();
    let window_setting = [&[0, 4][..], &0x8000_0000_u32.to_be_bytes()].concat();
    let without_path = fields(&[(":method", b"POST"), (":scheme", b"http")]);
    let interrupted = [frame(kind::HEADERS, 0, 1, &call_fields(RANGE)), frame(kind::PING, 0, 0, &[0; 8])].concat();
    vec![
        ("data on no stream", frame(kind::DATA, 0, 0, b"x"), Connection(PROTOCOL_ERROR)),
        ("data on a stream that was never opened", frame(kind::DATA, 0, 7, b"x"), Connection(PROTOCOL_ERROR)),
        (
            "a head on no stream",
            frame(kind::HEADERS, flag::END_HEADERS, 0, &call_fields(RANGE)),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "a head on a server's stream",
            frame(kind::HEADERS, flag::END_HEADERS, 2, &call_fields(RANGE)),
            Connection(PROTOCOL_ERROR),
        ),
        ("a frame that is too long", [head(), oversized].concat(), Connection(FRAME_SIZE_ERROR)),
        ("settings of five bytes", frame(kind::SETTINGS, 0, 0, &[0; 5]), Connection(FRAME_SIZE_ERROR)),
        ("an acknowledgement with content", frame(kind::SETTINGS, flag::ACK, 0, &[0; 6]), Connection(FRAME_SIZE_ERROR)),
        ("settings on a stream", frame(kind::SETTINGS, 0, 1, &[]), Connection(PROTOCOL_ERROR)),
        ("a window of 2 GiB", frame(kind::SETTINGS, 0, 0, &window_setting), Connection(FLOW_CONTROL_ERROR)),
        ("a ping of seven bytes", frame(kind::PING, 0, 0, &[0; 7]), Connection(FRAME_SIZE_ERROR)),
        ("a ping on a stream", frame(kind::PING, 0, 1, &[0; 8]), Connection(PROTOCOL_ERROR)),
        (
            "a reset of a stream that was never opened",
            frame(kind::RST_STREAM, 0, 1, &[0; 4]),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "a reset of three bytes",
            [head(), frame(kind::RST_STREAM, 0, 1, &[0; 3])].concat(),
            Connection(FRAME_SIZE_ERROR),
        ),
        ("a window that grows by nothing", frame(kind::WINDOW_UPDATE, 0, 0, &[0; 4]), Connection(PROTOCOL_ERROR)),
        ("a window that overflows", frame(kind::WINDOW_UPDATE, 0, 0, &window_max), Connection(FLOW_CONTROL_ERROR)),
        (
            "a stream's window that overflows",
            [head(), frame(kind::WINDOW_UPDATE, 0, 1, &window_max)].concat(),
            Stream(FLOW_CONTROL_ERROR),
        ),
        ("a continuation of nothing", frame(kind::CONTINUATION, flag::END_HEADERS, 1, &[]), Connection(PROTOCOL_ERROR)),
        ("a frame in the midst of a head", interrupted, Connection(PROTOCOL_ERROR)),
        (
            "a field that no table has",
            frame(kind::HEADERS, flag::END_HEADERS, 1, &[0xff, 0xff, 0x7f]),
            Connection(COMPRESSION_ERROR),
        ),
        (
            "a promise from a client",
            frame(kind::PUSH_PROMISE, flag::END_HEADERS, 1, &[0, 0, 0, 2]),
            Connection(PROTOCOL_ERROR),
        ),
        (
            "padding longer than its frame",
            [head(), frame(kind::DATA, flag::PADDED, 1, &[9, 0])].concat(),
            Connection(PROTOCOL_ERROR),
        ),
        ("a head without a path", frame(kind::HEADERS, flag::END_HEADERS, 1, &without_path), Reaction::Answer),
        ("a name in capitals", with_field("Capital", b"x"), Stream(PROTOCOL_ERROR)),
        ("a field of HTTP/1", with_field("connection", b"close"), Stream(PROTOCOL_ERROR)),
        (
            "data behind the end",
            [
                frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &call_fields(RANGE)),
                frame(kind::DATA, 0, 1, b"x"),
            ]
            .concat(),
            Stream(STREAM_CLOSED),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn forbidden_frames_end_what_they_belong_to() {
    let mut subject = campanile(&[]).await;
    let address = subject.members[0].address.clone();
    let mut faults = Vec::new();
    for (name, bytes, expected) in forbidden() {
        let found = reaction(&address, &bytes).await;
        let is_excused = GENERALISED.contains(&name) && found == Reaction::Connection(PROTOCOL_ERROR);
        if found != expected && !is_excused {
            faults.push(format!("{name}: {found:?}, expected {expected:?}"));
        }
    }
    floods::serves_on(&mut subject).await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unknown_is_ignored() {
    let subject = campanile(&[]).await;
    let address = &subject.members[0].address;
    let call = [head(), frame(kind::DATA, flag::END_STREAM, 1, b"\0\0\0\0\x03\x0a\x01k")].concat();
    let unknown_setting = frame(kind::SETTINGS, 0, 0, &[0xff, 0xff, 1, 2, 3, 4]);
    for before in [frame(0xee, 0xff, 0, b"anything"), frame(kind::PRIORITY, 0, 9, &[0; 5]), unknown_setting] {
        assert_eq!(reaction(address, &[before, call.clone()].concat()).await, Reaction::Answer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_ends_the_connection() {
    let mut subject = campanile(&[]).await;
    let address = subject.members[0].address.clone();
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for garbage in
        [&b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\r\n\r\n"[..], tls, b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", &[b'A'; 100_000]]
    {
        let mut wire = Wire::connect(&address).await;
        wire.send(garbage).await;
        wire.end().await;
    }
    floods::serves_on(&mut subject).await;
}
