//! Settings that come from the environment, each read in one way: absent is the default, unreadable is an error.

use std::{env, fmt::Display, path::PathBuf, str::FromStr};

/// A number from the environment, or `default` if the variable is not set. Panics, naming the variable and the value,
/// if it does not parse: a campaign must not run at a size that nobody asked for.
pub fn number<T: FromStr<Err: Display>>(name: &str, default: T) -> T {
    match env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")),
        Err(_) => default,
    }
}

/// The file that a variable names. Panics if the variable is set to something that is no file.
pub fn file(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env::var_os(name)?);
    assert!(path.is_file(), "{name}={}: no such file", path.display());
    Some(path)
}

/// Whether this is continuous integration, where a missing tool is a failure and not a skipped test.
pub fn is_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}
