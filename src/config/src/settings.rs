//! What was set, from where, and whether this version can do it.
//!
//! Owns the merge of the sources (a flag beats its variable, the last of a repeated flag wins) and the check of each
//! value against its row's status. Never knows what a setting means.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::ConfigError;
use crate::flag::{Flag, Kind, Status};
use crate::table;
use crate::value::Value;
use crate::warning::Warning;

/// Where a value was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere.
    Default,
    /// As a flag.
    CommandLine,
    /// As an `ETCD_*` variable.
    Environment,
    /// As a key of the configuration file.
    File,
}

/// A value as the user wrote it, and where: `--name=value`, `ETCD_NAME=value`, or `name: value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub flag: &'static str,
    pub value: String,
    pub origin: Origin,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flag = table::find(self.flag).expect("a place is made from a row");
        let value = if self.flag.ends_with("password") { "***" } else { &self.value };
        match self.origin {
            Origin::Default => write!(formatter, "--{}={value} (the default)", self.flag),
            Origin::CommandLine => write!(formatter, "--{}={value}", self.flag),
            Origin::Environment => write!(formatter, "{}={value}", flag.variable()),
            Origin::File => write!(formatter, "{}: {value}", flag.file_key().unwrap_or(self.flag)),
        }
    }
}

struct Given {
    value: Value,
    place: Place,
}

/// All that was set, and what there is to say about it.
#[derive(Default)]
pub(crate) struct Settings {
    given: BTreeMap<&'static str, Given>,
    pub warnings: Vec<Warning>,
}

impl Settings {
    /// Takes a value as text.
    pub(crate) fn set(&mut self, flag: &'static Flag, text: &str, origin: Origin) -> Result<(), ConfigError> {
        let target = self.target(flag);
        let place = Place { flag: target.name, value: text.to_owned(), origin };
        // What is ignored may have any value, though its bare flag stands alone like a boolean's.
        let kind = if matches!(target.status, Status::Ignored(_)) { Kind::Text } else { target.kind };
        match Value::parse(kind, text) {
            Ok(value) => self.given.insert(target.name, Given { value, place }),
            Err(problem) => return Err(ConfigError::Invalid { place, problem }),
        };
        Ok(())
    }

    /// Takes a value that was read already, and its text.
    pub(crate) fn set_value(&mut self, flag: &'static Flag, value: Value, text: String, origin: Origin) {
        let target = self.target(flag);
        self.given.insert(target.name, Given { value, place: Place { flag: target.name, value: text, origin } });
    }

    /// The flag itself, or the one that an earlier name stands for.
    fn target(&mut self, flag: &'static Flag) -> &'static Flag {
        let target = resolve(flag);
        if target.name != flag.name {
            let warning = Warning::Renamed { name: flag.name, now: target.name };
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        target
    }

    /// Refuses what this version does not do, and warns of what has no effect.
    pub(crate) fn check_status(&mut self) -> Result<(), ConfigError> {
        for (name, given) in &self.given {
            let flag = table::find(name).expect("only rows are set");
            let is = |text: &str| Value::parse(flag.kind, text).as_ref() == Ok(&given.value);
            match flag.status {
                Status::Now | Status::OutsideFiles => {}
                Status::Later { also } => {
                    if !is(flag.default) && !also.iter().any(|text| is(text)) {
                        return Err(ConfigError::NotYet { place: given.place.clone(), default: flag.default });
                    }
                }
                Status::Never(why) => {
                    if !is(flag.default) {
                        return Err(ConfigError::Never { place: given.place.clone(), why });
                    }
                }
                Status::Ignored(why) => self.warnings.push(Warning::NoEffect { flag: flag.name, why }),
                Status::Renamed(_) => unreachable!("earlier names are set as their new ones"),
            }
        }
        Ok(())
    }

    /// Whether the user gave it.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// The flags that were given, but for the named one.
    pub(crate) fn given_besides(&self, name: &str) -> impl Iterator<Item = &'static str> {
        self.given.keys().copied().filter(move |given| *given != name)
    }

    /// Where the value comes from.
    pub(crate) fn place(&self, name: &str) -> Place {
        match self.given.get(name) {
            Some(given) => given.place.clone(),
            None => {
                let flag = table::find(name).expect("settings are asked for by the names of rows");
                let value = flag.shown.unwrap_or(flag.default).to_owned();
                Place { flag: flag.name, value, origin: Origin::Default }
            }
        }
    }

    fn value(&self, name: &str) -> Value {
        match self.given.get(name) {
            Some(given) => given.value.clone(),
            None => {
                let flag = table::find(name).expect("settings are asked for by the names of rows");
                Value::parse(flag.kind, flag.default).expect("defaults are of their kind")
            }
        }
    }

    pub(crate) fn boolean(&self, name: &str) -> bool {
        match self.value(name) {
            Value::Boolean(value) => value,
            other => unreachable!("--{name} is asked for as a boolean and is {other:?}"),
        }
    }

    pub(crate) fn integer(&self, name: &str) -> i64 {
        match self.value(name) {
            Value::Integer(value) => value,
            other => unreachable!("--{name} is asked for as an integer and is {other:?}"),
        }
    }

    pub(crate) fn unsigned(&self, name: &str) -> u64 {
        match self.value(name) {
            Value::Unsigned(value) => value,
            other => unreachable!("--{name} is asked for as an unsigned integer and is {other:?}"),
        }
    }

    /// In nanoseconds; may be negative.
    pub(crate) fn nanoseconds(&self, name: &str) -> i64 {
        match self.value(name) {
            Value::Duration(value) => value,
            other => unreachable!("--{name} is asked for as a duration and is {other:?}"),
        }
    }

    pub(crate) fn text(&self, name: &str) -> String {
        match self.value(name) {
            Value::Text(value) => value,
            other => unreachable!("--{name} is asked for as a text and is {other:?}"),
        }
    }

    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Value::List(value) => value,
            other => unreachable!("--{name} is asked for as a list and is {other:?}"),
        }
    }

    /// The URLs; the default ones if they were given as an empty text, as in etcd.
    pub(crate) fn urls(&self, name: &str) -> Vec<crate::url::Url> {
        let default = || {
            let flag = table::find(name).expect("settings are asked for by the names of rows");
            match Value::parse(flag.kind, flag.default) {
                Ok(Value::Urls(urls)) => urls,
                other => unreachable!("--{name} is asked for as URLs and is {other:?}"),
            }
        };
        match self.value(name) {
            Value::Urls(urls) if urls.is_empty() => default(),
            Value::Urls(urls) => urls,
            other => unreachable!("--{name} is asked for as URLs and is {other:?}"),
        }
    }
}

/// The flag itself, or the one that an earlier name stands for.
pub(crate) fn resolve(flag: &'static Flag) -> &'static Flag {
    match flag.status {
        Status::Renamed(name) => table::find(name).expect("earlier names lead to rows"),
        _ => flag,
    }
}
