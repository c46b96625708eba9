//! What a row of the table says about one flag.
//!
//! Owns the vocabulary of the rows, not the rows. A row is data: parsing, the environment, the file's keys, the help
//! and the check for what is not served yet all read it, and none of them knows a flag by name.

/// How a flag's value is written and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Go's booleans; the bare flag means true.
    Boolean,
    /// A signed integer of 64 bits, with Go's prefixes and underscores.
    Integer,
    /// An unsigned integer of 64 bits.
    Unsigned,
    /// An unsigned integer of 32 bits.
    Unsigned32,
    /// Go's durations (`1h30m`); in the file also a whole number of nanoseconds.
    Duration,
    /// Any text.
    Text,
    /// Texts between commas; in the file also a list.
    List,
    /// URLs between commas. Empty means the default.
    Urls,
}

/// Whether this version does what the flag asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It does.
    Now,
    /// It does, and the flag means something on the command line (and in the environment) alone.
    OutsideFiles,
    /// A flag of etcd's that comes in a later version: only etcd's default is accepted, or one of the `also` values,
    /// which ask for nothing that is not the case already.
    Later { also: &'static [&'static str] },
    /// A flag of etcd's that has no meaning here, and why. Only etcd's default is accepted.
    Never(&'static str),
    /// A flag that etcd itself accepts and ignores: accepted with a warning.
    Ignored(&'static str),
    /// An earlier name of another flag: accepted with a warning.
    Renamed(&'static str),
}

/// One flag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    /// As on the command line, without dashes.
    pub name: &'static str,
    pub kind: Kind,
    /// As one would write it on the command line.
    pub default: &'static str,
    /// What the help shows as the default, where the default depends on something else.
    pub shown: Option<&'static str>,
    /// The key in the YAML file, where it differs from the name: sections and keys, joined by dots.
    pub key: Option<&'static str>,
    pub status: Status,
    /// One or two sentences for the help. Empty for flags that the help only lists.
    pub help: &'static str,
}

impl Flag {
    const fn row(name: &'static str, kind: Kind, default: &'static str, status: Status, help: &'static str) -> Flag {
        Flag { name, kind, default, shown: None, key: None, status, help }
    }

    /// A flag that works.
    pub(crate) const fn now(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Flag {
        Flag::row(name, kind, default, Status::Now, help)
    }

    /// A flag that works, but means nothing in a file.
    pub(crate) const fn outside_files(name: &'static str, kind: Kind, help: &'static str) -> Flag {
        let default = if matches!(kind, Kind::Boolean) { "false" } else { "" };
        Flag::row(name, kind, default, Status::OutsideFiles, help)
    }

    /// A flag that comes later.
    pub(crate) const fn later(name: &'static str, kind: Kind, default: &'static str) -> Flag {
        Flag::row(name, kind, default, Status::Later { also: &[] }, "")
    }

    /// A flag that will never mean anything here, and why.
    pub(crate) const fn never(name: &'static str, kind: Kind, default: &'static str, why: &'static str) -> Flag {
        Flag::row(name, kind, default, Status::Never(why), "")
    }

    /// A flag that is accepted and does nothing, and why.
    pub(crate) const fn ignored(name: &'static str, kind: Kind, why: &'static str) -> Flag {
        let default = if matches!(kind, Kind::Boolean) { "false" } else { "" };
        Flag::row(name, kind, default, Status::Ignored(why), "")
    }

    /// An earlier name of the flag `of`.
    pub(crate) const fn renamed(name: &'static str, of: &'static str) -> Flag {
        Flag::row(name, Kind::Text, "", Status::Renamed(of), "")
    }

    /// With further accepted values, for a flag that comes later.
    pub(crate) const fn also(mut self, values: &'static [&'static str]) -> Flag {
        self.status = Status::Later { also: values };
        self
    }

    /// With its own key in the file.
    pub(crate) const fn key(mut self, key: &'static str) -> Flag {
        self.key = Some(key);
        self
    }

    /// With another default in the help.
    pub(crate) const fn shown_as(mut self, shown: &'static str) -> Flag {
        self.shown = Some(shown);
        self
    }

    /// The key in the YAML file; none for a flag that means nothing there.
    pub(crate) fn file_key(&self) -> Option<&'static str> {
        match self.status {
            Status::OutsideFiles => None,
            _ => Some(self.key.unwrap_or(self.name)),
        }
    }

    /// Whether to name it to somebody who misspelt a flag: not what has no effect, nor an earlier name.
    pub(crate) fn is_worth_suggesting(&self) -> bool {
        !matches!(self.status, Status::Ignored(_) | Status::Renamed(_))
    }

    /// The variable that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("ETCD_{}", self.name.to_uppercase().replace('-', "_"))
    }
}

/// Flags that the help shows under one heading.
pub(crate) struct Group {
    pub title: &'static str,
    pub flags: &'static [Flag],
}
