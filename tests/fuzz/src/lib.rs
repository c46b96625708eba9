//! What is fuzzed: a function for each decoder, which takes bytes from anywhere and must come back.
//!
//! libFuzzer drives them (`libfuzzer/`, with cargo-fuzz); `cargo test` replays the inputs that are kept in `corpus/`, those of
//! real traffic and those that found something. A function panics where a promise is broken: what decodes must encode to
//! what decodes to the same, damage is refused and not misread, and nobody allocates for a length that is not there.

mod checkpoint;
mod config;
mod connection;
mod disk;
mod log_entry;
mod log_record;
mod log_recovery;
mod peer_frame;
mod request;

/// A target: its name, which is its corpus's too, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("checkpoint", checkpoint::run),
    ("config", config::run),
    ("connection", connection::run),
    ("log_entry", log_entry::run),
    ("log_record", log_record::run),
    ("log_recovery", log_recovery::run),
    ("peer_frame", peer_frame::run),
    ("request", request::run),
];

/// Runs the target of this name.
///
/// # Panics
/// If there is none, and if the input breaks a promise.
pub fn run(name: &str, input: &[u8]) {
    let (_, run) = TARGETS.iter().find(|(target, _)| *target == name).expect("the target is one of the list");
    run(input);
}
