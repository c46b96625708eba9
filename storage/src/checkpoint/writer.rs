//! Writes a checkpoint beside running traffic: a frame at a time, under a temporary name until all of it is durable.

use std::path::{Path, PathBuf};

use super::chunk::Chunk;
use super::format::{Footer, Frame, Header, Kind};
use super::keep::{self, Number, unfinished_path};
use crate::bounds::{CHECKPOINT_BYTES_MAX, CHUNK_BYTES_TARGET, META_BYTES_MAX, SHARDS_MAX};
use crate::disk::sequential::SequentialWriter;
use crate::disk::{Access, Disk};
use crate::error::{Error, Result};
use crate::ids::ShardId;

/// A checkpoint that is being written. After an error, [`Writer::abandon`] it.
pub struct Writer<D: Disk> {
    disk: D,
    data_directory: PathBuf,
    number: Number,
    file: SequentialWriter<D>,
    footer: Footer,
}

impl<D: Disk> Writer<D> {
    /// Begins the file; `meta` is what the core wants to find again.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if `meta` is; those of the disk.
    pub async fn begin(disk: D, data_directory: &Path, number: Number, header: Header, meta: &[u8]) -> Result<Self> {
        assert!(header.shards as usize <= SHARDS_MAX, "a cluster has a bounded number of shards");
        if meta.len() > META_BYTES_MAX {
            let (bytes, limit) = (meta.len() as u64, META_BYTES_MAX as u64);
            return Err(Error::TooLarge { what: "the meta part of a checkpoint", bytes, limit });
        }
        let path = unfinished_path(data_directory, number);
        if disk.exists(&path).await? {
            disk.remove(&path).await?;
        }
        let file = SequentialWriter::new(disk.create(&path, Access::Write).await?);
        let footer = Footer {
            frames: 0,
            meta_bytes: meta.len() as u64,
            file_bytes: 0,
            checksum: 0,
            versions: vec![0; header.shards as usize],
        };
        let mut writer = Writer { disk, data_directory: data_directory.to_owned(), number, file, footer };
        writer.write(&header.encode()).await?;
        for piece in meta.chunks(CHUNK_BYTES_TARGET) {
            let frame = Frame {
                kind: Kind::Meta,
                shard: ShardId(0),
                number: writer.footer.frames,
                versions: 0,
                unpacked_bytes: piece.len(),
                payload_bytes: piece.len(),
            };
            writer.write_frame(&frame, piece).await?;
        }
        Ok(writer)
    }

    /// Adds a chunk of any shard.
    ///
    /// # Errors
    /// Those of the disk; [`Error::TooLarge`] if the file would be.
    ///
    /// # Panics
    /// If the shard is none of this cluster's.
    pub async fn write_chunk(&mut self, chunk: &Chunk) -> Result<()> {
        let versions = self.footer.versions.get_mut(chunk.shard.0 as usize).expect("the shard is one of the cluster's");
        *versions += u64::from(chunk.versions);
        let frame = Frame {
            kind: Kind::Versions,
            shard: chunk.shard,
            number: self.footer.frames,
            versions: chunk.versions,
            unpacked_bytes: chunk.unpacked_bytes,
            payload_bytes: chunk.payload.len(),
        };
        self.write_frame(&frame, &chunk.payload).await
    }

    /// Writes the footer, makes the file durable and gives it its name. Answers with the file's size in bytes. It is
    /// live only when a manifest names it.
    ///
    /// # Errors
    /// Those of the disk; what was written is removed then, as far as that is possible.
    pub async fn finish(self) -> Result<u64> {
        let (disk, data_directory, number) = (self.disk.clone(), self.data_directory.clone(), self.number);
        let finished = self.finish_file().await;
        if finished.is_err() {
            // The first error is the one to tell, and the next start tidies up again.
            let _ = disk.remove(&unfinished_path(&data_directory, number)).await;
        }
        finished
    }

    async fn finish_file(mut self) -> Result<u64> {
        let payload = self.footer.encode();
        let frame = Frame {
            kind: Kind::Footer,
            shard: ShardId(0),
            number: self.footer.frames,
            versions: 0,
            unpacked_bytes: payload.len(),
            payload_bytes: payload.len(),
        };
        self.file.write(&frame.encode(&payload)).await?;
        self.file.write(&payload).await?;
        let bytes = self.file.written();
        self.file.finish().await?;
        keep::publish(&self.disk, &self.data_directory, self.number).await?;
        Ok(bytes)
    }

    /// Removes what was written.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn abandon(self) -> Result<()> {
        self.disk.remove(&unfinished_path(&self.data_directory, self.number)).await
    }

    async fn write_frame(&mut self, frame: &Frame, payload: &[u8]) -> Result<()> {
        self.write(&frame.encode(payload)).await?;
        self.write(payload).await?;
        self.footer.frames += 1;
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.footer.checksum = crc32c::crc32c_append(self.footer.checksum, bytes);
        self.footer.file_bytes += bytes.len() as u64;
        if self.footer.file_bytes > CHECKPOINT_BYTES_MAX {
            let bytes = self.footer.file_bytes;
            return Err(Error::TooLarge { what: "a checkpoint", bytes, limit: CHECKPOINT_BYTES_MAX });
        }
        self.file.write(bytes).await
    }
}
