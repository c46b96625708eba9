//! How a member stops: it says GOAWAY, answers what it has taken, ends with status 0, and keeps what it acknowledged.

use std::time::Duration;

use campanile_api::etcdserverpb as pb;
use campanile_test_support::{
    caller::framed,
    wire::{Farewell, Wire, call_fields, flag, frame, goaway, kind, wide_windows},
};
use prost::Message;

use crate::campanile;

const END_LIMIT: Duration = Duration::from_secs(10);

fn pong(payload: &[u8]) -> Vec<u8> {
    frame(kind::PING, flag::ACK, 0, payload)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_signal_ends_it_with_success() {
    for signal in ["TERM", "INT", "QUIT"] {
        let mut subject = campanile(&[]).await;
        let mut idle = Wire::open(&subject.members[0].address).await;
        assert!(idle.next_of(kind::SETTINGS).await.is_some(), "the connection is greeted");
        let process = subject.members[0].process();
        process.signal(signal);
        assert_eq!(idle.farewell().await, Farewell::GoAway { code: 0, debug: String::new() }, "SIG{signal}");
        let status = process.ends_within(END_LIMIT).expect("it ends in time");
        assert_eq!(status.code(), Some(0), "SIG{signal}");
        subject.members[0].bury();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_has_taken_is_answered() {
    const PUTS: u32 = 2_000;
    let mut subject = campanile(&[]).await;
    let mut wire = Wire::open(&subject.members[0].address).await;
    wire.send(&wide_windows()).await;
    // The signal comes in the midst of them, and they go on for longer than an executor that has nothing to do stays.
    for number in 0..PUTS {
        let put = pb::PutRequest { key: format!("k/{number}").into(), value: "v".into(), ..Default::default() };
        let head = frame(kind::HEADERS, flag::END_HEADERS, 2 * number + 1, &call_fields("/etcdserverpb.KV/Put"));
        let data = frame(kind::DATA, flag::END_STREAM, 2 * number + 1, &framed(&put.encode_to_vec()));
        wire.send(&[head, data].concat()).await;
        if number == PUTS / 4 {
            subject.members[0].process().signal("TERM");
        }
        if number % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    let (mut answered, mut last) = (Vec::new(), None);
    while let Some(frame) = wire.next().await {
        match frame.kind {
            // With it the server makes sure that the first GOAWAY, which only announces, has arrived.
            kind::PING => {
                wire.send(&pong(&frame.payload)).await;
            }
            kind::GOAWAY => {
                assert_eq!(goaway(&frame), Farewell::GoAway { code: 0, debug: String::new() });
                let stream: [u8; 4] = frame.payload[..4].try_into().expect("a GOAWAY names a stream");
                last = Some(u32::from_be_bytes(stream));
            }
            kind::HEADERS if frame.flags & flag::END_STREAM != 0 => answered.push(frame.stream),
            _ => {}
        }
    }
    let taken: Vec<u32> = (0..PUTS).map(|number| 2 * number + 1).filter(|id| Some(*id) <= last).collect();
    answered.sort_unstable();
    println!("{} of {PUTS} puts were taken before the end", taken.len());
    assert!(!taken.is_empty(), "the signal came before everything");
    let missing: Vec<&u32> = taken.iter().filter(|id| answered.binary_search(id).is_err()).take(10).collect();
    assert!(missing.is_empty(), "no answer on {missing:?} and maybe more, up to stream {last:?}");
    let status = subject.members[0].process().ends_within(END_LIMIT).expect("it ends in time");
    assert_eq!(status.code(), Some(0));
    subject.members[0].bury();
    subject.start_all().await;
    let all = pb::RangeRequest { key: "k/".into(), range_end: "k0".into(), count_only: true, ..Default::default() };
    let count = subject.client(0).kv().range(all).await.expect("it serves again").into_inner().count;
    assert!(count as usize >= answered.len(), "{count} keys after {} acknowledged puts", answered.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_watch_does_not_keep_it() {
    let mut subject = campanile(&[]).await;
    let mut wire = Wire::open(&subject.members[0].address).await;
    let head = frame(kind::HEADERS, flag::END_HEADERS, 1, &call_fields("/etcdserverpb.Watch/Watch"));
    wire.send(&[head, frame(kind::DATA, 0, 1, &framed(&[0x0a, 3, 0x0a, 1, b'k']))].concat()).await;
    assert!(wire.next_of(kind::DATA).await.is_some(), "the watch is created");
    let process = subject.members[0].process();
    process.signal("TERM");
    let status = process.ends_within(END_LIMIT).expect("it ends in time");
    assert_eq!(status.code(), Some(0));
    subject.members[0].bury();
}
