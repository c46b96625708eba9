//! A member is struck at some operations of its disk, and at one at least of every kind, of every kind of file, and of
//! everything that a disk is used for. `cargo simulate operations` strikes at all of them, in every way.

use campanile_planted::{Mistake, plant};
use campanile_simulate::campaign::operations::{self, Effort, cluster};
use campanile_simulate_planted::campaign::operations as planted;
use campanile_simulate_planted::world::interruption::{How, Strike};

const EFFORT: Effort = Effort { seed: 1, stride: 7, once: false, among: 0..u64::MAX, threads: 2 };

#[test]
fn a_member_may_be_struck_anywhere() {
    let clusters: Vec<_> = cluster::ALL.iter().collect();
    let report = operations::run(&clusters, &EFFORT, |case, violation| {
        eprintln!("{violation}\n  replay it with: {case}");
    });
    let report = report.expect("nothing is broken where nothing strikes");
    assert!(report.violations.is_empty(), "{} of {} runs", report.violations.len(), report.runs);
    assert!(report.missing.is_empty(), "never struck: {:?}", report.missing);
    assert!(report.runs > report.operations / EFFORT.stride, "{} runs", report.runs);
}

/// What writes to the disk in a wrong order, or says too early that it has written, is found by strikes where it does so, if
/// the loss of power that every run goes through has not shown it.
#[test]
fn mistakes_about_the_disk_are_found() {
    for (mistake, what, file, how) in [
        (Mistake::WriteErrorIgnored, "write", "file: a log segment", How::Failed),
        (Mistake::ManifestNotSynced, "sync directory", "file: the data directory", How::Torn),
        (Mistake::CheckpointNotSynced, "sync directory", "file: the directory of the checkpoints", How::Torn),
        (Mistake::ReleaseBeforeManifest, "sync", "file: the manifest", How::Lost),
    ] {
        plant(Some(mistake));
        let found = finds(what, file, how);
        plant(None);
        println!("{mistake}: {found:?}");
        assert!(found.is_some(), "{mistake} is not found by striking at {what} of {file}");
    }
}

/// The promise that is broken by a strike at one of these operations, if any is.
fn finds(what: &str, file: &str, how: How) -> Option<String> {
    let cluster = planted::cluster::Cluster::named("1x2").expect("it is in the list");
    let undisturbed = planted::Undisturbed::run(cluster, EFFORT.seed);
    if let Some(violation) = undisturbed.outcome.violation {
        return Some(violation.to_string());
    }
    let points = (1..).zip(&undisturbed.points);
    let mut struck = points.filter(|(_, point)| point.operation.what == what && point.corners.contains(file));
    struck.find_map(|(at, _)| {
        let strike = Strike { at, how, again: None };
        let case = planted::Case { cluster, seed: EFFORT.seed, strike };
        case.run(&undisturbed.points, false).outcome.violation.map(|violation| format!("at {at}: {violation}"))
    })
}
