//! Why there is no configuration.
//!
//! Every message names the flag, variable or key, the value it had, and what to do about it.

use std::path::PathBuf;

use crate::settings::Place;

/// A configuration that was refused. All of it is the user's doing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An argument that is no flag, or a flag without its value.
    #[error("{argument:?} {problem}")]
    Argument { argument: String, problem: String },
    /// A flag or key that does not exist.
    #[error("{what} {name}{}", match nearest { Some(nearest) => format!("; did you mean {nearest}?"), None => String::new() })]
    Unknown {
        /// "unknown flag" or "unknown key".
        what: &'static str,
        name: String,
        nearest: Option<String>,
    },
    /// A flag of etcd's that comes in a later version.
    #[error("{place}: not in this version yet; leave it out, or give etcd's default, {default:?}")]
    NotYet { place: Place, default: &'static str },
    /// A flag of etcd's that has no meaning here.
    #[error("{place}: {why}; leave it out")]
    Never { place: Place, why: &'static str },
    /// A value that cannot be used.
    #[error("{place} {problem}")]
    Invalid {
        place: Place,
        /// The rest of the sentence: what is wrong, and what would be right.
        problem: String,
    },
    /// The configuration file cannot be read, or is no YAML.
    #[error("configuration file {}: {problem}", path.display())]
    File { path: PathBuf, problem: String },
    /// This member cannot be one of the first members of a new cluster.
    #[error("{0}")]
    Bootstrap(String),
}

impl ConfigError {
    pub(crate) fn invalid(place: &Place, problem: impl Into<String>) -> ConfigError {
        ConfigError::Invalid { place: place.clone(), problem: problem.into() }
    }
}
