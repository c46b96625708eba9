//! The server's own files that keep a member's data (journal, checkpoints, offers, recovery), compiled here as they are: they name
//! no executor, and run over the simulated disk. The simulator has no copy of them.

#![allow(dead_code, reason = "the server calls more of these files than a simulation does")]

#[path = "../../../src/server/runtime/checkpoints.rs"]
pub mod checkpoints;
#[path = "../../../src/server/runtime/journal.rs"]
pub mod journal;
#[path = "../../../src/server/runtime/offers.rs"]
pub mod offers;
#[path = "../../../src/server/runtime/recovery.rs"]
pub mod recovery;
#[path = "../../../src/server/runtime/signal.rs"]
pub mod signal;
