//! The `ETCD_*` variables: one for each flag, in capitals and with underscores.
//!
//! A flag beats its variable, an empty variable is none, and an `ETCD_*` variable of no flag only earns a warning:
//! orchestrators put such into every container.

use std::collections::BTreeMap;
use std::ffi::OsString;

use crate::error::ConfigError;
use crate::flag::{Flag, Status};
use crate::nearest::nearest;
use crate::settings::{Origin, Settings, resolve};
use crate::table;
use crate::warning::Warning;

/// What all variables of ours begin with.
const PREFIX: &str = "ETCD_";

/// The variables that concern us, by name. Empty ones are left out, and what is not UTF-8 is replaced: such a value
/// cannot be one of ours, and is shown in the refusal.
pub(crate) fn collect(environment: impl Iterator<Item = (OsString, OsString)>) -> BTreeMap<String, String> {
    environment
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty())
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .collect()
}

/// Sets every flag that was not given and has a variable.
pub(crate) fn apply(mut variables: BTreeMap<String, String>, settings: &mut Settings) -> Result<(), ConfigError> {
    for flag in table::flags().filter(|flag| flag.status != Status::OutsideFiles) {
        let variable = flag.variable();
        let Some(value) = variables.remove(&variable) else { continue };
        let target = resolve(flag).name;
        if settings.is_given(target) {
            settings.warnings.push(Warning::ShadowedVariable { variable, flag: target });
        } else {
            settings.set(flag, &value, Origin::Environment)?;
        }
    }
    let known: Vec<String> = table::flags().filter(|flag| flag.is_worth_suggesting()).map(Flag::variable).collect();
    for variable in variables.into_keys() {
        // Without the prefix, which would make all of them alike.
        let suffixes = known.iter().filter_map(|name| name.strip_prefix(PREFIX));
        let nearest = variable.strip_prefix(PREFIX).and_then(|suffix| nearest(suffix, suffixes));
        let nearest = nearest.map(|suffix| format!("{PREFIX}{suffix}"));
        settings.warnings.push(Warning::UnknownVariable { variable, nearest });
    }
    Ok(())
}
