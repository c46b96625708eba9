//! A watch brings every event of its range from its start on: in order, each once, a revision whole, none missing, each
//! with what was there before; and when it says how far it is, everything up to there has come.

use super::reference::Reference;
use super::{Violation, promise};
use crate::record::history::History;
use crate::record::watching::{Kind, Seen, Watched};
use campanile_storage::ids::{Position, Revision};
use campanile_storage::store::{Event, KeyValue};
use std::collections::VecDeque;

const PROMISE: &str = "watches are in order, exactly once and complete";
const TRUTHFUL: &str = "a watch's progress is true";

/// # Errors
/// The first watch that was told something else than what happened.
pub fn check(history: &History, watches: &[Watched]) -> Result<(), Violation> {
    let reference = Reference::of(history);
    let compactions: Vec<Revision> = history.compactions.clone();
    watches.iter().try_for_each(|watch| check_one(watch, history, &reference, &compactions))
}

fn check_one(
    watch: &Watched,
    history: &History,
    reference: &Reference,
    compactions: &[Revision],
) -> Result<(), Violation> {
    let Some(first) = watch.told.first() else { return Ok(()) };
    if !matches!(first.kind, Kind::Created) {
        return Ok(());
    }
    let start = if watch.wish.start.0 == 0 { first.revision.next() } else { watch.wish.start };
    let mut expected: VecDeque<Event> = expected(watch, start, history, reference);
    let may_be_missing: Vec<Position> = compactions.iter().flat_map(|at| superseded(*at, reference)).collect();
    for told in &watch.told {
        match &told.kind {
            Kind::Created => {}
            Kind::Events(events) => {
                for seen in events {
                    pass(&mut expected, &may_be_missing, |next| next != seen.key_value.position());
                    let next = expected.pop_front();
                    let same = next.as_ref().is_some_and(|next| is_same(seen, next, watch, reference, compactions));
                    promise!(PROMISE, same, "{:?} brought {seen:?}, where {next:?} comes next", watch.wish);
                }
                let last = events.last().map_or(Revision(0), |seen| seen.key_value.mod_revision());
                promise!(PROMISE, told.revision >= last, "the header {} is below an event's {last}", told.revision);
                pass(&mut expected, &may_be_missing, |next| next.revision <= last);
                let whole = expected.front().is_none_or(|next| next.kv.mod_revision() > last);
                promise!(PROMISE, whole, "{:?} brought a part of revision {last}", watch.wish);
            }
            Kind::Progress => {
                pass(&mut expected, &may_be_missing, |next| next.revision <= told.revision);
                let missing = expected.front().filter(|next| next.kv.mod_revision() <= told.revision);
                promise!(
                    TRUTHFUL,
                    missing.is_none(),
                    "{:?} says {}, and {missing:?} has not come",
                    watch.wish,
                    told.revision
                );
            }
            Kind::Canceled { compacted, .. } => {
                let known = compacted.0 == 0 || compactions.contains(compacted);
                promise!(TRUTHFUL, known, "{:?} is cancelled by a compaction at {compacted}", watch.wish);
            }
        }
    }
    pass(&mut expected, &may_be_missing, |_| true);
    let read_up_to = watch.read_up_to.unwrap_or(Revision(0));
    let missing = expected.front().filter(|next| next.kv.mod_revision() <= read_up_to);
    promise!(PROMISE, missing.is_none(), "{:?} misses {missing:?} in the end", watch.wish);
    Ok(())
}

/// Changes that a watch may miss: a compaction drops what the transaction of its very revision changed once more, as in
/// etcd. Whoever begins there, or was slow and comes back there through the history, does not see it.
fn superseded(compacted: Revision, reference: &Reference) -> Vec<Position> {
    let changes: Vec<_> = reference.store.changes(compacted, compacted).collect();
    let again = |place: usize| changes[place + 1..].iter().any(|later| later.key() == changes[place].key());
    (0..changes.len()).filter(|&place| again(place)).map(|place| changes[place].position()).collect()
}

/// Passes over what may be missing, as far as it has not come.
fn pass(expected: &mut VecDeque<Event>, may_be_missing: &[Position], has_not_come: impl Fn(Position) -> bool) {
    while let Some(next) = expected.front()
        && may_be_missing.contains(&next.kv.position())
        && has_not_come(next.kv.position())
    {
        expected.pop_front();
    }
}

/// Everything that a watch has to bring, in order.
fn expected(watch: &Watched, start: Revision, history: &History, reference: &Reference) -> VecDeque<Event> {
    let wanted = |event: &Event| {
        let filtered = if event.kv.is_tombstone() { watch.wish.no_delete } else { watch.wish.no_put };
        watch.wish.keys.contains(event.kv.key()) && !filtered
    };
    reference.store.events(start, history.newest()).filter(wanted).collect()
}

/// Whether a client saw what happened. What was there before may be missing if it was compacted by then.
fn is_same(seen: &Seen, event: &Event, watch: &Watched, reference: &Reference, compactions: &[Revision]) -> bool {
    let same = |seen: &KeyValue, real: &KeyValue| {
        seen.position() == real.position()
            && seen.is_tombstone() == real.is_tombstone()
            && (seen.is_tombstone() || seen.encoded() == real.encoded())
            && seen.key() == real.key()
    };
    let before = Revision(event.kv.mod_revision().0 - 1);
    let may_be_compacted = compactions.iter().any(|at| *at > before);
    let previous = match (&seen.previous, previous(event, watch, reference)) {
        (None, None) => true,
        (Some(seen), Some(real)) => same(seen, real),
        (None, Some(_)) => may_be_compacted,
        (Some(_), None) => false,
    };
    same(&seen.key_value, &event.kv) && previous
}

/// What the state at the revision before had of the key; nothing if the event created it.
fn previous<'a>(event: &Event, watch: &Watched, reference: &'a Reference) -> Option<&'a KeyValue> {
    let created = event.kv.create_revision() == event.kv.mod_revision();
    if !watch.wish.previous || created {
        return None;
    }
    reference.store.get(event.kv.key(), event.kv.mod_revision().before())
}
