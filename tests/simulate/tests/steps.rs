//! A part of the systematic mode: every order of the next happenings at one step of each kind, with a crash anywhere.
//! `cargo simulate steps` tries more steps.

use campanile_simulate::campaign::steps;
use campanile_simulate::world::detour::Step;

#[test]
fn every_order_at_a_step_keeps_the_promises() {
    std::thread::scope(|scope| {
        for step in Step::ALL {
            scope.spawn(move || {
                let tried = steps::vary(1, step, 1);
                assert!(tried.runs > 20, "{step:?}: {} runs", tried.runs);
                assert!(tried.violations.is_empty(), "{step:?}: {:?}", tried.violations.first());
                assert!(tried.ended * 2 > tried.runs, "{step:?} came to its end in {} of {}", tried.ended, tried.runs);
            });
        }
    });
}
