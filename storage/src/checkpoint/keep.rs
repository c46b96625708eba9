//! Names of checkpoint files, and which of them are kept: the two that the manifest names, with their amendments.

use std::fmt;
use std::path::{Path, PathBuf};

use super::manifest::Manifest;
use crate::disk::Disk;
use crate::error::Result;

const DIRECTORY: &str = "checkpoints";
const FINISHED: &str = "checkpoint";
const AMENDMENT: &str = "amendment";

/// The number of a checkpoint of one member: it counts up, and has nothing to do with other members' numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(pub u64);

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// Where a finished checkpoint lies.
#[must_use]
pub fn checkpoint_path(data_directory: &Path, number: Number) -> PathBuf {
    data_directory.join(DIRECTORY).join(format!("{:016x}.{FINISHED}", number.0))
}

/// Where a checkpoint lies while it is not whole.
pub(super) fn unfinished_path(data_directory: &Path, number: Number) -> PathBuf {
    data_directory.join(DIRECTORY).join(format!("{:016x}.unfinished", number.0))
}

/// Where the amendment of a checkpoint lies that another member sent.
pub(super) fn amendment_path(data_directory: &Path, number: Number) -> PathBuf {
    data_directory.join(DIRECTORY).join(format!("{:016x}.{AMENDMENT}", number.0))
}

/// Of a checkpoint that is whole, or of its amendment.
fn finished_number(name: &str) -> Option<Number> {
    let (number, end) = name.split_once('.')?;
    let is_kept = number.len() == 16 && [FINISHED, AMENDMENT].contains(&end);
    u64::from_str_radix(number, 16).ok().filter(|_| is_kept).map(Number)
}

/// Creates the directory of the checkpoints, if it is not there.
///
/// # Errors
/// Those of the disk.
pub async fn create_directory<D: Disk>(disk: &D, data_directory: &Path) -> Result<()> {
    disk.create_directory(&data_directory.join(DIRECTORY)).await?;
    disk.sync_directory(data_directory).await
}

/// At start: removes every file that the manifest does not name, half-written ones above all.
///
/// # Errors
/// Those of the disk.
pub async fn tidy<D: Disk>(disk: &D, data_directory: &Path, manifest: &Manifest) -> Result<()> {
    remove(disk, data_directory, |name| !finished_number(name).is_some_and(|number| manifest.names(number))).await
}

/// While running: removes the checkpoints before the live one that the manifest does not name any more. A newer one,
/// finished but not live yet, stays, and so does one that is being written.
///
/// # Errors
/// Those of the disk.
pub async fn remove_older<D: Disk>(disk: &D, data_directory: &Path, manifest: &Manifest) -> Result<()> {
    let live = manifest.live.as_ref().map_or(Number(0), |live| live.number);
    remove(disk, data_directory, |name| {
        finished_number(name).is_some_and(|number| number < live && !manifest.names(number))
    })
    .await
}

async fn remove<D: Disk>(disk: &D, data_directory: &Path, condemned: impl Fn(&str) -> bool) -> Result<()> {
    let directory = data_directory.join(DIRECTORY);
    for name in disk.list(&directory).await? {
        if condemned(&name) {
            disk.remove(&directory.join(name)).await?;
        }
    }
    disk.sync_directory(&directory).await
}

/// Gives a file that is whole and durable its name.
pub(super) async fn publish<D: Disk>(disk: &D, data_directory: &Path, number: Number) -> Result<()> {
    disk.rename(&unfinished_path(data_directory, number), &checkpoint_path(data_directory, number)).await?;
    disk.sync_directory(&data_directory.join(DIRECTORY)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        let name = |path: PathBuf| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let directory = Path::new("/data");
        let finished = name(checkpoint_path(directory, Number(300))).expect("a name");
        assert_eq!(finished_number(&finished), Some(Number(300)));
        let unfinished = name(unfinished_path(directory, Number(300))).expect("a name");
        assert_eq!(finished_number(&unfinished), None);
        let amendment = name(amendment_path(directory, Number(300))).expect("a name");
        assert_eq!(finished_number(&amendment), Some(Number(300)));
        assert_eq!(finished_number("12.checkpoint"), None);
    }
}
