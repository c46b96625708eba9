//! Which server a test runs, and what it understands beyond etcd's flags.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::environment;

/// Runs any other etcd-like program in the place of the one that Cargo built: the tests are themselves tested on etcd.
pub const VARIABLE: &str = "CAMPANILE_SUBJECT";

/// Whose program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Campanile,
    /// etcd of this major and minor version.
    Etcd(u32, u32),
}

/// A server's executable.
#[derive(Clone, Debug)]
pub struct Program {
    pub path: PathBuf,
    pub kind: Kind,
}

impl Program {
    /// Asks the program itself, by `--version`.
    pub fn at(path: &Path) -> Self {
        let output = Command::new(path)
            .arg("--version")
            .output()
            .unwrap_or_else(|error| panic!("cannot run {} --version: {error}", path.display()));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let kind = if text.to_lowercase().contains("campanile") {
            Kind::Campanile
        } else {
            etcd_version(&text).unwrap_or_else(|| panic!("{} --version says no version:\n{text}", path.display()))
        };
        Self { path: path.to_owned(), kind }
    }

    /// The program under test: the one that the environment names, else `built`.
    pub fn subject(built: &str) -> Self {
        Self::at(&environment::file(VARIABLE).unwrap_or_else(|| PathBuf::from(built)))
    }

    pub fn is_campanile(&self) -> bool {
        self.kind == Kind::Campanile
    }
}

fn etcd_version(text: &str) -> Option<Kind> {
    let version = text.lines().find_map(|line| line.strip_prefix("etcd Version: "))?;
    let mut numbers = version.split('.').map(|number| number.parse().ok());
    Some(Kind::Etcd(numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_read_from_its_line() {
        assert_eq!(etcd_version("etcd Version: 3.5.1\nGit SHA: e8732fb5f\n"), Some(Kind::Etcd(3, 5)));
        assert_eq!(etcd_version("version 3"), None);
    }
}
