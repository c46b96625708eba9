//! From arguments and environment to what the process is to do.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::arguments::{self, Arguments};
use crate::config::Config;
use crate::environment;
use crate::error::ConfigError;
use crate::file;
use crate::settings::Settings;
use crate::warning::Warning;

/// What the process is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run a member, and log the warnings first.
    Run { config: Box<Config>, warnings: Vec<Warning> },
    /// Print [`crate::version`] and exit.
    PrintVersion,
    /// Print [`crate::help`] and exit.
    PrintHelp,
}

impl Command {
    /// Reads the arguments (without the program's name), the environment, and the file that either of them names.
    ///
    /// # Errors
    /// If anything in them cannot be honoured; see [`ConfigError`].
    pub fn parse(
        arguments: impl IntoIterator<Item = OsString>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Command, ConfigError> {
        let mut settings = match arguments::parse(arguments.into_iter())? {
            Arguments::Help => return Ok(Command::PrintHelp),
            Arguments::Settings(settings) => settings,
        };
        if settings.boolean("version") {
            return Ok(Command::PrintVersion);
        }
        let mut variables = environment::collect(environment.into_iter());
        let file_variable = variables.remove("ETCD_CONFIG_FILE");
        let file = Some(settings.text("config-file")).filter(|path| !path.is_empty()).or(file_variable);
        if let Some(path) = file {
            let path = PathBuf::from(path);
            let flags = settings.given_besides("config-file").map(|flag| format!("--{flag}"));
            let ignored: Vec<String> = flags.chain(variables.into_keys()).collect();
            settings = Settings::default();
            if !ignored.is_empty() {
                settings.warnings.push(Warning::IgnoredBesideFile { path: path.clone(), ignored });
            }
            file::read(&path, &mut settings)?;
        } else {
            environment::apply(variables, &mut settings)?;
        }
        settings.check_status()?;
        let config = Box::new(Config::from_settings(&mut settings)?);
        Ok(Command::Run { config, warnings: settings.warnings })
    }
}
