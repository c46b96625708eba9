//! Watches as a whole: shards, executors and clients in one thread, with messages delivered in any order that a seed says
//! (but in order between any two), and a checker that knows what each watch is due.

mod client;
mod corners;
mod world;

use world::{Setting, World};

fn run(name: &str, seeds: std::ops::Range<u64>, setting: Setting) {
    let mut seen = world::Seen::default();
    for seed in seeds {
        println!("{name}: seed {seed}");
        let mut world = World::new(seed, setting);
        for _ in 0..1_500 {
            world.act();
        }
        world.settle();
        seen.add(&world.seen);
    }
    println!("{name}: {seen:?}");
    assert!(seen.events > 1_000 && seen.slices > 100 && seen.history_events > 100, "{seen:?}");
    assert!(seen.progress > 0 && seen.canceled > 0 && seen.filtered > 0 && seen.previous > 0, "{seen:?}");
    assert_eq!(setting.compacts, seen.compacted > 0, "{seen:?}");
    assert_eq!(setting.held_bytes_max < 10_000, seen.given_up > 10, "{seen:?}");
}

#[test]
fn each_watch_gets_its_events_once_and_in_order() {
    run("fast clients", 0..25, Setting { held_bytes_max: 8 << 20, client_reads: 0.5, compacts: false });
}

#[test]
fn compaction_ends_watches_that_want_what_is_gone_and_no_others() {
    run("compactions", 100..125, Setting { held_bytes_max: 8 << 20, client_reads: 0.2, compacts: true });
}

#[test]
fn a_client_that_does_not_read_costs_bounded_memory_and_misses_nothing() {
    run("slow clients", 200..225, Setting { held_bytes_max: 3_000, client_reads: 0.04, compacts: false });
    run(
        "slow clients and compactions",
        300..315,
        Setting { held_bytes_max: 3_000, client_reads: 0.04, compacts: true },
    );
}
