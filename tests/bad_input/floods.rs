//! Frames that are each allowed, in masses: the server slows the client down or takes leave, and its memory stays bounded.

use std::time::Duration;

use campanile_test_support::{
    Cluster,
    wire::{Wire, call_fields, fields, flag, frame, kind},
};
use tokio::time::timeout;

use crate::campanile;

/// What one client may send in such a test.
const FLOOD_BYTES: usize = 64 << 20;
/// A server that has not taken a byte for so long has slowed the client down for good.
const STUCK: Duration = Duration::from_secs(1);
/// What a flood may leave in the server's memory: less than any list of what came in would take.
const GROWTH_MAX_BYTES: u64 = 24 << 20;
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How a flood ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Closed,
    Stuck,
    AllTaken,
}

/// A put and a read by a client that behaves.
pub async fn serves_on(subject: &mut Cluster) {
    let answer = timeout(ANSWER_LIMIT, subject.client(0).probe()).await;
    answer.expect("others are answered in time").expect("the member serves on");
}

/// Sends what `next` gives, and reads nothing, until one of the ends.
async fn flood(wire: &mut Wire, mut next: impl FnMut(u32) -> Vec<u8>) -> End {
    let mut sent = 0;
    let mut turn = 0;
    while sent < FLOOD_BYTES {
        let mut chunk = Vec::new();
        while chunk.len() < 64 << 10 {
            chunk.extend_from_slice(&next(turn));
            turn += 1;
        }
        match timeout(STUCK, wire.send(&chunk)).await {
            Ok(true) => sent += chunk.len(),
            Ok(false) => return End::Closed,
            Err(_) => return End::Stuck,
        }
    }
    End::AllTaken
}

/// Floods a fresh server after `begin`; the growth of its memory is bounded, and others are answered meanwhile.
async fn is_bounded(begin: &[u8], next: impl FnMut(u32) -> Vec<u8>) -> End {
    let mut subject = campanile(&[]).await;
    serves_on(&mut subject).await;
    let before = subject.members[0].process().resident_bytes();
    let mut wire = Wire::open(&subject.members[0].address).await;
    wire.send(begin).await;
    let end = flood(&mut wire, next).await;
    serves_on(&mut subject).await;
    let growth = subject.members[0].process().resident_bytes().saturating_sub(before);
    println!("{end:?}, {} KiB more memory", growth >> 10);
    assert!(growth <= GROWTH_MAX_BYTES, "{growth} bytes of memory for a flood that ended {end:?}");
    end
}

/// The head of the call number `turn` of a connection.
fn head(turn: u32, flags: u8) -> Vec<u8> {
    frame(kind::HEADERS, flags | flag::END_HEADERS, 2 * turn + 1, &call_fields("/etcdserverpb.Watch/Watch"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_without_end() {
    let begin = frame(kind::HEADERS, 0, 1, &call_fields("/etcdserverpb.KV/Range"));
    let more = fields(&[("a", &[b'x'; 1_000])]);
    let end = is_bounded(&begin, |_| frame(kind::CONTINUATION, 0, 1, &more)).await;
    assert_eq!(end, End::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_empty_continuations() {
    let begin = frame(kind::HEADERS, 0, 1, &call_fields("/etcdserverpb.KV/Range"));
    let end = is_bounded(&begin, |_| frame(kind::CONTINUATION, 0, 1, &[])).await;
    assert_eq!(end, End::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_reset_at_once() {
    let reset = |turn| frame(kind::RST_STREAM, 0, 2 * turn + 1, &8_u32.to_be_bytes());
    is_bounded(&[], |turn| [head(turn, 0), reset(turn)].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_make_the_server_reset_them() {
    // A window update of nothing is an error of its stream alone.
    is_bounded(&[], |turn| [head(turn, 0), frame(kind::WINDOW_UPDATE, 0, 2 * turn + 1, &[0; 4])].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pings() {
    let end = is_bounded(&[], |_| frame(kind::PING, 0, 0, &[7; 8])).await;
    assert_eq!(end, End::Closed, "too many pings");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings() {
    is_bounded(&[], |_| frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn priorities() {
    is_bounded(&[], |turn| frame(kind::PRIORITY, 0, 2 * (turn % 1_000_000) + 1, &[0, 0, 0, 0, 1])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_frames_without_data() {
    is_bounded(&head(0, 0), |_| frame(kind::DATA, 0, 1, &[])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_frames_of_one_byte() {
    // The prefix announces a message that never ends; each byte comes in a frame of its own.
    let begin = [head(0, 0), frame(kind::DATA, 0, 1, b"\0\0\x10\0\0")].concat();
    is_bounded(&begin, |_| frame(kind::DATA, 0, 1, b"x")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_unknown_types() {
    is_bounded(&[], |_| frame(0xee, 0, 0, &[0; 16_000])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_1_head_without_end() {
    let mut subject = campanile(&[]).await;
    let before = subject.members[0].process().resident_bytes();
    let mut wire = Wire::connect(&subject.members[0].address).await;
    wire.send(b"GET /health HTTP/1.1\r\n").await;
    assert_eq!(flood(&mut wire, |turn| format!("Field-{turn}: x\r\n").into_bytes()).await, End::Closed);
    serves_on(&mut subject).await;
    assert!(subject.members[0].process().resident_bytes().saturating_sub(before) <= GROWTH_MAX_BYTES);
}
