//! Sub-revisions. No message carries one, and the checkers compare them; each version that a client was told gets that of the
//! change of its key in the history. A version that is not there keeps 0, and what differs otherwise differs still.
//!
//! A transaction may change a key more than once. What was there before an event is then the last version; the events
//! themselves are counted from the last one back, since whoever comes back at a compaction misses the first ones.

use std::collections::HashMap;

use campanile_core::{
    clock::Change,
    response::{OperationResponse, Response},
};
use campanile_simulate::record::{
    Call, History,
    watching::{Kind, Seen, Watched},
};
use campanile_storage::{
    ids::{Position, Revision},
    store::KeyValue,
};

/// A key's puts, or its deletes, in one revision.
type Changed = (Revision, Vec<u8>, bool);

#[derive(Debug)]
pub struct Places(HashMap<Changed, Vec<Change>>);

impl Places {
    pub fn of(history: &History) -> Places {
        let mut places: HashMap<Changed, Vec<Change>> = HashMap::new();
        for (revision, step) in history.steps() {
            for change in &step.changes {
                let is_put = matches!(change, Change::Put { .. });
                places.entry((revision, change.key().to_vec(), is_put)).or_default().push(change.clone());
            }
        }
        Places(places)
    }

    fn of_version(&self, version: &KeyValue) -> &[Change] {
        let key = (version.mod_revision(), version.key().to_vec(), !version.is_tombstone());
        self.0.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Of the changes that wrote just this, the last one; where the value was not asked for, the last one of all.
    fn name(&self, version: &mut KeyValue) {
        let changes = self.of_version(version);
        let wrote = |change: &&Change| match change {
            Change::Put { value, lease, .. } => value == version.value() && *lease == version.lease(),
            Change::Delete { .. } => true,
        };
        let found = changes.iter().rfind(wrote).or(changes.last()).map(sub);
        found.into_iter().for_each(|sub| place(version, sub));
    }

    pub fn name_call(&self, call: &mut Call) {
        if let Some(answer) = &mut call.answer
            && let Ok(Response::Operation(response)) = &mut answer.result
        {
            self.name_response(response);
        }
    }

    fn name_response(&self, response: &mut OperationResponse) {
        match response {
            OperationResponse::Range(response) => response.key_values.iter_mut().for_each(|one| self.name(one)),
            OperationResponse::Put(response) => response.previous.iter_mut().for_each(|one| self.name(one)),
            OperationResponse::DeleteRange(response) => response.previous.iter_mut().for_each(|one| self.name(one)),
            OperationResponse::Txn(response) => response.responses.iter_mut().for_each(|one| self.name_response(one)),
        }
    }

    pub fn name_watch(&self, watch: &mut Watched) {
        for told in &mut watch.told {
            if let Kind::Events(events) = &mut told.kind {
                self.name_events(events);
            }
        }
    }

    fn name_events(&self, events: &mut [Seen]) {
        let mut later: HashMap<Changed, usize> = HashMap::new();
        for seen in events.iter_mut().rev() {
            seen.previous.iter_mut().for_each(|one| self.name(one));
            let version = &mut seen.key_value;
            let later =
                later.entry((version.mod_revision(), version.key().to_vec(), !version.is_tombstone())).or_default();
            if let Some(change) = self.of_version(version).iter().rev().nth(*later) {
                place(version, sub(change));
            }
            *later += 1;
        }
    }
}

fn sub(change: &Change) -> u32 {
    match change {
        Change::Put { sub, .. } | Change::Delete { sub, .. } => *sub,
    }
}

fn place(version: &mut KeyValue, sub: u32) {
    let position = Position { revision: version.mod_revision(), sub };
    if version.position() != position {
        *version = KeyValue::from_encoded(position, version.is_tombstone(), version.encoded())
            .expect("a version stays one in another place");
    }
}
