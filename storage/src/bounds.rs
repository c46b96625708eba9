//! Every bound of this crate's log, checkpoints and disk, in one place, with the relations between them.
//!
//! Decoders refuse what is larger; writers never make it. Sizes are bytes.

/// What one direct write is made of: its offset and its length are multiples of this. Pages, and the largest sector
/// that a disk of today writes whole, are of this size.
pub const BLOCK_BYTES: usize = 4096;

/// A log segment, if the operator says nothing else. Written with zeros once, then used again and again.
pub const SEGMENT_BYTES_DEFAULT: u64 = 64 << 20;
/// The smallest segment: its header, and records of a few blocks.
pub const SEGMENT_BYTES_MIN: u64 = 16 * BLOCK_BYTES as u64;
/// The largest segment.
pub const SEGMENT_BYTES_MAX: u64 = 4 << 30;
/// One record of the log, padding and all: the most that one durable write carries.
pub const RECORD_BYTES_MAX: usize = 8 << 20;
/// The payload of one entry.
pub const PAYLOAD_BYTES_MAX: usize = 4 << 20;
/// Groups in one record, and in the manifest.
pub const GROUPS_MAX: usize = 4097;
/// Sections in one record: a group may have several.
pub const SECTIONS_MAX: usize = 65_536;
/// What may wait for the disk in one log before an append is refused.
pub const GATHERED_BYTES_MAX: usize = 256 << 20;
/// Zeroed segments kept ready; more are removed.
pub const SPARES_MAX: usize = 2;
/// How much recovery and checkpoint readers take from the disk at once.
pub const READ_BYTES: usize = 1 << 20;
/// How much is written at once to a file that is synced at its end.
pub const WRITE_BYTES: usize = 256 << 10;

/// Where a chunk of a checkpoint is closed, counted before compression.
pub const CHUNK_BYTES_TARGET: usize = 256 << 10;
/// One version: its key, its value, and the numbers with them.
pub const VERSION_BYTES_MAX: usize = 16 << 20;
/// The largest chunk before compression: one that was just below the target, and then one version of the largest size.
pub const CHUNK_BYTES_MAX: usize = CHUNK_BYTES_TARGET + VERSION_BYTES_MAX;
/// The largest chunk after compression: zstd adds less than this to what it cannot compress.
pub const CHUNK_COMPRESSED_BYTES_MAX: usize = CHUNK_BYTES_MAX + CHUNK_BYTES_MAX / 128 + 1024;
/// What the core may keep in a checkpoint beside the versions.
pub const META_BYTES_MAX: usize = 256 << 20;
/// Shards of one cluster.
pub const SHARDS_MAX: usize = 4096;
/// A whole checkpoint.
pub const CHECKPOINT_BYTES_MAX: u64 = 1 << 40;
/// What one call reads of a checkpoint to send it to another member.
pub const TRANSFER_BYTES_MAX: usize = 4 << 20;
/// Names listed in one directory: more means that it is not ours.
pub const NAMES_MAX: usize = 1 << 20;

const _: () = {
    assert!(RECORD_BYTES_MAX + BLOCK_BYTES <= SEGMENT_BYTES_DEFAULT as usize, "a default segment holds any record");
    assert!(PAYLOAD_BYTES_MAX < RECORD_BYTES_MAX / 2 + 1, "a record holds the largest payload and more");
    assert!(RECORD_BYTES_MAX <= GATHERED_BYTES_MAX, "what waits is at least one record");
    assert!(GROUPS_MAX > SHARDS_MAX, "one group a shard, and the control group");
    assert!(SECTIONS_MAX >= GROUPS_MAX, "one record may carry every group");
    assert!(
        SEGMENT_BYTES_MIN.is_multiple_of(BLOCK_BYTES as u64)
            && SEGMENT_BYTES_DEFAULT.is_multiple_of(BLOCK_BYTES as u64)
    );
    assert!(READ_BYTES.is_multiple_of(BLOCK_BYTES) && WRITE_BYTES.is_multiple_of(BLOCK_BYTES));
    assert!(RECORD_BYTES_MAX.is_multiple_of(BLOCK_BYTES));
};
