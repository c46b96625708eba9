//! A member that fell behind the others' logs is caught up by a checkpoint, whenever it dies over it.

use std::time::Duration;

use campanile_test_support::{Client, Seed, environment, metrics, wait};
use rand::{Rng, rngs::StdRng};
use tokio::{task::JoinSet, time::sleep};

use crate::{DEFAULT_KILLS, LEADER_LIMIT, attempt::Attempt, scene::Scene, subject, writers};

const INSTALLED: &str = "campanile_checkpoints_installed_total";
// What a member says in its log.
const RECEIVING: &str = "fell behind the log; receiving a checkpoint";
const LOST: &str = "lost a peer";
const LOADED: &str = "loaded a checkpoint";
const CATCH_UP_LIMIT: Duration = Duration::from_secs(60);
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// A kill comes up to so long after the member began to receive a checkpoint.
const KILL_AFTER_MS_MAX: u64 = 150;
/// Writes at once, and in all.
const BULK_WRITERS: usize = 32;
const BULK_WRITES: usize = 1_600;
const VALUE_CHARACTERS: usize = 4_096;
/// How often a member is held up.
const HOLD_UPS: u64 = 4;
/// Connections come and go, and so do spare segments; an executor that leaves its rings open each time leaves more.
const FILES_MORE_MAX: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_fell_behind_catches_up_by_a_checkpoint_whenever_it_dies() {
    let test = "a_member_that_fell_behind_catches_up_by_a_checkpoint_whenever_it_dies";
    // So little is held for it that it is behind again after each death.
    let (seed, mut scene) = open(&["--log-memory-bytes=65536", "--log-hold-bytes=2097152"], test).await;
    let mut random = seed.part(0);
    let behind = fall_behind(&mut scene, &mut random, |number| format!("bulk/{}", number % 400)).await;
    let kills = environment::number("CAMPANILE_CRASH_CATCH_UP_KILLS", DEFAULT_KILLS);
    for _ in 0..kills {
        let before = scene.cluster.members[behind].said(RECEIVING);
        scene.cluster.members[behind].start();
        wait::until("a checkpoint on its way", CATCH_UP_LIMIT, || async {
            (scene.cluster.members[behind].said(RECEIVING) > before).then_some(())
        })
        .await;
        sleep(Duration::from_millis(random.random_range(0..KILL_AFTER_MS_MAX))).await;
        scene.cluster.members[behind].kill();
        // The checkpoint may have been installed just before: the member falls behind again.
        scene.attempts.extend(write(&scene, behind, &mut random, |number| format!("bulk/{}", number % 40)).await);
    }
    scene.cluster.members[behind].start();
    // It takes none of its own in so short a time.
    wait::until("a start from a checkpoint", CATCH_UP_LIMIT, || async {
        (scene.cluster.members[behind].said(LOADED) > 0).then_some(())
    })
    .await;
    scene.recover().await;
    scene.close(test).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_of_which_one_group_fell_behind_keeps_the_logs_of_the_others() {
    let test = "a_member_of_which_one_group_fell_behind_keeps_the_logs_of_the_others";
    // Far more than the writers that go on all the time fill meanwhile.
    let (seed, mut scene) = open(&["--log-memory-bytes=2097152"], test).await;
    let mut random = seed.part(0);
    let behind = fall_behind(&mut scene, &mut random, |_| "bulk/one".to_owned()).await;
    scene.cluster.members[behind].start();
    let (process, address) =
        (scene.cluster.members[behind].process_id(), scene.cluster.members[behind].address.clone());
    wait::until("an installed checkpoint", CATCH_UP_LIMIT, || async {
        metrics::sample(&address, INSTALLED).await.filter(|&installed| installed > 0)
    })
    .await;
    scene.recover().await;
    assert_eq!(scene.cluster.members[behind].process_id(), process, "it begins anew within its process");
    scene.close(test).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_held_up_begins_anew_as_often_as_it_must_and_leaves_nothing_behind() {
    let test = "a_member_that_is_held_up_begins_anew_as_often_as_it_must_and_leaves_nothing_behind";
    let (seed, mut scene) = open(&["--log-memory-bytes=65536", "--log-hold-bytes=2097152"], test).await;
    let mut random = seed.part(0);
    let leader = wait::until("a leader", LEADER_LIMIT, || scene.cluster.leader()).await;
    let behind = (leader + 1) % scene.cluster.members.len();
    scene.watch_at(behind);
    let process = scene.cluster.members[behind].process_id().expect("it runs");
    let address = scene.cluster.members[behind].address.clone();
    let mut files = Vec::new();
    for round in 0..HOLD_UPS {
        let lost = scene.cluster.members[leader].said(LOST);
        signal(process, "STOP");
        scene.attempts.extend(write(&scene, behind, &mut random, |number| format!("bulk/{}", number % 40)).await);
        // Until then what was written waits for it in the leader's queue.
        wait::until("the leader to give it up", CATCH_UP_LIMIT, || async {
            (scene.cluster.members[leader].said(LOST) > lost).then_some(())
        })
        .await;
        signal(process, "CONT");
        wait::until("an installed checkpoint", CATCH_UP_LIMIT, || async {
            metrics::sample(&address, INSTALLED).await.filter(|&installed| installed > round)
        })
        .await;
        scene.recover().await;
        files.push(open_files(process));
    }
    println!("{test}: {files:?} files open after each time");
    assert!(files[files.len() - 1] < files[0] + FILES_MORE_MAX, "files stay open: {files:?}");
    scene.close(test).await;
}

/// Files and sockets that a process has open. glommio 0.9 leaves one eventfd of each executor that has ended.
fn open_files(process: u32) -> usize {
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).expect("the process runs").flatten();
    let links = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.filter(|link| !link.to_string_lossy().contains("eventfd")).count()
}

fn signal(process: u32, signal: &str) {
    let status = std::process::Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "the process runs, and is ours");
}

async fn open(flags: &[&str], test: &str) -> (Seed, Scene) {
    let seed = Seed::take(test);
    let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
    let scene = Scene::open_with(&subject(), 3, seed, flags).await;
    (seed, scene)
}

/// Kills a member that does not lead, and writes more than the others keep in memory of the keys' groups.
async fn fall_behind(scene: &mut Scene, random: &mut StdRng, key: impl Fn(usize) -> String) -> usize {
    let leader = wait::until("a leader", LEADER_LIMIT, || scene.cluster.leader()).await;
    let behind = (leader + 1) % scene.cluster.members.len();
    scene.watch_at(behind);
    scene.cluster.members[behind].kill();
    let attempts = write(scene, behind, random, key).await;
    scene.attempts.extend(attempts);
    behind
}

/// Many large writes, to all members but one.
async fn write(scene: &Scene, but: usize, random: &mut StdRng, key: impl Fn(usize) -> String) -> Vec<Attempt> {
    let mut addresses = scene.cluster.addresses();
    addresses.remove(but);
    let clients: Vec<Client> = addresses.iter().map(|address| Client::new(address)).collect();
    let (mut under_way, mut attempts) = (JoinSet::new(), Vec::new());
    for number in 0..BULK_WRITES {
        if under_way.len() >= BULK_WRITERS {
            attempts.extend(under_way.join_next().await.map(|attempt| attempt.expect("a write does not panic")));
        }
        // Hard to compress, so that a checkpoint is many parts; and nobody else's.
        let value: String = (0..VALUE_CHARACTERS).map(|_| char::from(random.random_range(b'!'..=b'~'))).collect();
        let (client, key) = (clients[number % clients.len()].clone(), key(number));
        under_way.spawn(async move { writers::attempt(&client, value, vec![key], WRITE_LIMIT).await });
    }
    attempts.extend(under_way.join_all().await);
    attempts
}
