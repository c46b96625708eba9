//! Checkers that cannot fail prove nothing. A history that holds is made wrong in one place, in each way that a broken server
//! could, and each must be found, as what it is.

use campanile_core::{
    error::UserError,
    request::{Operation, Request},
    response::{OperationResponse, Response},
};
use campanile_simulate::{
    moment::Moment,
    record::{
        Call,
        watching::{Kind, Seen, Told, Watched},
    },
};
use campanile_storage::ids::{LeaseId, Revision};
use campanile_test_support::Program;

use crate::{
    clients::leases::marked,
    course,
    judge::{Verdict, judge},
    observe::{Recorded, timing::written_revision},
    plan::{Plan, SMALL},
};

const LOST: &str = "no acknowledged write is lost";
const LINEARIZABLE: &str = "answers are linearizable";
const STALE: &str = "no linearizable answer is older than what anybody was shown before it was asked";
const ONCE: &str = "a request that was not answered was carried out once at most";
const ERRORS: &str = "errors are true";
const EARLY: &str = "no lease ends early";
const DEAD: &str = "no key is on a dead lease";
const LEASES: &str = "leases are there when they are, and only then";
const WHOLE: &str = "a lease's end deletes the keys on it, all of them and nothing else";
const DENSE: &str = "revisions are dense, whole and decided once";
const WATCHES: &str = "watches are in order, exactly once and complete";
const TRUTHFUL: &str = "a watch's progress is true";
const HASHES: &str = "members have the same state at the same revision";

/// Makes a history wrong; `None` if there is nothing in it to do that with.
type Tampering = fn(&mut Recorded) -> Option<()>;

const TAMPERINGS: [(&str, &str, Tampering); 17] = [
    ("an acknowledged write is gone with all that follows", LOST, lose_the_newest_write),
    ("an acknowledged write put something else", LOST, change_a_value),
    ("two writes have each other's answers", LOST, swap_answers),
    ("a revision is missing", DENSE, lose_a_revision),
    ("a read saw half of what it says", LINEARIZABLE, thin_a_read),
    ("a read is older than what was shown before it", STALE, age_a_read),
    ("nobody asked for what was written", ONCE, forget_a_request),
    ("a request was carried out twice", ONCE, repeat_a_request),
    ("a key was said not to be there", ERRORS, deny_a_key),
    ("a lease ran out early", EARLY, prolong_a_lease),
    ("a revoke ended nothing", LEASES, revoke_nothing),
    ("a key is on a lease that was never granted", DEAD, forget_a_grant),
    ("a lease left a key behind", WHOLE, spare_a_key_of_a_lease),
    ("a watch lost an event", WATCHES, lose_an_event),
    ("a watch brought an event twice", WATCHES, repeat_an_event),
    ("a watch was ahead of itself", TRUTHFUL, run_ahead),
    ("a member has another hash", HASHES, change_a_hash),
];

/// Runs one history without faults, and tampers with it in every way.
pub fn every_tampered_history_is_found(program: &Program, seed: u64) {
    let Some(ran) = course::run(program, &Plan::calm(seed, SMALL)) else { return };
    let recorded = ran.recorded.expect("nothing strikes");
    let verdict = judge(&recorded);
    assert!(matches!(verdict, Verdict::Holds), "without faults: {verdict}");
    for (what, promise, tamper) in TAMPERINGS {
        let mut tampered = recorded.clone();
        tamper(&mut tampered).unwrap_or_else(|| panic!("{what}: there is nothing to tamper with"));
        match judge(&tampered) {
            Verdict::Broken(violation) => assert_eq!(violation.promise, promise, "{what}: {violation}"),
            verdict => panic!("{what}: {verdict}"),
        }
    }
}

impl Recorded {
    fn calls(&mut self) -> impl Iterator<Item = &mut Call> {
        self.book.calls.list.iter_mut()
    }

    fn all_watches(&mut self) -> impl Iterator<Item = &mut Watched> {
        self.collectors.iter_mut().flatten().chain(&mut self.watches)
    }

    /// Changes every event that anybody saw.
    fn change_events(&mut self, mut change: impl FnMut(&mut Vec<Seen>)) {
        for told in self.all_watches().flat_map(|watch| &mut watch.told) {
            if let Kind::Events(events) = &mut told.kind {
                change(events);
            }
        }
        for watch in self.all_watches() {
            watch.told.retain(|told| !matches!(&told.kind, Kind::Events(events) if events.is_empty()));
        }
    }

    /// The events of the collector that read furthest.
    fn events(&self) -> impl Iterator<Item = &Seen> {
        let stand = |watches: &&Vec<Watched>| watches.iter().map(Watched::next).max();
        let furthest = self.collectors.iter().max_by_key(stand).expect("there are collectors");
        furthest.iter().flat_map(|watch| &watch.told).flat_map(|told| match &told.kind {
            Kind::Events(events) => &events[..],
            _ => &[],
        })
    }
}

fn is_put(call: &Call) -> bool {
    matches!(call.request, Request::Operation(Operation::Put(_))) && call.response().is_some()
}

fn middle<T>(items: Vec<T>) -> Option<T> {
    let place = items.len() / 2;
    items.into_iter().nth(place)
}

/// Answered puts in the middle of the history, by revision.
fn a_put(recorded: &mut Recorded) -> Option<&mut Call> {
    middle(recorded.calls().filter(|call| is_put(call)).collect())
}

fn lose_the_newest_write(recorded: &mut Recorded) -> Option<()> {
    let lost = recorded.calls().filter_map(|call| written_revision(call)).max()?;
    recorded.change_events(|events| events.retain(|seen| seen.key_value.mod_revision() < lost));
    Some(())
}

fn change_a_value(recorded: &mut Recorded) -> Option<()> {
    let revision = written_revision(a_put(recorded)?)?;
    let other = recorded.events().find(|seen| seen.key_value.mod_revision() > revision)?.key_value.clone();
    let key = recorded.events().find(|seen| seen.key_value.mod_revision() == revision)?.key_value.clone();
    let changed = campanile_storage::store::KeyValue::new(
        key.key(),
        other.key(),
        key.create_revision(),
        key.position(),
        key.version(),
        key.lease(),
    );
    recorded.change_events(|events| {
        events.iter_mut().filter(|seen| seen.key_value == key).for_each(|seen| seen.key_value = changed.clone());
    });
    Some(())
}

/// Of two puts that were under way at once: neither answer is too old or too new for the other's request.
fn swap_answers(recorded: &mut Recorded) -> Option<()> {
    let list = &mut recorded.book.calls.list;
    let puts: Vec<usize> = (0..list.len()).filter(|&place| is_put(&list[place])).collect();
    let fits = |one: usize, other: usize| written_revision(&list[one]) > Some(list[other].shown_before);
    let pair = puts.windows(2).find(|pair| fits(pair[0], pair[1]) && fits(pair[1], pair[0]))?;
    let (one, other) = (list[pair[0]].answer.take(), list[pair[1]].answer.take());
    (list[pair[0]].answer, list[pair[1]].answer) = (other, one);
    Some(())
}

fn lose_a_revision(recorded: &mut Recorded) -> Option<()> {
    // What is compacted might be gone for good.
    recorded.calls().filter(|call| matches!(call.request, Request::Compact { .. })).for_each(|call| {
        call.request = Request::Compact { at: Revision(0), physical: false };
    });
    let lost = written_revision(a_put(recorded)?)?;
    recorded.change_events(|events| events.retain(|seen| seen.key_value.mod_revision() != lost));
    Some(())
}

fn thin_a_read(recorded: &mut Recorded) -> Option<()> {
    let read = recorded.calls().find_map(|call| match &mut call.answer.as_mut()?.result {
        Ok(Response::Operation(OperationResponse::Range(read))) if read.key_values.len() > 1 => Some(read),
        _ => None,
    })?;
    read.key_values.pop();
    Some(())
}

fn age_a_read(recorded: &mut Recorded) -> Option<()> {
    let is_read = |call: &&mut Call| match &call.request {
        Request::Operation(operation) => operation.is_read_only() && !operation.is_serializable(),
        _ => false,
    };
    let read = middle(recorded.calls().filter(is_read).filter(|call| call.response().is_some()).collect())?;
    read.shown_before = read.response()?.revision().next();
    Some(())
}

fn forget_a_request(recorded: &mut Recorded) -> Option<()> {
    let list = &mut recorded.book.calls.list;
    let place = middle((0..list.len()).filter(|&place| is_put(&list[place])).collect())?;
    list.remove(place);
    Some(())
}

/// One request without an answer stands for two revisions with the same effect.
fn repeat_a_request(recorded: &mut Recorded) -> Option<()> {
    // Two deletes of one key: the second one has lost its request.
    let list = &recorded.book.calls.list;
    let deletes = |call: &Call| match (&call.request, written_revision(call)) {
        (Request::Operation(Operation::DeleteRange(delete)), Some(_)) if delete.keys.is_single() => {
            Some(delete.keys.start.clone())
        }
        _ => None,
    };
    let pairs = list.iter().enumerate().filter_map(|(first, call)| {
        let key = deletes(call)?;
        let second = (first + 1..list.len()).find(|&second| deletes(&list[second]).as_ref() == Some(&key))?;
        Some((first, second))
    });
    let (first, second) = pairs.last()?;
    recorded.book.calls.list[first].answer = None;
    recorded.book.calls.list.remove(second);
    Some(())
}

fn deny_a_key(recorded: &mut Recorded) -> Option<()> {
    let read = recorded
        .calls()
        .find(|call| matches!(call.request, Request::Operation(Operation::Range(_))) && call.response().is_some())?;
    read.answer.as_mut()?.result = Err(UserError::KeyNotFound);
    Some(())
}

/// The lease whose mark vanished, at which revision, and whether somebody had asked for that.
fn ends(recorded: &Recorded) -> Vec<(LeaseId, Revision, bool)> {
    let vanished = recorded.events().filter(|seen| seen.key_value.is_tombstone());
    let ends = vanished.filter_map(|seen| Some((marked(seen.key_value.key())?, seen.key_value.mod_revision())));
    let revoked =
        |lease| recorded.book.calls.list.iter().any(|call| call.request == Request::LeaseRevoke { id: lease });
    ends.map(|(lease, revision)| (lease, revision, revoked(lease))).collect()
}

fn prolong_a_lease(recorded: &mut Recorded) -> Option<()> {
    let (ran_out, ..) = ends(recorded).into_iter().find(|(.., revoked)| !revoked)?;
    let ttl = recorded.calls().find_map(|call| match &mut call.answer.as_mut()?.result {
        Ok(Response::LeaseGrant { id, ttl_seconds, .. }) if *id == ran_out => Some(ttl_seconds),
        _ => None,
    })?;
    *ttl = 60;
    Some(())
}

/// One more revoke was acknowledged, of a lease that nobody was granted.
fn revoke_nothing(recorded: &mut Recorded) -> Option<()> {
    let is_revoke = |call: &Call| matches!(call.request, Request::LeaseRevoke { .. }) && call.response().is_some();
    let place = recorded.book.calls.list.iter().position(is_revoke)?;
    let revoke = recorded.book.calls.list[place].clone();
    recorded.book.calls.list.insert(place, Call { request: Request::LeaseRevoke { id: LeaseId(1) }, ..revoke });
    Some(())
}

/// A lease that lives in the end, and has keys, was granted by nobody.
fn forget_a_grant(recorded: &mut Recorded) -> Option<()> {
    let ended: Vec<LeaseId> = ends(recorded).into_iter().map(|(lease, ..)| lease).collect();
    let marks: Vec<LeaseId> = recorded.events().filter_map(|seen| marked(seen.key_value.key())).collect();
    let living = marks.into_iter().find(|lease| !ended.contains(lease))?;
    recorded.book.calls.list.retain(|call| !is_grant_of(call, living));
    Some(())
}

fn is_grant_of(call: &Call, lease: LeaseId) -> bool {
    matches!(call.response(), Some(Response::LeaseGrant { id, .. }) if *id == lease)
}

fn spare_a_key_of_a_lease(recorded: &mut Recorded) -> Option<()> {
    let with_keys = ends(recorded).into_iter().find_map(|(_, revision, _)| {
        let of_it: Vec<&Seen> = recorded.events().filter(|seen| seen.key_value.mod_revision() == revision).collect();
        (of_it.len() > 1).then(|| of_it[of_it.len() - 1].key_value.clone())
    })?;
    recorded.change_events(|events| events.retain(|seen| seen.key_value != with_keys));
    Some(())
}

/// The events in the middle of what a watcher was told.
fn some_events(recorded: &mut Recorded) -> Option<&mut Vec<Seen>> {
    // The last response of a watch that was broken off may be lost.
    let complete = recorded.watches.iter_mut().filter(|watch| watch.read_up_to.is_some());
    middle(
        complete
            .flat_map(|watch| &mut watch.told)
            .filter_map(|told| match &mut told.kind {
                Kind::Events(events) => Some(events),
                _ => None,
            })
            .collect(),
    )
}

fn lose_an_event(recorded: &mut Recorded) -> Option<()> {
    // Whoever is told that all has come finds it out at once, and calls it by another name.
    for watch in &mut recorded.watches {
        watch.told.retain(|told| !matches!(told.kind, Kind::Progress));
    }
    some_events(recorded)?.remove(0);
    Some(())
}

fn repeat_an_event(recorded: &mut Recorded) -> Option<()> {
    let events = some_events(recorded)?;
    events.insert(0, events.first()?.clone());
    Some(())
}

fn run_ahead(recorded: &mut Recorded) -> Option<()> {
    let newest = recorded.events().map(|seen| seen.key_value.mod_revision()).max()?;
    let watch = recorded.collectors[1].iter_mut().find(|watch| watch.told.len() > 2)?;
    watch.told.insert(1, Told { at: Moment(0), revision: newest, kind: Kind::Progress });
    Some(())
}

fn change_a_hash(recorded: &mut Recorded) -> Option<()> {
    let told = recorded.calls().find_map(|call| match &mut call.answer.as_mut()?.result {
        Ok(Response::HashKv(told)) => Some(told),
        _ => None,
    })?;
    told.hash ^= 1;
    Some(())
}
