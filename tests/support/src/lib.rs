//! What the end-to-end tests share: server processes on loopback, the tools of etcd, seeds and clients.
//!
//! Owns every process that a test starts, and ends it by its own id when the value is dropped. Knows nothing of
//! Campanile's inside: a subject is a program that takes etcd's flags and speaks etcd's API.

pub mod caller;
pub mod client;
pub mod cluster;
pub mod disk;
pub mod environment;
pub mod metrics;
pub mod ports;
pub mod process;
pub mod program;
pub mod seed;
pub mod tools;
pub mod wait;
pub mod wire;

pub use client::Client;
pub use cluster::{Cluster, Member, Options};
pub use program::{Kind, Program};
pub use seed::Seed;
