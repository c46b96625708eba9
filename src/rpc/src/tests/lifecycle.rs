//! How connections end.

use super::*;

#[test]
fn a_shutdown_lets_open_calls_end() {
    in_world(Limits::default(), |world| async move {
        let mut client = world.client().await;
        let response = client.begin(request("Hold", &[]), framed(b"open")).await;
        world.settle().await;
        world.environment.shutdown.begin();
        world.settle().await;
        assert!(client.send.clone().ready().await.is_err(), "a GOAWAY came: no new calls");
        assert!(world.ended.borrow().is_none());
        let (_, message, reply) = world.seen.held.borrow_mut().pop().unwrap();
        reply.ok(message);
        assert_eq!(read_all(response).await.unwrap().body, framed(b"open"));
        world.settle().await;
        assert!(matches!(*world.ended.borrow(), Some(Ok(()))), "{:?}", world.ended);
    });
}

#[test]
fn a_shutdown_waits_no_longer_than_it_said() {
    in_world(Limits::default(), |world| async move {
        let mut client = world.client().await;
        let (response, _send) = client.open("HoldStream").await;
        world.settle().await;
        world.environment.shutdown.begin();
        world.settle().await;
        world.timer.advance(world.environment.limits.drain_timeout);
        assert!(read_all(response).await.is_err());
        assert_eq!(world.seen.cancelled.get(), 1);
        assert!(matches!(*world.ended.borrow(), Some(Err(ConnectionError::DrainTimeout(_)))));
    });
}

#[test]
fn a_lost_connection_cancels_what_is_open() {
    in_world(Limits::default(), |world| async move {
        let socket = world.connect(1 << 16);
        let (send, connection) = h2::client::handshake(socket).await.unwrap();
        let driver = world.executor.spawn(async { drop(connection.await) });
        let mut client = Client { send };
        let (_response, _send) = client.open("HoldStream").await;
        let _held = client.begin(request("Hold", &[]), framed(b"x")).await;
        world.settle().await;
        driver.cancel().await;
        world.settle().await;
        assert_eq!(world.seen.cancelled.get(), 1);
        assert!(world.ended.borrow().is_some());
        // Answers to a connection that is gone go nowhere.
        for (_, message, reply) in world.seen.held.take() {
            reply.ok(message);
        }
        world.seen.streams.take();
        assert_eq!(world.counts.handled.borrow()[&("Hold", Code::Cancelled)], 1);
    });
}

#[test]
fn a_silent_client_is_pinged_then_given_up() {
    let limits = Limits { keepalive_interval: Some(Duration::from_secs(10)), ..Limits::default() };
    in_world(limits, |world| async move {
        let mut client = world.client().await;
        // A client that answers pings stays.
        for _ in 0..5 {
            world.settle().await;
            world.timer.advance(Duration::from_secs(10));
            world.settle().await;
        }
        assert_eq!(client.call("Echo", b"x").await.code(), "0");

        // One that says nothing after the preface does not.
        let mute = world.connect(1 << 16);
        let mut mute = Box::pin(mute);
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        poll_fn(|cx| tokio::io::AsyncWrite::poll_write(mute.as_mut(), cx, preface)).await.unwrap();
        world.settle().await;
        world.timer.advance(Duration::from_secs(10));
        world.settle().await;
        assert!(world.ended.borrow().is_none());
        world.timer.advance(Duration::from_secs(20));
        world.settle().await;
        assert!(matches!(*world.ended.borrow(), Some(Err(ConnectionError::KeepaliveTimeout(_)))));
    });
}

#[test]
fn a_client_that_says_nothing_at_all_is_given_up() {
    in_world(Limits::default(), |world| async move {
        let _socket = world.connect(1 << 16);
        world.settle().await;
        world.timer.advance(world.environment.limits.first_bytes_timeout);
        world.settle().await;
        assert!(matches!(*world.ended.borrow(), Some(Err(ConnectionError::Silent(_)))));
    });
}

#[test]
fn garbage_behind_the_preface_ends_the_connection() {
    in_world(Limits::default(), |world| async move {
        let mut socket = Box::pin(world.connect(1 << 16));
        let garbage = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
        poll_fn(|cx| tokio::io::AsyncWrite::poll_write(socket.as_mut(), cx, garbage)).await.unwrap();
        world.settle().await;
        assert!(matches!(*world.ended.borrow(), Some(Err(ConnectionError::Http2(_)))), "{:?}", world.ended);
    });
}

/// Sends bytes by hand, and returns the frames that came back by then.
async fn exchange_bytes(world: &World, socket: &mut Pin<Box<DuplexStream>>, bytes: &[u8]) -> Vec<u8> {
    poll_fn(|cx| tokio::io::AsyncWrite::poll_write(socket.as_mut(), cx, bytes)).await.unwrap();
    world.settle().await;
    let mut space = [0; 4 << 10];
    let mut space = tokio::io::ReadBuf::new(&mut space);
    poll_fn(|cx| tokio::io::AsyncRead::poll_read(socket.as_mut(), cx, &mut space)).await.unwrap();
    space.filled().to_vec()
}

#[test]
fn a_client_that_pings_too_often_is_told_to_calm_down() {
    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0pingpong";
    in_world(Limits::default(), |world| async move {
        let mut socket = Box::pin(world.connect(1 << 16));
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        exchange_bytes(&world, &mut socket, preface).await;
        for _ in 0..3 {
            let pong = exchange_bytes(&world, &mut socket, PING).await;
            assert!(pong.ends_with(b"pingpong"));
            world.timer.advance(Duration::from_secs(60));
        }
        let farewell = exchange_bytes(&world, &mut socket, PING).await;
        assert!(farewell.ends_with(b"\0\0\x16\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0btoo_many_pings"), "{farewell:?}");
        assert!(matches!(*world.ended.borrow(), Some(Err(ConnectionError::TooManyPings))));
    });
}

#[test]
fn a_client_that_receives_may_ping() {
    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0pingpong";
    in_world(Limits::default(), |world| async move {
        let mut socket = Box::pin(world.connect(1 << 16));
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        exchange_bytes(&world, &mut socket, preface).await;
        // Literal fields of `POST /test.Service/HoldStream`, of type application/grpc.
        let head = b"\0\0\x3c\x01\x04\0\0\0\x01\x83\x86\x04\x18/test.Service/HoldStream\x0f\x10\x10application/grpc\0\x02te\x08trailers";
        poll_fn(|cx| tokio::io::AsyncWrite::poll_write(socket.as_mut(), cx, head)).await.unwrap();
        world.settle().await;
        let stream = world.seen.streams.borrow_mut().pop().expect("the call began");
        for _ in 0..20 {
            stream.send(Bytes::from_static(b"event"));
            exchange_bytes(&world, &mut socket, PING).await;
        }
        assert!(world.ended.borrow().is_none(), "{:?}", world.ended);
    });
}
