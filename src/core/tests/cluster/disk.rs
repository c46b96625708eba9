//! What a simulated member keeps through a crash: the groups' logs, and its checkpoints and manifest, these as files on the
//! storage crate's simulated disk.
//!
//! Each step of work takes effect when the simulation completes it, so a crash may come between any two. What a durable
//! checkpoint cut off is really gone.

use campanile_core::checkpoint::{Meta, StoreLoader};
use campanile_core::executor::Start;
use campanile_core::executor::effect::FileWork;
use campanile_core::group::GroupStart;
use campanile_storage::checkpoint::{self, Header, Manifest, Reader, Writer, checkpoint_path};
use campanile_storage::disk::simulated::{Crash, SimulatedDisk, data_directory, run};
use campanile_storage::ids::{GroupId, ShardId};
use campanile_storage::log::{Cut, Floors, GroupState, HardState, Stamp, Update};
use campanile_storage::store::Store;
use std::collections::HashMap;

pub const CLUSTER: u64 = 0xcafe;

pub struct Disk {
    groups: HashMap<GroupId, GroupStart>,
    files: SimulatedDisk,
    manifest: Manifest,
    writer: Option<Writer<SimulatedDisk>>,
    number: u64,
    pub checkpoints: u64,
}

impl Disk {
    pub fn new(seed: u64) -> Disk {
        let files = SimulatedDisk::new(seed, &data_directory());
        run(checkpoint::create_directory(&files, &data_directory())).expect("there is room");
        Disk { groups: HashMap::new(), files, manifest: Manifest::default(), writer: None, number: 0, checkpoints: 0 }
    }

    /// One atomic record is durable.
    pub fn write(&mut self, updates: &[Update]) {
        for update in updates {
            let group = self.groups.entry(update.group).or_default();
            if let Some(hard_state) = update.hard_state {
                group.hard_state = hard_state;
            }
            if let Some(first) = update.entries.first() {
                assert!(first.index > group.cut.index, "an entry before the cut is written");
                group.entries.retain(|entry| entry.index < first.index);
                group.entries.extend(update.entries.iter().cloned());
            }
        }
    }

    /// Does one step of work on a checkpoint's file. Says whether it succeeded.
    pub fn work(&mut self, work: FileWork, fails: bool) -> bool {
        if fails && !matches!(work, FileWork::MakeLive { .. }) {
            if let Some(writer) = self.writer.take() {
                run(writer.abandon()).expect("the file can be removed");
            }
            return false;
        }
        match work {
            FileWork::Begin { revision, shards, meta } => {
                self.number += 1;
                let header = Header { cluster: CLUSTER, revision, shards };
                let number = checkpoint::Number(self.number);
                let directory = data_directory();
                let writer = Writer::begin(self.files.clone(), &directory, number, header, &meta);
                self.writer = Some(run(writer).expect("there is room"));
            }
            FileWork::Write(chunk) => {
                let writer = self.writer.as_mut().expect("a file was begun");
                run(writer.write_chunk(&chunk)).expect("there is room");
            }
            FileWork::Finish => {
                run(self.writer.take().expect("a file was begun").finish()).expect("there is room");
            }
            FileWork::MakeLive { revision, groups } => {
                self.manifest = self.manifest.advance(checkpoint::Number(self.number), revision, groups);
                run(self.manifest.write(&self.files, &data_directory())).expect("there is room");
                run(checkpoint::remove_older(&self.files, &data_directory(), &self.manifest)).expect("they are there");
                self.checkpoints += 1;
            }
        }
        true
    }

    /// Where the groups begin once a checkpoint with these cuts is live.
    pub fn cut(&mut self, cuts: &[(GroupId, Cut)]) -> Floors {
        let state = |&(group, cut): &(GroupId, Cut)| {
            let found = self.groups.entry(group).or_default();
            let last = found.entries.last().map_or(found.cut.index, |entry| entry.index);
            assert!(cut.index >= found.cut.index && cut.index <= last, "a cut lies in the log");
            let term = found.entries.iter().find(|entry| entry.index == cut.index).map_or(found.cut.term, |e| e.term);
            assert_eq!(term, cut.term, "a cut names an entry of the log");
            let hard_state = HardState { commit: cut.index, ..found.hard_state };
            (group, GroupState { cut, floor: Stamp(cut.index.0 + 1), hard_state })
        };
        cuts.iter().map(state).collect()
    }

    /// Drops what lies before the floors.
    pub fn release(&mut self, floors: &Floors) {
        for (group, state) in floors {
            if let Some(found) = self.groups.get_mut(group) {
                found.entries.retain(|entry| entry.index > state.cut.index);
                found.cut = state.cut;
            }
        }
    }

    /// Power is lost: what is not durable goes.
    pub fn crash(&mut self) {
        self.writer = None;
        self.files.crash(Crash::Power);
        self.files.restart();
    }

    /// What the member starts from; groups and stores are to be given to those who host them.
    pub fn recover(&mut self) -> (Start, HashMap<GroupId, GroupStart>, HashMap<ShardId, Store>) {
        self.manifest = run(Manifest::read(&self.files, &data_directory())).expect("the manifest is whole");
        run(checkpoint::tidy(&self.files, &data_directory(), &self.manifest)).expect("files can be removed");
        self.release(&self.manifest.states());
        let mut groups = self.groups.clone();
        let Some(live) = &self.manifest.live else { return (Start::default(), groups, HashMap::new()) };
        let path = checkpoint_path(&data_directory(), live.number);
        let mut reader = run(Reader::open(&self.files, &path)).expect("a live checkpoint is whole");
        let meta = Meta::decode(reader.meta().clone()).expect("the meta part is whole");
        for (group, cut) in &meta.groups {
            let start = groups.entry(*group).or_default();
            assert_eq!(start.cut, cut.place.cut, "manifest and checkpoint agree on group {group}");
            start.fence = cut.place.fence;
            start.voters.clone_from(&cut.voters);
        }
        let header = *reader.header();
        let mut loader = StoreLoader::new(header.shards, meta.compacted);
        while let Some(chunk) = run(reader.next_chunk()).expect("a live checkpoint is whole") {
            loader.add(&chunk.decode().expect("it unpacks")).expect("versions come in order");
        }
        (Start::from_checkpoint(&header, &meta), groups, loader.finish().expect("versions are distinct"))
    }
}
