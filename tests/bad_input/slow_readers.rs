//! Clients that stop reading while hundreds of MiB pass: the server's memory is bounded, the others are served, and when the
//! slow ones read again, nothing is missing.

use campanile_api::etcdserverpb as pb;
use campanile_test_support::{
    Client, Cluster, environment,
    wire::{Wire, call_fields, flag, frame, kind, wide_windows},
};
use prost::Message;

use crate::{campanile, floods};

const DEFAULT_MIB: usize = 128;
const VALUE_BYTES: usize = 64 << 10;
/// What one client that does not read may hold in the server: its queue, the buffers below, and the socket's.
const QUEUED_MAX_BYTES: u64 = 32 << 20;
/// Noise of an allocator that has seen this much traffic.
const NOISE_BYTES: u64 = 48 << 20;

fn traffic_bytes() -> usize {
    environment::number("CAMPANILE_SLOW_READER_MIB", DEFAULT_MIB) << 20
}

/// One call, whole or with its stream left open.
fn call(stream: u32, path: &str, message: &impl Message, flags: u8) -> Vec<u8> {
    let body = campanile_test_support::caller::framed(&message.encode_to_vec());
    let head = frame(kind::HEADERS, flag::END_HEADERS, stream, &call_fields(path));
    [head, frame(kind::DATA, flags, stream, &body)].concat()
}

async fn put(client: &Client, key: &str, number: usize) -> i64 {
    let mut value = vec![b'v'; VALUE_BYTES];
    value[..8].copy_from_slice(&(number as u64).to_be_bytes());
    let put = pb::PutRequest { key: key.to_owned().into(), value: value.into(), ..Default::default() };
    let answer = client.kv().put(put).await.expect("a put is answered whoever does not read");
    answer.into_inner().header.expect("every answer has a header").revision
}

fn resident(subject: &mut Cluster) -> u64 {
    subject.members[0].process().resident_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads() {
    let mut subject = campanile(&[]).await;
    let client = subject.client(0);
    for number in 0..16 {
        put(&client, &format!("k/{number}"), number).await;
    }
    let before = resident(&mut subject);
    let answers = (traffic_bytes() / (16 * VALUE_BYTES)) as u32;
    let mut wire = Wire::open(&subject.members[0].address).await;
    wire.send(&wide_windows()).await;
    let all = pb::RangeRequest { key: "k/".into(), range_end: "k0".into(), ..Default::default() };
    for number in 0..answers {
        wire.send(&call(2 * number + 1, "/etcdserverpb.KV/Range", &all, flag::END_STREAM)).await;
    }
    for number in 0..100 {
        put(&client, "other", number).await;
    }
    floods::serves_on(&mut subject).await;
    let growth = resident(&mut subject).saturating_sub(before);
    println!("{} MiB of answers not read: {} MiB more memory", answers, growth >> 20);
    assert!(growth <= QUEUED_MAX_BYTES + NOISE_BYTES, "{growth} bytes of memory for a client that does not read");
    // Now it reads: every answer comes, whole.
    let (mut ended, mut bytes) = (0, 0);
    while ended < answers {
        let frame = wire.next().await.expect("the answers go on");
        match frame.kind {
            kind::DATA => bytes += frame.payload.len(),
            kind::HEADERS => ended += u32::from(frame.flags & flag::END_STREAM != 0),
            _ => {}
        }
    }
    assert!(bytes >= answers as usize * 16 * VALUE_BYTES, "{bytes} bytes are not all");
}

/// The events of one watch stream, as its frames come.
struct Events {
    wire: Wire,
    unread: Vec<u8>,
}

impl Events {
    async fn watch(address: &str) -> Events {
        let mut wire = Wire::open(address).await;
        wire.send(&wide_windows()).await;
        let create = pb::WatchCreateRequest { key: "k".into(), ..Default::default() };
        let union = pb::watch_request::RequestUnion::CreateRequest(create);
        let request = pb::WatchRequest { request_union: Some(union) };
        wire.send(&call(1, "/etcdserverpb.Watch/Watch", &request, 0)).await;
        let mut events = Events { wire, unread: Vec::new() };
        assert!(events.next().await.created);
        events
    }

    async fn next(&mut self) -> pb::WatchResponse {
        loop {
            if let Some(head) = self.unread.first_chunk::<5>() {
                let length = 5 + u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
                if self.unread.len() >= length {
                    let message: Vec<u8> = self.unread.drain(..length).skip(5).collect();
                    return pb::WatchResponse::decode(&message[..]).expect("the server sends messages");
                }
            }
            let data = self.wire.next_of(kind::DATA).await.expect("the stream goes on");
            self.unread.extend_from_slice(&data.payload);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_nobody_reads() {
    const WATCHERS: usize = 4;
    let mut subject = campanile(&[]).await;
    let client = subject.client(0);
    let puts = traffic_bytes() / VALUE_BYTES;
    // What the history itself takes is measured first, without a watcher.
    let start = resident(&mut subject);
    for number in 0..puts {
        put(&client, "unwatched", number).await;
    }
    let history = resident(&mut subject).saturating_sub(start);
    let mut watchers = Vec::new();
    for _ in 0..WATCHERS {
        watchers.push(Events::watch(&subject.members[0].address).await);
    }
    let before = resident(&mut subject);
    let mut revisions = Vec::new();
    for number in 0..puts {
        revisions.push(put(&client, "k", number).await);
    }
    floods::serves_on(&mut subject).await;
    let growth = resident(&mut subject).saturating_sub(before).saturating_sub(history);
    println!(
        "{} MiB past {WATCHERS} watchers: {} MiB beside the history's {}",
        traffic_bytes() >> 20,
        growth >> 20,
        history >> 20
    );
    assert!(growth <= WATCHERS as u64 * QUEUED_MAX_BYTES / 2, "{growth} bytes of memory for watchers that do not read");
    // They read again: from the history, in order, without a gap or a repetition.
    for events in &mut watchers {
        let mut seen = Vec::new();
        while seen.len() < revisions.len() {
            let response = events.next().await;
            assert!(!response.canceled, "{response:?}");
            seen.extend(
                response.events.iter().map(|event| event.kv.as_ref().expect("an event has a key").mod_revision),
            );
        }
        assert_eq!(seen, revisions);
    }
    // And live again.
    let last = put(&client, "k", 0).await;
    for events in &mut watchers {
        let response = events.next().await;
        assert_eq!(response.events[0].kv.as_ref().expect("an event has a key").mod_revision, last);
    }
}
