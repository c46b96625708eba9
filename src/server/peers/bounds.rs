//! Every bound of the talk between members, in one place, with the relations between them. Sizes are bytes.

use std::time::Duration;

use campanile_core::clock::batch::ENTRY_BYTES_MAX;
use campanile_core::executor::PART_BYTES;
use campanile_storage::bounds::{PAYLOAD_BYTES_MAX, TRANSFER_BYTES_MAX};

/// What follows a frame's checksum, at most. An append carries one entry at least, however large.
pub const FRAME_BYTES_MAX: usize = 16 << 20;
/// What a frame's payload needs besides the entries, the request or the answer in it.
pub const FRAME_HEADROOM_BYTES: usize = 64 << 10;
/// The largest request that is sent on.
pub const REQUEST_BYTES_MAX: usize = FRAME_BYTES_MAX - FRAME_HEADROOM_BYTES;
/// Frames are gathered into chunks of about this size; one chunk is one write.
pub const CHUNK_BYTES: usize = 256 << 10;
/// What is asked of a socket at once.
pub const READ_BYTES: usize = 64 << 10;

/// Bytes that may wait for one remote, by class, before more is dropped.
pub const URGENT_BYTES_MAX: usize = 8 << 20;
pub const REQUESTS_BYTES_MAX: usize = 64 << 20;
pub const BULK_BYTES_MAX: usize = 64 << 20;
/// Frames that may wait for one remote in each class.
pub const FRAMES_MAX: usize = 65_536;

/// Requests sent on to one remote and not answered yet.
pub const RELAYS_MAX: usize = 65_536;
/// Requests of one connection that are evaluated at once.
pub const RELAYED_MAX: usize = 65_536;
/// Answers larger than this leave in parts, so that no heartbeat stands long behind one.
pub const ANSWER_PART_BYTES: usize = 1 << 20;
/// The largest answer: etcd's clients take no larger one.
pub const ANSWER_BYTES_MAX: usize = i32::MAX as usize;
/// Answers that wait for one connection; above it requests are refused before they are evaluated.
pub const ANSWERS_BYTES_MAX: usize = 64 << 20;
/// Refusals that wait for one connection; whoever asks on without reading that many is cut off.
pub const REFUSALS_MAX: usize = 65_536;
/// A status's text, cut off behind this.
pub const STATUS_TEXT_BYTES_MAX: usize = 8 << 10;

/// Addresses tried of one host name.
pub const ADDRESSES_MAX: usize = 8;
/// Until one address has answered.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Until both sides have said who they are.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two attempts to reach a remote: doubled with each failure.
pub const BACKOFF_MIN: Duration = Duration::from_millis(20);
pub const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// A connection that another member opened is given up after so long a silence. Whoever opened it pings at each of its
/// heartbeats, which are 10 s apart at most (a fifth of the longest election timeout).
pub const ACCEPTED_SILENCE_MAX: Duration = Duration::from_secs(60);
/// Members and strangers about whom it is remembered what was complained of.
pub const COMPLAINED_OF_MAX: usize = 1024;

const _: () = {
    // The core cuts appends at half a megabyte, or behind the one entry that is larger. What entries have beside their
    // payload is less than that.
    assert!(FRAME_BYTES_MAX >= 2 * ENTRY_BYTES_MAX + FRAME_HEADROOM_BYTES, "an append of several entries fits a frame");
    assert!(FRAME_BYTES_MAX >= PAYLOAD_BYTES_MAX + FRAME_HEADROOM_BYTES, "an append of any one entry fits a frame");
    assert!(PART_BYTES + FRAME_HEADROOM_BYTES <= FRAME_BYTES_MAX, "a part of a checkpoint fits a frame");
    assert!(PART_BYTES <= TRANSFER_BYTES_MAX, "a part of a checkpoint is read at once");
    assert!(FRAME_BYTES_MAX <= u32::MAX as usize, "a length is an u32");
    assert!(ANSWER_PART_BYTES + FRAME_HEADROOM_BYTES <= FRAME_BYTES_MAX, "a part fits a frame");
    assert!(STATUS_TEXT_BYTES_MAX <= FRAME_HEADROOM_BYTES, "a status fits a frame");
    assert!(CHUNK_BYTES <= URGENT_BYTES_MAX && READ_BYTES <= CHUNK_BYTES, "a queue holds more than a chunk");
};
