//! The keyspace's history as the collectors brought it. Each revision is taken from the one who saw most of it: whoever comes
//! back at a compaction misses what that very revision changed twice. That no collector saw anything else is then for the
//! checker of watches, to whom the collectors are watchers like all.

use std::collections::BTreeMap;

use bytes::Bytes;
use campanile_core::clock::Change;
use campanile_simulate::{
    check::Violation,
    record::watching::{Kind, Seen, Watched},
};
use campanile_storage::ids::Revision;

use super::Unusable;

const DENSE: &str = "revisions are dense, whole and decided once";

#[derive(Debug)]
pub struct Keyspace {
    /// From revision 2 on, each in the order of its sub-revisions.
    pub changes: Vec<Vec<Change>>,
}

impl Keyspace {
    /// # Errors
    /// If a revision is missing.
    pub fn gather(collectors: &[Vec<Watched>], compactions: &[Revision]) -> Result<Keyspace, Unusable> {
        let mut seen: BTreeMap<Revision, Vec<&Seen>> = BTreeMap::new();
        for collected in collectors {
            for (revision, events) in by_revision(collected) {
                let longest = seen.entry(revision).or_default();
                if events.len() > longest.len() {
                    *longest = events;
                }
            }
        }
        let mut changes = Vec::new();
        for (revision, events) in seen {
            let due = Revision(changes.len() as i64 + 2);
            if revision > due {
                let may_be_gone = compactions.last().is_some_and(|at| *at >= due);
                let missing = || Violation::new(DENSE, format!("revision {due} is missing: {revision} follows"));
                return Err(if may_be_gone { Unusable::Unknown(due) } else { missing().into() });
            }
            let subs = 0..;
            changes.push(subs.zip(events).map(|(sub, event)| change(sub, event)).collect());
        }
        Ok(Keyspace { changes })
    }

    pub fn steps(&self) -> impl Iterator<Item = (Revision, &[Change])> {
        (2..).map(Revision).zip(self.changes.iter().map(Vec::as_slice))
    }
}

/// All events of one collector, by their revision. What came twice is there twice.
fn by_revision(collected: &[Watched]) -> BTreeMap<Revision, Vec<&Seen>> {
    let mut events: BTreeMap<Revision, Vec<&Seen>> = BTreeMap::new();
    for told in collected.iter().flat_map(|watch| &watch.told) {
        if let Kind::Events(seen) = &told.kind {
            for event in seen {
                events.entry(event.key_value.mod_revision()).or_default().push(event);
            }
        }
    }
    events
}

fn change(sub: u32, event: &Seen) -> Change {
    let version = &event.key_value;
    let key = Bytes::copy_from_slice(version.key());
    if version.is_tombstone() {
        return Change::Delete { sub, key };
    }
    Change::Put { sub, key, value: Bytes::copy_from_slice(version.value()), lease: version.lease() }
}
