//! What the disk holds, as the core's start: read once, before any executor of the member runs.

use campanile_core::group::GroupStart;
use campanile_storage::checkpoint::Manifest;
use campanile_storage::disk::Disk;
use campanile_storage::error::Error;
use campanile_storage::ids::GroupId;
use campanile_storage::log::{GroupCursor, LogRemains, recover};
use campanile_core::clock::Fence;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Everything that one executor starts from.
#[derive(Debug)]
pub struct Inheritance {
    pub log: LogRemains,
    pub groups: HashMap<GroupId, GroupStart>,
    pub cursors: BTreeMap<GroupId, GroupCursor>,
}

/// Reads every log there is, and gives each executor what it hosts.
///
/// # Errors
/// Damage to what was durable, with file and offset; those of the disk.
pub async fn read<D: Disk>(
    disk: &D,
    directory: &Path,
    executors: u16,
    host: impl Fn(GroupId) -> u16,
) -> Result<Vec<Inheritance>, Error> {
    let manifest = Manifest::read(disk, directory).await?;
    let mut recovered = recover(disk, directory, &manifest.states()).await?;
    let mut inheritances = Vec::new();
    for executor in 0..executors {
        let number = u32::from(executor);
        let log = match recovered.logs.remove(&number) {
            Some(log) => log,
            None => LogRemains::create(disk, directory, number).await?,
        };
        inheritances.push(Inheritance { log, groups: HashMap::new(), cursors: BTreeMap::new() });
    }
    for (group, found) in recovered.groups {
        let inheritance = &mut inheritances[usize::from(host(group))];
        let start = GroupStart {
            hard_state: found.hard_state,
            cut: found.cut,
            fence: Fence::default(),
            entries: found.entries,
        };
        inheritance.groups.insert(group, start);
        inheritance.cursors.insert(group, found.cursor);
    }
    Ok(inheritances)
}
