//! What the disk holds, as the core's start: read once, before any executor of the member runs.
//!
//! The newest whole checkpoint first, then every log from the checkpoint's cuts. A checkpoint that is damaged gives way to
//! the one before, if the logs still reach back to that one's cuts.

use super::checkpoints::Kept;
use campanile_core::checkpoint::{LoadFailure, Meta, StoreLoader};
use campanile_core::executor::Start;
use campanile_core::group::GroupStart;
use campanile_storage::checkpoint::{
    Header, Manifest, Reader, checkpoint_path, create_directory, read_amendment, tidy,
};
use campanile_storage::disk::Disk;
use campanile_storage::error::Error;
use campanile_storage::ids::{GroupId, ShardId};
use campanile_storage::log::{Floors, GroupCursor, LogRemains, Recovered, recover};
use campanile_storage::store::Store;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

/// Everything that one executor starts from.
#[derive(Debug)]
pub struct Inheritance {
    pub log: LogRemains,
    pub start: Start,
    pub cursors: BTreeMap<GroupId, GroupCursor>,
    /// Where the groups begin, as the manifest says.
    pub floors: Arc<Floors>,
    /// The member's checkpoints; the control executor looks after them.
    pub kept: Option<Kept>,
}

/// A checkpoint, read.
struct Loaded {
    header: Header,
    meta: Meta,
    stores: HashMap<ShardId, Store>,
}

/// Reads the newest checkpoint and every log there is, and gives each executor what it hosts.
///
/// # Errors
/// Damage to what was durable, with file and offset; those of the disk.
pub async fn read<D: Disk>(
    disk: &D,
    directory: &Path,
    executors: u16,
    host: impl Fn(GroupId) -> u16,
) -> Result<Vec<Inheritance>, LoadFailure> {
    let newest = Manifest::read(disk, directory).await?;
    create_directory(disk, directory).await?;
    let (manifest, loaded, damage) = load(disk, directory, &newest).await?;
    tidy(disk, directory, &newest).await?;
    let mut recovered = match (recover(disk, directory, &manifest.states()).await, damage) {
        (Err(error), Some(damage)) => {
            tracing::error!(
                %error,
                "the logs do not reach back to the checkpoint before; this member has to start anew from the others, or \
                 from a backup"
            );
            return Err(damage);
        }
        (recovered, _) => recovered?,
    };
    let floors = Arc::new(manifest.states());
    let mut inheritances = Vec::new();
    for executor in 0..executors {
        let log = match recovered.logs.remove(&u32::from(executor)) {
            Some(log) => log,
            None => LogRemains::create(disk, directory, executor.into()).await?,
        };
        let start =
            loaded.as_ref().map_or_else(Start::default, |loaded| Start::from_checkpoint(&loaded.header, &loaded.meta));
        let floors = Arc::clone(&floors);
        inheritances.push(Inheritance { log, start, cursors: BTreeMap::new(), floors, kept: None });
    }
    let retired = std::mem::take(&mut recovered.logs).into_values().collect();
    inheritances[0].kept = Some(Kept { next_number: newest.next_number(), manifest, retired });
    hand_out(recovered, loaded, &mut inheritances, host);
    Ok(inheritances)
}

/// Loads the live checkpoint, or the one before if that is damaged. Answers with the manifest that was followed, and with
/// the damage.
async fn load<D: Disk>(
    disk: &D,
    directory: &Path,
    newest: &Manifest,
) -> Result<(Manifest, Option<Loaded>, Option<LoadFailure>), LoadFailure> {
    match (load_live(disk, directory, newest).await, newest.fallback()) {
        (Err(failure), Some(before)) if is_damage(&failure) => {
            tracing::error!(error = %failure, "the newest checkpoint is damaged; trying the one before");
            let loaded = load_live(disk, directory, &before).await?;
            Ok((before, loaded, Some(failure)))
        }
        (loaded, _) => Ok((newest.clone(), loaded?, None)),
    }
}

fn is_damage(failure: &LoadFailure) -> bool {
    match failure {
        LoadFailure::Storage(error) => error.is_corrupt(),
        LoadFailure::Versions(_) | LoadFailure::Meta(_) | LoadFailure::UnknownShard(_) => true,
    }
}

async fn load_live<D: Disk>(disk: &D, directory: &Path, manifest: &Manifest) -> Result<Option<Loaded>, LoadFailure> {
    let Some(live) = &manifest.live else { return Ok(None) };
    let path = checkpoint_path(directory, live.number);
    let mut reader = Reader::open(disk, &path).await?;
    let header = *reader.header();
    let amendment = read_amendment(disk, directory, live.number).await?;
    let meta = Meta::decode(amendment.unwrap_or_else(|| reader.meta().clone()))?;
    let agrees = meta.groups.len() == live.groups.len()
        && meta
            .groups
            .iter()
            .all(|(group, cut)| live.groups.get(group).is_some_and(|state| state.cut == cut.place.cut));
    if header.revision != live.revision || !agrees {
        return Err(Error::corrupt(&path, 0, "it is not the checkpoint that the manifest names").into());
    }
    let mut loader = StoreLoader::new(header.shards, meta.compacted);
    while let Some(chunk) = reader.next_chunk().await? {
        loader.add(&chunk.decode()?)?;
    }
    let stores = loader.finish()?;
    tracing::info!(revision = %header.revision, path = %path.display(), "loaded a checkpoint");
    Ok(Some(Loaded { header, meta, stores }))
}

/// Gives every group and every store to the executor that hosts it.
fn hand_out(
    recovered: Recovered,
    loaded: Option<Loaded>,
    inheritances: &mut [Inheritance],
    host: impl Fn(GroupId) -> u16,
) {
    let (mut cuts, stores) = loaded.map(|loaded| (loaded.meta.groups, loaded.stores)).unwrap_or_default();
    for (group, found) in recovered.groups {
        let inheritance = &mut inheritances[usize::from(host(group))];
        let cut = cuts.remove(&group).unwrap_or_default();
        let start = GroupStart {
            hard_state: found.hard_state,
            cut: found.cut,
            fence: cut.place.fence,
            voters: cut.voters,
            entries: found.entries,
        };
        inheritance.start.groups.insert(group, start);
        inheritance.cursors.insert(group, found.cursor);
    }
    for (shard, store) in stores {
        inheritances[usize::from(host(shard.group()))].start.stores.insert(shard, store);
    }
}
