//! Watches, in two halves that speak by messages and share no memory but the events themselves.
//!
//! The shard half ([`ShardWatches`]) matches each change of its shard against the watchers' ranges, once, and hands it on
//! when the member may show it. What has happened before a watcher came it reads from the store's history; both end at
//! one position, so that there is neither gap nor overlap. The stream half ([`Streams`]) belongs to the executor that owns
//! the clients' streams: it merges what shards hand on by revision, and writes etcd's responses. One watch has one leg for
//! each shard that its range touches: one for a single key, which waits for nobody.
//!
//! Guarantees: a watcher gets every event of its range from its start on, once, in the order of positions, a revision
//! whole; none above the visible revision. A progress notice says r only when everything up to r is in front of it.
//! Memory is bounded by the client's own reading: a leg whose stream holds too much is given up at the shard, and comes
//! back through the history from where it stood.
//!
//! | file | what |
//! | --- | --- |
//! | `event`, `message` | what is handed on |
//! | `matcher`, `intervals` | which watchers want a key |
//! | `shard`, `catch_up` | the shard half: live, and history in slices |
//! | `streams`, `stream`, `merge`, `leg` | the stream half: routing, one client, one watch, its part in one shard |
//! | `response` | what goes to the client, and how large ones are split |

mod catch_up;
mod event;
mod intervals;
mod leg;
mod matcher;
mod merge;
mod message;
mod response;
mod shard;
mod stream;
mod streams;

#[cfg(test)]
mod tests;

pub use catch_up::SliceLimits;
pub use event::WatchEvent;
pub use merge::CreateWatch;
pub use message::{FromShard, Handed, Registration, ToShard, WatcherId};
pub use response::{FRAGMENT_BYTES, WatchResponse};
pub use shard::ShardWatches;
pub use stream::StreamLimits;
pub use streams::{Owner, StreamEffect, StreamId, Streams};
