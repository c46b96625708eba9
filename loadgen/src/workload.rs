//! What is asked of the server: which operations, on which keys, with which values. All of it follows from the seed.

pub mod keys;
pub mod known;
pub mod operation;
pub mod source;
pub mod values;
