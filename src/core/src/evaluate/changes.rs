//! Where the changes of an operation go: in one list, or dealt out to the shards that own their keys.

use crate::clock::Change;
use crate::planted::planted;
use campanile_storage::ids::{LeaseId, ShardId};
use std::collections::{BTreeMap, BTreeSet};

/// Changes of one piece: short enough that none is copied often while a list grows, however many there are.
const PIECE_CHANGES: usize = 1024;

/// Takes the changes of an operation, in their order.
pub trait Changes {
    /// Takes the next change. `owner`: the shard that owns its key, if that is known.
    fn push(&mut self, change: Change, owner: Option<ShardId>);

    /// How many there are.
    fn count(&self) -> usize;

    /// So many come next.
    fn reserve(&mut self, _additional: usize) {}
}

impl Changes for Vec<Change> {
    fn push(&mut self, change: Change, _owner: Option<ShardId>) {
        self.push(change);
    }

    fn count(&self) -> usize {
        self.len()
    }

    fn reserve(&mut self, additional: usize) {
        self.reserve_exact(additional);
    }
}

/// Says which of so many shards owns a key.
pub type Owner = fn(&[u8], u32) -> ShardId;

/// Changes by the shard that owns their key, each shard's in order, in pieces.
#[derive(Debug)]
pub struct Dealt {
    owner: Owner,
    shards: u32,
    by_shard: BTreeMap<ShardId, Vec<Vec<Change>>>,
    count: usize,
    attached: BTreeSet<LeaseId>,
}

impl Dealt {
    /// Nothing yet. `owner` says who owns a key of which that is not known, in a cluster of so many shards.
    #[must_use]
    pub fn new(owner: Owner, shards: u32) -> Dealt {
        Dealt { owner, shards, by_shard: BTreeMap::new(), count: 0, attached: BTreeSet::new() }
    }

    /// What there is; nothing is left.
    pub(super) fn take(&mut self) -> Dealt {
        std::mem::replace(self, Dealt::new(self.owner, self.shards))
    }

    /// The leases that these changes attach.
    pub fn attached(&self) -> impl Iterator<Item = LeaseId> {
        self.attached.iter().copied()
    }

    /// How many shards own a key of them.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.by_shard.len()
    }

    /// The pieces of each shard.
    #[must_use]
    pub fn into_pieces(self) -> BTreeMap<ShardId, Vec<Vec<Change>>> {
        self.by_shard
    }
}

impl Changes for Dealt {
    fn push(&mut self, mut change: Change, owner: Option<ShardId>) {
        self.count += 1;
        if let Change::Put { lease, .. } = &change
            && *lease != LeaseId::NONE
        {
            self.attached.insert(*lease);
        }
        let owner = owner.unwrap_or_else(|| (self.owner)(change.key(), self.shards));
        let pieces = self.by_shard.entry(owner).or_default();
        if planted!(PlacesRenumbered) {
            let (Change::Put { sub, .. } | Change::Delete { sub, .. }) = &mut change;
            *sub = u32::try_from(pieces.iter().map(Vec::len).sum::<usize>()).expect("few");
        }
        match pieces.last_mut() {
            Some(piece) if piece.len() < PIECE_CHANGES => piece.push(change),
            _ => pieces.push(vec![change]),
        }
    }

    fn count(&self) -> usize {
        self.count
    }
}
