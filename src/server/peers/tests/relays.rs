//! Requests that are sent on: their answers, and what is known of them when there is none.

use std::time::Duration;

use bytes::Bytes;

use super::fake::{Connection, Listening};
use super::member::{DROP, ECHO, Event, HOLD, LARGE, Member, Plan, REFUSE};
use super::{A, B, append, question};
use crate::peers::bounds::{ANSWER_PART_BYTES, REQUEST_BYTES_MAX};
use crate::peers::frame::{self, Frame};
use crate::peers::{RelayError, RelayRequest, RelayStatus};

fn request(method: u32, message: &[u8]) -> RelayRequest {
    RelayRequest { method, message: Bytes::copy_from_slice(message), deadline: None }
}

#[test]
fn answers_come_back() {
    let b = Member::start(Plan::new(B, &[]));
    let a = Member::start(Plan::new(A, &[(B, b.port)]));
    a.relay(B, 1, RelayRequest { deadline: Some(Duration::from_secs(100)), ..request(ECHO, b"put") });
    assert_eq!(a.answer(), (1, Ok(Bytes::from_static(b"put"))));
    let relayed = b.request();
    assert_eq!((relayed.method, &relayed.message[..]), (ECHO, &b"put"[..]));
    assert_eq!(relayed.deadline, Some(Duration::from_secs(100)));

    a.relay(B, 2, request(REFUSE, b""));
    let status = RelayStatus { code: 9, text: "etcdserver: no".to_owned() };
    assert_eq!(a.answer(), (2, Err(RelayError::Status(status))));

    a.relay(B, 3, request(DROP, b""));
    let given_up = RelayStatus { code: 2, text: "etcdserver: the request was given up".to_owned() };
    assert_eq!(a.answer(), (3, Err(RelayError::Status(given_up))));

    for bytes in [0, 1, ANSWER_PART_BYTES, ANSWER_PART_BYTES + 1, 20 << 20] {
        a.relay(B, 4, request(LARGE, &(bytes as u64).to_le_bytes()));
        let (name, answer) = a.answer();
        let answer = answer.unwrap();
        assert_eq!((name, answer.len()), (4, bytes));
        assert!(answer.iter().enumerate().all(|(place, byte)| usize::from(*byte) == place % 251));
    }
}

#[test]
fn thousands_at_once_are_each_answered_once() {
    let b = Member::start(Plan::new(B, &[]));
    let a = Member::start(Plan::new(A, &[(B, b.port)]));
    for name in 0..5_000_u64 {
        a.relay(B, name, request(ECHO, &name.to_le_bytes()));
    }
    let mut names: Vec<u64> = (0..5_000)
        .map(|_| {
            let (name, answer) = a.answer();
            assert_eq!(answer.unwrap(), Bytes::copy_from_slice(&name.to_le_bytes()));
            name
        })
        .collect();
    names.sort_unstable();
    assert_eq!(names, (0..5_000).collect::<Vec<_>>());
    assert_eq!(a.stats().relays_waiting, 0);
}

#[test]
fn a_lost_connection_tells_what_may_have_been_evaluated() {
    let b = Member::start(Plan::new(B, &[]));
    let a = Member::start(Plan::new(A, &[(B, b.port)]));
    a.relay(B, 1, request(HOLD, b"held"));
    assert_eq!(b.request().message, &b"held"[..]);
    b.stop();
    assert_eq!(a.answer(), (1, Err(RelayError::Lost)));
}

#[test]
fn what_did_not_leave_is_surely_not_evaluated() {
    let listening = Listening::new();
    let a = Member::start(Plan::new(A, &[(B, listening.port())]));
    a.send(B, [question(0)]);
    let mut b = listening.accept();
    assert_eq!(b.frame_but_ping(), Frame::Message(question(0)));
    // B reads a little of the first. The kernel holds some more of it, the rest waits.
    let message = vec![1; REQUEST_BYTES_MAX];
    (1..=4).for_each(|name| a.relay(B, name, request(ECHO, &message)));
    a.wait_for_stats("all wait", |stats| stats.relays_waiting == 4);
    b.wait_for_bytes();
    drop(b);
    let answers: Vec<_> = (1..=4).map(|_| a.answer()).collect();
    assert_eq!(answers.iter().map(|(name, _)| *name).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(answers[0].1, Err(RelayError::Lost));
    assert_eq!(answers[3].1, Err(RelayError::NotSent));
    assert!(answers.is_sorted_by_key(|(_, answer)| *answer == Err(RelayError::NotSent)), "{answers:?}");
}

#[test]
fn a_remote_that_cannot_be_reached_is_said_so_at_once() {
    let a = Member::start(Plan::new(A, &[(B, Listening::new().port())]));
    a.relay(B, 1, request(ECHO, b""));
    assert_eq!(a.answer(), (1, Err(RelayError::NotSent)));
    a.relay(B, 2, request(ECHO, b""));
    assert_eq!(a.answer(), (2, Err(RelayError::NotSent)));
    a.relay(A, 3, request(ECHO, b""));
    assert_eq!(a.answer(), (3, Err(RelayError::NotSent)));
}

#[test]
fn too_large_a_request_is_not_sent() {
    let b = Member::start(Plan::new(B, &[]));
    let a = Member::start(Plan::new(A, &[(B, b.port)]));
    a.relay(B, 1, request(ECHO, &vec![0; REQUEST_BYTES_MAX + 1]));
    assert_eq!(a.answer(), (1, Err(RelayError::NotSent)));
    a.relay(B, 2, request(LARGE, &5_u64.to_le_bytes()));
    assert_eq!(a.answer().1.unwrap().len(), 5);
}

#[test]
fn a_deadline_frees_what_waits() {
    let b = Member::start(Plan::new(B, &[]));
    let a = Member::start(Plan::new(A, &[(B, b.port)]));
    a.relay(B, 1, RelayRequest { deadline: Some(Duration::from_millis(20)), ..request(HOLD, b"") });
    assert_eq!(a.answer(), (1, Err(RelayError::Lost)));
    assert_eq!(a.stats().relays_waiting, 0);
}

#[test]
fn whoever_stops_takes_leave_of_what_waits() {
    let b = Member::start(Plan::new(B, &[]));
    let a = Member::start(Plan::new(A, &[(B, b.port)]));
    a.relay(B, 1, request(HOLD, b""));
    b.request();
    let (sender, answered) = std::sync::mpsc::channel();
    a.run(move |peers| peers.relay(B, request(HOLD, b""), move |result| sender.send(result).unwrap()));
    b.request();
    a.stop();
    assert_eq!(answered.recv().unwrap(), Err(RelayError::Lost));
}

#[test]
fn whoever_reads_no_answers_is_refused_and_others_go_on() {
    let a = Member::start(Plan::new(A, &[]));
    let mut b = Connection::welcome(a.port);
    // Each answer is 20 MiB, and B reads none.
    let mut asked = Vec::new();
    for number in 0..10 {
        frame::put_request(&mut asked, number, &request(LARGE, &(20_u64 << 20).to_le_bytes()));
    }
    assert!(frame::put_message(&mut asked, &append(1, 10)));
    b.say(&asked);
    let evaluated = (0..).map_while(|_| matches!(a.event(), Event::Request(..)).then_some(())).count();
    assert!((4..=6).contains(&evaluated), "64 MiB wait after {evaluated} answers");
    let mut ends = 0;
    let mut refused = 0;
    while ends < 10 {
        match b.frame() {
            Frame::AnswerPart { .. } => {}
            Frame::Answer { .. } => ends += 1,
            Frame::Status { status, .. } => {
                assert_eq!((status.code, &status.text[..]), (8, "etcdserver: too many requests"));
                ends += 1;
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, 10 - evaluated);
}
