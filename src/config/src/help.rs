//! What `--help` prints: the working flags in groups, then, briefly, what of etcd's is not served.

use std::fmt::Write;

use crate::flag::{Flag, Kind, Status};
use crate::table::GROUPS;
use crate::version::{CAMPANILE_VERSION, ETCD_VERSION};

/// Where lines are broken.
const COLUMNS: usize = 100;
const INDENT: &str = "      ";

/// The whole help.
#[must_use]
pub fn help() -> String {
    let mut text = format!(
        "Campanile {CAMPANILE_VERSION}: a sharded, durable storage node that speaks etcd's API ({ETCD_VERSION}).\n\
         \n\
         Usage:\n\
         \x20 campanile [flags]                  run a member\n\
         \x20 campanile --config-file member.yml run a member as a YAML file says\n\
         \x20 campanile --version | --help\n\
         \n\
         A flag has one or two dashes and its value behind '=' or as the next argument; the last of a\n\
         repeated flag wins. Each flag also has a variable (--data-dir is ETCD_DATA_DIR) and a key in the\n\
         file (data-dir). A flag beats its variable.\n",
    );
    for group in GROUPS {
        let mut shown = group.flags.iter().filter(|flag| works(flag)).peekable();
        if shown.peek().is_none() {
            continue;
        }
        let _ = write!(text, "\n{}:\n", group.title);
        for flag in shown {
            let _ = writeln!(text, "  --{}{}", flag.name, default(flag));
            wrap(&mut text, flag.help.split(' '));
        }
    }
    let rows = || GROUPS.iter().flat_map(|group| group.flags);
    let later =
        rows().filter(|flag| matches!(flag.status, Status::Later { .. }) && !flag.name.contains("experimental"));
    text.push_str("\nFlags of etcd's that come later (only etcd's defaults are accepted):\n");
    wrap(&mut text, later.map(|flag| flag.name));
    let never = rows().filter(|flag| matches!(flag.status, Status::Never(_)));
    text.push_str("\nFlags of etcd's that mean nothing here (giving one says why):\n");
    wrap(&mut text, never.map(|flag| flag.name));
    text
}

fn works(flag: &Flag) -> bool {
    matches!(flag.status, Status::Now | Status::OutsideFiles)
}

fn default(flag: &Flag) -> String {
    match flag.shown {
        Some(shown) if shown.contains(' ') => format!(" ({shown})"),
        Some(shown) => format!(" '{shown}'"),
        None if flag.default.is_empty() || (flag.kind == Kind::Boolean && flag.default == "false") => String::new(),
        None => format!(" '{}'", flag.default),
    }
}

/// Writes words into lines.
fn wrap<'a>(text: &mut String, words: impl Iterator<Item = &'a str>) {
    let mut column = 0;
    for word in words {
        if column > 0 && column + 1 + word.len() > COLUMNS {
            text.push('\n');
            column = 0;
        }
        if column == 0 {
            text.push_str(INDENT);
            column = INDENT.len();
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file is the help as it should be. After a change that is meant, write it anew:
    /// `CAMPANILE_BLESS=1 cargo test -p campanile-config`.
    #[test]
    fn the_help_is_the_golden_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/help.golden.txt");
        if std::env::var_os("CAMPANILE_BLESS").is_some() {
            std::fs::write(path, help().replacen(CAMPANILE_VERSION, "{version}", 1)).unwrap();
        }
        let golden = std::fs::read_to_string(path).unwrap();
        assert_eq!(help(), golden.replace("{version}", CAMPANILE_VERSION));
    }

    #[test]
    fn no_line_is_too_long() {
        for line in help().lines() {
            assert!(line.len() <= COLUMNS, "{line}");
        }
    }
}
