//! One clock over many logs: what decides which revision a fragment has, whether it is valid, and how far the member may
//! show. The rules are those of "One clock, many logs" in ARCHITECTURE.md; each file states the ones that it keeps.

pub mod batch;
pub mod counter;
pub mod epoch;
pub mod fences;
pub mod fragment;
pub mod opens;
pub mod reign;

pub use counter::Counter;
pub use epoch::Epoch;
pub use fences::Fence;
pub use fragment::{Change, Fragment};
pub use opens::Opens;
pub use reign::{AtomicReign, Reign};
