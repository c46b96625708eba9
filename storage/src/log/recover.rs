//! Brings back every group from all logs there are, whoever wrote them.
//!
//! Reads and checks everything first, and changes nothing while something may be wrong. Then it seals: the newest
//! segment of each log is cut off behind its last whole record, and what was read is made durable, so that the next
//! recovery sees the same whatever happens in between. It can be repeated at any point.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::cursor::{GroupCursor, GroupState};
use super::record::Section;
use super::scan::Scan;
use super::segment::{self, Name};
use super::{Cut, Entry, HardState, LogPosition, Stamp, Update};
use crate::bounds::BLOCK_BYTES;
use crate::disk::sequential::Window;
use crate::disk::{Access, Disk, File};
use crate::error::{Error, Result};
use crate::ids::GroupId;

/// What recovery found.
#[derive(Debug)]
pub struct Recovered {
    /// Every group of which a log or the manifest knows.
    pub groups: BTreeMap<GroupId, RecoveredGroup>,
    /// Every log there is, by its number.
    pub logs: BTreeMap<u32, LogRemains>,
}

/// One group, as its newest durable state was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredGroup {
    pub hard_state: HardState,
    /// What the checkpoint stands for.
    pub cut: Cut,
    /// All entries behind the cut, without a gap.
    pub entries: Vec<Entry>,
    /// With it the group goes on in whichever log adopts it.
    pub cursor: GroupCursor,
}

/// The files of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRemains {
    pub number: u32,
    pub directory: PathBuf,
    /// In the order of their sequence, without a gap.
    pub segments: Vec<SegmentRemains>,
}

/// What one segment holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRemains {
    pub sequence: u64,
    /// Size of the file, bytes.
    pub file_bytes: u64,
    /// Positions of its first record and behind its last.
    pub start: LogPosition,
    pub end: LogPosition,
    /// The highest stamp of each group that has sections in it.
    pub newest: BTreeMap<GroupId, Stamp>,
}

impl SegmentRemains {
    /// Takes note of sections that were written or found.
    pub(super) fn note(&mut self, sections: &[Section]) {
        for section in sections {
            let newest = self.newest.entry(section.group).or_insert(section.stamp);
            *newest = section.stamp.max(*newest);
        }
    }
}

impl LogRemains {
    /// Creates the directory of a log that is not there yet.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn create<D: Disk>(disk: &D, data_directory: &Path, number: u32) -> Result<Self> {
        let directory = data_directory.join(segment::directory_name(number));
        disk.create_directory(&directory).await?;
        disk.sync_directory(data_directory).await?;
        Ok(LogRemains { number, directory, segments: Vec::new() })
    }
}

/// Where a section was found, for messages.
struct Origin {
    path: PathBuf,
    offset: u64,
}

type Sections = BTreeMap<(GroupId, Stamp), (Origin, Section)>;

/// Reads all logs in `data_directory` and puts the groups together from them, beginning at what the manifest says.
///
/// # Errors
/// [`Error::Corrupt`] with file and offset if anything that was durable is damaged or missing; those of the disk.
pub async fn recover<D: Disk>(
    disk: &D,
    data_directory: &Path,
    states: &BTreeMap<GroupId, GroupState>,
) -> Result<Recovered> {
    let mut sections = Sections::new();
    let mut logs = BTreeMap::new();
    for name in disk.list(data_directory).await? {
        if let Some(number) = segment::parse_directory_name(&name) {
            let directory = data_directory.join(name);
            logs.insert(number, read_log(disk, number, directory, states, &mut sections).await?);
        }
    }
    let groups = merge(states, sections)?;
    for remains in logs.values_mut() {
        seal(disk, remains).await?;
    }
    disk.sync_directory(data_directory).await?;
    Ok(Recovered { groups, logs })
}

async fn read_log<D: Disk>(
    disk: &D,
    number: u32,
    directory: PathBuf,
    states: &BTreeMap<GroupId, GroupState>,
    sections: &mut Sections,
) -> Result<LogRemains> {
    let mut headers = Vec::new();
    for name in disk.list(&directory).await? {
        if let Some(Name::Segment(sequence)) = segment::parse_name(&name) {
            let path = directory.join(name);
            let (window, header) = read_header(disk, &path).await?;
            if (header.log, header.sequence) != (number, sequence) {
                return Err(Error::corrupt(&path, 0, "the segment belongs to another log or place"));
            }
            headers.push((path, window, header));
        }
    }
    let ends: Vec<(u64, LogPosition)> =
        headers.iter().skip(1).map(|(_, _, header)| (header.sequence, header.start)).collect();
    let mut segments: Vec<SegmentRemains> = Vec::with_capacity(headers.len());
    for (number, (path, window, header)) in headers.into_iter().enumerate() {
        let next = ends.get(number).copied();
        if next.is_some_and(|(sequence, start)| sequence != header.sequence + 1 || start < header.start) {
            return Err(Error::corrupt(&path, 0, "the segment after this one is missing"));
        }
        let must_end = next.map(|(_, start)| start);
        let mut remains = SegmentRemains {
            sequence: header.sequence,
            file_bytes: window.size(),
            start: header.start,
            end: header.start,
            newest: BTreeMap::new(),
        };
        let mut scan = Scan { window, path: &path, header, must_end };
        remains.end = scan
            .run(|offset, found| {
                remains.note(&found);
                keep(&path, offset, found, states, sections)
            })
            .await?;
        segments.push(remains);
    }
    Ok(LogRemains { number, directory, segments })
}

async fn read_header<D: Disk>(disk: &D, path: &Path) -> Result<(Window<D>, segment::Header)> {
    let file = disk.open(path, Access::Read).await?;
    let mut window = Window::<D>::new(file).await?;
    let block = window.read(0, BLOCK_BYTES).await?;
    let header = segment::Header::decode(&block).map_err(|what| Error::corrupt(path, 0, what))?;
    Ok((window, header))
}

/// Keeps the sections that are still needed.
fn keep(
    path: &Path,
    offset: u64,
    found: Vec<Section>,
    states: &BTreeMap<GroupId, GroupState>,
    sections: &mut Sections,
) -> Result<()> {
    for section in found {
        let floor = states.get(&section.group).map_or(Stamp::FIRST, |state| state.floor);
        if section.stamp < floor {
            continue;
        }
        let (group, stamp) = (section.group, section.stamp);
        let origin = Origin { path: path.to_owned(), offset };
        if let Some((earlier, _)) = sections.insert((group, stamp), (origin, section)) {
            let what = format!(
                "section {} of group {group} is here and in {} at byte {}",
                stamp.0,
                earlier.path.display(),
                earlier.offset
            );
            return Err(Error::corrupt(path, offset, what));
        }
    }
    Ok(())
}

fn merge(states: &BTreeMap<GroupId, GroupState>, sections: Sections) -> Result<BTreeMap<GroupId, RecoveredGroup>> {
    let mut groups: BTreeMap<GroupId, RecoveredGroup> =
        states.iter().map(|(group, state)| (*group, RecoveredGroup::new(state))).collect();
    for ((group, stamp), (origin, section)) in sections {
        let recovered = groups.entry(group).or_insert_with(|| RecoveredGroup::new(&GroupState::default()));
        let expected = recovered.cursor.next();
        let applied = if stamp == expected {
            recovered.apply(section).map_err(|what| format!("a section of group {group} does not fit: {what}"))
        } else {
            Err(format!("section {} of group {group} is missing; a log is lost or was replaced", expected.0))
        };
        applied.map_err(|what| Error::corrupt(&origin.path, origin.offset, what))?;
    }
    for recovered in groups.values_mut() {
        recovered.hard_state = recovered.cursor.hard_state();
    }
    Ok(groups)
}

impl RecoveredGroup {
    fn new(state: &GroupState) -> Self {
        RecoveredGroup {
            hard_state: state.hard_state,
            cut: state.cut,
            entries: Vec::new(),
            cursor: GroupCursor::new(state),
        }
    }

    fn apply(&mut self, section: Section) -> Result<(), &'static str> {
        let mut entries = section.entries;
        if entries.last().is_some_and(|last| last.index <= self.cut.index) {
            return Err("all its entries lie before the cut");
        }
        // The section at the floor may begin before the cut.
        entries.retain(|entry| entry.index > self.cut.index);
        let hard_state =
            section.hard_state.map(|state| HardState { commit: state.commit.max(self.cut.index), ..state });
        let update = Update { group: section.group, hard_state, entries };
        self.cursor.accept(&update)?;
        if let Some(first) = update.entries.first() {
            let kept = usize::try_from(first.index.0 - self.cut.index.0 - 1).unwrap_or(usize::MAX);
            self.entries.truncate(kept);
            self.entries.extend(update.entries);
        }
        Ok(())
    }
}

/// Cuts the newest segment off behind its last whole record, and makes the log durable as it was read: a process that
/// was killed may have left bytes and names that are seen but would not survive a loss of power.
async fn seal<D: Disk>(disk: &D, remains: &mut LogRemains) -> Result<()> {
    disk.sync_directory(&remains.directory).await?;
    let Some(last) = remains.segments.last_mut() else { return Ok(()) };
    let path = remains.directory.join(segment::segment_name(last.sequence));
    let file = disk.open(&path, Access::Write).await?;
    let bytes = segment::HEADER_BYTES + (last.end.0 - last.start.0);
    if last.file_bytes != bytes {
        file.truncate(bytes).await?;
        last.file_bytes = bytes;
    }
    file.sync().await
}
