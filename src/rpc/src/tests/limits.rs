//! Clients that do not read, or send more than is good: each bound is driven to its limit.

use super::*;

const ANSWER_BYTES: usize = 64 << 10;

#[test]
fn a_client_that_does_not_read_is_not_read_either() {
    let limits = Limits { queued_max_bytes: 1 << 20, ..Limits::default() };
    in_world(limits, |world| async move {
        // Windows of 64 KiB: what is answered beyond them waits in the server.
        let mut client = world.client_of(h2::client::Builder::new().data_frame_budget(1 << 20)).await;
        let mut waiting = Vec::new();
        for _ in 0..200 {
            waiting.push(client.begin(request("Hold", &[]), framed(b"x")).await);
            world.settle().await;
            for (_, _, reply) in world.seen.held.take() {
                reply.ok(vec![b'y'; ANSWER_BYTES]);
            }
        }
        let started = world.counts.started.get();
        let bound = (1 << 20) / ANSWER_BYTES + 3;
        assert!(started <= bound, "{started} requests were taken, more than {bound}");
        // Once the client reads, all goes on to the end.
        let read = Rc::new(Cell::new(0));
        for response in waiting {
            let read = Rc::clone(&read);
            let reading = async move {
                let answer = read_all(response).await.unwrap();
                assert_eq!((answer.code(), answer.body.len()), ("0", ANSWER_BYTES + 5));
                read.set(read.get() + 1);
            };
            world.executor.spawn(reading).detach();
        }
        while read.get() < 200 {
            for (_, _, reply) in world.seen.held.take() {
                reply.ok(vec![b'y'; ANSWER_BYTES]);
            }
            future::yield_now().await;
        }
    });
}

#[test]
fn requests_that_the_handler_holds_are_bounded() {
    let limits = Limits { in_flight_max_bytes: 10_000, ..Limits::default() };
    in_world(limits, |world| async move {
        let mut client = world.client().await;
        let mut waiting = Vec::new();
        for _ in 0..50 {
            waiting.push(client.begin(request("Hold", &[]), framed(&[b'x'; 1_000])).await);
        }
        world.settle().await;
        assert_eq!(world.seen.held.borrow().len(), 10);
        let answering = async {
            loop {
                let next = world.seen.held.borrow_mut().pop();
                if let Some((_, message, reply)) = next {
                    reply.ok(message);
                }
                assert!(world.seen.held.borrow().len() <= 10);
                future::yield_now().await;
            }
        };
        let reading = async {
            for response in waiting {
                assert_eq!(read_all(response).await.unwrap().code(), "0");
            }
        };
        future::or(reading, answering).await;
    });
}

#[test]
fn large_answers_let_few_calls_in() {
    let limits = Limits { queued_max_bytes: 1 << 20, ..Limits::default() };
    in_world(limits, |world| async move {
        let mut client = world.client().await;
        let mut waiting = Vec::new();
        for _ in 0..100 {
            waiting.push(client.begin(request("Hold", &[]), framed(b"x")).await);
        }
        world.settle().await;
        assert_eq!(world.seen.held.borrow().len(), 16, "before the first answer");
        let answering = async {
            loop {
                for (_, _, reply) in world.seen.held.take() {
                    reply.ok(vec![b'y'; ANSWER_BYTES]);
                }
                future::yield_now().await;
                assert!(world.seen.held.borrow().len() <= (1 << 20) / ANSWER_BYTES + 1);
            }
        };
        let reading = async {
            for response in waiting {
                assert_eq!(read_all(response).await.unwrap().code(), "0");
            }
        };
        future::or(reading, answering).await;
    });
}

#[test]
fn a_stream_that_is_not_read_pauses_its_handler() {
    let limits = Limits { stream_queue_max_bytes: 256 << 10, ..Limits::default() };
    in_world(limits, |world| async move {
        let mut client = world.client_of(&h2::client::Builder::new()).await;
        let (response, _send) = client.open("HoldStream").await;
        world.settle().await;
        let stream = world.seen.streams.borrow_mut().pop().unwrap();
        let message = Bytes::from(vec![b'y'; 10_000]);
        let mut sent = 1;
        while stream.send(message.clone()) == Flow::Open {
            world.settle().await;
            sent += 1;
        }
        assert!(stream.queued_bytes() >= 256 << 10);
        world.settle().await;
        assert_eq!((stream.flow(), world.seen.ready.get()), (Flow::Pause, 0));
        let mut body = response.await.unwrap().into_body();
        read_some(&mut body, sent * (message.len() + 5)).await;
        world.settle().await;
        assert_eq!((stream.flow(), world.seen.ready.get(), stream.queued_bytes()), (Flow::Open, 1, 0));
    });
}

#[test]
fn a_paused_stream_reads_no_further_messages() {
    let limits = Limits { stream_queue_max_bytes: 100 << 10, ..Limits::default() };
    in_world(limits, |world| async move {
        let mut client = world.client_of(&h2::client::Builder::new()).await;
        let (response, mut send) = client.open("EchoStream").await;
        let message = framed(&[b'x'; 10_000]);
        for _ in 0..60 {
            send.send_data(message.clone(), false).unwrap();
        }
        world.settle().await;
        let echoed = world.seen.messages.get();
        assert!(echoed < 30, "{echoed} messages were taken from a client that reads none");
        let mut body = response.await.unwrap().into_body();
        read_some(&mut body, 60 * message.len()).await;
        assert_eq!(world.seen.messages.get(), 60);
    });
}

#[test]
fn streams_beyond_the_limit_wait_in_the_client() {
    let limits = Limits { concurrent_streams_max: 3, ..Limits::default() };
    in_world(limits, |world| async move {
        let mut client = world.client().await;
        assert_eq!(client.call("Echo", b"learns of the limit").await.code(), "0");
        let mut open = Vec::new();
        for _ in 0..3 {
            open.push(client.open("HoldStream").await);
        }
        let fourth = future::poll_once(client.call("Echo", b"x")).await;
        assert_eq!(fourth, None);
        world.settle().await;
        assert_eq!(world.seen.streams.borrow().len(), 3);
    });
}
