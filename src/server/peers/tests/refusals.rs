//! Who is not talked to, and what the log says of it: once.

use super::fake::{Connection, FROM_B, Listening, hello_from};
use super::member::{Member, Plan};
use super::{A, B, CLUSTER, question};
use crate::peers::Identity;
use crate::peers::handshake::{Hello, Refusal};
use campanile_storage::ids::MemberId;

#[test]
fn members_of_two_clusters_refuse_each_other() {
    let b = Member::start(Plan { identity: Identity { cluster_id: 0xc2, member: B }, ..Plan::new(B, &[]) });
    let a = Member::start(Plan { chatters: true, ..Plan::new(A, &[(B, b.port)]) });
    let ours = a.wait_for_log("cannot talk to a peer");
    for part in [
        "cluster ID mismatch",
        "\"a1\"",
        "\"b2\"",
        "local_member_cluster_id=\"c1\"",
        "found_peer_cluster_id=\"c2\"",
        "http://127.0.0.1:",
    ] {
        assert!(ours.contains(part), "{part} is not in {ours}");
    }
    let theirs = b.wait_for_log("refused a peer");
    for part in ["cluster ID mismatch", "\"a1\"", "local_member_cluster_id=\"c2\"", "remote_peer_cluster_id=\"c1\""] {
        assert!(theirs.contains(part), "{part} is not in {theirs}");
    }
}

#[test]
fn every_refusal_has_its_name_and_is_logged_once() {
    let a = Member::start(Plan::new(A, &[]));
    for (hello, refusal) in [
        (Hello { version: 2, ..FROM_B }, Refusal::Version),
        (Hello { cluster_id: 0xc2, ..FROM_B }, Refusal::Cluster),
        (Hello { receiver: MemberId(0xd4), ..FROM_B }, Refusal::Receiver),
        (hello_from(MemberId(0xd4)), Refusal::Sender),
        (hello_from(A), Refusal::Sender),
    ] {
        for _ in 0..3 {
            let (reply, connection) = Connection::open(a.port, hello);
            let reply = reply.unwrap();
            assert_eq!(reply.refusal, Some(refusal));
            assert_eq!((reply.hello.sender, reply.hello.cluster_id), (A, CLUSTER));
            connection.wait_for_end();
        }
        a.wait_for_log(refusal.reason());
    }
    assert_eq!(a.log_lines("refused a peer").len(), 5, "{:?}", a.log_lines(""));
    // Whoever was refused is welcome once it is right.
    let _ = Connection::welcome(a.port);
}

#[test]
fn strangers_get_no_answer() {
    let a = Member::start(Plan::new(A, &[]));
    for _ in 0..3 {
        Connection::stranger(a.port, b"GET /version HTTP/1.1\r\nHost: 127.0.0.1:2380\r\n\r\n").wait_for_end();
    }
    // One that says too little is not waited for.
    Connection::stranger(a.port, b"camp").wait_for_end();
    assert_eq!(a.log_lines("refused a connection to the peer port").len(), 1);
}

#[test]
fn what_a_remote_refuses_is_logged_once() {
    let listening = Listening::new();
    let a = Member::start(Plan { chatters: true, ..Plan::new(A, &[(B, listening.port())]) });
    for (hello, refusal, reason) in [
        (Hello { version: 9, ..FROM_B }, Some(Refusal::Version), Refusal::Version),
        (FROM_B, Some(Refusal::Sender), Refusal::Sender),
        (Hello { sender: MemberId(0xd4), ..FROM_B }, Some(Refusal::Receiver), Refusal::Receiver),
        // Welcomes that are none: they come from somebody else.
        (Hello { sender: MemberId(0xd4), ..FROM_B }, None, Refusal::Sender),
        (Hello { cluster_id: 0xc2, ..FROM_B }, None, Refusal::Cluster),
    ] {
        for _ in 0..3 {
            let (hello, connection) = listening.accept_with(hello, refusal);
            assert_eq!(hello, Hello { sender: A, receiver: B, ..FROM_B });
            connection.wait_for_end();
        }
        a.wait_for_log(reason.reason());
    }
    assert_eq!(a.log_lines("cannot talk to a peer").len(), 4, "{:?}", a.log_lines(""));
    // Once it is right, that is said too.
    let mut connection = listening.accept();
    let _ = connection.frame();
    a.wait_for_log("connected to a peer");
}

#[test]
fn a_remote_that_is_not_there_is_logged_once() {
    let port = Listening::new().port();
    let a = Member::start(Plan { chatters: true, ..Plan::new(A, &[(B, port)]) });
    a.wait_for_stats("three attempts fail", |stats| stats.dropped_messages > 100);
    let b = Member::start(Plan { port, ..Plan::new(B, &[]) });
    a.wait_for_log("connected to a peer");
    assert_eq!(a.log_lines("cannot reach a peer").len(), 1, "{:?}", a.log_lines(""));
    b.stop();
    a.wait_for_log("lost a peer");
    a.send(B, [question(1)]);
}
