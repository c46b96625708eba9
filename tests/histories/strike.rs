//! Carries out the faults of a plan, several at once if they overlap, each undone when its time is over.

use std::time::Duration;

use campanile_simulate::{check::Violation, record::Counts};
use tokio::time::{Instant, sleep_until};

use crate::{
    plan::{Fault, Strike, Whom},
    stage::{Stage, leader, network::Cut},
};

/// How often somebody looks whether all members stand that should.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// From a new start to the second kill.
const RECOVERING: Duration = Duration::from_millis(120);

/// What ends a fault.
#[derive(Debug)]
enum Undo {
    Mend(Vec<Cut>),
    Start(Vec<usize>),
    /// Starts it, and kills it again soon.
    StartAndKill(usize),
    /// Kills it once more; it comes back after as long again.
    KillAgain(usize),
    GoOn(usize),
    /// Kills and starts it: the start before has used the last segment that was prepared for its log.
    CrashOnFullDisk,
    FreeDisk,
}

/// Strikes until the time of the plan is over. Returns how many faults there were.
///
/// # Errors
/// If a member stops that has no reason to.
pub async fn strike(
    stage: &mut Stage,
    strikes: &[Strike],
    safety: Duration,
    counts: &mut Counts,
) -> Result<usize, Violation> {
    let begin = Instant::now();
    let addresses = stage.addresses();
    let mut due = strikes.iter().peekable();
    let mut undoing: Vec<(Instant, Undo)> = Vec::new();
    while begin.elapsed() < safety {
        let now = Instant::now();
        while let Some(strike) = due.next_if(|strike| begin + strike.at <= now) {
            let leader = if is_about_leader(strike.fault) { leader(&addresses).await.unwrap_or(0) } else { 0 };
            if let Fault::FillDisk { crash: true } = strike.fault {
                undoing.push((now + RECOVERING * 3, Undo::CrashOnFullDisk));
            }
            undoing.push((now + strike.lasts, begin_fault(stage, strike.fault, leader)));
            counts.note(strike.fault.name());
            counts.add("fault: while another one lasts", u64::from(undoing.len() > 1));
        }
        let (over, going_on) = undoing.into_iter().partition(|(at, _)| *at <= now);
        undoing = going_on;
        for (_, undo) in over {
            undoing.extend(end_fault(stage, undo).map(|next| (now + RECOVERING, next)));
        }
        stage.look()?;
        let next = due.peek().map(|strike| begin + strike.at).into_iter().chain(undoing.iter().map(|(at, _)| *at));
        sleep_until(next.chain([now + LOOK_INTERVAL, begin + safety]).min().expect("there are two")).await;
    }
    Ok(strikes.len() - due.len())
}

fn is_about_leader(fault: Fault) -> bool {
    use Fault as F;
    match fault {
        F::Crash(whom) | F::CrashTwice(whom) | F::Hold(whom) | F::Unplug(whom) | F::Isolate(whom) => {
            whom == Whom::Leader
        }
        F::Mute(whom) | F::Deafen(whom) => whom == Whom::Leader,
        F::CrashAll | F::CutLink(..) | F::CutOneWay(..) | F::FillDisk { .. } => false,
    }
}

fn begin_fault(stage: &mut Stage, fault: Fault, leader: usize) -> Undo {
    let members = stage.members.len();
    let struck = |whom| match whom {
        Whom::Leader => leader,
        Whom::Member(at) => at,
    };
    let others = |at: usize| (0..members).filter(move |&other| other != at);
    let outwards = |at: usize| others(at).map(move |other| Cut::OneWay { from: at, to: other });
    let inwards = |at: usize| others(at).map(move |other| Cut::OneWay { from: other, to: at });
    let cuts = match fault {
        Fault::Crash(whom) => {
            stage.members[struck(whom)].kill();
            return Undo::Start(vec![struck(whom)]);
        }
        Fault::CrashTwice(whom) => {
            stage.members[struck(whom)].kill();
            return Undo::StartAndKill(struck(whom));
        }
        Fault::CrashAll => {
            stage.members.iter_mut().for_each(|member| member.kill());
            return Undo::Start((0..members).collect());
        }
        Fault::Hold(whom) => {
            stage.members[struck(whom)].stop();
            return Undo::GoOn(struck(whom));
        }
        Fault::FillDisk { crash } => {
            stage.fill_disk();
            if crash {
                stage.crash_on_full_disk();
            }
            return Undo::FreeDisk;
        }
        Fault::Unplug(whom) => vec![Cut::Plug(struck(whom))],
        Fault::Isolate(whom) => outwards(struck(whom)).chain(inwards(struck(whom))).collect(),
        Fault::Mute(whom) => outwards(struck(whom)).collect(),
        Fault::Deafen(whom) => inwards(struck(whom)).collect(),
        Fault::CutLink(one, other) => {
            vec![Cut::OneWay { from: one, to: other }, Cut::OneWay { from: other, to: one }]
        }
        Fault::CutOneWay(from, to) => vec![Cut::OneWay { from, to }],
    };
    cuts.iter().for_each(|cut| stage.network.cut(*cut));
    Undo::Mend(cuts)
}

/// Ends a fault, or the first part of one.
fn end_fault(stage: &mut Stage, undo: Undo) -> Option<Undo> {
    match undo {
        Undo::Mend(cuts) => cuts.into_iter().for_each(|cut| stage.network.mend(cut)),
        Undo::Start(members) => {
            for at in members {
                stage.members[at].release();
                stage.start(at);
            }
        }
        Undo::StartAndKill(at) => {
            stage.members[at].release();
            stage.start(at);
            return Some(Undo::KillAgain(at));
        }
        Undo::KillAgain(at) => {
            stage.members[at].kill();
            return Some(Undo::Start(vec![at]));
        }
        Undo::GoOn(at) => stage.members[at].go_on(),
        Undo::CrashOnFullDisk => stage.crash_on_full_disk(),
        Undo::FreeDisk => stage.free_disk(),
    }
    None
}
