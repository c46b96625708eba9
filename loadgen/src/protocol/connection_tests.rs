//! A connection against frames written by hand: what is usual, what is rare, and what must be refused.

use super::*;
use crate::protocol::{frame::write_frame, hpack};

const OPENING: &[(&str, &str)] = &[(":status", "200"), ("content-type", "application/grpc")];
const SUCCESS: &[(&str, &str)] = &[("grpc-status", "0"), ("grpc-message", "")];

type Answer = (u8, Result<Vec<u8>, Failure>);

fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        hpack::write_literal(&mut block, name.as_bytes(), value.as_bytes());
    }
    block
}

fn message(content: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    grpc::write_message_prefix(&mut body, content.len());
    body.extend_from_slice(content);
    body
}

fn response(stream: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_frame(&mut bytes, kind::HEADERS, flag::END_HEADERS, stream, &block(OPENING));
    write_frame(&mut bytes, kind::DATA, 0, stream, &message(content));
    write_frame(&mut bytes, kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, &block(SUCCESS));
    bytes
}

fn settings(entries: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (name, value) in entries {
        payload.extend_from_slice(&name.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    let mut bytes = Vec::new();
    write_frame(&mut bytes, kind::SETTINGS, 0, 0, &payload);
    bytes
}

fn feed(connection: &mut Connection<u8>, bytes: &[u8]) -> Result<Vec<Answer>, ProtocolError> {
    let mut answers = Vec::new();
    let used = connection.receive(bytes, |call, result| answers.push((call, result.map(<[u8]>::to_vec))))?;
    assert_eq!(used, bytes.len(), "whole frames are used up");
    Ok(answers)
}

/// A connection past its handshake, with nothing left to send.
fn ready(streams_max: usize, peer: &[(u16, u32)]) -> Connection<u8> {
    let mut connection = Connection::new(streams_max);
    assert!(connection.outgoing().starts_with(PREFACE));
    assert_eq!(connection.room(), 0, "no call before the settings are known");
    let mut bytes = settings(peer);
    write_frame(&mut bytes, kind::SETTINGS, flag::ACK, 0, &[]);
    feed(&mut connection, &bytes).unwrap();
    assert!(connection.is_ready());
    connection.advance(connection.outgoing().len());
    connection
}

fn started(connection: &mut Connection<u8>, calls: std::ops::Range<u8>) {
    let headers = RequestHeaders::new("/etcdserverpb.KV/Put", "localhost:2379");
    for call in calls {
        connection.start(&headers, b"request", call);
    }
}

#[test]
fn answers_come_in_any_order_and_cut_anywhere() {
    let mut bytes = response(3, b"second");
    bytes.extend(response(1, b"first"));
    bytes.extend(response(5, b""));
    for step in 1..=bytes.len() {
        let mut connection = ready(8, &[]);
        started(&mut connection, 0..3);
        let (mut answers, mut buffer) = (Vec::new(), Vec::new());
        for piece in bytes.chunks(step) {
            buffer.extend_from_slice(piece);
            let used =
                connection.receive(&buffer, |call, result| answers.push((call, result.map(<[u8]>::to_vec)))).unwrap();
            buffer.drain(..used);
        }
        let expected = [(1, Ok(b"second".to_vec())), (0, Ok(b"first".to_vec())), (2, Ok(Vec::new()))];
        assert_eq!(answers, expected, "in pieces of {step} bytes");
        assert_eq!((connection.open_count(), connection.room()), (0, 8));
    }
}

#[test]
fn padding_priority_and_continuation_are_understood() {
    let mut connection = ready(1, &[]);
    started(&mut connection, 0..1);
    let opening = block(OPENING);
    let mut first = vec![2, 0, 0, 0, 0, 16];
    first.extend_from_slice(&opening[..4]);
    first.extend_from_slice(&[0, 0]);
    let mut bytes = Vec::new();
    write_frame(&mut bytes, kind::HEADERS, flag::PADDED | flag::PRIORITY, 1, &first);
    write_frame(&mut bytes, kind::CONTINUATION, 0, 1, &opening[4..9]);
    write_frame(&mut bytes, kind::CONTINUATION, flag::END_HEADERS, 1, &opening[9..]);
    let mut padded = vec![3];
    padded.extend(message(b"x"));
    padded.extend_from_slice(&[0; 3]);
    write_frame(&mut bytes, kind::DATA, flag::PADDED, 1, &padded);
    write_frame(&mut bytes, kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &block(SUCCESS));
    assert_eq!(feed(&mut connection, &bytes).unwrap(), [(0, Ok(b"x".to_vec()))]);
}

#[test]
fn failures_carry_the_servers_code_and_words() {
    let mut connection = ready(4, &[]);
    started(&mut connection, 0..4);
    let trailers_only = [(":status", "200"), ("grpc-status", "8"), ("grpc-message", "etcdserver: too%20many requests")];
    let mut bytes = Vec::new();
    write_frame(&mut bytes, kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &block(&trailers_only));
    write_frame(&mut bytes, kind::RST_STREAM, 0, 3, &7u32.to_be_bytes());
    write_frame(&mut bytes, kind::HEADERS, flag::END_HEADERS, 5, &block(OPENING));
    write_frame(&mut bytes, kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 5, &block(SUCCESS));
    write_frame(&mut bytes, kind::HEADERS, flag::END_HEADERS, 7, &block(OPENING));
    write_frame(&mut bytes, kind::DATA, flag::END_STREAM, 7, &message(b"no trailers"));
    // Frames of streams that are closed by now are ignored.
    write_frame(&mut bytes, kind::RST_STREAM, 0, 1, &0u32.to_be_bytes());
    write_frame(&mut bytes, kind::DATA, 0, 3, b"late");
    let answers = feed(&mut connection, &bytes).unwrap();
    let expected = [
        (0, Code::RESOURCE_EXHAUSTED, "etcdserver: too many requests"),
        (1, Code::UNAVAILABLE, "RST_STREAM REFUSED_STREAM"),
        (2, Code::INTERNAL, "success without a message"),
        (3, Code::INTERNAL, "the stream ended without trailers"),
    ];
    assert_eq!(answers, expected.map(|(call, code, text)| (call, Err(Failure::new(code, text)))));
}

#[test]
fn the_peers_number_of_streams_is_kept() {
    let mut connection = ready(100, &[(setting::MAX_CONCURRENT_STREAMS, 2)]);
    assert_eq!((connection.room(), connection.peer_streams_max()), (2, Some(2)));
    started(&mut connection, 0..2);
    assert_eq!(connection.room(), 0);
    feed(&mut connection, &response(1, b"")).unwrap();
    assert_eq!(connection.room(), 1);
    feed(&mut connection, &settings(&[(setting::MAX_CONCURRENT_STREAMS, 0)])).unwrap();
    assert_eq!(connection.room(), 0);
}

#[test]
fn a_goodbye_fails_what_the_server_will_not_do_and_finishes_the_rest() {
    let mut connection = ready(8, &[]);
    started(&mut connection, 0..2);
    let mut payload = 1u32.to_be_bytes().to_vec();
    payload.extend_from_slice(&0u32.to_be_bytes());
    payload.extend_from_slice(b"drain");
    let mut bytes = Vec::new();
    write_frame(&mut bytes, kind::GOAWAY, 0, 0, &payload);
    let failure = Failure::new(Code::UNAVAILABLE, "GOAWAY NO_ERROR drain");
    assert_eq!(feed(&mut connection, &bytes).unwrap(), [(1, Err(failure))]);
    assert!(connection.is_retired());
    assert_eq!((connection.room(), connection.open_count()), (0, 1));
    assert_eq!(feed(&mut connection, &response(1, b"done")).unwrap(), [(0, Ok(b"done".to_vec()))]);
}

#[test]
fn pings_and_settings_are_acknowledged_and_windows_refilled() {
    let mut connection = ready(1, &[]);
    let mut bytes = settings(&[]);
    write_frame(&mut bytes, kind::PING, 0, 0, b"12345678");
    write_frame(&mut bytes, kind::PING, flag::ACK, 0, b"an ack..");
    feed(&mut connection, &bytes).unwrap();
    let mut expected = Vec::new();
    write_frame(&mut expected, kind::SETTINGS, flag::ACK, 0, &[]);
    write_frame(&mut expected, kind::PING, flag::ACK, 0, b"12345678");
    assert_eq!(connection.outgoing(), expected);
    connection.advance(expected.len());

    started(&mut connection, 0..1);
    connection.advance(connection.outgoing().len());
    connection.window_used = WINDOW_REFILL_BYTES - 1;
    feed(&mut connection, &response(1, b"")).unwrap();
    let header = FrameHeader::read(connection.outgoing()).unwrap();
    assert_eq!((header.kind, connection.window_used), (kind::WINDOW_UPDATE, 0));
}

#[test]
fn an_answer_before_the_body_went_out_resets_the_stream() {
    let mut connection = ready(1, &[]);
    let headers = RequestHeaders::new("/etcdserverpb.KV/Put", "localhost:2379");
    connection.start(&headers, &[0; 100_000], 0);
    connection.advance(connection.outgoing().len());
    let refused = [(":status", "200"), ("grpc-status", "8")];
    let mut bytes = Vec::new();
    write_frame(&mut bytes, kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &block(&refused));
    assert_eq!(feed(&mut connection, &bytes).unwrap().len(), 1);
    assert_eq!(FrameHeader::read(connection.outgoing()).unwrap().kind, kind::RST_STREAM);
}

#[test]
fn what_http2_forbids_ends_the_connection() {
    let frame = |kind, flags, stream, payload: &[u8]| {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, kind, flags, stream, payload);
        bytes
    };
    let data_first = frame(kind::DATA, 0, 1, b"x");
    let cases = [
        frame(kind::HEADERS, flag::END_HEADERS, 9, &block(OPENING)),
        frame(kind::CONTINUATION, flag::END_HEADERS, 1, b""),
        [frame(kind::HEADERS, 0, 1, b""), frame(kind::PING, 0, 0, b"12345678")].concat(),
        [frame(kind::HEADERS, 0, 1, b""), frame(kind::CONTINUATION, 0, 3, b"")].concat(),
        frame(kind::HEADERS, flag::END_HEADERS, 1, &block(&[(":status", "404")])),
        frame(kind::HEADERS, flag::END_HEADERS | flag::PADDED, 1, &[200, 1]),
        frame(kind::PUSH_PROMISE, 0, 1, b""),
        frame(kind::PING, 0, 0, b"short"),
        frame(kind::SETTINGS, 0, 0, b"odd"),
        frame(kind::WINDOW_UPDATE, 0, 0, &0u32.to_be_bytes()),
        frame(kind::GOAWAY, 0, 0, b"short"),
        vec![0x01, 0, 0, 0, 0, 0, 0, 0, 1],
        data_first.clone(),
    ];
    for (number, bytes) in cases.iter().enumerate() {
        let mut connection = ready(2, &[]);
        started(&mut connection, 0..2);
        assert!(feed(&mut connection, bytes).is_err(), "case {number}");
        let mut failed = Vec::new();
        connection.fail_all(&Failure::new(Code::UNAVAILABLE, "lost"), |call, _| failed.push(call));
        assert_eq!(failed, [0, 1], "case {number}: each call is answered once");
    }
    let not_http2 = Connection::<u8>::new(1).receive(b"HTTP/1.1 400 Bad Request", |_, _| ());
    assert_eq!(not_http2, Err(ProtocolError::NotHttp2));
    assert_eq!(feed(&mut Connection::new(1), &data_first), Err(ProtocolError::NotHttp2));
}
