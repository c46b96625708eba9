//! What is accepted, and worth a word all the same.

use std::path::PathBuf;

/// Something that the user should know, to be logged once logging stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// An `ETCD_*` variable that no flag corresponds to.
    #[error("unrecognized environment variable {variable}{}", match nearest { Some(nearest) => format!("; did you mean {nearest}?"), None => String::new() })]
    UnknownVariable { variable: String, nearest: Option<String> },
    /// A variable whose flag was given too; the flag wins.
    #[error("environment variable {variable} is shadowed by the flag --{flag}")]
    ShadowedVariable { variable: String, flag: &'static str },
    /// Flags or variables beside a configuration file.
    #[error("{} is in use: all other flags and ETCD_* variables are ignored ({})", path.display(), ignored.join(", "))]
    IgnoredBesideFile { path: PathBuf, ignored: Vec<String> },
    /// A flag that is accepted and does nothing.
    #[error("--{flag} has no effect: {why}")]
    NoEffect { flag: &'static str, why: &'static str },
    /// An earlier name of a flag.
    #[error("--{name} is an earlier name of --{now}")]
    Renamed { name: &'static str, now: &'static str },
    /// A value that works, and is more than etcd recommends.
    #[error("--{flag}={value} is above the recommended maximum, {recommended}")]
    AboveRecommended { flag: &'static str, value: u64, recommended: u64 },
    /// Several members, and this one has the default name.
    #[error("a member of a cluster of several should not have the default name; set --name")]
    DefaultName,
    /// Listening elsewhere than on localhost, but telling clients localhost.
    #[error("clients are told {advertised}, but this member listens on {listened}; set --advertise-client-urls")]
    AdvertisesLocalhost { advertised: String, listened: String },
}
