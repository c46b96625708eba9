//! Where in a member's life an operation of its disk stands: which operation it is, of which kind of file, and what the member
//! was about. A run that is to be struck everywhere says with it where it was struck; a corner that is missing fails it.

use campanile_core::clock::fragment::{self, DataEntry};
use campanile_core::control::record::{ControlEntry, Record};
use campanile_core::executor::effect::FileWork;
use campanile_core::group::NORMAL;
use campanile_storage::disk::simulated::{OPERATIONS, Operation};
use campanile_storage::ids::GroupId;
use campanile_storage::log::segment::{self, Name};
use campanile_storage::log::{Batch, Entry};
use std::collections::BTreeSet;
use std::path::Path;

const MARKER: &str = "file: the marker of the data directory";
const SIGN_OF_ETCD: &str = "file: one that etcd would have";
const MANIFEST: &str = "file: the manifest";
const SEGMENT: &str = "file: a log segment";
const SPARE: &str = "file: a spare";
const ZEROING: &str = "file: a spare that is being zeroed";
const CHECKPOINT: &str = "file: a checkpoint";
const UNFINISHED: &str = "file: a checkpoint that is not whole";
const AMENDMENT: &str = "file: the amendment of a checkpoint";
const DATA_DIRECTORY: &str = "file: the data directory";
const LOG_DIRECTORY: &str = "file: a log's directory";
const CHECKPOINTS_DIRECTORY: &str = "file: the directory of the checkpoints";

/// Every kind of file and directory.
const FILES: &[&str] = &[
    MARKER,
    SIGN_OF_ETCD,
    MANIFEST,
    SEGMENT,
    SPARE,
    ZEROING,
    CHECKPOINT,
    UNFINISHED,
    AMENDMENT,
    DATA_DIRECTORY,
    LOG_DIRECTORY,
    CHECKPOINTS_DIRECTORY,
];

const FIRST_START: &str = "phase: the first start";
const START: &str = "phase: a later start";
const START_FROM_INSTALLED: &str = "phase: the start behind an installation";
const LOAD: &str = "phase: a start reads a checkpoint";
const SEAL: &str = "phase: a start cuts a segment off";
const PUT: &str = "phase: a write of one shard reaches the log";
const TRANSACTION: &str = "phase: a transaction over several shards reaches the log";
const GRANT: &str = "phase: the grant of a lease reaches the log";
const REVOKE: &str = "phase: the revoke of a lease reaches the log";
const REVOKE_WITH_KEYS: &str = "phase: the revoke of a lease with keys reaches the log";
const ANNOUNCEMENT: &str = "phase: what a member announces of itself reaches the log";
const COMPACTION: &str = "phase: a compaction reaches the log";
const OPENING: &str = "phase: an opening reaches the log";
const ZEROED: &str = "phase: the next segment is zeroed";
const BEGUN: &str = "phase: the log goes on in another segment";
const RECYCLED: &str = "phase: a segment becomes a spare";
const REMOVED: &str = "phase: a segment is removed";
const LOG_REMOVED: &str = "phase: the log of an executor that is no more is removed";
const WRITTEN: &str = "phase: a checkpoint is written";
const MADE_LIVE: &str = "phase: a checkpoint is made live";
const SUPERFLUOUS: &str = "phase: an older checkpoint is removed";
const SENT: &str = "phase: a checkpoint is sent";
const RECEIVED: &str = "phase: a checkpoint is received";
const INSTALLED: &str = "phase: a received checkpoint is installed";
const AMENDED: &str = "phase: a received checkpoint is amended";

/// Everything that a member's disk is used for.
const PHASES: &[&str] = &[
    FIRST_START,
    START,
    START_FROM_INSTALLED,
    LOAD,
    SEAL,
    PUT,
    TRANSACTION,
    GRANT,
    REVOKE,
    REVOKE_WITH_KEYS,
    ANNOUNCEMENT,
    COMPACTION,
    OPENING,
    ZEROED,
    BEGUN,
    RECYCLED,
    REMOVED,
    LOG_REMOVED,
    WRITTEN,
    MADE_LIVE,
    SUPERFLUOUS,
    SENT,
    RECEIVED,
    INSTALLED,
    AMENDED,
];

/// Where every operation of every kind has to be struck.
pub fn all_corners() -> impl Iterator<Item = &'static str> {
    [OPERATIONS, FILES, PHASES].into_iter().flatten().copied()
}

/// What a member does with checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Write,
    MakeLive,
    Receive,
    Install,
}

impl Step {
    #[must_use]
    pub fn of(work: &FileWork) -> Step {
        match work {
            FileWork::Begin { .. } | FileWork::Write(_) | FileWork::Finish => Step::Write,
            FileWork::MakeLive { .. } => Step::MakeLive,
            FileWork::Receive { .. } | FileWork::FinishReceiving => Step::Receive,
            FileWork::Install { .. } => Step::Install,
        }
    }
}

/// What a member is about while it asks its disk for something.
#[derive(Clone, Copy, Debug)]
pub enum Errand<'a> {
    /// It starts; `step` is what it had done with checkpoints last.
    Start { is_first: bool, step: Option<Step> },
    /// It runs, and this executor of so many may be writing a batch.
    Run { step: Option<Step>, executors: u16, batch: Option<&'a Batch> },
}

/// An operation, and all corners that it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub operation: Operation,
    pub corners: BTreeSet<&'static str>,
}

impl Point {
    #[must_use]
    pub fn new(operation: Operation, errand: Errand) -> Point {
        let file = file(&operation.path);
        let mut corners = BTreeSet::from([operation.what, file]);
        match errand {
            Errand::Start { is_first, step } => corners.extend(start(operation.what, file, is_first, step)),
            Errand::Run { step, executors, batch } => {
                corners.extend(running(&operation, file, step, executors));
                if (operation.what, file) == ("write", SEGMENT) {
                    corners.extend(batch.into_iter().flat_map(contents));
                }
            }
        }
        Point { operation, corners }
    }

    #[must_use]
    pub fn is_in_start(&self) -> bool {
        [FIRST_START, START, START_FROM_INSTALLED].iter().any(|start| self.corners.contains(start))
    }

    /// Whether a record of the log is written.
    #[must_use]
    pub fn is_record(&self) -> bool {
        self.operation.what == "write" && self.corners.contains(SEGMENT) && !self.is_in_start()
    }

    /// Whether it is about checkpoints alone, and the member runs.
    #[must_use]
    pub fn is_of_checkpoint(&self) -> bool {
        let files = [MANIFEST, CHECKPOINT, UNFINISHED, AMENDMENT, CHECKPOINTS_DIRECTORY];
        !self.is_in_start() && files.iter().any(|file| self.corners.contains(file))
    }

    /// Whether it is the one step by which a checkpoint of the member's own becomes the live one.
    #[must_use]
    pub fn makes_live(&self) -> bool {
        self.operation.what == "rename" && self.corners.contains(MANIFEST) && self.corners.contains(MADE_LIVE)
    }

    /// Whether the device may have no room for it.
    #[must_use]
    pub fn takes_room(&self) -> bool {
        ["create directory", "create", "rename", "write", "sync", "sync directory"].contains(&self.operation.what)
    }
}

/// The kind of a file or directory.
fn file(path: &Path) -> &'static str {
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned).unwrap_or_default();
    let (name, parent) = (name(path), path.parent().map(name).unwrap_or_default());
    let is_log = |name: &str| segment::parse_directory_name(name).is_some();
    match name.as_str() {
        "data" => DATA_DIRECTORY,
        "checkpoints" => CHECKPOINTS_DIRECTORY,
        "manifest" | "manifest.unfinished" => MANIFEST,
        "wal" | "db" => SIGN_OF_ETCD,
        _ if name.starts_with("campanile.directory") => MARKER,
        _ if is_log(&name) => LOG_DIRECTORY,
        _ if is_log(&parent) => match segment::parse_name(&name) {
            Some(Name::Segment(_)) => SEGMENT,
            Some(Name::Spare(_)) => SPARE,
            Some(Name::Unfinished) => ZEROING,
            None => unreachable!("nothing in a log's directory is called {name}"),
        },
        _ if name.ends_with(".checkpoint") => CHECKPOINT,
        _ if name.ends_with(".unfinished") => UNFINISHED,
        _ if name.ends_with(".amendment") => AMENDMENT,
        _ => unreachable!("no member has a file {}", path.display()),
    }
}

fn start(
    what: &'static str,
    file: &'static str,
    is_first: bool,
    step: Option<Step>,
) -> impl Iterator<Item = &'static str> {
    let start = match step {
        _ if is_first => FIRST_START,
        Some(Step::Install) => START_FROM_INSTALLED,
        _ => START,
    };
    let more = match (what, file) {
        ("read", CHECKPOINT) => Some(LOAD),
        ("truncate", SEGMENT) => Some(SEAL),
        _ => None,
    };
    std::iter::once(start).chain(more)
}

fn running(operation: &Operation, file: &'static str, step: Option<Step>, executors: u16) -> Option<&'static str> {
    let log = operation.path.iter().find_map(|name| segment::parse_directory_name(name.to_str()?));
    match (operation.what, file) {
        _ if log.is_some_and(|log| log >= executors.into()) => Some(LOG_REMOVED),
        ("rename", SEGMENT) => Some(RECYCLED),
        ("remove", SEGMENT) => Some(REMOVED),
        (_, SPARE) => Some(BEGUN),
        (_, ZEROING) => Some(ZEROED),
        ("remove", CHECKPOINT | AMENDMENT) => Some(SUPERFLUOUS),
        ("open" | "read" | "look at", CHECKPOINT) => Some(SENT),
        (_, AMENDMENT) => Some(AMENDED),
        (_, MANIFEST | UNFINISHED | CHECKPOINTS_DIRECTORY) => step.map(|step| match step {
            Step::Write => WRITTEN,
            Step::MakeLive => MADE_LIVE,
            Step::Receive => RECEIVED,
            Step::Install => INSTALLED,
        }),
        _ => None,
    }
}

/// What the entries of a batch are about.
fn contents(batch: &Batch) -> impl Iterator<Item = &'static str> {
    let entries = batch.iter().flat_map(|update| update.entries.iter().map(move |entry| (update.group, entry)));
    let entries = entries.filter(|(_, entry)| entry.kind == NORMAL && !entry.payload.is_empty());
    entries.flat_map(|(group, entry)| if group == GroupId::CONTROL { vec![control(entry)] } else { data(entry) })
}

fn control(entry: &Entry) -> &'static str {
    match ControlEntry::decode(entry.payload.clone()).expect("what a member writes can be read") {
        ControlEntry::Fence(_) | ControlEntry::Open(_) | ControlEntry::Record(Record::Shards(_)) => OPENING,
        ControlEntry::Record(Record::Grant { .. }) => GRANT,
        ControlEntry::Record(Record::Revoke { .. }) => REVOKE,
        ControlEntry::Record(Record::Compact { .. }) => COMPACTION,
        ControlEntry::Record(Record::Announce { .. }) => ANNOUNCEMENT,
        ControlEntry::Fragment(_) => REVOKE_WITH_KEYS,
    }
}

fn data(entry: &Entry) -> Vec<&'static str> {
    match fragment::decode(entry.payload.clone()).expect("what a member writes can be read") {
        DataEntry::Fence(_) => vec![OPENING],
        DataEntry::Fragments(_, fragments) => {
            fragments.iter().map(|fragment| if fragment.groups > 1 { TRANSACTION } else { PUT }).collect()
        }
    }
}
