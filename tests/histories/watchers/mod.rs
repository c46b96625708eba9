//! Clients that watch, with the simulator's own [`Watcher`]s: each watch is resumed where it stood, on the same member or on
//! another one. *Collectors* are watchers that stay with one member each and watch everything: what they bring is the history,
//! so they are the last to stop.
//!
//! | file | what |
//! | --- | --- |
//! | `stream` | one watch stream, from its opening to its end |

mod stream;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use campanile_core::{
    request::{KeyRange, RangeEnd},
    watch::{CreateWatch, StreamId},
};
use campanile_simulate::{
    client::watcher::{Session, Watcher},
    plan::Shape as SimulatedShape,
    record::{Counts, watching::Watched},
};
use campanile_storage::ids::Revision;
use campanile_test_support::Client as Connection;
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::sleep,
};

use crate::record::Recorder;

/// From the end of a stream to the next one.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);
/// The numbers of collectors, as parts of a seed.
const COLLECTORS: usize = 100;

/// Where a watcher finds its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    /// On this one alone.
    Member(usize),
    /// Wherever the dice say.
    Anywhere,
}

/// What one watcher saw.
#[derive(Debug)]
pub struct Watching {
    pub watches: Vec<Watched>,
    pub counts: Counts,
    /// Where it had to read to in the end, and did not.
    pub missed: Option<String>,
}

/// Running watchers.
#[derive(Debug)]
pub struct Watchers {
    collectors: JoinSet<(usize, Watching)>,
    others: JoinSet<Watching>,
    goal_of_collectors: watch::Sender<Option<Goal>>,
    goal_of_others: watch::Sender<Option<Goal>>,
}

/// How far to read before stopping, and by when.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    pub revision: Revision,
    pub by: Instant,
}

impl Watchers {
    /// A collector for each member, and so many watchers besides.
    pub fn start(seed: u64, number: u64, keys: u64, recorder: &Arc<Recorder>, addresses: &[String]) -> Watchers {
        let (goal_of_collectors, collectors_goal) = watch::channel(None);
        let (goal_of_others, others_goal) = watch::channel(None);
        let follow = |number: usize, home: Home, goal: &watch::Receiver<Option<Goal>>| Follower {
            watcher: Watcher::new(seed, number, &shape(keys)),
            home,
            connections: addresses.iter().map(|address| Connection::new(address)).collect(),
            recorder: recorder.clone(),
            goal: goal.clone(),
            streams: 0,
            watching: Watching { watches: Vec::new(), counts: Counts::default(), missed: None },
        };
        let mut collectors = JoinSet::new();
        for member in 0..addresses.len() {
            let mut collector = follow(COLLECTORS + member, Home::Member(member), &collectors_goal);
            collector.watcher.wishes = vec![everything()];
            collectors.spawn(async move { (member, collector.run().await) });
        }
        let mut others = JoinSet::new();
        for number in 0..number as usize {
            others.spawn(follow(number, Home::Anywhere, &others_goal).run());
        }
        Watchers { collectors, others, goal_of_collectors, goal_of_others }
    }

    /// Lets the watchers read up to the goal, and then the collectors up to what anybody has been shown by then: leases go on
    /// running out. What the collectors saw, by member, and what the others did.
    ///
    /// # Errors
    /// If one of them panicked.
    pub async fn stop(
        mut self,
        goal: Goal,
        shown: impl FnOnce() -> Revision,
    ) -> Result<(Vec<Watching>, Vec<Watching>), JoinError> {
        self.goal_of_others.send_replace(Some(goal));
        let mut others = Vec::new();
        while let Some(watching) = self.others.join_next().await {
            others.push(watching?);
        }
        self.goal_of_collectors.send_replace(Some(Goal { revision: shown(), ..goal }));
        let mut collectors = Vec::new();
        while let Some(collector) = self.collectors.join_next().await {
            collectors.push(collector?);
        }
        collectors.sort_by_key(|(member, _)| *member);
        Ok((collectors.into_iter().map(|(_, watching)| watching).collect(), others))
    }
}

/// Watchers of the simulator ask a run's shape for the number of keys alone.
fn shape(keys: u64) -> SimulatedShape {
    SimulatedShape { keys, ..SimulatedShape::small(crate::plan::MEMBERS, 1, 1) }
}

/// What a collector watches.
fn everything() -> CreateWatch {
    CreateWatch {
        watch_id: 1,
        keys: KeyRange { start: Bytes::from_static(b"\0"), end: RangeEnd::Unbounded },
        start: Revision::EMPTY.next(),
        no_put: false,
        no_delete: false,
        previous: true,
        progress_notify: false,
        fragment: true,
    }
}

/// One client with one stream at a time.
struct Follower {
    watcher: Watcher,
    home: Home,
    connections: Vec<Connection>,
    recorder: Arc<Recorder>,
    goal: watch::Receiver<Option<Goal>>,
    streams: u64,
    watching: Watching,
}

impl Follower {
    async fn run(mut self) -> Watching {
        loop {
            let member = match self.home {
                Home::Member(member) => member,
                Home::Anywhere => self.watcher.dice.place(self.connections.len()),
            };
            let session = Session { member, life: 0, executor: 0, stream: StreamId(self.streams) };
            self.streams += 1;
            self.watcher.begin(session, &mut self.watching.watches, &mut self.watching.counts);
            let is_done = self.follow_stream(member).await;
            if is_done {
                self.finish();
                return self.watching;
            }
            self.watcher.end(&self.watching.watches);
            if let Some(goal) = *self.goal.borrow()
                && Instant::now() >= goal.by
            {
                self.watching.missed = Some(format!("a watcher of {:?} had {}", self.home, self.stands()));
                return self.watching;
            }
            self.go_back_to_the_goal();
            sleep(RETRY_INTERVAL).await;
        }
    }

    /// A stream on which one watch begins in the future is not told how far it is, as in etcd. If nothing is written any more,
    /// its other watches would never know, so that one begins at the goal again.
    fn go_back_to_the_goal(&mut self) {
        let Some(goal) = *self.goal.borrow() else { return };
        self.watcher.wishes.iter_mut().for_each(|wish| wish.start = wish.start.min(goal.revision));
    }

    /// The watches of the last stream, and where each would go on.
    fn stands(&self) -> String {
        let of_the_last = self.watching.watches.iter().rev().take(self.watcher.wishes.len());
        let stands = of_the_last.map(|watch| {
            let Watched { wish, member, told, .. } = watch;
            let told = told.last();
            format!("of member {member}: {wish:?}, told {told:?} last, would go on at {}", watch.next())
        });
        stands.collect::<Vec<_>>().join("; ")
    }

    /// The watches that are open have brought everything up to the goal.
    fn finish(&mut self) {
        let goal = self.goal.borrow().map(|goal| goal.revision);
        for (_, place) in self.watcher.open().collect::<Vec<_>>() {
            self.watching.watches[place].read_up_to = goal;
        }
    }
}
