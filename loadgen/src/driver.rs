//! Drives a load: sockets, threads and time around the pure protocol and workload.

pub mod control;
pub mod link;
pub mod pace;
pub mod run;
pub mod tally;
pub mod worker;
