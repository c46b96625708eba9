//! Plain HTTP, by either version.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Reads until `ending` came, or the end.
async fn read_until(socket: &mut DuplexStream, ending: &str) -> String {
    let mut all = Vec::new();
    while !all.ends_with(ending.as_bytes()) || ending.is_empty() {
        let mut byte = [0];
        if socket.read(&mut byte).await.unwrap() == 0 {
            break;
        }
        all.push(byte[0]);
    }
    String::from_utf8(all).unwrap()
}

#[test]
fn requests_are_answered_one_after_the_other() {
    in_world(Limits::default(), |world| async move {
        let mut socket = world.connect(1 << 16);
        // Two at once, the second in two parts.
        socket.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /no?a=b HT").await.unwrap();
        let body = r#"{"health":"true"}"#;
        let answer = read_until(&mut socket, body).await;
        assert_eq!(
            answer,
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\nConnection: keep-alive\r\n\r\n{body}"
            )
        );
        socket.write_all(b"TP/1.1\r\n\r\n").await.unwrap();
        let answer = read_until(&mut socket, "either\n").await;
        assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
        assert!(answer.ends_with("no /no, \"a=b\" either\n"), "{answer}");
        socket.write_all(b"HEAD /health HTTP/1.1\r\nConnection: close\r\n\r\n").await.unwrap();
        let answer = read_until(&mut socket, "").await;
        assert!(answer.contains("Content-Length: 17\r\n") && answer.ends_with("Connection: close\r\n\r\n"), "{answer}");
        world.settle().await;
        assert!(matches!(*world.ended.borrow(), Some(Ok(()))));
    });
}

#[test]
fn what_is_not_served_is_refused() {
    let cases = [
        ("GET /drop HTTP/1.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 503 "),
        ("POST /health HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 413 "),
        ("\0\0\0\r\n\r\n", "HTTP/1.1 400 "),
    ];
    for (request, begins) in cases {
        in_world(Limits::default(), |world| async move {
            let mut socket = world.connect(1 << 16);
            socket.write_all(request.as_bytes()).await.unwrap();
            let answer = read_until(&mut socket, "").await;
            assert!(answer.starts_with(begins), "{answer}");
        });
    }
}

#[test]
fn idle_and_slow_clients_are_given_up() {
    in_world(Limits::default(), |world| async move {
        let mut idle = world.connect(1 << 16);
        idle.write_all(b"GET /health HTTP/1.1\r\n\r\n").await.unwrap();
        world.settle().await;
        world.timer.advance(world.environment.limits.http1_idle_timeout);
        let answer = read_until(&mut idle, "").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

        let mut slow = world.connect(1 << 16);
        slow.write_all(b"GET /health HTTP/1.1\r\nHo").await.unwrap();
        world.settle().await;
        world.timer.advance(world.environment.limits.first_bytes_timeout);
        let answer = read_until(&mut slow, "").await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    });
}

#[test]
fn a_shutdown_closes_idle_connections() {
    in_world(Limits::default(), |world| async move {
        let mut idle = world.connect(1 << 16);
        idle.write_all(b"GET /health HTTP/1.1\r\n\r\n").await.unwrap();
        world.settle().await;
        world.environment.shutdown.begin();
        assert!(read_until(&mut idle, "").await.starts_with("HTTP/1.1 200 "));
    });
}

#[test]
fn plain_requests_are_served_over_http2_too() {
    in_world(Limits::default(), |world| async move {
        let client = world.client().await;
        for (method, path, status, length) in
            [("GET", "/health", 200, 17), ("HEAD", "/health", 200, 0), ("GET", "/drop", 503, 31)]
        {
            let mut send = client.send.clone().ready().await.unwrap();
            let request = Request::builder().method(method).uri(format!("http://test{path}")).body(()).unwrap();
            let (response, _) = send.send_request(request, true).unwrap();
            let answer = read_all(response).await.unwrap();
            assert_eq!((answer.http_status, answer.body.len(), answer.code), (status, length, None));
        }
    });
}
