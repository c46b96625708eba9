//! A member's logs under a seeded load of appends, flushes, checkpoints and installs, on any number of executors. It runs
//! until the disk crashes, starts again, and compares every group with the model.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{Rng, SeedableRng};

use super::super::{
    Batch, Cut, Entry, Floors, GroupState, HardState, Log, LogRemains, Recovered, Retired, Stamp, Ticket, Update,
    recover,
};
use super::options;
use super::world::{GroupModel, payload};
use crate::checkpoint::{Manifest, create_directory};
use crate::disk::simulated::{Crash, SimulatedDisk, data_directory, run};
use crate::error::Result;
use crate::ids::{GroupId, Index, MemberId, Revision, Term};

const GROUPS: u32 = 5;
const EXECUTORS_MAX: u32 = 3;

/// For every batch the groups in it, and how many updates of each there were with it.
type Batches = Vec<Vec<(GroupId, usize)>>;

/// How many updates of a group came back, and how many of these from the checkpoint, whatever its log has of them.
#[derive(Clone, Copy, Default)]
struct Back {
    updates: usize,
    covered: usize,
}

struct Executor {
    log: Log<SimulatedDisk>,
    batches: Batches,
    acknowledged: usize,
}

pub(super) struct Campaign {
    seed: u64,
    pub(super) disk: SimulatedDisk,
    random: StdRng,
    models: BTreeMap<GroupId, GroupModel>,
    executors: Vec<Executor>,
    retired: Vec<Retired<SimulatedDisk>>,
    /// The batches of the executors before the crash.
    former: Vec<Batches>,
    manifest: Manifest,
    /// The manifest that was being written when the disk crashed, and the groups that it resets.
    next_manifest: Option<(Manifest, Vec<GroupId>)>,
    starts: u64,
    /// What happened, to see that every corner was reached.
    pub(super) seen: Seen,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) flushes: u64,
    pub(super) checkpoints: u64,
    pub(super) installs: u64,
    pub(super) replaced: u64,
    pub(super) torn: u64,
    pub(super) moved: u64,
    pub(super) directories_gone: u64,
}

impl Campaign {
    pub(super) fn new(seed: u64) -> Self {
        let disk = SimulatedDisk::new(seed, &data_directory());
        run(create_directory(&disk, &data_directory())).expect("nothing fails yet");
        let models = (0..GROUPS).map(|group| (GroupId(group), GroupModel::default())).collect();
        Campaign {
            seed,
            disk,
            random: StdRng::seed_from_u64(seed),
            models,
            executors: Vec::new(),
            retired: Vec::new(),
            former: Vec::new(),
            manifest: Manifest::default(),
            next_manifest: None,
            starts: 0,
            seen: Seen::default(),
        }
    }

    /// Starts the member, over and over if it crashes again on the way: each time after `crashes.next()` operations.
    pub(super) fn start(&mut self, crashes: &mut dyn Iterator<Item = u64>) {
        loop {
            if let Some(after) = crashes.next() {
                let crash = self.any_crash();
                self.disk.crash_at(self.disk.operations() + after, crash);
            }
            let started = run(self.try_start());
            match started {
                Ok(()) => return,
                Err(error) => {
                    assert!(self.disk.has_crashed(), "seed {}: {error}", self.seed);
                    self.end();
                }
            }
        }
    }

    pub(super) fn any_crash(&mut self) -> Crash {
        if self.random.random_bool(0.7) { Crash::Power } else { Crash::Process }
    }

    /// The process is gone; the disk answers the next one.
    pub(super) fn end(&mut self) {
        let how = self.any_crash();
        self.disk.crash(how);
        self.former.extend(self.executors.drain(..).map(|executor| executor.batches));
        self.retired.clear();
        self.disk.restart();
    }

    async fn try_start(&mut self) -> Result<()> {
        self.starts += 1;
        let directory = data_directory();
        let found = Manifest::read(&self.disk, &directory).await?;
        let recovered = recover(&self.disk, &directory, &found.states()).await?;
        self.compare(found, &recovered);
        let executors = self.random.random_range(1..=EXECUTORS_MAX);
        let mut logs = recovered.logs;
        for number in 0..executors {
            let remains = match logs.remove(&number) {
                Some(remains) => remains,
                None => LogRemains::create(&self.disk, &directory, number).await?,
            };
            let log = Log::open(self.disk.clone(), remains, options(self.seed ^ (self.starts << 32))).await?;
            self.executors.push(Executor { log, batches: Vec::new(), acknowledged: 0 });
        }
        self.seen.moved += logs.len() as u64;
        self.retired = logs.into_values().map(|remains| Retired::new(self.disk.clone(), remains)).collect();
        for (group, model) in &mut self.models {
            let cursor = recovered.groups.get(group).map(|found| found.cursor.clone()).unwrap_or_default();
            assert_eq!(cursor.next(), model.base, "seed {}: group {group}", self.seed);
            self.executors[(group.0 % executors) as usize].log.adopt(*group, cursor);
        }
        Ok(())
    }

    fn compare(&mut self, found: Manifest, recovered: &Recovered) {
        let seed = self.seed;
        if found != self.manifest {
            let (next, reset) = self.next_manifest.take().expect("a manifest is the old one or the one in flight");
            assert_eq!(found, next, "seed {seed}: the manifest");
            self.carry_out(&next, &reset);
            self.manifest = next;
        }
        self.next_manifest = None;
        let mut came_back = BTreeMap::new();
        for (group, model) in &mut self.models {
            let told = format!("seed {seed}, group {group}");
            let nothing = GroupState::default();
            let state = self.manifest.live.as_ref().and_then(|live| live.groups.get(group)).unwrap_or(&nothing);
            match recovered.groups.get(group) {
                Some(found) => {
                    let covered = state.floor.0.saturating_sub(model.base.0) as usize;
                    came_back.insert(*group, Back { updates: model.compare(found, state, &told), covered });
                }
                None => {
                    assert_eq!(model.acknowledged, 0, "{told}: nothing came back");
                    *model = GroupModel::default();
                    came_back.insert(*group, Back::default());
                }
            }
        }
        for batches in std::mem::take(&mut self.former) {
            self.check_order(&batches, &came_back);
        }
    }

    /// Of one log's batches the first ones came back, each as a whole.
    fn check_order(&mut self, batches: &Batches, came_back: &BTreeMap<GroupId, Back>) {
        let mut ended = false;
        for batch in batches {
            let needed: Vec<_> = batch.iter().filter(|(group, count)| came_back[group].covered < *count).collect();
            let present = needed.iter().filter(|(group, count)| came_back[group].updates >= *count).count();
            assert!(present == 0 || present == needed.len(), "seed {}: half a batch came back", self.seed);
            assert!(present == 0 || !ended, "seed {}: a batch came back without the one before", self.seed);
            ended |= present == 0 && !needed.is_empty();
        }
        self.seen.torn += u64::from(ended);
    }

    /// Works until the disk crashes, at most so many steps.
    pub(super) fn work(&mut self, steps: u32) {
        for _ in 0..steps {
            if let Err(error) = run(self.step()) {
                assert!(self.disk.has_crashed(), "seed {}: {error}", self.seed);
                return;
            }
        }
    }

    async fn step(&mut self) -> Result<()> {
        let number = self.random.random_range(0..self.executors.len());
        match self.random.random_range(0..100) {
            0..55 => self.append(number),
            55..85 => self.flush(number).await,
            85..90 => self.executors[number].log.maintain().await,
            90..97 => self.checkpoint(false).await,
            _ => self.checkpoint(true).await,
        }
    }

    fn append(&mut self, number: usize) -> Result<()> {
        let executors = self.executors.len() as u32;
        let mine = (0..GROUPS).filter(|group| group % executors == number as u32);
        let groups = mine.choose_multiple(&mut self.random, 3);
        let mut batch = Batch::new();
        let mut noted = BTreeMap::new();
        for group in groups.into_iter().map(GroupId) {
            let update = self.update(group);
            noted.insert(group, self.models.get_mut(&group).expect("every group has a model").note(&update));
            batch.push(update);
        }
        let executor = &mut self.executors[number];
        let ticket = executor.log.append(batch)?;
        executor.batches.push(noted.into_iter().collect());
        assert_eq!(ticket, Ticket(executor.batches.len() as u64));
        Ok(())
    }

    /// Something that a Raft group may write: it appends, or replaces what is not committed in a new term.
    fn update(&mut self, group: GroupId) -> Update {
        let random = &mut self.random;
        let newest = self.models[&group].newest();
        let mut hard_state = newest.hard_state;
        let mut first = newest.last.0 + 1;
        if random.random_bool(0.2) || hard_state.term == Term(0) {
            hard_state.term = Term(hard_state.term.0 + 1);
            hard_state.vote = MemberId(random.random_range(0..3));
            if newest.last > hard_state.commit && random.random_bool(0.5) {
                first = random.random_range(hard_state.commit.0 + 1..=newest.last.0);
                self.seen.replaced += 1;
            }
        }
        let count = if first <= newest.last.0 { 1 } else { random.random_range(0..4) };
        let entries: Vec<Entry> = (first..first + count)
            .map(|index| Entry {
                index: Index(index),
                term: hard_state.term,
                kind: random.random_range(0..3),
                payload: payload(random.random_range(0..3000), index as u8),
            })
            .collect();
        let last = entries.last().map_or(newest.last, |last| last.index);
        hard_state.commit = Index(random.random_range(hard_state.commit.0..=last.0));
        let hard_state = if hard_state == newest.hard_state { None } else { Some(hard_state) };
        Update { group, hard_state, entries }
    }

    async fn flush(&mut self, number: usize) -> Result<()> {
        let executor = &mut self.executors[number];
        let durable = executor.log.flush().await?;
        self.seen.flushes += 1;
        while (executor.acknowledged as u64) < durable.0 {
            for (group, count) in &executor.batches[executor.acknowledged] {
                let model = self.models.get_mut(group).expect("every group has a model");
                model.acknowledged = model.acknowledged.max(*count);
            }
            executor.acknowledged += 1;
        }
        Ok(())
    }

    /// Makes a checkpoint live, and gives back what lies behind it. `installed`: one that replaces some groups' logs.
    async fn checkpoint(&mut self, installed: bool) -> Result<()> {
        let mut groups = Floors::new();
        let mut reset = Vec::new();
        for group in self.models.keys().copied().collect::<Vec<_>>() {
            let log = &self.executors[(group.0 as usize) % self.executors.len()].log;
            let newest = self.models[&group].newest();
            let before = self.manifest.states().get(&group).map_or(Cut::default(), |state| state.cut);
            if installed && self.random.random_bool(0.5) {
                let index = Index(newest.last.0 + self.random.random_range(1..5));
                let term = Term(newest.hard_state.term.0.max(1));
                let hard_state = HardState { term, commit: index, ..newest.hard_state };
                groups.insert(group, log.reset(group, Cut { index, term }, hard_state));
                reset.push(group);
            } else {
                let index = self.random.random_range(before.index.0..=newest.hard_state.commit.0.max(before.index.0));
                groups.insert(group, log.cut(group, newest.cut_at(Index(index)).unwrap_or(before)));
            }
        }
        let number = self.manifest.next_number();
        let next = if installed {
            self.manifest.install(number, Revision(1), groups)
        } else {
            self.manifest.advance(number, Revision(1), groups)
        };
        self.next_manifest = Some((next.clone(), reset.clone()));
        next.write(&self.disk, &data_directory()).await?;
        self.next_manifest = None;
        self.carry_out(&next, &reset);
        self.manifest = next;
        self.seen.checkpoints += u64::from(!installed);
        self.seen.installs += u64::from(installed);
        let states = self.manifest.states();
        for group in &reset {
            self.executors[(group.0 as usize) % self.executors.len()].log.restart(*group, &states[group]);
        }
        self.release(&states).await
    }

    fn carry_out(&mut self, manifest: &Manifest, reset: &[GroupId]) {
        let states = manifest.states();
        for group in reset {
            self.models.get_mut(group).expect("every group has a model").reset(&states[group]);
        }
        // Batches that wait or are noted may name updates of a group that are gone now: they are as good as there.
        let running = self.executors.iter_mut().map(|executor| &mut executor.batches);
        for batch in running.chain(&mut self.former).flatten() {
            batch.retain(|(group, _)| !reset.contains(group));
        }
    }

    async fn release(&mut self, states: &Floors) -> Result<()> {
        for executor in &self.executors {
            executor.log.release(states).await?;
        }
        for mut retired in std::mem::take(&mut self.retired) {
            if retired.release(states).await? {
                self.seen.directories_gone += 1;
            } else {
                self.retired.push(retired);
            }
        }
        Ok(())
    }

    /// Reads every log once more, as a start would.
    pub(super) fn stamps(&self) -> BTreeMap<GroupId, Stamp> {
        self.models.iter().map(|(group, model)| (*group, model.base)).collect()
    }
}

impl Seen {
    pub(super) fn and(self, other: Seen) -> Seen {
        Seen {
            flushes: self.flushes + other.flushes,
            checkpoints: self.checkpoints + other.checkpoints,
            installs: self.installs + other.installs,
            replaced: self.replaced + other.replaced,
            torn: self.torn + other.torn,
            moved: self.moved + other.moved,
            directories_gone: self.directories_gone + other.directories_gone,
        }
    }

    pub(super) fn all_reached(self) -> bool {
        let Seen { flushes, checkpoints, installs, replaced, torn, moved, directories_gone } = self;
        [flushes, checkpoints, installs, replaced, torn, moved, directories_gone].iter().all(|count| *count > 0)
    }
}
