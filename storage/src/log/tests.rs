//! Crash campaigns over the whole log, and what recovery says of damage.
