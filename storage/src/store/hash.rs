//! etcd's HashKV, exactly: the crc32c over "key" and every entry of its key bucket up to a revision, in order.
//!
//! An entry is a version's position as the bucket's key (`main _ sub`, big-endian, and `t` for a tombstone) and its
//! encoded message. Not every entry counts. etcd 3.7.1, `server/storage/mvcc/hash.go`, at revision R, compacted at C:
//! - Above C all count, tombstones too.
//! - At or below C an entry counts only if a read at R sees it. What compaction kept and later changes replaced does not.
//! - But if a read at R sees no key in the whole keyspace, all that compaction kept counts, except tombstones of
//!   exactly C.
//!
//! etcd 3.5.1 computes the same value: it removes those tombstones where 3.7.1 passes over them. It differs
//! in what it answers: it refuses R = C, and 3.7.1 may answer R = C with the hash that compaction itself took
//! before it compacted, while it remembers that.
//!
//! The keyspace is spread over shards, and the order is that of the whole. So each shard hashes its entries one by
//! one, and [`HashMerge`] puts them together by position.

use std::collections::VecDeque;

use super::Store;
use super::events::behind;
use super::history;
use super::key_value::KeyValue;
use crate::ids::{Position, Revision};

/// The bucket's name, which etcd hashes first.
const SEED: &[u8] = b"key";
/// Length of a position as the bucket's key, without the tombstone's mark.
const POSITION_BYTES: usize = 17;
const TOMBSTONE_MARK: u8 = b't';

/// Why an entry counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A read at the hash's revision sees it. Each shard says so of one entry at least, if it has any such.
    Alive,
    /// It is above the compacted revision.
    Recent,
    /// Compaction kept it, but a read at the hash's revision does not see it: it counts only if such a read sees
    /// no key at all.
    Superseded,
}

/// One entry of the bucket, hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashEntry {
    pub position: Position,
    /// crc32c of the entry's bytes.
    pub crc: u32,
    /// How many bytes these are.
    pub length: u32,
    pub standing: Standing,
}

impl Store {
    /// The shard's entries for HashKV at `at` of a keyspace compacted at `compacted`, behind position `after` (or
    /// all), ordered by position.
    ///
    /// Between the parts of one hash writes above `at` may go on, and a compaction may be begun, since `compacted` is
    /// given again; but no slice of one above `compacted` may be done.
    pub fn hash_entries(
        &self,
        at: Revision,
        compacted: Revision,
        after: Option<Position>,
    ) -> impl Iterator<Item = HashEntry> {
        assert!(at >= compacted, "a hash is taken at a revision that can be read");
        let changes = self.history.from(after.map(behind).unwrap_or_default());
        HashEntries { store: self, changes, at, compacted, alive_seen: false }
    }
}

struct HashEntries<'a> {
    store: &'a Store,
    changes: history::Iter<'a>,
    at: Revision,
    compacted: Revision,
    /// An entry was alive. From then on recent entries need no look-up: they count in any case.
    alive_seen: bool,
}

impl Iterator for HashEntries<'_> {
    type Item = HashEntry;

    fn next(&mut self) -> Option<HashEntry> {
        loop {
            let version = self.changes.next().filter(|version| version.mod_revision() <= self.at)?;
            if let Some(standing) = self.standing(version) {
                return Some(hashed(version, standing));
            }
        }
    }
}

impl HashEntries<'_> {
    /// Why the version counts; [`None`] if it does not.
    fn standing(&mut self, version: &KeyValue) -> Option<Standing> {
        let recent = version.mod_revision() > self.compacted;
        if recent && (self.alive_seen || version.is_tombstone()) {
            return Some(Standing::Recent);
        }
        if version.is_tombstone() {
            return None;
        }
        let versions = self.store.index.get(version.key()).expect("a version of the history stands in the index");
        let next = versions.get(versions.count_to(version.position())).map(KeyValue::mod_revision);
        if next.is_none_or(|next| next > self.at) {
            self.alive_seen = true;
            return Some(Standing::Alive);
        }
        if recent {
            return Some(Standing::Recent);
        }
        next.is_none_or(|next| next > self.compacted).then_some(Standing::Superseded)
    }
}

fn hashed(version: &KeyValue, standing: Standing) -> HashEntry {
    let Position { revision, sub } = version.position();
    let mut key = [0; POSITION_BYTES + 1];
    key[..8].copy_from_slice(&revision.0.to_be_bytes());
    key[8] = b'_';
    key[9..POSITION_BYTES].copy_from_slice(&u64::from(sub).to_be_bytes());
    key[POSITION_BYTES] = TOMBSTONE_MARK;
    let key = &key[..POSITION_BYTES + usize::from(version.is_tombstone())];
    let message = version.encoded();
    HashEntry {
        position: version.position(),
        crc: crc32c::crc32c_append(crc32c::crc32c(key), message),
        length: u32::try_from(key.len() + message.len()).expect("one version is far below 4 GiB"),
        standing,
    }
}

/// Puts the entries of several shards together to the hash of the whole keyspace.
///
/// Shards hand in their entries in parts, each in order. The merge goes as far as all streams allow, and says whose
/// part it needs next; so it holds no more than what was handed in ahead of the slowest.
#[derive(Debug)]
pub struct HashMerge {
    streams: Vec<Stream>,
    /// The hash if a read sees any key.
    seen: u32,
    /// The hash if it sees none.
    unseen: u32,
    any_alive: bool,
    shift: Shift,
}

#[derive(Debug, Default)]
struct Stream {
    waiting: VecDeque<HashEntry>,
    ended: bool,
}

impl HashMerge {
    /// A merge of this many streams.
    #[must_use]
    pub fn new(streams: usize) -> HashMerge {
        let seed = crc32c::crc32c(SEED);
        HashMerge {
            streams: std::iter::repeat_with(Stream::default).take(streams).collect(),
            seen: seed,
            unseen: seed,
            any_alive: false,
            shift: Shift::default(),
        }
    }

    /// The stream that must hand in more before the merge can go on; [`None`] once all have ended.
    #[must_use]
    pub fn wanted(&self) -> Option<usize> {
        self.streams.iter().position(|stream| stream.waiting.is_empty() && !stream.ended)
    }

    /// Takes the next entries of one stream, which are its last if it `ended`.
    pub fn push(&mut self, stream: usize, entries: impl IntoIterator<Item = HashEntry>, ended: bool) {
        let taker = &mut self.streams[stream];
        assert!(!taker.ended, "a stream ends once");
        taker.waiting.extend(entries);
        taker.ended = ended;
        while self.wanted().is_none() {
            let heads = self.streams.iter_mut().filter(|stream| !stream.waiting.is_empty());
            let Some(first) = heads.min_by_key(|stream| stream.waiting[0].position) else { return };
            let entry = first.waiting.pop_front().expect("a stream without entries was passed over");
            self.take(entry);
        }
    }

    /// The hash, once every stream has ended.
    #[must_use]
    pub fn finish(self) -> u32 {
        assert!(self.streams.iter().all(|stream| stream.ended && stream.waiting.is_empty()), "streams are missing");
        if self.any_alive { self.seen } else { self.unseen }
    }

    fn take(&mut self, entry: HashEntry) {
        self.any_alive |= entry.standing == Standing::Alive;
        let same = self.seen == self.unseen;
        if !self.any_alive {
            self.unseen = self.shift.by(self.unseen, entry.length) ^ entry.crc;
        }
        if entry.standing != Standing::Superseded {
            // While the two agree there is nothing to compute twice.
            self.seen = match same && !self.any_alive {
                true => self.unseen,
                false => self.shift.by(self.seen, entry.length) ^ entry.crc,
            };
        }
    }
}

/// crc32c's polynomial, bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;
/// The polynomial 1, bits reversed.
const ONE: u32 = 1 << 31;
/// The polynomial x to the power of 8, which moves a checksum by one byte.
const BYTE: u32 = ONE >> 8;

/// Moves a checksum past bytes that follow: multiplies it by x to the power of 8 for each, modulo crc32c's polynomial.
/// (`crc32c_combine` does the same, but builds its matrices anew each time, which takes microseconds.) Neighbouring
/// entries tend to be of one length, so the last power is remembered.
#[derive(Debug, Default)]
struct Shift {
    length: u32,
    power: u32,
}

impl Shift {
    fn by(&mut self, crc: u32, length: u32) -> u32 {
        if self.power == 0 || self.length != length {
            *self = Shift { length, power: power(length) };
        }
        multiply(crc, self.power)
    }
}

/// x to the power of 8 times `length`.
fn power(mut length: u32) -> u32 {
    let (mut product, mut square) = (ONE, BYTE);
    while length > 0 {
        if length & 1 == 1 {
            product = multiply(product, square);
        }
        square = multiply(square, square);
        length >>= 1;
    }
    product
}

/// The product of two polynomials over GF(2), modulo crc32c's.
fn multiply(left: u32, mut right: u32) -> u32 {
    let mut product = 0;
    for bit in (0..32).rev() {
        if left >> bit & 1 == 1 {
            product ^= right;
        }
        right = (right >> 1) ^ if right & 1 == 1 { POLYNOMIAL } else { 0 };
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifting_agrees_with_the_crate_that_computes_the_checksums() {
        let mut shift = Shift::default();
        for (number, length) in [0_u32, 1, 2, 17, 17, 300, 300, 4_096, 1_500_000].into_iter().enumerate() {
            let (first, second) = (crc32c::crc32c(&[number as u8; 9]), crc32c::crc32c(&vec![3; length as usize]));
            assert_eq!(
                shift.by(first, length) ^ second,
                crc32c::crc32c_combine(first, second, length as usize),
                "{length} bytes"
            );
        }
    }
}
