//! The state machines of a member: `step(input, now, &mut effects)`. No I/O, clock, randomness or global inside.

pub mod clock;
pub mod codec;
pub mod error;
pub mod evaluate;
pub mod lease;
pub mod request;
pub mod response;
pub mod time;
pub mod watch;
