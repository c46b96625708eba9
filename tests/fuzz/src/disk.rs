//! A simulated disk with files of any content.

use std::path::Path;

use campanile_storage::bounds::BLOCK_BYTES;
use campanile_storage::disk::simulated::{SimulatedDisk, data_directory, run};
use campanile_storage::disk::{Access, Disk, File};

pub fn empty() -> SimulatedDisk {
    SimulatedDisk::new(0, &data_directory())
}

/// Writes a new file. Its directory must exist.
pub fn write(disk: &SimulatedDisk, path: &Path, content: &[u8]) {
    let file = run(disk.create(path, Access::Write)).expect("the name is free");
    let blocks = content.len().div_ceil(BLOCK_BYTES);
    if blocks > 0 {
        let mut buffer = file.buffer(blocks * BLOCK_BYTES);
        buffer[..content.len()].copy_from_slice(content);
        run(file.write(buffer, 0)).expect("there is room");
    }
    run(file.truncate(content.len() as u64)).expect("it can be cut off");
    run(file.sync()).expect("nothing fails");
}
