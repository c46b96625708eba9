//! Unary calls, and what is wrong with them.

use std::time::Duration;

use http::Request;

use super::*;

#[test]
fn a_message_is_answered() {
    in_world(Limits::default(), |world| async move {
        let mut client = world.client().await;
        let answer = client.call("Echo", b"hello").await;
        assert_eq!((answer.http_status, answer.code(), answer.text()), (200, "0", "none"));
        assert_eq!(answer.body, framed(b"hello"));
        assert_eq!(answer.headers["content-type"], "application/grpc");
        let answer = client.call("Echo", b"").await;
        assert_eq!((answer.code(), &answer.body), ("0", &framed(b"")));
        assert_eq!(world.counts.started.get(), 2);
        assert_eq!(world.counts.handled.borrow()[&("Echo", Code::Ok)], 2);
        assert!(world.counts.received_bytes.get() > 0);
    });
}

#[test]
fn errors_come_without_a_body() {
    in_world(Limits::default(), |world| async move {
        let mut client = world.client().await;
        let answer = client.call("Echo", b"fail").await;
        assert_eq!((answer.code(), answer.text()), ("5", "100 %25 gone%0A"));
        assert!(answer.body.is_empty());
        let answer = client.call("Drop", b"").await;
        assert_eq!((answer.code(), answer.text()), ("14", "the server dropped the request"));
        assert_eq!(world.counts.handled.borrow()[&("Drop", Code::Unavailable)], 1);
    });
}

#[test]
fn answers_come_in_any_order() {
    in_world(Limits::default(), |world| async move {
        let mut client = world.client().await;
        // Before the first answer only a few calls are let in.
        assert_eq!(client.call("Echo", b"short").await.code(), "0");
        let mut waiting = Vec::new();
        for number in 0..1_000_u32 {
            waiting.push(client.begin(request("Hold", &[]), framed(&number.to_be_bytes())).await);
        }
        while world.seen.held.borrow().len() < waiting.len() {
            future::yield_now().await;
        }
        let mut held = world.seen.held.take();
        held.reverse();
        for (_, message, reply) in held {
            reply.ok(message);
        }
        for (number, response) in (0..1_000_u32).zip(waiting) {
            let answer = read_all(response).await.unwrap();
            assert_eq!((answer.code(), &answer.body), ("0", &framed(&number.to_be_bytes())));
        }
    });
}

#[test]
fn large_messages_pass_in_both_directions() {
    in_world(Limits::default(), |world| async move {
        let mut client = world.client().await;
        for length in [1 << 10, 1 << 14, 1 << 16, 2 << 20] {
            let message = vec![b'x'; length];
            let answer = client.call("Echo", &message).await;
            assert_eq!(answer.code(), "0");
            assert_eq!(answer.body, framed(&message));
        }
    });
}

#[test]
fn what_is_malformed_is_refused() {
    in_world(Limits { message_max_bytes: 16, ..Limits::default() }, |world| async move {
        let mut client = world.client().await;
        let cases: [(&[u8], &str, &str); 5] = [
            (b"\0\0\0\0\x11", "8", "grpc: received message larger than max (17 vs. 16)"),
            (b"\x01\0\0\0\0", "13", "grpc: compressed flag set with identity or empty encoding"),
            (b"\x02\0\0\0\0", "13", "grpc: received unexpected payload format 2"),
            (b"\0\0\0\0\x05hel", "2", "unexpected EOF"),
            (b"", "2", "EOF"),
        ];
        for (body, code, text) in cases {
            let response = client.begin(request("Echo", &[]), Bytes::from_static(body)).await;
            let answer = read_all(response).await.unwrap();
            assert_eq!((answer.code(), answer.text()), (code, text));
        }
        assert_eq!(client.call("Echo", b"still works").await.code(), "0");
    });
}

#[test]
fn heads_that_cannot_be_served_are_refused() {
    in_world(Limits::default(), |world| async move {
        let mut client = world.client().await;
        let other = |path: &str| Request::post(format!("http://test{path}")).header("content-type", "application/grpc");
        let cases = [
            (request("Nothing", &[]), 200, "12", "unknown method Nothing for service test.Service"),
            (other("/a.B/C").body(()).unwrap(), 200, "12", "unknown service a.B"),
            (other("/x").body(()).unwrap(), 200, "12", r#"malformed method name: "/x""#),
            (
                request("Echo", &[("grpc-encoding", "gzip")]),
                200,
                "12",
                r#"grpc: Decompressor is not installed for grpc-encoding "gzip""#,
            ),
            (
                request("Echo", &[("content-type", "application/json")]),
                415,
                "3",
                r#"invalid gRPC request content-type "application/json""#,
            ),
            (request("Echo", &[("grpc-timeout", "soon")]), 400, "13", r#"malformed grpc-timeout: "soon""#),
        ];
        for (request, http_status, code, text) in cases {
            let response = client.begin(request, framed(b"")).await;
            let answer = read_all(response).await.unwrap();
            assert_eq!((answer.http_status, answer.code(), answer.text()), (http_status, code, text));
            assert_eq!(answer.headers.contains_key("grpc-accept-encoding"), code == "12");
        }
        assert_eq!(world.counts.started.get(), 0);
    });
}

#[test]
fn a_deadline_is_answered_for_the_handler() {
    in_world(Limits::default(), |world| async move {
        let mut client = world.client().await;
        let slow = client.begin(request("Hold", &[("grpc-timeout", "2S")]), framed(b"slow")).await;
        let patient = client.begin(request("Hold", &[("grpc-timeout", "1M")]), framed(b"patient")).await;
        world.settle().await;
        let deadline = world.seen.held.borrow()[0].0.deadline.unwrap();
        assert_eq!(deadline - world.timer.now.get(), Duration::from_secs(2));
        world.timer.advance(Duration::from_secs(2));
        let answer = read_all(slow).await.unwrap();
        assert_eq!((answer.code(), answer.text()), ("4", "context deadline exceeded"));
        for (_, message, reply) in world.seen.held.take() {
            reply.ok(message);
        }
        assert_eq!(read_all(patient).await.unwrap().body, framed(b"patient"));
        assert_eq!(world.counts.handled.borrow()[&("Hold", Code::DeadlineExceeded)], 1);
    });
}

#[test]
fn metadata_reaches_the_handler() {
    in_world(Limits::default(), |world| async move {
        let mut client = world.client().await;
        let _response = client.begin(request("Hold", &[("hasleader", "true")]), framed(b"")).await;
        world.settle().await;
        let held = world.seen.held.borrow();
        assert_eq!(held[0].0.metadata.get("hasleader"), Some("true"));
        assert_eq!(held[0].0.metadata.get("token"), None);
        assert_eq!(held[0].0.peer.address, "test");
    });
}
