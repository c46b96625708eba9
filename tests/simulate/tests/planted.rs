//! Every planted mistake is found again by the seed that found it first. `cargo simulate planted` looks for them all.

use campanile_planted::Mistake;
use campanile_simulate::hunt;

/// Each thread plants every so manyth mistake.
const THREADS: usize = 2;

#[test]
fn every_planted_mistake_is_found_again() {
    std::panic::set_hook(Box::new(|_| {}));
    let missed: Vec<Mistake> = std::thread::scope(|scope| {
        let part = |thread: usize| {
            scope.spawn(move || {
                let mine = Mistake::ALL.iter().copied().skip(thread).step_by(THREADS);
                let known = mine.filter_map(|mistake| Some((mistake, hunt::known_run(mistake)?)));
                let missed = known.filter(|&(mistake, run)| run.breaks(mistake).is_none());
                missed.map(|(mistake, _)| mistake).collect::<Vec<_>>()
            })
        };
        let threads: Vec<_> = (0..THREADS).map(part).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no run panics")).collect()
    });
    let _ = std::panic::take_hook();
    assert!(missed.is_empty(), "not found any more: {missed:?}");
}

#[test]
fn at_least_thirty_mistakes_have_a_seed() {
    let found = Mistake::ALL.iter().filter(|mistake| hunt::known_run(**mistake).is_some()).count();
    assert!(found >= 30, "{found} of {} mistakes are known to be found", Mistake::ALL.len());
}
