//! A failing history stays as files: what was planned, asked, told and watched, and what the members printed.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{course::Ran, plan::Plan};

/// Writes everything into a folder for this seed. Returns it.
///
/// # Errors
/// Those of the file system.
pub fn keep(plan: &Plan, ran: &Ran, verdict: &str) -> io::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("history-{}", plan.seed));
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("history.txt"), text(plan, ran, verdict))?;
    for (name, log) in &ran.logs {
        fs::write(folder.join(name), log)?;
    }
    Ok(folder)
}

fn text(plan: &Plan, ran: &Ran, verdict: &str) -> String {
    let mut text = format!("seed {}\n{verdict}\n{:?}\n", plan.seed, plan.shape);
    for strike in &plan.strikes {
        let _ = writeln!(text, "{strike}");
    }
    let _ = writeln!(text, "{} requests, {} faults\n{}", ran.operations, ran.faults, ran.counts);
    let Ok(recorded) = &ran.recorded else { return text };
    for (number, call) in recorded.book.calls.list.iter().enumerate() {
        let _ = writeln!(text, "{number} {call:?}");
    }
    for (member, watches) in recorded.collectors.iter().enumerate() {
        for watch in watches {
            let _ = writeln!(text, "collector {member} {watch:?}");
        }
    }
    for watch in &recorded.watches {
        let _ = writeln!(text, "watch {watch:?}");
    }
    text
}
