//! The window of a reign under every interleaving of its accesses, by loom:
//! `RUSTFLAGS="--cfg loom" cargo test -p campanile-core --lib --release --target-dir target/loom interleavings`.
//!
//! loom takes SeqCst accesses for AcqRel ones; where the code needs their one order, [`total_order`](super::total_order)
//! tells loom so. What holds here holds in the code, which orders all of its accesses.

use super::{AtomicReign, Reign};
use crate::clock::Epoch;
use campanile_storage::ids::Revision;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

const BASE: Revision = Revision::EMPTY;
/// The executor that waits.
const WAITER: usize = 0;

fn reign(window: u64) -> Arc<AtomicReign> {
    Arc::new(AtomicReign::with_room(Epoch::NONE, BASE, window, 1))
}

/// Where all interleavings would take minutes: those in which threads are interrupted up to three times.
fn some_interleavings(scene: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(scene);
}

/// Takes a revision and fills it for all its groups; the visible revision stays below until the last of them.
fn write(reign: &AtomicReign, groups: u32) -> Option<Revision> {
    let revision = reign.take(groups)?;
    for _ in 0..groups {
        assert!(reign.visible() < revision, "an incomplete revision is visible");
        reign.fill(revision);
    }
    Some(revision)
}

#[test]
fn revisions_are_dense_and_complete() {
    loom::model(|| {
        let reign = reign(8);
        let other = Arc::clone(&reign);
        let writer = thread::spawn(move || write(&other, 2));
        let mine = write(&reign, 1).expect("the window has room");
        let theirs = writer.join().expect("the writer does not panic").expect("the window has room");
        assert_eq!((mine.0 + theirs.0, mine == theirs), (2 * BASE.0 + 3, false), "one of each, and no gap");
        assert_eq!((reign.visible(), reign.newest()), (Revision(BASE.0 + 2), Revision(BASE.0 + 2)));
    });
}

#[test]
fn groups_of_one_revision_are_filled_by_several_executors() {
    loom::model(|| {
        let reign = reign(8);
        let shared = reign.take(2).expect("the window has room");
        let own = reign.take(1).expect("the window has room");
        let other = Arc::clone(&reign);
        let filler = thread::spawn(move || other.fill(shared));
        reign.fill(own);
        reign.fill(shared);
        filler.join().expect("the filler does not panic");
        assert_eq!(reign.visible(), own, "the last fill moves past everything that is complete");
    });
}

#[test]
fn slots_are_used_again() {
    some_interleavings(|| {
        let reign = reign(1);
        let other = Arc::clone(&reign);
        let writer = thread::spawn(move || (0..2).filter_map(|_| write(&other, 1)).count());
        let mine = (0..2).filter_map(|_| write(&reign, 1)).count();
        let theirs = writer.join().expect("the writer does not panic");
        assert_eq!(reign.newest().0, BASE.0 + (mine + theirs) as i64, "what was refused took no revision");
        assert_eq!(reign.visible(), reign.newest());
    });
}

#[test]
fn nothing_moves_after_the_end() {
    loom::model(|| {
        let reign = reign(8);
        let other = Arc::clone(&reign);
        let writer = thread::spawn(move || write(&other, 1));
        let end = reign.close();
        assert_eq!(reign.take(1), None, "none is taken after the end");
        assert_eq!(reign.visible(), end);
        writer.join().expect("the writer does not panic");
        assert_eq!(reign.visible(), end);
    });
}

/// A message to the waiting executor.
#[derive(Default)]
struct Told {
    moved: Mutex<bool>,
    arrived: Condvar,
}

/// What an executor does behind its fills (`watch_window` in `executor/reigns.rs`): tells who waits, if it sees a move.
fn tell(reign: &AtomicReign, told: &Told, woken_at: &mut Revision) {
    let visible = reign.visible();
    if *woken_at < visible {
        *woken_at = visible;
        if reign.wake(WAITER) {
            *told.moved.lock().expect("nobody panics") = true;
            told.arrived.notify_one();
        }
    }
}

/// What the waiting one does: looks, says that it waits, looks again, and sleeps until it is told.
fn wait_for(reign: &AtomicReign, told: &Told, wanted: Revision) {
    loop {
        let seen = reign.visible();
        if seen >= wanted {
            return;
        }
        reign.wait(WAITER);
        if reign.visible() > seen {
            continue;
        }
        let mut moved = told.moved.lock().expect("nobody panics");
        while !std::mem::take(&mut *moved) {
            moved = told.arrived.wait(moved).expect("nobody panics");
        }
    }
}

/// loom reports a waiter that is left asleep as a deadlock.
#[test]
fn a_waiter_is_told_of_every_move() {
    some_interleavings(|| {
        let (reign, told) = (reign(8), Arc::new(Told::default()));
        let revisions = [(); 2].map(|()| reign.take(1).expect("the window has room"));
        let fillers = revisions.map(|revision| {
            let (reign, told) = (Arc::clone(&reign), Arc::clone(&told));
            thread::spawn(move || {
                reign.fill(revision);
                tell(&reign, &told, &mut Revision(BASE.0));
            })
        });
        wait_for(&reign, &told, revisions[1]);
        fillers.into_iter().for_each(|filler| filler.join().expect("a filler does not panic"));
    });
}
