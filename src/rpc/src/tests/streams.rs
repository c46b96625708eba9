//! Streaming calls.

use super::*;

#[test]
fn messages_are_echoed_until_the_client_ends() {
    in_world(Limits::default(), |world| async move {
        let mut client = world.client().await;
        let (response, mut send) = client.open("EchoStream").await;
        // Cut across messages: the boundaries of frames mean nothing.
        let both = [framed(b"one"), framed(b"two")].concat();
        send.send_data(Bytes::copy_from_slice(&both[..6]), false).unwrap();
        world.settle().await;
        send.send_data(Bytes::copy_from_slice(&both[6..]), false).unwrap();
        let mut body = response.await.unwrap().into_body();
        assert_eq!(read_some(&mut body, both.len()).await, both);
        send.send_data(Bytes::new(), true).unwrap();
        assert!(body.data().await.is_none());
        assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
        assert_eq!((world.seen.messages.get(), world.seen.half_closed.get()), (2, 1));
        assert_eq!((world.seen.cancelled.get(), client.call("Echo", b"x").await.code()), (0, "0"));
    });
}

#[test]
fn a_reset_cancels() {
    in_world(Limits::default(), |world| async move {
        let mut client = world.client().await;
        let (response, mut send) = client.open("HoldStream").await;
        world.settle().await;
        let stream = world.seen.streams.borrow_mut().pop().unwrap();
        assert_eq!(stream.flow(), Flow::Open);
        send.send_reset(h2::Reason::CANCEL);
        drop(response);
        world.settle().await;
        assert_eq!(world.seen.cancelled.get(), 1);
        assert_eq!(stream.send(Bytes::from_static(b"too late")), Flow::Closed);
        assert_eq!(stream.queued_bytes(), 0);
        drop(stream);
        assert_eq!(world.counts.handled.borrow()[&("HoldStream", Code::Cancelled)], 1);
        assert_eq!(client.call("Echo", b"x").await.code(), "0");
    });
}

#[test]
fn a_reset_behind_the_half_close_cancels_too() {
    in_world(Limits::default(), |world| async move {
        let mut client = world.client().await;
        let (response, mut send) = client.open("HoldStream").await;
        send.send_data(framed(b"all there is"), true).unwrap();
        world.settle().await;
        let stream = world.seen.streams.borrow_mut().pop().unwrap();
        stream.send(Bytes::from_static(b"first"));
        let body = response.await.unwrap().into_body();
        assert_eq!((world.seen.half_closed.get(), world.seen.cancelled.get()), (1, 0));
        send.send_reset(h2::Reason::CANCEL);
        drop(body);
        world.settle().await;
        assert_eq!(world.seen.cancelled.get(), 1);
        assert_eq!(stream.flow(), Flow::Closed);
    });
}

#[test]
fn a_dropped_handle_ends_the_call() {
    in_world(Limits::default(), |world| async move {
        let mut client = world.client().await;
        let (response, _send) = client.open("HoldStream").await;
        world.settle().await;
        drop(world.seen.streams.borrow_mut().pop());
        let answer = read_all(response).await.unwrap();
        assert_eq!((answer.code(), answer.text()), ("14", "the server dropped the request"));
    });
}

#[test]
fn a_deadline_ends_a_stream() {
    in_world(Limits::default(), |world| async move {
        let mut client = world.client().await;
        let response = client.begin(request("HoldStream", &[("grpc-timeout", "1S")]), framed(b"")).await;
        world.settle().await;
        world.timer.advance(Duration::from_secs(1));
        assert_eq!(read_all(response).await.unwrap().code(), "4");
        assert_eq!(world.seen.cancelled.get(), 1);
        assert_eq!(world.seen.streams.borrow()[0].flow(), Flow::Closed);
    });
}

#[test]
fn thousands_of_streams_share_a_connection() {
    in_world(Limits::default(), |world| async move {
        const STREAMS: usize = 3_000;
        let mut client = world.client().await;
        let mut open = Vec::new();
        for _ in 0..STREAMS {
            open.push(client.open("HoldStream").await);
        }
        while world.seen.streams.borrow().len() < STREAMS {
            future::yield_now().await;
        }
        for (number, stream) in world.seen.streams.take().into_iter().enumerate() {
            stream.send(Bytes::from(number.to_string()));
            stream.finish(Status::OK);
        }
        for (number, (response, _send)) in open.into_iter().enumerate() {
            assert_eq!(read_all(response).await.unwrap().body, framed(number.to_string().as_bytes()));
        }
        assert_eq!(client.call("Echo", b"x").await.code(), "0");
    });
}

#[test]
fn a_handler_takes_messages_when_it_accepts_them() {
    in_world(Limits::default(), |world| async move {
        world.seen.accepted_max.set(3);
        let mut client = world.client().await;
        let (_response, mut send) = client.open("HoldStream").await;
        for _ in 0..10 {
            send.send_data(framed(b"x"), false).unwrap();
        }
        send.send_data(Bytes::new(), true).unwrap();
        world.settle().await;
        assert_eq!((world.seen.messages.get(), world.seen.half_closed.get()), (3, 0));
        world.seen.accepted_max.set(20);
        world.seen.streams.borrow()[0].read_on();
        world.settle().await;
        assert_eq!((world.seen.messages.get(), world.seen.half_closed.get()), (10, 1));
    });
}
