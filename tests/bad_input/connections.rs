//! Many connections, many streams, and clients that ping: each costs little, and others are served on.

use std::time::Duration;

use campanile_api::etcdserverpb as pb;
use campanile_test_support::{
    Client, environment,
    wire::{Farewell, Frame, Wire, call_fields, flag, frame, kind},
};
use pb::watch_request::RequestUnion;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::StreamExt;

use crate::{campanile, etcd, floods};

const IDLE_CONNECTIONS: usize = 10_000;
/// Descriptors that the test needs besides.
const DESCRIPTORS_SPARE: usize = 200;
/// What an idle connection may cost the server. 24 KiB are the two buffers that h2 never gives back.
const IDLE_BYTES_MAX: u64 = 40 << 10;
const ENHANCE_YOUR_CALM: u32 = 11;
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// As many descriptors as the system lets this process have.
fn raise_descriptors() -> usize {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("a limit may be raised to its maximum");
    maximum.map_or(usize::MAX, |maximum| usize::try_from(maximum).unwrap_or(usize::MAX))
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections() {
    let wanted = environment::number("CAMPANILE_IDLE_CONNECTIONS", IDLE_CONNECTIONS);
    let count = wanted.min(raise_descriptors() - DESCRIPTORS_SPARE);
    if count < wanted {
        println!("the limit of open files leaves {count} of {wanted} connections");
    }
    let mut subject = campanile(&[]).await;
    floods::serves_on(&mut subject).await;
    let before = subject.members[0].process().resident_bytes();
    let mut wires = Vec::new();
    for _ in 0..count {
        let mut wire = Wire::open(&subject.members[0].address).await;
        wire.send(&frame(kind::SETTINGS, flag::ACK, 0, &[])).await;
        wires.push(wire);
    }
    for wire in &mut wires {
        assert_eq!(wire.next().await.map(|frame| frame.kind), Some(kind::SETTINGS), "every connection is greeted");
    }
    put(&subject.client(0)).await;
    let each = subject.members[0].process().resident_bytes().saturating_sub(before) / count as u64;
    println!("{count} idle connections take {each} bytes each");
    assert!(each <= IDLE_BYTES_MAX, "{each} bytes for each idle connection");
    drop(wires);
    floods::serves_on(&mut subject).await;
}

async fn put(client: &Client) {
    let request = pb::PutRequest { key: "k".into(), value: "v".into(), ..Default::default() };
    let mut kv = client.kv();
    let answer = timeout(ANSWER_LIMIT, kv.put(request)).await;
    answer.expect("a put is answered in time").expect("a put succeeds");
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_streams_on_one_connection() {
    const STREAMS: usize = 5_000;
    let subject = campanile(&[]).await;
    let client = subject.client(0);
    client.probe().await.expect("the connection is made");
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let create = pb::WatchCreateRequest { key: "k".into(), ..Default::default() };
        let request = pb::WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
        let requests = tokio_stream::once(request).chain(tokio_stream::pending());
        streams.push(client.watch().watch(requests).await.expect("a watch begins").into_inner());
    }
    for stream in &mut streams {
        assert!(stream.message().await.expect("the stream goes on").expect("an answer").created);
    }
    put(&client).await;
    for stream in &mut streams {
        let seen = timeout(ANSWER_LIMIT, stream.message()).await.expect("every stream is told in time");
        assert_eq!(seen.expect("the stream goes on").expect("an event").events.len(), 1);
    }
}

/// Pings until the server has enough of it, at most `count` times; how many it took, and its words.
async fn ping(wire: &mut Wire, count: usize, interval: Duration) -> (usize, Option<Farewell>) {
    for turn in 1..=count {
        wire.send(&frame(kind::PING, 0, 0, &[7; 8])).await;
        match wire.next_of_either(kind::PING, kind::GOAWAY).await {
            Some(Frame { kind: kind::PING, .. }) => {}
            Some(farewell) => return (turn, Some(campanile_test_support::wire::goaway(&farewell))),
            None => return (turn, Some(Farewell::Silence)),
        }
        sleep(interval).await;
    }
    // The last one's answer may have been a pong, with the farewell behind it.
    match timeout(Duration::from_millis(300), wire.next_of(kind::GOAWAY)).await {
        Ok(Some(farewell)) => (count, Some(campanile_test_support::wire::goaway(&farewell))),
        Ok(None) => (count, Some(Farewell::Silence)),
        Err(_) => (count, None),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_ping_too_often() {
    let flags = ["--grpc-keepalive-min-time=500ms"];
    let (subject, judge) = (campanile(&flags).await, etcd(&flags).await);
    let calm = Farewell::GoAway { code: ENHANCE_YOUR_CALM, debug: "too_many_pings".to_owned() };
    for cluster in [Some(&subject), judge.as_ref()].into_iter().flatten() {
        let address = &cluster.members[0].address;
        // Without a call every ping but the first is one too many, however slow.
        let idle = ping(&mut Wire::open(address).await, 4, Duration::from_millis(600)).await;
        assert_eq!(idle.1, Some(calm.clone()), "without a call, after {} pings", idle.0);
        let mut wire = watching(address).await;
        assert_eq!(ping(&mut wire, 6, Duration::from_millis(600)).await, (6, None), "in time");
        let hasty = ping(&mut watching(address).await, 5, Duration::from_millis(50)).await;
        assert_eq!(hasty.1, Some(calm.clone()), "in haste, after {} pings", hasty.0);
    }
}

/// A connection with a watch on it.
async fn watching(address: &str) -> Wire {
    let mut wire = Wire::open(address).await;
    let create = [0, 0, 0, 0, 5, 0x0a, 3, 0x0a, 1, b'k'];
    let head = frame(kind::HEADERS, flag::END_HEADERS, 1, &call_fields("/etcdserverpb.Watch/Watch"));
    wire.send(&[head, frame(kind::DATA, 0, 1, &create)].concat()).await;
    assert!(wire.next_of(kind::DATA).await.is_some(), "the watch is created");
    wire
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlines_are_kept() {
    use campanile_test_support::caller::{Caller, framed, head};
    const DEADLINE_EXCEEDED: u16 = 4;
    let (subject, judge) = (campanile(&[]).await, etcd(&[]).await);
    for cluster in [Some(&subject), judge.as_ref()].into_iter().flatten() {
        let caller = Caller::connect(&cluster.members[0].address).await;
        // A watch never ends by itself.
        let begin = Instant::now();
        let watch = head("/etcdserverpb.Watch/Watch", &[("grpc-timeout", b"300m")]);
        let answer = caller.watch(watch, framed(&[0x0a, 3, 0x0a, 1, b'k'])).await;
        let elapsed = begin.elapsed();
        assert_eq!(answer.text, "context deadline exceeded");
        assert!((300..2_000).contains(&elapsed.as_millis()), "{elapsed:?}");
    }
    let caller = Caller::connect(&subject.members[0].address).await;
    for (path, message) in [("/etcdserverpb.Watch/Watch", &b""[..]), ("/etcdserverpb.KV/Range", b"\x0a\x01k")] {
        // The code is that of newer versions of grpc-go; 3.5.1 ends a watch with UNKNOWN.
        let answer = caller.watch(head(path, &[("grpc-timeout", b"0S")]), framed(message)).await;
        assert_eq!(answer.code, Some(DEADLINE_EXCEEDED), "{answer:?}");
    }
}
