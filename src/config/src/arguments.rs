//! The command line, by the rules of Go's `flag` package.
//!
//! One or two dashes; the value behind `=` or as the next argument, whatever that looks like; a boolean alone means
//! true, and takes its value behind `=` only; the last of a repeated flag wins; `--` or an argument without a dash ends
//! the flags, and etcd takes nothing else.

use std::ffi::OsString;

use crate::error::ConfigError;
use crate::flag::Kind;
use crate::nearest::nearest;
use crate::settings::{Origin, Settings, resolve};
use crate::table;

/// What the command line asks for.
pub(crate) enum Arguments {
    Settings(Settings),
    /// `-h` or `--help`; what stands behind it is not read.
    Help,
}

/// Reads the arguments, without the name of the program.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Arguments, ConfigError> {
    let mut settings = Settings::default();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let argument = utf8(argument)?;
        let Some(body) = flag_body(&argument) else {
            let stray = if argument == "--" { arguments.next().map(utf8).transpose()? } else { Some(argument) };
            return match stray {
                Some(stray) => Err(not_a_flag(stray)),
                None => Ok(Arguments::Settings(settings)),
            };
        };
        if body.is_empty() || body.starts_with(['-', '=']) {
            return Err(ConfigError::Argument { argument, problem: "is no flag; flags are --name=value".to_owned() });
        }
        let (name, value) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (body, None),
        };
        let Some(flag) = table::find(name) else {
            if name == "help" || name == "h" {
                return Ok(Arguments::Help);
            }
            let known = table::flags().filter(|flag| flag.is_worth_suggesting()).map(|flag| flag.name);
            let nearest = nearest(name, known).map(|name| format!("--{name}"));
            return Err(ConfigError::Unknown { what: "unknown flag", name: format!("--{name}"), nearest });
        };
        match value {
            Some(value) => settings.set(flag, value, Origin::CommandLine)?,
            None if resolve(flag).kind == Kind::Boolean => settings.set(flag, "true", Origin::CommandLine)?,
            None => {
                let value = arguments.next().ok_or_else(|| ConfigError::Argument {
                    argument: format!("--{name}"),
                    problem: "needs a value".to_owned(),
                })?;
                settings.set(flag, &utf8(value)?, Origin::CommandLine)?;
            }
        }
    }
    Ok(Arguments::Settings(settings))
}

/// What stands behind one or two dashes; none if this argument ends the flags.
fn flag_body(argument: &str) -> Option<&str> {
    match argument.strip_prefix("--") {
        Some("") => None,
        Some(body) => Some(body),
        None => argument.strip_prefix('-').filter(|body| !body.is_empty()),
    }
}

fn not_a_flag(argument: String) -> ConfigError {
    let problem = match argument.as_str() {
        "gateway" | "grpc-proxy" => "is not part of this server: use etcd's own binary in front of it",
        _ => "is not a valid flag; flags are --name=value",
    };
    ConfigError::Argument { argument, problem: problem.to_owned() }
}

fn utf8(argument: OsString) -> Result<String, ConfigError> {
    argument.into_string().map_err(|argument| ConfigError::Argument {
        argument: argument.to_string_lossy().into_owned(),
        problem: "is not UTF-8".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(arguments: &[&str]) -> Result<Settings, String> {
        match parse(arguments.iter().map(OsString::from)) {
            Ok(Arguments::Settings(settings)) => Ok(settings),
            Ok(Arguments::Help) => Err("help".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn values_are_found() {
        let cases: &[(&[&str], &str)] = &[
            (&["-name", "a"], "a"),
            (&["--name", "a"], "a"),
            (&["-name=a"], "a"),
            (&["--name=a"], "a"),
            (&["--name=a=b"], "a=b"),
            (&["--name="], ""),
            (&["--name", ""], ""),
            // The next argument is the value, whatever it looks like.
            (&["--name", "--data-dir"], "--data-dir"),
            (&["--name", "--"], "--"),
            // The last one wins.
            (&["--name", "a", "-name=b", "--name", "c"], "c"),
            // Nothing stands behind the end of the flags.
            (&["--name", "a", "--"], "a"),
        ];
        for (arguments, expected) in cases {
            assert_eq!(settings(arguments).unwrap().text("name"), *expected, "{arguments:?}");
        }
    }

    #[test]
    fn booleans_stand_alone() {
        let cases: &[(&[&str], bool)] = &[
            (&["--socket-reuse-port"], true),
            (&["-socket-reuse-port=f"], false),
            (&["--socket-reuse-port=0", "--socket-reuse-port"], true),
            (&["--socket-reuse-port", "--socket-reuse-port=False"], false),
        ];
        for (arguments, expected) in cases {
            assert_eq!(settings(arguments).unwrap().boolean("socket-reuse-port"), *expected, "{arguments:?}");
        }
        // A boolean's value never is the next argument.
        let refusal = settings(&["--socket-reuse-port", "false"]).err().unwrap();
        assert_eq!(refusal, "\"false\" is not a valid flag; flags are --name=value");
    }

    #[test]
    fn help_is_found_where_it_stands() {
        for arguments in [&["-h"][..], &["--help"], &["-help", "--nonsense"], &["--name", "a", "-h", "stray"]] {
            assert_eq!(settings(arguments).err().as_deref(), Some("help"), "{arguments:?}");
        }
        // Here it is a value.
        assert_eq!(settings(&["--name", "-h"]).unwrap().text("name"), "-h");
        assert!(settings(&["--nonsense", "-h"]).err().unwrap().contains("unknown flag"));
    }

    #[test]
    fn refusals_name_the_argument() {
        let cases: &[(&[&str], &str)] = &[
            (&["---name=a"], "\"---name=a\" is no flag"),
            (&["--=a"], "\"--=a\" is no flag"),
            (&["-=a"], "\"-=a\" is no flag"),
            (&["-"], "\"-\" is not a valid flag"),
            (&[""], "\"\" is not a valid flag"),
            (&["run"], "\"run\" is not a valid flag"),
            (&["--", "--name"], "\"--name\" is not a valid flag"),
            (&["gateway"], "use etcd's own binary"),
            (&["--name"], "\"--name\" needs a value"),
            (&["--nam=a"], "unknown flag --nam; did you mean --name?"),
            (&["--qqqq"], "unknown flag --qqqq"),
            (&["--max-txn-ops=many"], "--max-txn-ops=many is not a whole number"),
            (&["--max-concurrent-streams=4294967296"], "is above the largest value, 4294967295"),
            (&["--grpc-keepalive-interval=5"], "--grpc-keepalive-interval=5 is not a duration such as 300ms"),
            (&["--strict-reconfig-check=yes"], "--strict-reconfig-check=yes is neither true nor false"),
            (&["--listen-peer-urls=10.0.0.1:2380"], "--listen-peer-urls=10.0.0.1:2380 URL scheme must be http"),
        ];
        for (arguments, expected) in cases {
            let refusal = settings(arguments).err().unwrap_or_else(|| panic!("{arguments:?} was accepted"));
            assert!(refusal.contains(expected), "{arguments:?}: {refusal}");
        }
    }
}
