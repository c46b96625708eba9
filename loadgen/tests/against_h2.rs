//! The generator's binary against a server upon the `h2` crate: every kind of load, and every way to fail.

#![allow(clippy::unwrap_used, reason = "a test's helpers may end with their reason")]

mod null_etcd;

use std::{
    net::TcpListener,
    process::{Command, Output},
    sync::LazyLock,
};

/// Runs the generator on a server of its own, with few requests.
fn loadgen(arguments: &str) -> (Output, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || null_etcd::serve(listener));
    run(&format!("{arguments} --endpoints {endpoint} --keys 50"))
}

fn run(arguments: &str) -> (Output, String) {
    static BINARY: LazyLock<&str> = LazyLock::new(|| env!("CARGO_BIN_EXE_loadgen"));
    let output = Command::new(*BINARY).args(arguments.split(' ')).output().unwrap();
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (output, String::from_utf8(text).unwrap())
}

fn proved(arguments: &str) -> String {
    let (output, text) = loadgen(arguments);
    assert!(output.status.success(), "{arguments}: {text}");
    text
}

#[test]
fn every_kind_of_load_is_proved() {
    const SHORT: &str = "--count 2000 --warm-up 20ms";
    for kind in ["put", "get", "get --serializable", "range --limit 7", "update", "create"] {
        let text = proved(&format!("{kind} {SHORT}"));
        assert!(text.contains("0 failed, 0 unanswered"), "{text}");
    }
    let text = proved(&format!("mix --put 1 --get 1 --range 1 --update 1 --create 1 {SHORT}"));
    assert!(["put ", "get ", "range ", "update ", "create "].iter().all(|name| text.contains(name)), "{text}");
    assert!(proved("fill").contains("50 keys with the prefix"));
    assert!(proved("put --duration 300ms --warm-up 0s --order zipf -v").contains("closed loop"));
}

#[test]
fn threads_and_connections_share_the_work() {
    let text = proved("update --count 3001 --threads 3 --connections 7 --clients 40 --warm-up 0s");
    assert!(text.contains("0 conflicts") && text.contains("      3001 "), "{text}");
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let text = proved("put --rate 500 --count 250 --warm-up 0s --json");
    assert!(text.contains("\"rate\": 500") && text.contains("\"count\": 250"), "{text}");
}

#[test]
fn large_values_wait_for_the_servers_windows() {
    proved("put --count 60 --warm-up 0s --value-size 700000 --clients 9 --connections 2");
}

#[test]
fn more_clients_than_streams_are_said() {
    let text = proved("put --count 2000 --warm-up 0s --clients 300 --connections 1");
    assert!(text.contains("a server allows 200 requests in flight"), "{text}");
}

#[test]
fn refusals_are_counted_by_code_and_words() {
    let (output, text) = loadgen("put --count 100 --warm-up 0s --prefix /refused/");
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("100 x ResourceExhausted: etcdserver: too many requests"), "{text}");
    assert!(text.contains("VIOLATED 100 requests failed"), "{text}");
}

#[test]
fn a_server_that_forgets_writes_is_found_out() {
    let (output, text) = loadgen("put --count 100 --warm-up 0s --prefix /forgotten/");
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("VIOLATED the revision rose by 0, but 100 writes were acknowledged"), "{text}");
    assert!(loadgen("put --count 100 --warm-up 0s --prefix /forgotten/ --shared").0.status.success());
}

#[test]
fn a_lost_server_fails_the_run() {
    use std::io::{Read, Write};
    // It says hello as an HTTP/2 server, acknowledges, and closes at the first request.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0]).unwrap();
        let mut received = [0; 4096];
        let mut total = 0;
        while total < 100 {
            total += socket.read(&mut received).unwrap();
        }
    });
    let (output, text) = run(&format!("put --endpoints {endpoint} --count 1"));
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains(&format!("connection to {endpoint} lost")), "{text}");
}

#[test]
fn a_wrong_server_is_named() {
    let (output, text) = run("put --endpoints 127.0.0.1:1 --duration 1s");
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("cannot connect to 127.0.0.1:1: Connection refused"), "{text}");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut socket, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        // The answer is all that the client gets: the connection stays until it closes it.
        let _ = std::io::Read::read_to_end(&mut socket, &mut Vec::new());
    });
    let (_, text) = run(&format!("put --endpoints {endpoint} --duration 1s"));
    assert!(text.contains(&format!("{endpoint}: this does not look like an HTTP/2 server")), "{text}");
}
