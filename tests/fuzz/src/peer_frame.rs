//! What a member says to another: the hello, and the body of a frame whose checksum is right.

#![allow(dead_code, reason = "the server calls more of these files than a fuzzer does")]

use bytes::Bytes;
use campanile_core::peer::PeerMessage;
use campanile_storage::ids::MemberId;

#[path = "../../../src/server/peers/bounds.rs"]
mod bounds;
#[path = "../../../src/server/peers/frame.rs"]
mod frame;
#[path = "../../../src/server/peers/handshake.rs"]
mod handshake;

/// What the included files take from their neighbours.
mod relay {
    use std::time::Duration;

    use bytes::Bytes;

    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct RelayRequest {
        pub method: u32,
        pub message: Bytes,
        pub deadline: Option<Duration>,
    }

    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct RelayStatus {
        pub code: u32,
        pub text: String,
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Identity {
    pub cluster_id: u64,
    pub member: MemberId,
}

pub fn run(input: &[u8]) {
    if let Some(hello) = input.first_chunk::<{ handshake::HELLO_BYTES }>() {
        let _ = handshake::Hello::decode(hello);
    }
    if let Some(reply) = input.first_chunk::<{ handshake::REPLY_BYTES }>() {
        let _ = handshake::Reply::decode(reply);
    }
    let checksum = crc32c::crc32c(input);
    let length = input.len() as u64;
    let Ok(header) = frame::Header::decode((u64::from(checksum) << 32 | length).to_le_bytes()) else { return };
    let Ok(found) = header.decode_body(Bytes::copy_from_slice(input)) else { return };
    if let frame::Frame::Message(message) = &found {
        survives(message);
    }
}

/// What was understood is said again in the same words.
fn survives(message: &PeerMessage) {
    let mut buffer = Vec::new();
    if message.encode(&mut buffer) {
        assert_eq!(PeerMessage::decode(buffer.into()).as_ref(), Ok(message));
    }
}
