//! A checkpoint's file, its amendment, the manifest and the directory's marker, each with any content.

use std::path::Path;

use campanile_core::checkpoint::Meta;
use campanile_storage::checkpoint::{Manifest, Number, Reader, checkpoint_path, create_directory, read_amendment};
use campanile_storage::directory::Marker;
use campanile_storage::disk::simulated::{SimulatedDisk, data_directory, run as finish};
use campanile_storage::error::Result;

use crate::disk;

pub fn run(input: &[u8]) {
    let disk = disk::empty();
    let directory = data_directory();
    finish(create_directory(&disk, &directory)).expect("nothing fails");
    disk::write(&disk, &directory.join("manifest"), input);
    disk::write(&disk, &directory.join("campanile.directory"), input);
    let path = checkpoint_path(&directory, Number(1));
    disk::write(&disk, &path, input);
    if let Ok(manifest) = finish(Manifest::read(&disk, &directory)) {
        // It is written again as it was read.
        finish(manifest.write(&disk, &directory)).expect("nothing fails");
        assert_eq!(finish(Manifest::read(&disk, &directory)).ok(), Some(manifest));
    }
    let _ = finish(Marker::read(&disk, &directory));
    disk::write(&disk, &path.with_extension("amendment"), input);
    if let Ok(Some(meta)) = finish(read_amendment(&disk, &directory, Number(1))) {
        let _ = Meta::decode(meta);
    }
    let _ = finish(read_all(&disk, &path));
}

async fn read_all(disk: &SimulatedDisk, path: &Path) -> Result<()> {
    let mut reader = Reader::open(disk, path).await?;
    let _ = Meta::decode(reader.meta().clone());
    while let Some(chunk) = reader.next_chunk().await? {
        let chunk = chunk.decode()?;
        chunk.versions().try_for_each(|version| version.map(drop))?;
    }
    Ok(())
}
