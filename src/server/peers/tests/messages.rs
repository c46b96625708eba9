//! Messages: their order, what becomes of them when a remote dies, and their bounds.

use std::time::{Duration, Instant};

use super::fake::{Connection, Listening};
use super::member::{Event, Member, Plan};
use super::{A, B, PATIENCE, append, index, question};
use crate::peers::bounds::{BULK_BYTES_MAX, CHUNK_BYTES, FRAMES_MAX};
use crate::peers::frame::{self, Frame};

/// What the kernel holds of one connection, at most, on both its sides.
const KERNEL_BYTES_MAX: usize = 20 << 20;

#[test]
fn messages_arrive_whole_and_in_order() {
    let b = Member::start(Plan::new(B, &[]));
    let a = Member::start(Plan::new(A, &[(B, b.port)]));
    // Small ones, and ones that no read buffer and no chunk holds.
    let sizes = [0, 1, 300, 70_000, CHUNK_BYTES, 5 << 20];
    let appends = (0..600).map(|index| append(index, sizes[index as usize % if index < 590 { 3 } else { 6 }]));
    a.send(B, appends);
    for expected in 0..600 {
        let (from, message) = b.message();
        assert_eq!((from, index(&message)), (A, Some(expected)));
        assert_eq!(message, append(expected, sizes[expected as usize % if expected < 590 { 3 } else { 6 }]));
    }
    let stats = a.stats();
    assert!(stats.is_connected && stats.dropped_messages == 0, "{stats:?}");
    a.wait_for_metric("round_trip_time_seconds_bucket{To=\"b2\",le=\"+Inf\"} 1");
    a.wait_for_metric("etcd_network_peer_sent_bytes_total{To=\"b2\"}");
    b.wait_for_metric("etcd_network_peer_received_bytes_total{From=\"a1\"}");
}

#[test]
fn both_directions_and_two_executors_of_traffic() {
    let b = Member::start(Plan::new(B, &[]));
    let a = Member::start(Plan::new(A, &[(B, b.port)]));
    let b_too = Member::start(Plan { port: 0, ..Plan::new(B, &[(A, a.port)]) });
    for round in 0..100 {
        a.send(B, [question(round)]);
        assert_eq!(b.message(), (A, question(round)));
        b_too.send(A, [question(round)]);
        assert_eq!(a.message(), (B, question(round)));
    }
}

#[test]
fn a_remote_that_comes_back_is_found_again() {
    let mut b = Member::start(Plan::new(B, &[]));
    let port = b.port;
    let a = Member::start(Plan { chatters: true, ..Plan::new(A, &[(B, port)]) });
    for life in 0..4 {
        // Chatter says that the connection stands.
        assert!(matches!(b.event(), Event::Message(A, _)));
        a.send(B, (0..100).map(|number| question(100 * life + number)));
        for number in 0..100 {
            assert_eq!(b.message(), (A, question(100 * life + number)));
        }
        b.stop();
        a.wait_for_stats("the loss is noticed", |stats| !stats.is_connected);
        b = Member::start(Plan { port, ..Plan::new(B, &[]) });
    }
}

#[test]
fn bulk_is_bounded_and_what_is_urgent_passes_it() {
    let listening = Listening::new();
    let a = Member::start(Plan::new(A, &[(B, listening.port())]));
    a.send(B, [question(0)]);
    let mut b = listening.accept();
    assert_eq!(b.frame_but_ping(), Frame::Message(question(0)));
    // B reads nothing now. The kernel takes some of it.
    let payload_bytes = 1 << 20;
    for batch in 0..12 {
        a.send(B, (batch * 10..(batch + 1) * 10).map(|index| append(index, payload_bytes)));
    }
    let stats = a.wait_for_stats("the queue is full", |stats| stats.dropped_messages > 0);
    let waiting = BULK_BYTES_MAX - KERNEL_BYTES_MAX..BULK_BYTES_MAX + 2 * payload_bytes;
    assert!(waiting.contains(&stats.queued_bytes), "{stats:?}");
    a.send(B, [question(1)]);
    let stats = a.stats();
    assert!(waiting.contains(&stats.queued_bytes), "{stats:?}");
    // B reads again: the question comes behind what had left already, before what waits.
    let mut appends = Vec::new();
    loop {
        match b.frame_but_ping() {
            Frame::Message(message) if message == question(1) => break,
            Frame::Message(message) => appends.push(index(&message).expect("an append")),
            other => panic!("{other:?}"),
        }
    }
    let passed = 120 - stats.dropped_messages as usize - appends.len();
    assert!(passed >= (BULK_BYTES_MAX - KERNEL_BYTES_MAX) / payload_bytes, "the question passed only {passed} appends");
    while appends.len() < 120 - stats.dropped_messages as usize {
        match b.frame_but_ping() {
            Frame::Message(message) => appends.push(index(&message).expect("an append")),
            other => panic!("{other:?}"),
        }
    }
    assert!(appends.is_sorted(), "{appends:?}");
    let stats = a.wait_for_stats("the queue is empty", |stats| stats.queued_bytes == 0);
    a.wait_for_metric(&format!("sent_failures_total{{To=\"b2\"}} {}", stats.dropped_messages));
}

#[test]
fn urgent_messages_are_bounded_in_number() {
    let a = Member::start(Plan::new(A, &[(B, unused_port())]));
    a.run(|peers| {
        // In one poll, so that nothing leaves in between.
        (0..FRAMES_MAX as u64 + 9).for_each(|number| peers.send(B, &question(number)));
        assert_eq!(peers.connections[0].snapshot().dropped_messages, 9);
    });
    // What waited for the connection that fails is dropped too.
    let stats = a.wait_for_stats("the attempt fails", |stats| stats.queued_bytes == 0);
    assert_eq!(stats.dropped_messages, FRAMES_MAX as u64 + 9);
}

#[test]
fn a_remote_that_falls_silent_is_left_and_dialled_again() {
    let listening = Listening::new();
    let silence_max = Duration::from_millis(100);
    let a = Member::start(Plan { silence_max, chatters: true, ..Plan::new(A, &[(B, listening.port())]) });
    let start = Instant::now();
    let silent = listening.accept();
    // It never says a pong, nor does it close.
    let again = listening.accept();
    assert!(start.elapsed() >= silence_max && start.elapsed() < PATIENCE);
    assert!(a.wait_for_log("lost a peer").contains("no sign of life"));
    silent.wait_for_end();
    drop(again);
}

#[test]
fn a_remote_that_sends_rubbish_is_left() {
    let listening = Listening::new();
    let a = Member::start(Plan { chatters: true, ..Plan::new(A, &[(B, listening.port())]) });
    let mut pong = Vec::new();
    frame::put_pong(&mut pong, 1 << 40);
    for (bytes, text) in [
        ([&pong[..], &[0xff; 64]].concat(), "what came is wrong"),
        ([&pong[..12], &[1], &pong[13..]].concat(), "what came is wrong"),
        (
            {
                let mut message = Vec::new();
                assert!(frame::put_message(&mut message, &question(1)));
                message
            },
            "breaks the protocol",
        ),
    ] {
        let mut b = listening.accept();
        b.say(&bytes);
        b.wait_for_end();
        a.wait_for_log(text);
    }
    listening.accept();
}

#[test]
fn a_member_that_sends_rubbish_is_cut_off() {
    let a = Member::start(Plan::new(A, &[]));
    let mut ping = Vec::new();
    frame::put_ping(&mut ping, 7);
    let mut pong = Vec::new();
    frame::put_pong(&mut pong, 7);
    for rubbish in [vec![0xff; 64], pong, vec![0; 8]] {
        let mut b = Connection::welcome(a.port);
        b.say(&ping);
        assert_eq!(b.frame(), Frame::Pong(7));
        b.say(&rubbish);
        b.wait_for_end();
    }
    a.wait_for_metric("received_failures_total{From=\"b2\"} 3");
}

/// A port on which nobody listens.
fn unused_port() -> u16 {
    Listening::new().port()
}
