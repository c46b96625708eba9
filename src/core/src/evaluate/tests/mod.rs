//! Evaluation against a naive model of the whole keyspace, over one store and over several; and etcd's corners by hand.

mod corners;
mod model;
mod random;
mod validation;

use super::{
    Dealt, Evaluated, Evaluation, Gathered, Leases, Needs, View, evaluate, find, needs, prepare, sole_shard, validate,
};
use crate::clock::Change;
use crate::error::UserError;
use crate::request::{Operation, Txn};
use crate::response::OperationResponse;
use campanile_storage::ids::{LeaseId, Position, Revision, ShardId};
use campanile_storage::store::Store;
use model::Model;
use random::Generator;
use std::collections::BTreeMap;

/// The leases that live in these tests.
struct Known;

const LIVE_LEASES: [i64; 2] = [7, 8];

impl Leases for Known {
    fn is_live(&self, id: LeaseId) -> bool {
        LIVE_LEASES.contains(&id.0)
    }
}

fn apply(store: &mut Store, revision: Revision, change: &Change) {
    match change {
        Change::Put { sub, key, value, lease } => {
            store.put(Position { revision, sub: *sub }, key, value, *lease);
        }
        Change::Delete { sub, key } => {
            let deleted = store.delete(Position { revision, sub: *sub }, key);
            assert!(deleted.is_some(), "only keys that are there are deleted");
        }
    }
}

fn owner(key: &[u8], shards: u32) -> ShardId {
    ShardId(key.iter().map(|byte| u32::from(*byte)).sum::<u32>() % shards)
}

fn sub(change: &Change) -> u32 {
    match change {
        Change::Put { sub, .. } | Change::Delete { sub, .. } => *sub,
    }
}

/// The keyspace in one store, and once more spread over several.
struct Stores {
    whole: Store,
    shards: Vec<Store>,
}

impl Stores {
    fn new(shards: u32) -> Stores {
        Stores { whole: Store::new(), shards: (0..shards).map(|_| Store::new()).collect() }
    }

    fn count(&self) -> u32 {
        u32::try_from(self.shards.len()).expect("few")
    }

    fn owner(&self, key: &[u8]) -> ShardId {
        owner(key, self.count())
    }

    /// Evaluates over what the participants hand over, a few keys at a time, in slices of as many.
    fn evaluate_spread(&self, operation: &Operation, next: Revision, keys_max: usize) -> Result<Evaluated, UserError> {
        let newest = Revision(next.0 - 1);
        let needs: Needs = needs(operation);
        let mut gathered = Gathered::default();
        let participants = needs.participants(self.count(), |key| self.owner(key));
        let sole = sole_shard(operation, self.count(), |key| self.owner(key));
        match participants[..] {
            [] => assert_eq!(sole, Some(ShardId(0))),
            [only] => assert_eq!(sole, Some(only)),
            _ => assert_eq!(sole, None),
        }
        for (shard, need) in needs.assign(self.count(), |key| self.owner(key)) {
            assert!(participants.contains(&shard));
            let mut asked = Some(need);
            while let Some(need) = asked {
                let found = find(&need, &self.shards[shard.0 as usize], newest, keys_max);
                assert!(found.key_values.len() <= keys_max);
                asked = gathered.add(shard, found);
            }
        }
        gathered.settle(newest);
        assert!(!gathered.is_torn());
        let whole = evaluate(operation, &gathered, &Known, next);
        let sliced = self.evaluate_in_slices(
            operation,
            Evaluation::new(gathered, newest, Dealt::new(owner, self.count())),
            keys_max,
        );
        assert_eq!(sliced, whole, "{operation:?} in slices of {keys_max}");
        for change in whole.iter().flat_map(|evaluated| &evaluated.changes) {
            assert!(participants.contains(&self.owner(change.key())), "{change:?} touches who was not asked");
        }
        whole
    }

    fn evaluate_in_slices(
        &self,
        operation: &Operation,
        mut evaluation: Evaluation,
        keys_max: usize,
    ) -> Result<Evaluated, UserError> {
        let newest = evaluation.newest();
        let response = loop {
            let mut left = keys_max;
            let done = evaluation.go_on(operation, &Known, &mut left)?;
            if let Some(response) = done {
                break response;
            }
            assert_eq!(left, 0, "a slice is used up before another one begins");
        };
        assert_eq!(evaluation.answer_at(operation, &Known, newest), response);
        let (dealt, mut gathered) = evaluation.into_parts();
        while !gathered.shed(&mut keys_max.clone()) {}
        let mut changes = Vec::new();
        for (shard, pieces) in dealt.map(Dealt::into_pieces).unwrap_or_default() {
            let of_shard = pieces.concat();
            assert!(of_shard.iter().all(|change| self.owner(change.key()) == shard));
            assert!(of_shard.is_sorted_by_key(sub));
            changes.extend(of_shard);
        }
        changes.sort_by_key(sub);
        Ok(Evaluated { changes, response })
    }

    fn apply(&mut self, revision: Revision, changes: &[Change]) {
        for change in changes {
            let shard = self.owner(change.key()).0 as usize;
            apply(&mut self.whole, revision, change);
            apply(&mut self.shards[shard], revision, change);
        }
    }

    fn compact(&mut self, at: Revision) {
        for store in self.shards.iter_mut().chain([&mut self.whole]) {
            store.compact(at);
            while !store.compact_slice(3) {}
        }
    }
}

/// The operation as the only one of a transaction takes the general path.
fn evaluate_in_txn(operation: &Operation, view: &impl View, next: Revision) -> Result<Evaluated, UserError> {
    let nop = Operation::Txn(Txn { compares: vec![], success: vec![], failure: vec![] });
    let txn = Txn { compares: vec![], success: vec![operation.clone(), nop], failure: vec![] };
    let evaluated = evaluate(&Operation::Txn(txn), view, &Known, next)?;
    let OperationResponse::Txn(mut response) = evaluated.response else { panic!("a transaction answers as one") };
    Ok(Evaluated { changes: evaluated.changes, response: response.responses.swap_remove(0) })
}

fn names_negative_revision(operation: &Operation) -> bool {
    matches!(operation, Operation::Range(range) if range.at.is_some_and(|at| at.0 < 0))
}

#[test]
fn every_operation_does_what_a_naive_keyspace_does() {
    let mut seen = BTreeMap::new();
    for seed in 0..30 {
        println!("seed {seed}");
        let mut generator = Generator::new(seed);
        let mut stores = Stores::new(1 + u32::try_from(seed % 5).expect("few"));
        let mut model = Model::new();
        for _ in 0..400 {
            let next = model.newest().next();
            if let Some(at) = generator.compaction(model.compacted, model.newest()) {
                model.compacted = at;
                stores.compact(at);
            }
            let operation = generator.operation(model.newest());
            if validate(&operation, generator.limits()).is_err() {
                *seen.entry("refused without a look at the state".to_owned()).or_insert(0) += 1;
                continue;
            }
            let expected = model.evaluate(&operation, next);
            let actual = evaluate(&operation, &stores.whole, &Known, next);
            assert_eq!(actual, expected, "{operation:?}");
            assert_eq!(stores.evaluate_spread(&operation, next, generator.slice()), expected, "{operation:?}");
            if !matches!(operation, Operation::Txn(_)) && !names_negative_revision(&operation) {
                assert_eq!(evaluate_in_txn(&operation, &stores.whole, next), expected, "{operation:?}");
            }
            random::note(&operation, &expected, &mut seen);
            let Ok(evaluated) = expected else { continue };
            let prepared = prepare(&operation, &stores.whole, &Known, model.newest()).expect("it was evaluated");
            assert_eq!(prepared.writes(), !evaluated.changes.is_empty());
            assert!(!operation.is_read_only() || !prepared.writes());
            if !evaluated.changes.is_empty() {
                model.apply(&evaluated.changes);
                stores.apply(next, &evaluated.changes);
            }
        }
    }
    println!("{seen:#?}");
    for corner in random::CORNERS {
        assert!(seen.contains_key(corner), "the generator never reached: {corner}");
    }
}
