//! What a process does before its first executor runs, and how it learns that it is to stop.
//!
//! In order: log ([`logging`], [`panic`]), memory ([`memory`]), data directory ([`directory`]), executors' places
//! ([`placement`], [`spin`]), the kernel and its limits ([`probe`]), signals ([`signals`]), then word to systemd ([`notify`]).
//! Every refusal names the thing and the mend. Never names glommio: all of this must work, and complain, where no
//! executor can run.

pub mod directory;
pub mod json;
mod line;
pub mod logging;
pub mod memory;
pub mod notify;
pub mod panic;
pub mod placement;
pub mod probe;
pub mod signals;
pub mod spin;
