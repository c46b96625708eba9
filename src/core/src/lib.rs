//! The state machines of a member: `step(input, now, &mut effects)`. No I/O, clock, randomness or global inside.

pub mod request;
