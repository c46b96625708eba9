//! What a simulated device holds: for every file what a reader sees, what would survive a loss of power, and the
//! changes in between; the same for names.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::random::Random;

/// Sizes at which a write tears: an old sector, a new one.
const SECTORS_BYTES: [usize; 2] = [512, 4096];

/// A file, by number, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inode(usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Directory,
    File(Inode),
}

#[derive(Clone, Debug)]
enum NameChange {
    Create(PathBuf, Node),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

#[derive(Clone, Debug)]
enum Change {
    Write { number: u64, offset: u64, bytes: Bytes, complete: bool },
    Truncate(u64),
}

#[derive(Debug, Default)]
struct Content {
    visible: Vec<u8>,
    durable: Vec<u8>,
    /// What distinguishes the two, in order; writes that are still under way are here but not visible.
    changes: Vec<Change>,
    unreadable: Vec<Range<u64>>,
}

type Names = BTreeMap<PathBuf, Node>;

#[derive(Debug, Default)]
pub(super) struct Medium {
    files: Vec<Content>,
    names: Names,
    durable_names: Names,
    name_changes: Vec<NameChange>,
    writes: u64,
}

impl Medium {
    /// A device with one empty directory on it.
    pub(super) fn with_directory(path: &Path) -> Self {
        let names = Names::from([(path.to_owned(), Node::Directory)]);
        Medium { names: names.clone(), durable_names: names, ..Medium::default() }
    }

    pub(super) fn node(&self, path: &Path) -> Option<Node> {
        self.names.get(path).copied()
    }

    /// A name of a file that has one.
    pub(super) fn name(&self, inode: Inode) -> Option<&Path> {
        self.names.iter().find(|(_, node)| **node == Node::File(inode)).map(|(path, _)| path.as_path())
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<Inode> {
        match self.node(path) {
            Some(Node::File(inode)) => Ok(inode),
            Some(Node::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// All names in a directory, without the directory.
    pub(super) fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        if self.node(directory) != Some(Node::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let within = self.names.keys().filter(|path| path.parent() == Some(directory));
        Ok(within.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    pub(super) fn create(&mut self, path: &Path, directory: bool) -> io::Result<Node> {
        if let Some(node) = self.node(path) {
            return if directory && node == Node::Directory {
                Ok(node)
            } else {
                Err(io::ErrorKind::AlreadyExists.into())
            };
        }
        if path.parent().and_then(|parent| self.node(parent)) != Some(Node::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let node = if directory {
            Node::Directory
        } else {
            self.files.push(Content::default());
            Node::File(Inode(self.files.len() - 1))
        };
        self.change_name(NameChange::Create(path.to_owned(), node));
        Ok(node)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.file(from)?;
        assert_eq!(from.parent(), to.parent(), "files are renamed within their directory");
        self.change_name(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.file(path)?;
        self.change_name(NameChange::Remove(path.to_owned()));
        Ok(())
    }

    pub(super) fn remove_directory(&mut self, path: &Path) -> io::Result<()> {
        if !self.list(path)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.change_name(NameChange::Remove(path.to_owned()));
        Ok(())
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.name_changes.push(change);
    }

    pub(super) fn sync_directory(&mut self, path: &Path) {
        for change in std::mem::take(&mut self.name_changes) {
            if change.directory() == Some(path) {
                change.apply(&mut self.durable_names);
            } else {
                self.name_changes.push(change);
            }
        }
    }

    /// A write is under way: a crash may leave any part of it.
    pub(super) fn submit_write(&mut self, inode: Inode, offset: u64, bytes: Bytes) -> u64 {
        self.writes += 1;
        let number = self.writes;
        self.files[inode.0].changes.push(Change::Write { number, offset, bytes, complete: false });
        number
    }

    /// A write has come to its end.
    pub(super) fn complete_write(&mut self, inode: Inode, written: u64, durably: bool) {
        let content = &mut self.files[inode.0];
        let place = content.changes.iter().position(|change| change.is_write(written));
        let place = place.expect("a write that is under way is among the changes");
        content.changes[place].clone().apply(&mut content.visible);
        if durably {
            let change = content.changes.remove(place);
            for earlier in &mut content.changes[..place] {
                earlier.give_way_to(&change);
            }
            change.apply(&mut content.durable);
        } else {
            content.changes[place].set_complete();
        }
    }

    /// A write failed: some of it may be there, none of it is durable.
    pub(super) fn fail_write(&mut self, inode: Inode, offset: u64, bytes: &[u8], random: &mut Random) {
        let kept = random.below(bytes.len() + 1);
        let part = Bytes::copy_from_slice(&bytes[..kept]);
        let written = self.submit_write(inode, offset, part);
        self.complete_write(inode, written, false);
    }

    pub(super) fn truncate(&mut self, inode: Inode, size: u64) {
        let content = &mut self.files[inode.0];
        Change::Truncate(size).apply(&mut content.visible);
        content.changes.push(Change::Truncate(size));
    }

    pub(super) fn sync(&mut self, inode: Inode) {
        let content = &mut self.files[inode.0];
        for change in content.changes.extract_if(.., |change| change.is_complete()) {
            change.apply(&mut content.durable);
        }
    }

    /// A failed sync as Linux does it: what was not written is forgotten, and the next sync says nothing of it.
    pub(super) fn fail_sync(&mut self, inode: Inode) {
        self.files[inode.0].changes.retain(|change| !change.is_complete());
    }

    pub(super) fn read(&self, inode: Inode, offset: u64, length: usize) -> io::Result<Bytes> {
        let content = &self.files[inode.0];
        let end = offset + length as u64;
        if content.unreadable.iter().any(|range| range.start < end && offset < range.end) {
            return Err(io::Error::other("the simulated device cannot read this sector"));
        }
        let start = (offset as usize).min(content.visible.len());
        let end = (end as usize).min(content.visible.len());
        Ok(Bytes::copy_from_slice(&content.visible[start..end]))
    }

    pub(super) fn size(&self, inode: Inode) -> u64 {
        self.files[inode.0].visible.len() as u64
    }

    /// Bytes that all files with a name take.
    pub(super) fn used_bytes(&self) -> u64 {
        let sizes = self.names.values().filter_map(|node| match node {
            Node::File(inode) => Some(self.size(*inode)),
            Node::Directory => None,
        });
        sizes.sum()
    }

    pub(super) fn corrupt(&mut self, inode: Inode, range: Range<u64>, random: &mut Random) {
        let content = &mut self.files[inode.0];
        for at in range {
            let flip = 1 << random.below(8);
            for bytes in [&mut content.visible, &mut content.durable] {
                if let Some(byte) = bytes.get_mut(at as usize) {
                    *byte ^= flip;
                }
            }
        }
    }

    pub(super) fn make_unreadable(&mut self, inode: Inode, range: Range<u64>) {
        self.files[inode.0].unreadable.push(range);
    }

    /// The process dies, the device does not: what is under way arrives or does not, and nothing more is durable.
    pub(super) fn kill(&mut self, random: &mut Random) {
        for content in &mut self.files {
            content.changes.retain_mut(|change| {
                let arrives = change.is_complete() || random.coin();
                if arrives && !change.is_complete() {
                    change.clone().apply(&mut content.visible);
                    change.set_complete();
                }
                arrives
            });
        }
    }

    /// Power is lost: of what was not durable, each part may be there or not.
    pub(super) fn lose_power(&mut self, random: &mut Random) {
        for content in &mut self.files {
            content.visible = std::mem::take(&mut content.durable);
            let mut changes = std::mem::take(&mut content.changes);
            if random.coin() {
                shuffle(&mut changes, random);
            }
            for change in changes {
                change.apply_partly(&mut content.visible, random);
            }
            content.durable.clone_from(&content.visible);
        }
        let mut survived: BTreeMap<PathBuf, usize> = BTreeMap::new();
        let mut names = std::mem::take(&mut self.durable_names);
        let changes = std::mem::take(&mut self.name_changes);
        for directory in changes.iter().filter_map(NameChange::directory) {
            *survived.entry(directory.to_owned()).or_default() += 1;
        }
        for kept in survived.values_mut() {
            *kept = random.below(*kept + 1);
        }
        for change in changes {
            if let Some(left) = change.directory().and_then(|directory| survived.get_mut(directory))
                && *left > 0
            {
                *left -= 1;
                change.apply(&mut names);
            }
        }
        self.names = names.clone();
        self.durable_names = names;
    }

    /// Power is lost: nothing is there that was not durable.
    pub(super) fn lose_all(&mut self) {
        for content in &mut self.files {
            content.changes.clear();
            content.visible.clone_from(&content.durable);
        }
        self.name_changes.clear();
        self.names.clone_from(&self.durable_names);
    }

    /// Power is lost after all that was under way has happened.
    pub(super) fn keep_all(&mut self) {
        for content in &mut self.files {
            for change in std::mem::take(&mut content.changes) {
                change.apply(&mut content.durable);
            }
            content.visible.clone_from(&content.durable);
        }
        self.name_changes.clear();
        self.durable_names.clone_from(&self.names);
    }
}

impl NameChange {
    fn directory(&self) -> Option<&Path> {
        match self {
            NameChange::Create(path, _) | NameChange::Rename(path, _) | NameChange::Remove(path) => path.parent(),
        }
    }

    fn apply(&self, names: &mut Names) {
        match self {
            NameChange::Create(path, node) => {
                names.insert(path.clone(), *node);
            }
            NameChange::Rename(from, to) => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
            NameChange::Remove(path) => {
                names.remove(path);
            }
        }
    }
}

impl Change {
    fn is_write(&self, wanted: u64) -> bool {
        matches!(self, Change::Write { number, .. } if *number == wanted)
    }

    fn is_complete(&self) -> bool {
        match self {
            Change::Write { complete, .. } => *complete,
            Change::Truncate(_) => true,
        }
    }

    /// A durable write of the same place came after this one: what it wrote there can never come back.
    fn give_way_to(&mut self, later: &Change) {
        let (Change::Write { offset, bytes, complete: true, .. }, Change::Write { offset: start, bytes: new, .. }) =
            (self, later)
        else {
            return;
        };
        let (first, last) = ((*offset).max(*start), (*offset + bytes.len() as u64).min(*start + new.len() as u64));
        if first < last {
            let mut patched = bytes.to_vec();
            let length = (last - first) as usize;
            let (to, from) = ((first - *offset) as usize, (first - *start) as usize);
            patched[to..to + length].copy_from_slice(&new[from..from + length]);
            *bytes = patched.into();
        }
    }

    fn set_complete(&mut self) {
        if let Change::Write { complete, .. } = self {
            *complete = true;
        }
    }

    fn apply(self, content: &mut Vec<u8>) {
        match self {
            Change::Write { offset, bytes, .. } => put(content, offset as usize, &bytes),
            Change::Truncate(size) => content.resize(size as usize, 0),
        }
    }

    fn apply_partly(self, content: &mut Vec<u8>, random: &mut Random) {
        let Change::Write { offset, bytes, .. } = &self else {
            if random.coin() {
                self.apply(content);
            }
            return;
        };
        let sector = SECTORS_BYTES[random.below(SECTORS_BYTES.len())];
        match random.below(4) {
            0 => {}
            1 => self.apply(content),
            2 => put(content, *offset as usize, &bytes[..sector * random.below(bytes.len() / sector + 1)]),
            _ => {
                for (number, piece) in bytes.chunks(sector).enumerate() {
                    if random.coin() {
                        put(content, *offset as usize + number * sector, piece);
                    }
                }
            }
        }
    }
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for last in (1..items.len()).rev() {
        items.swap(last, random.below(last + 1));
    }
}
