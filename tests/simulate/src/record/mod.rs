//! What is written down of a run: by the clients (what they asked and were told), by the logs (what was written and
//! committed), and by the run itself (its trace, and how often each thing happened).
//!
//! | file | who | what |
//! | --- | --- | --- |
//! | `calls` | clients | requests with their answers |
//! | `watching` | clients | watches with everything that came |
//! | `ledger` | logs | every entry that anybody wrote, and which are committed |
//! | `history` | logs | what these say: the keyspace's history, leases and compactions |
//! | `trace` | the run | a hash over all that happened, and its text for a replay |
//! | `points` | the run | where an operation of a disk stands in a member's life |
//! | `situations` | the run | what the traces of the design are about |
//! | `counts` | the run | how often each option, fault and error was reached |

pub mod calls;
pub mod counts;
pub mod history;
pub mod ledger;
pub mod points;
pub mod situations;
pub mod trace;
pub mod watching;

pub use calls::{Call, CallId, Calls};
pub use counts::Counts;
pub use history::History;
pub use ledger::Ledger;
pub use trace::Trace;
