//! One Raft group on one member: raft-rs behind an interface of values in and values out.
//!
//! What the rest of the core may rely on:
//! - Only a leader proposes; a proposal is never forwarded, neither by us nor by raft-rs.
//! - A message leaves only after everything that it attests is durable.
//! - The commit index is known, with the term in which this member saw it, before any message of the same step leaves.

mod bounds;
mod commits;
mod conversion;
mod elections;
mod node;
mod ready;
mod start;
mod storage;
mod uncommitted;
pub mod wire;

pub use bounds::GroupBounds;
pub use conversion::{CONFIGURATION, NORMAL};
pub use node::{Group, Place, Role};
pub use ready::{Collected, CommittedEntry};
pub use start::{GroupConfig, GroupStart};
