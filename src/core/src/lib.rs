//! The state machines of a member: `step(input, now, &mut effects)`. No I/O, clock, randomness or global inside.

pub mod bounds;
pub mod checkpoint;
pub mod clock;
pub mod codec;
pub mod control;
mod discarded;
pub mod error;
pub mod evaluate;
pub mod executor;
pub mod group;
pub mod lease;
pub mod peer;
mod planted;
pub mod random;
pub mod request;
pub mod response;
pub mod shard;
pub mod time;
pub mod watch;
