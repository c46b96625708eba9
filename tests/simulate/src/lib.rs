//! The simulator: whole clusters of the server's own core and storage in one thread, on virtual time, under every fault
//! that a seed says, with a checker for each promise.
//!
//! A seed decides everything: the cluster's shape, its clients, the faults, and each delay. So a run can be had again,
//! event by event, and what fails once fails always.
//!
//! | module | what |
//! | --- | --- |
//! | [`plan`] | what a seed stands for: shape and faults |
//! | [`world`] | the run: members, network, clients, faults, on one queue of happenings |
//! | [`member`] | one member: executors that take turns, and what they keep on a simulated disk |
//! | [`server`] | the server's own journal, checkpoints and recovery |
//! | [`client`] | what clients ask and watch |
//! | [`record`] | what is written down of a run |
//! | [`check`] | the promises, one file each |
//! | [`planted`] | known mistakes in copies of core and storage |
//! | `hunt` | looks for these |
//! | [`campaign`] | many seeds; a failing one is minimised and replayed |

pub mod campaign;
pub mod check;
pub mod client;
pub mod dice;
#[cfg(not(feature = "planted"))]
pub mod hunt;
pub mod member;
pub mod moment;
pub mod plan;
pub mod planted;
pub mod record;
pub mod server;
pub mod world;
