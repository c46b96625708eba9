//! All keys of the shard in order: a directory of blocks.
//!
//! A B-tree over single keys would compare whole keys, each behind a pointer, some thirty times for one look-up
//! among a million. The directory has one short separator for some fifty keys and stays in the processor's cache; behind it a
//! look-up touches one block ([`super::block`]) and the key that it finds.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::ops::Bound::{Excluded, Included, Unbounded};

use super::block::{BLOCK_KEYS, Block, common_prefix};
use super::size::allocation_bytes;
use super::versions::Versions;

/// A block below this many keys looks whether its neighbour can take them.
const MERGE_BELOW_KEYS: usize = BLOCK_KEYS / 4;
/// Two blocks become one if together they have at most this many keys: room to grow before the next split.
const MERGED_KEYS_MAX: usize = BLOCK_KEYS / 4 * 3;

type Separator = Box<[u8]>;

/// The keys of one shard, each with its versions.
///
/// A block holds the keys from its separator on, up to and without the next separator. The first separator is empty,
/// so every key has its block.
#[derive(Debug)]
pub(super) struct Index {
    blocks: BTreeMap<Separator, Block>,
    separator_bytes: usize,
}

impl Index {
    pub(super) fn new() -> Index {
        Index { blocks: BTreeMap::from([(Separator::default(), Block::new())]), separator_bytes: 0 }
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Versions> {
        self.block_of(key).1.get(key)
    }

    /// The block in which this key stands or would stand, and its separator.
    pub(super) fn block_of(&self, key: &[u8]) -> (&[u8], &Block) {
        let (separator, block) =
            self.blocks.range::<[u8], _>((Unbounded, Included(key))).next_back().expect(FIRST_BLOCK);
        (separator, block)
    }

    /// The blocks with separators behind this one.
    pub(super) fn blocks_behind(&self, separator: &[u8]) -> btree_map::Range<'_, Separator, Block> {
        self.blocks.range::<[u8], _>((Excluded(separator), Unbounded))
    }

    /// Changes the versions of a key, or puts it in with the one that `create` makes. Either closure is called once.
    pub(super) fn change_or_insert<T>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut Versions) -> T,
        create: impl FnOnce() -> (Versions, T),
    ) -> T {
        let block = block_of(&mut self.blocks, key);
        if let Some(index) = block.find(key) {
            return block.change(index, change);
        }
        let index = block.search(key).expect_err("the key was just not found");
        let (versions, answer) = create();
        block.insert(index, versions);
        if block.is_full() {
            self.split(key, index);
        }
        answer
    }

    /// Changes the versions of a key, if it has any.
    pub(super) fn change<T>(&mut self, key: &[u8], change: impl FnOnce(&mut Versions) -> T) -> Option<T> {
        let block = block_of(&mut self.blocks, key);
        let index = block.find(key)?;
        Some(block.change(index, change))
    }

    /// Removes a key that stands in the index.
    pub(super) fn remove(&mut self, key: &[u8]) -> Versions {
        let block = block_of(&mut self.blocks, key);
        let index = block.find(key).expect("only a key of the index is removed");
        let removed = block.remove(index);
        if block.len() < MERGE_BELOW_KEYS {
            self.merge(key);
        }
        removed
    }

    /// Resident bytes of the directory and its blocks, without the versions.
    pub(super) fn bytes(&self) -> usize {
        self.blocks.len() * (Block::BYTES + DIRECTORY_ENTRY_BYTES) + self.separator_bytes
    }

    fn split(&mut self, key: &[u8], inserted: usize) {
        let block = block_of(&mut self.blocks, key);
        let right = block.split(inserted);
        let last = block.entries().last().expect("half of a full block is not empty").key();
        let first = right.entries().first().expect("half of a full block is not empty").key();
        let separator: Separator = first[..common_prefix(last, first) + 1].into();
        self.separator_bytes += allocation_bytes(separator.len());
        let former = self.blocks.insert(separator, right);
        assert!(former.is_none(), "a separator is greater than all keys before it");
    }

    /// Joins the block of this key with the one behind it, where they are small enough; or drops it if it is empty.
    fn merge(&mut self, key: &[u8]) {
        let (separator, block) = self.block_of(key);
        let separator: Separator = separator.into();
        let length = block.len();
        let behind = self.blocks_behind(&separator).next();
        if let Some((next, neighbour)) = behind
            && length + neighbour.len() <= MERGED_KEYS_MAX
        {
            let next = next.clone();
            let neighbour = self.remove_block(&next);
            self.blocks.get_mut(&separator).expect("the block was just found").append(neighbour);
        } else if length == 0 && !separator.is_empty() {
            self.remove_block(&separator);
        }
    }

    fn remove_block(&mut self, separator: &[u8]) -> Block {
        self.separator_bytes -= allocation_bytes(separator.len());
        self.blocks.remove(separator).expect("only a block of the directory is removed")
    }
}

fn block_of<'a>(blocks: &'a mut BTreeMap<Separator, Block>, key: &[u8]) -> &'a mut Block {
    blocks.range_mut::<[u8], _>((Unbounded, Included(key))).next_back().expect(FIRST_BLOCK).1
}

const FIRST_BLOCK: &str = "the first block has the empty separator and is never removed";

/// What the standard library's B-tree takes for one entry of the directory beside the block itself, at its usual fill.
const DIRECTORY_ENTRY_BYTES: usize = 2 * size_of::<Separator>() + size_of::<Block>() / 2;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::super::key_value::KeyValue;
    use super::*;
    use crate::ids::{LeaseId, Position, Revision};

    const POSITION: Position = Position { revision: Revision(2), sub: 0 };

    fn insert(index: &mut Index, key: &[u8]) {
        let create = || (Versions::new(KeyValue::new(key, b"", POSITION.revision, POSITION, 1, LeaseId::NONE)), true);
        assert!(index.change_or_insert(key, |_| false, create), "{key:?} was there already");
    }

    fn check(index: &Index, model: &BTreeSet<Vec<u8>>) {
        let mut keys = Vec::new();
        let mut former: Option<&[u8]> = None;
        for (separator, block) in &index.blocks {
            assert!(former.is_none_or(|former| former < &separator[..]));
            assert!(block.len() < BLOCK_KEYS && (block.len() > 0 || separator.is_empty()));
            assert!(block.entries().iter().all(|entry| entry.key() >= &separator[..]));
            assert_eq!(block.count(Revision::NEWEST), block.len());
            keys.extend(block.entries().iter().map(|entry| entry.key().to_vec()));
            former = Some(separator);
        }
        assert!(keys.iter().eq(model), "keys differ from the model's");
    }

    /// Keys of a few letters, so that prefixes, prefixes of each other, and zeros at the end are common.
    fn random_key(random: &mut StdRng) -> Vec<u8> {
        let length = random.random_range(1..12);
        let letters: [u8; 4] = [0, 1, b'a', 0xff];
        (0..length).map(|_| letters[random.random_range(0..letters.len())]).collect()
    }

    #[test]
    fn random_keys_come_and_go_as_in_a_set() {
        for seed in 0..20 {
            println!("seed {seed}");
            let mut random = StdRng::seed_from_u64(seed);
            let (mut index, mut model) = (Index::new(), BTreeSet::new());
            for round in 0..6_000 {
                let key = random_key(&mut random);
                let growing = (round / 2_000) % 2 == 0;
                if model.contains(&key) {
                    assert!(index.get(&key).is_some());
                    if random.random_bool(if growing { 0.2 } else { 0.9 }) {
                        assert_eq!(index.remove(&key).key(), key);
                        model.remove(&key);
                    }
                } else {
                    assert!(index.get(&key).is_none());
                    if growing {
                        insert(&mut index, &key);
                        model.insert(key);
                    } else if let Some(other) = model.range(key..).next().cloned() {
                        index.remove(&other);
                        model.remove(&other);
                    }
                }
                if round % 500 == 0 {
                    check(&index, &model);
                }
            }
            for key in std::mem::take(&mut model) {
                index.remove(&key);
            }
            check(&index, &model);
            assert_eq!((index.blocks.len(), index.separator_bytes), (1, 0));
        }
    }

    #[test]
    fn keys_in_order_fill_their_blocks() {
        for descending in [false, true] {
            let mut index = Index::new();
            for number in 0..10_000 {
                let number = if descending { 9_999 - number } else { number };
                insert(&mut index, format!("/registry/pods/{number:08}").as_bytes());
            }
            assert!(index.blocks.len() <= 10_000 / (BLOCK_KEYS - 1) + 2, "{} blocks", index.blocks.len());
        }
    }
}
