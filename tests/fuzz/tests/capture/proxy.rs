//! A proxy that keeps what those who connect say.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// One text for each connection.
pub type Recording = Arc<Mutex<Vec<Vec<u8>>>>;

/// What is kept of one connection, at most.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// Listens for as long as the process lives.
pub fn start(port: u16, target: &str, recording: &Recording) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    let (target, recording) = (target.to_owned(), Arc::clone(recording));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(&target) else { continue };
            let number = {
                let mut recording = recording.lock().expect("nobody panicked");
                recording.push(Vec::new());
                recording.len() - 1
            };
            let (Ok(answers), Ok(asker)) = (server.try_clone(), client.try_clone()) else { continue };
            let recording = Arc::clone(&recording);
            thread::spawn(move || copy(client, server, |bytes| keep(&recording, number, bytes)));
            thread::spawn(move || copy(answers, asker, |_| ()));
        }
    });
}

fn keep(recording: &Recording, number: usize, bytes: &[u8]) {
    let kept = &mut recording.lock().expect("nobody panicked")[number];
    if kept.len() + bytes.len() <= KEPT_BYTES_MAX {
        kept.extend_from_slice(bytes);
    }
}

/// Until either side ends.
fn copy(mut from: TcpStream, mut to: TcpStream, seen: impl Fn(&[u8])) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        seen(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}
