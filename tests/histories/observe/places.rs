//! Sub-revisions. No message carries one, and the checkers compare them; each version that a client was told gets that of the
//! change of its key in the history. A version that is not there keeps 0, and what differs otherwise differs still.

use std::collections::HashMap;

use campanile_core::{
    clock::Change,
    response::{OperationResponse, Response},
};
use campanile_simulate::record::{
    Call, History,
    watching::{Kind, Watched},
};
use campanile_storage::{
    ids::{Position, Revision},
    store::KeyValue,
};

/// By revision and key, and whether it is a put.
#[derive(Debug)]
pub struct Places(HashMap<(Revision, Vec<u8>, bool), u32>);

impl Places {
    pub fn of(history: &History) -> Places {
        let mut places = HashMap::new();
        for (revision, step) in history.steps() {
            for change in &step.changes {
                let (sub, is_put) = match change {
                    Change::Put { sub, .. } => (*sub, true),
                    Change::Delete { sub, .. } => (*sub, false),
                };
                places.entry((revision, change.key().to_vec(), is_put)).or_insert(sub);
            }
        }
        Places(places)
    }

    fn name(&self, version: &mut KeyValue) {
        let revision = version.mod_revision();
        let is_put = !version.is_tombstone();
        let Some(&sub) = self.0.get(&(revision, version.key().to_vec(), is_put)).filter(|sub| **sub > 0) else {
            return;
        };
        let position = Position { revision, sub };
        *version =
            KeyValue::from_encoded(position, !is_put, version.encoded()).expect("a version stays one in another place");
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
                for seen in events {
                    self.name(&mut seen.key_value);
                    seen.previous.iter_mut().for_each(|one| self.name(one));
                }
            }
        }
    }
}
