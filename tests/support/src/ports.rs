//! Loopback ports for servers that are stopped and started again on the same address.
//!
//! They lie below the range from which the kernel takes the ports of outgoing connections: there, a client that
//! connects while the server is down can be given the very port it connects to, and would talk to itself.

use std::{
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU16, Ordering},
};

const FIRST: u16 = 12_000;
/// Linux hands out ports for outgoing connections from 32,768 on.
const END: u16 = 32_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port on which nobody listens, and which this process hands out once. Test processes begin at different places, so
/// that those that run side by side seldom meet; one that does meet another fails to bind and says so.
pub fn free() -> u16 {
    let span = END - FIRST;
    let start = (process::id() as u16).wrapping_mul(37) % span;
    for _ in 0..span {
        let port = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % span) % span;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free loopback port from {FIRST} to {END}");
}
