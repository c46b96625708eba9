//! Checkpoints: all shards of a member at one revision, in one file, and the manifest that says which one is live.
//!
//! # How it is used
//! ```text
//! start      Manifest::read(&disk, data)                      what is live; nothing yet on a new member
//!            tidy(&disk, data, &manifest)                     half-written files go
//!            Reader::open(&disk, path).next_chunk()           load; ReadChunk::decode() on the shard's own executor
//!            log::recover(&disk, data, manifest.states())     then the logs, from their cuts
//!            damaged? manifest.fallback()                     the one before, if the logs still reach back to its cuts
//! writing    ChunkEncoder::add(&version) / finish() -> Chunk  on each shard's executor, a slice at a time
//!            Writer::begin(.., Header, meta)                  one executor writes the file
//!            writer.write_chunk(chunk).await                  in any order of shards, as they come
//!            writer.finish().await                            durable under its own name, not live yet
//!            manifest.advance(number, revision, groups)       groups from Log::cut
//!                    .write(&disk, data).await                the one step that makes it live
//!            log.release(manifest.states()), remove_older     what it made superfluous goes
//! sending    Source::open(&disk, path).read_chunk(offset, n)  raw bytes; a file that is removed meanwhile stays readable
//! receiving  Receiver::begin(.., number, bytes), write, finish -> (Header, meta)
//!            write_amendment(&disk, data, number, meta)       where the member goes on otherwise than the file says
//!            manifest.install(number, revision, groups)       groups from Log::reset, or Log::cut where the log is kept
//!                    .write(&disk, data).await                live for all groups in this one step
//!            log.restart(group, &state)                       for the groups that were reset; or a new start
//! ```
//!
//! # What it guarantees
//! - A checkpoint has its name only when all of it is durable, and is live only when the manifest names it.
//! - The manifest is replaced as a whole: after a crash either all groups begin at the new cuts or all at the old ones.
//!   It says for each group where its log begins, from which section on it counts, and the hard state at that point;
//!   so carrying it out is nothing but reading it, as often as one likes.
//! - Every frame of a file has its own checksum and number, and the file one over all: damage is reported with file and
//!   offset. No length is believed before it was compared with its bound.
//! - What is fed in slices is written in slices: nothing here keeps a whole shard, or works longer than one chunk takes.
//!
//! It never looks into `meta`, which is the core's (cuts of its own, fences, opens, control state), nor decides when.

mod amendment;
mod chunk;
mod format;
mod keep;
pub mod manifest;
mod reader;
mod transfer;
mod writer;

#[cfg(test)]
mod tests;

pub use self::amendment::{read_amendment, write_amendment};
pub use self::chunk::{Chunk, ChunkEncoder, DecodedChunk, Version};
pub use self::format::Header;
pub use self::keep::{Number, checkpoint_path, create_directory, remove_older, tidy};
pub use self::manifest::{Manifest, Standing};
pub use self::reader::{ReadChunk, Reader};
pub use self::transfer::{Receiver, Source};
pub use self::writer::Writer;
