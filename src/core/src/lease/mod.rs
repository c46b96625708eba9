//! Leases: which live, and when the primary lets them run out.
//!
//! The control executor keeps a [`LeaseTable`]; every other executor keeps the [`LiveLeases`] alone, so that a put with a
//! lease asks nobody. Both change only by committed records. Deadlines are the primary's own and never logged: at the
//! opening of a reign every lease has its whole time again.

mod live;
mod table;

pub use live::LiveLeases;
pub use table::{EXPIRY_RETRY, LeaseTable, TTL_SECONDS_MAX, TimeToLive};
