//! Every flag there is: etcd 3.7's, those of earlier releases, and our own. One row each.
//!
//! To add a flag, add a row; to make one of etcd's work, turn its `later` row into a `now` row and read it in
//! `config.rs`. Names, kinds and defaults are etcd 3.7.1's (`server/embed/config.go`, `server/etcdmain/config.go`).

mod campanile;
mod clustering;
mod features;
mod logging;
mod member;
mod retired;
mod security;

use crate::flag::{Flag, Group, Kind};

/// All flags, grouped as the help shows them.
pub(crate) static GROUPS: &[Group] = &[
    Group { title: "Member", flags: member::FLAGS },
    Group { title: "Clustering", flags: clustering::FLAGS },
    Group { title: "Security and authentication", flags: security::FLAGS },
    Group { title: "Logging and monitoring", flags: logging::FLAGS },
    Group { title: "Features", flags: features::FLAGS },
    Group { title: "Campanile's own", flags: campanile::FLAGS },
    Group { title: "Command", flags: COMMAND },
    Group { title: "Earlier releases", flags: retired::FLAGS },
];

/// What the process is to do at all.
const COMMAND: &[Flag] = &[
    Flag::outside_files(
        "config-file",
        Kind::Text,
        "A YAML file with all settings. All other flags and all ETCD_* variables are then ignored.",
    ),
    Flag::outside_files("version", Kind::Boolean, "Print the version and exit."),
];

/// Every flag of every group.
pub(crate) fn flags() -> impl Iterator<Item = &'static Flag> {
    GROUPS.iter().flat_map(|group| group.flags)
}

/// The flag of this exact name.
pub(crate) fn find(name: &str) -> Option<&'static Flag> {
    flags().find(|flag| flag.name == name)
}

/// The flag that a key of the file sets; `path` joins sections and key by dots.
pub(crate) fn find_key(path: &str) -> Option<&'static Flag> {
    flags().find(|flag| flag.file_key() == Some(path))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::flag::Status;
    use crate::value::Value;

    #[test]
    fn names_and_keys_stand_once() {
        let mut names = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for flag in flags() {
            assert!(names.insert(flag.name), "--{} stands twice", flag.name);
            if let Some(key) = flag.file_key() {
                assert!(keys.insert(key), "the key {key} stands twice");
            }
        }
    }

    #[test]
    fn defaults_and_accepted_values_are_of_their_kind() {
        for flag in flags() {
            Value::parse(flag.kind, flag.default).unwrap_or_else(|problem| panic!("--{}: {problem}", flag.name));
            if let Status::Later { also } = flag.status {
                for value in also {
                    Value::parse(flag.kind, value).unwrap_or_else(|problem| panic!("--{}: {problem}", flag.name));
                }
            }
        }
    }

    #[test]
    fn renamed_flags_lead_to_flags() {
        for flag in flags() {
            if let Status::Renamed(name) = flag.status {
                let target = find(name).unwrap_or_else(|| panic!("--{} leads to --{name}, which is none", flag.name));
                assert!(!matches!(target.status, Status::Renamed(_)), "--{} leads to another earlier name", flag.name);
            }
        }
    }

    #[test]
    fn what_works_is_explained() {
        for flag in flags().filter(|flag| matches!(flag.status, Status::Now | Status::OutsideFiles)) {
            assert!(flag.help.ends_with('.'), "--{} has no help", flag.name);
        }
    }
}
