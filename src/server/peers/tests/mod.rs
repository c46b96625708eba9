//! Members on threads of their own, over loopback; and remotes that misbehave, played by the test itself.

mod fake;
mod member;
mod messages;
mod refusals;
mod relays;

use std::time::Duration;

use bytes::Bytes;
use campanile_core::codec::Write;
use campanile_core::peer::PeerMessage;
use campanile_storage::ids::MemberId;

const CLUSTER: u64 = 0xc1u64;
const A: MemberId = MemberId(0xa1);
const B: MemberId = MemberId(0xb2);
/// Far beyond what anything here takes, on a machine that is busy with other things too.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a member knows of its connection to a remote.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub is_connected: bool,
    pub dropped_messages: u64,
    pub queued_bytes: usize,
    pub relays_waiting: usize,
}

/// An urgent message.
fn question(question: u64) -> PeerMessage {
    PeerMessage::AskVisible { question }
}

/// A bulk message: an append with one entry of so many bytes.
fn append(index: u64, payload_bytes: usize) -> PeerMessage {
    let mut bytes = Vec::new();
    bytes.put_u8(1);
    bytes.put_u32(1);
    bytes.put_u64(1);
    bytes.put_u32(0);
    bytes.put_u8(1);
    for number in [B.0, A.0, 1, 1, index, 0, 0, 0] {
        bytes.put_u64(number);
    }
    bytes.put_u8(0);
    bytes.put_bytes(&[]);
    bytes.put_count(1);
    bytes.put_u64(index + 1);
    bytes.put_u64(1);
    bytes.put_u8(0);
    bytes.put_bytes(&vec![7; payload_bytes]);
    let message = PeerMessage::decode(Bytes::from(bytes)).expect("it is an append");
    assert!(message.is_bulk());
    message
}

/// The index of an append; none for other messages.
fn index(message: &PeerMessage) -> Option<u64> {
    match message {
        PeerMessage::Raft { message, .. } => Some(message.index),
        _ => None,
    }
}
