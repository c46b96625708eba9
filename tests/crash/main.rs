//! kill -9 under writes: nothing acknowledged is lost, revisions stay dense, resumed watches miss and repeat nothing.
//!
//! A killed process loses what it held in memory, not what the page cache holds: this shows recovery, not durability.
//! Lost un-synced writes are the simulated disk's business; `flushes` shows that the real one is told to keep them.
//!
//! | variable | meaning | default | campaign |
//! | --- | --- | --- | --- |
//! | `CAMPANILE_CRASH_SINGLE_KILLS` | kills of a single member | 3 | 200 |
//! | `CAMPANILE_CRASH_LEADER_KILLS` | kills of the leader of three | 3 | 100 |
//! | `CAMPANILE_CRASH_CLUSTER_KILLS` | kills of all three at once | 3 | 50 |
//! | `CAMPANILE_CRASH_CATCH_UP_KILLS` | kills of a member that is sent a checkpoint | 3 | 50 |
//! | `CAMPANILE_SEED` | repeats the moments of the kills and the writes | | |
//! | `CAMPANILE_SUBJECT` | puts another program in Campanile's place | | |

mod attempt;
mod audit;
mod catch_up;
mod flushes;
mod follower;
mod hashes;
mod outage;
mod scene;
mod writers;

use std::time::Duration;

use campanile_test_support::{Options, Program, Seed, environment, wait};
use rand::Rng;
use scene::Scene;
use tokio::time::sleep;

const DEFAULT_KILLS: u64 = 3;
/// Leaders that one cluster loses.
const KILLS_A_CLUSTER: usize = 25;
/// From this many kills of the leader on, the outages are held against the promise.
const CAMPAIGN_KILLS: usize = 20;
/// Election timeouts from the kill of a leader to the next acknowledged write, in the median and at worst.
const OUTAGE_MEDIAN_MAX: f64 = 1.7;
const OUTAGE_WORST_MAX: f64 = 3.0;
const LEADER_LIMIT: Duration = Duration::from_secs(30);
/// A kill comes up to so long after the last recovery.
const KILL_AFTER_MS_MAX: u64 = 400;

fn subject() -> Program {
    Program::subject(env!("CARGO_BIN_EXE_campanile"))
}

async fn random_moment(random: &mut impl Rng) {
    sleep(Duration::from_millis(random.random_range(0..KILL_AFTER_MS_MAX))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_member_survives_kills() {
    let test = "single_member_survives_kills";
    let seed = Seed::take(test);
    let mut random = seed.part(0);
    let mut scene = Scene::open(&subject(), 1, seed).await;
    for _ in 0..environment::number("CAMPANILE_CRASH_SINGLE_KILLS", DEFAULT_KILLS) {
        random_moment(&mut random).await;
        scene.cluster.kill_all();
        // One in three dies again while it recovers.
        if random.random_ratio(1, 3) {
            scene.cluster.members[0].start();
            random_moment(&mut random).await;
            scene.cluster.kill_all();
        }
        scene.recover().await;
    }
    scene.close(test).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_members_survive_kills_of_the_leader() {
    let test = "three_members_survive_kills_of_the_leader";
    let program = subject();
    let seed = Seed::take(test);
    let mut random = seed.part(0);
    let kills = environment::number("CAMPANILE_CRASH_LEADER_KILLS", DEFAULT_KILLS);
    let mut outages = Vec::new();
    // A hash reads all of a history that nobody compacts, so a cluster lives through some of them only.
    for begin in (0..kills).step_by(KILLS_A_CLUSTER) {
        let mut scene = Scene::open(&program, 3, seed).await;
        for number in begin..kills.min(begin + KILLS_A_CLUSTER as u64) {
            random_moment(&mut random).await;
            let leader = wait::until("a leader", LEADER_LIMIT, || scene.cluster.leader()).await;
            let mut survivors = scene.cluster.addresses();
            survivors.remove(leader);
            scene.cluster.members[leader].kill();
            let (outage, attempts) = outage::measure(&survivors, &format!("outage {number}")).await;
            println!("kill {number}: writes went on after {outage:.2?}");
            outages.push(outage);
            scene.attempts.extend(attempts);
            scene.recover().await;
        }
        scene.close(test).await;
    }
    report(test, program.is_campanile(), outages);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_members_survive_kills_of_all() {
    let test = "three_members_survive_kills_of_all";
    let seed = Seed::take(test);
    let mut random = seed.part(0);
    let mut scene = Scene::open(&subject(), 3, seed).await;
    for _ in 0..environment::number("CAMPANILE_CRASH_CLUSTER_KILLS", DEFAULT_KILLS) {
        random_moment(&mut random).await;
        scene.cluster.kill_all();
        scene.recover().await;
    }
    scene.close(test).await;
}

fn report(test: &str, is_promised: bool, mut outages: Vec<Duration>) {
    outages.sort_unstable();
    let election = f64::from(Options::default().election_ms) / 1000.0;
    let timeouts: Vec<f64> = outages.iter().map(|outage| outage.as_secs_f64() / election).collect();
    let (Some(best), Some(median), Some(worst)) = (timeouts.first(), timeouts.get(timeouts.len() / 2), timeouts.last())
    else {
        return;
    };
    println!(
        "{test}: writes went on after {best:.2} election timeouts at best, {median:.2} in the median, {worst:.2} at worst \
         ({} kills, election timeout {election} s)",
        timeouts.len()
    );
    if is_promised && timeouts.len() >= CAMPAIGN_KILLS {
        assert!(*median <= OUTAGE_MEDIAN_MAX && *worst <= OUTAGE_WORST_MAX, "the outages are too long: {timeouts:.2?}");
    }
}
