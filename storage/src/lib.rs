//! What a member keeps: the write-ahead log, checkpoints, and the multi-version store of each shard, over one disk trait.
//!
//! Nothing here knows Raft, the network or the API. Only [`disk`] performs I/O, and only its `uring` part names glommio.

pub mod bounds;
pub mod checkpoint;
mod codec;
pub mod directory;
pub mod disk;
pub mod error;
pub mod ids;
pub mod log;
mod planted;
pub mod store;
