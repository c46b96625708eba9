//! A modifying operation on one shard: evaluated, given its revision, written and logged, all in one poll (or the latter
//! from this poll on, if it changes very many keys).
//!
//! It is made sure before a revision is taken that the proposal cannot fail. A plain put waits for no other executor but
//! those that hold lower revisions.

use super::Executor;
use super::effect::Origin;
use super::replies::Reply;
use crate::clock::Change;
use crate::clock::batch::FragmentHead;
use crate::error::UserError;
use crate::evaluate::{Evaluated, needs, prepare};
use crate::planted::planted;
use crate::request::Operation;
use crate::response::Response;
use campanile_storage::ids::{Index, LeaseId, ShardId};

impl Executor {
    /// The owner of a key. Part of the format of a cluster's data: it never changes.
    #[must_use]
    pub(crate) fn owner(&self, key: &[u8]) -> ShardId {
        let shards = self.shards_total.expect("requests are held until the number of shards is known");
        owner(key, shards)
    }

    /// The one shard that an operation touches, if it is only one.
    pub(super) fn only_shard(&self, operation: &Operation) -> Option<ShardId> {
        if let Operation::Put(put) = operation {
            return Some(self.owner(&put.key));
        }
        if self.shards_total == Some(1) {
            return Some(ShardId(0));
        }
        let participants = needs(operation).participants(self.shards_total?, |key| self.owner(key));
        match participants[..] {
            [] => Some(ShardId(0)),
            [only] => Some(only),
            _ => None,
        }
    }

    /// Evaluates on a shard of this executor.
    pub(super) fn evaluate(&mut self, origin: Origin, shard: ShardId, operation: Operation) {
        if self.is_paused() {
            return self.defer(origin, shard, operation);
        }
        let Some(reign) = self.reign.clone() else {
            return self.out.answer(origin, Err(UserError::LeaderChanged));
        };
        let id = shard;
        let shard = self.shards.get(&id).expect("evaluations go to the executor that hosts the shard");
        let newest = reign.newest();
        let prepared = match prepare(&operation, &shard.store, &self.leases, newest) {
            Ok(prepared) => prepared,
            // The state that forbids it may not be visible yet.
            Err(error) => return self.reply_unwritten(Reply { revision: newest, origin, result: Err(error) }),
        };
        if !prepared.writes() {
            let Evaluated { response, .. } = prepared.run(&shard.store, newest);
            let result = Ok(Response::Operation(response));
            return self.reply_unwritten(Reply { revision: newest, origin, result });
        }
        let revision = if shard.can_write() { reign.take(1) } else { None };
        let Some(revision) = revision else {
            return self.out.answer(origin, Err(UserError::TooManyRequests));
        };
        let Evaluated { changes, response } = prepared.run(&shard.store, revision.before());
        let control_index = newest_grant(&changes, |lease| self.leases.granted(lease));
        self.write_changes(id, FragmentHead { revision, groups: 1, control_index }, changes);
        self.replies.push(Reply { revision, origin, result: Ok(Response::Operation(response)) });
    }

    /// An answer that wrote nothing: given once what it saw is visible, and the leadership was confirmed after the
    /// request came. A single voter need not ask.
    pub(super) fn reply_unwritten(&mut self, reply: Reply) {
        if self.config.voters.len() == 1 || planted!(UnwrittenUnconfirmed) {
            self.replies.push(reply);
        } else {
            self.confirm_reply(reply);
        }
    }
}

/// The shard that owns a key, of so many: by FNV-1a over its bytes, mixed once more so that all bits count.
#[must_use]
pub fn owner(key: &[u8], shards: u32) -> ShardId {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let hash = key.iter().fold(OFFSET, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let shard = (u128::from(mixed) * u128::from(shards)) >> 64;
    ShardId(u32::try_from(shard).expect("below the number of shards"))
}

/// The newest grant among the leases that these changes attach: followers do not count the fragment before they have it.
fn newest_grant(changes: &[Change], granted: impl Fn(LeaseId) -> Option<Index>) -> Index {
    let attached = changes.iter().filter_map(|change| match change {
        Change::Put { lease, .. } if *lease != LeaseId::NONE => granted(*lease),
        _ => None,
    });
    if planted!(GrantForgotten) {
        return Index(0);
    }
    attached.max().unwrap_or(Index(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_spread_over_shards() {
        let mut counts = [0; 5];
        for number in 0..10_000 {
            counts[owner(format!("/registry/pods/default/pod-{number}").as_bytes(), 5).0 as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (1_800..2_200).contains(&count)), "{counts:?}");
    }

    #[test]
    fn the_owner_of_a_key_never_changes() {
        let owners: Vec<_> =
            ["", "a", "foo", "/registry/pods/x"].iter().map(|key| owner(key.as_bytes(), 7).0).collect();
        assert_eq!(owners, [3, 3, 0, 4]);
    }
}
