//! What an operation reads and writes, whichever branches it takes, so that a coordinator can find its participants and
//! ask them. A participant answers with [`find`], in slices as large as its caller allows.

use super::select::useful;
use super::view::View;
use crate::request::{KeyRange, Operation};
use bytes::Bytes;
use campanile_storage::ids::{LeaseId, Revision, ShardId};
use campanile_storage::store::{KeyValue, Store};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::hash_map::Entry;

/// One range of keys that an operation reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Need {
    pub keys: KeyRange,
    /// The revision that the operation names; `None` is the newest.
    pub at: Option<Revision>,
    /// How many keys can bear on the answer, beside their number; `None` is all.
    pub useful: Option<usize>,
    /// Where the next slice begins, if this is not the first.
    pub resume: Option<Bytes>,
}

/// Everything that an operation may touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub reads: Vec<Need>,
    pub writes: Vec<KeyRange>,
}

/// A participant's answer to a [`Need`].
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub need: Need,
    /// In key order.
    pub key_values: Vec<KeyValue>,
    /// Keys counted in this slice: those above, and those that are of no use but for their number.
    pub count: u64,
    /// What the shard had compacted. What it reads below that means nothing.
    pub compacted: Revision,
    /// What to ask next; `None` if this was all.
    pub rest: Option<Need>,
}

/// What an operation may touch. Nothing is named twice.
#[must_use]
pub fn needs(operation: &Operation) -> Needs {
    let mut needs = Needs::default();
    // What a transaction writes may be read by itself, so that a limit says nothing of what it needs.
    collect(operation, operation.is_read_only(), &mut needs);
    needs.reads = merged(needs.reads);
    let mut seen = FxHashSet::default();
    needs.writes.retain(|keys| seen.insert(keys.clone()));
    needs
}

/// One need of a range at a revision serves all who read it there: it takes the farthest limit of them.
fn merged(reads: Vec<Need>) -> Vec<Need> {
    let mut merged: Vec<Need> = Vec::with_capacity(reads.len());
    let mut places = FxHashMap::default();
    for need in reads {
        match places.entry((need.keys.clone(), need.at)) {
            Entry::Vacant(vacant) => {
                vacant.insert(merged.len());
                merged.push(need);
            }
            Entry::Occupied(place) => {
                let former = &mut merged[*place.get()].useful;
                *former = former.zip(need.useful).map(|(one, other)| one.max(other));
            }
        }
    }
    merged
}

fn collect(operation: &Operation, is_limited: bool, needs: &mut Needs) {
    let whole = |keys: &KeyRange| Need::whole(keys.clone());
    match operation {
        Operation::Range(range) => needs.reads.push(Need {
            at: range.at.filter(|at| at.0 > 0),
            useful: if is_limited { useful(range) } else { None },
            ..whole(&range.keys)
        }),
        Operation::Put(put) => {
            let keys = KeyRange::single(put.key.clone());
            needs.reads.push(whole(&keys));
            needs.writes.push(keys);
        }
        Operation::DeleteRange(delete) => {
            needs.reads.push(whole(&delete.keys));
            needs.writes.push(delete.keys.clone());
        }
        Operation::Txn(txn) => {
            needs.reads.extend(txn.compares.iter().map(|compare| whole(&compare.keys)));
            txn.success.iter().chain(&txn.failure).for_each(|operation| collect(operation, is_limited, needs));
        }
    }
}

/// The shards that a range of keys lies in: the owner of a single key, or all of them. A range that holds nothing is asked of
/// one shard nevertheless, which says what is compacted.
pub fn shards_of<F: Fn(&[u8]) -> ShardId>(
    keys: &KeyRange,
    shards: u32,
    owner: F,
) -> impl Iterator<Item = ShardId> + use<F> {
    let range = if keys.is_single() || keys.is_empty() {
        let owner = owner(&keys.start).0;
        owner..owner + 1
    } else {
        0..shards
    };
    range.map(ShardId)
}

/// The one shard that holds everything an operation may touch, if it is only one. The hot path: allocates nothing.
///
/// An operation that touches no key is at home anywhere: shard 0 then.
pub fn sole_shard(operation: &Operation, shards: u32, owner: impl Fn(&[u8]) -> ShardId) -> Option<ShardId> {
    if shards == 1 {
        return Some(ShardId(0));
    }
    let mut sole = None;
    let is_sole = every_key(operation, &mut |key| {
        let owner = owner(key);
        *sole.get_or_insert(owner) == owner
    });
    is_sole.then(|| sole.unwrap_or(ShardId(0)))
}

/// Whether an operation touches no range of several shards, and something is true of every key that it touches.
fn every_key(operation: &Operation, is_true: &mut impl FnMut(&[u8]) -> bool) -> bool {
    let mut of = |keys: &KeyRange| (keys.is_single() || keys.is_empty()) && is_true(&keys.start);
    match operation {
        Operation::Range(range) => of(&range.keys),
        Operation::Put(put) => is_true(&put.key),
        Operation::DeleteRange(delete) => of(&delete.keys),
        Operation::Txn(txn) => {
            txn.compares.iter().all(|compare| of(&compare.keys))
                && txn.success.iter().chain(&txn.failure).all(|operation| every_key(operation, is_true))
        }
    }
}

impl Needs {
    /// Whom to ask for what.
    #[must_use]
    pub fn assign(&self, shards: u32, owner: impl Fn(&[u8]) -> ShardId) -> Vec<(ShardId, Need)> {
        let ask = |need: &Need| shards_of(&need.keys, shards, &owner).map(|shard| (shard, need.clone())).collect();
        self.reads.iter().flat_map::<Vec<_>, _>(ask).collect()
    }

    /// Every shard that is read or written, each once, in order.
    #[must_use]
    pub fn participants(&self, shards: u32, owner: impl Fn(&[u8]) -> ShardId) -> Vec<ShardId> {
        let ranges = self.reads.iter().map(|need| &need.keys).chain(&self.writes);
        let mut participants: Vec<_> = ranges.flat_map(|keys| shards_of(keys, shards, &owner)).collect();
        participants.sort_unstable();
        participants.dedup();
        participants
    }
}

impl Need {
    /// All of a range, in the newest state.
    #[must_use]
    pub fn whole(keys: KeyRange) -> Need {
        Need { keys, at: None, useful: None, resume: None }
    }
}

/// Looks up a need among the keys that are attached to a lease in one shard, in the newest state. At most `keys_max` keys are
/// answered at once, and at least one.
#[must_use]
pub fn find_attached(need: &Need, store: &Store, lease: LeaseId, keys_max: usize) -> Found {
    let start = need.resume.as_ref().unwrap_or(&need.keys.start);
    let key_values: Vec<KeyValue> = store.attached(lease, start).take(keys_max.max(1)).cloned().collect();
    let last = key_values.last().filter(|_| key_values.len() == keys_max.max(1));
    let rest = last.map(|last| Need { resume: Some(successor(last.key())), ..need.clone() });
    Found { need: need.clone(), count: key_values.len() as u64, key_values, compacted: store.compacted(), rest }
}

/// Looks up a need in one shard. `newest` is what an operation without a revision of its own reads at, the same for every
/// participant and every slice. At most `keys_max` keys are answered at once, and at least one.
#[must_use]
pub fn find(need: &Need, view: &impl View, newest: Revision, keys_max: usize) -> Found {
    let at = need.at.unwrap_or(newest);
    let compacted = view.compacted();
    let mut found = Found { need: need.clone(), key_values: Vec::new(), count: 0, compacted, rest: None };
    if at > newest || at < compacted {
        return found;
    }
    if need.keys.is_single() {
        found.key_values.extend(view.get(&need.keys.start, at).filter(|_| need.useful != Some(0)));
        found.count = view.count(&need.keys, at);
        return found;
    }
    let slice = need.keys.from(need.resume.as_ref());
    let useful = need.useful.unwrap_or(usize::MAX);
    let wanted = useful.min(keys_max.max(1));
    found.key_values = view.range(&slice, at).take(wanted).collect();
    let seen = found.key_values.len();
    found.count = seen as u64;
    if seen < wanted {
        return found;
    }
    let resume = found.key_values.last().map(|last| successor(last.key())).or_else(|| need.resume.clone());
    if useful == wanted {
        found.count += view.count(&need.keys.from(resume.as_ref()), at);
    } else {
        let useful = need.useful.map(|useful| useful - wanted);
        found.rest = Some(Need { resume, useful, ..need.clone() });
    }
    found
}

fn successor(key: &[u8]) -> Bytes {
    [key, &[0]].concat().into()
}
