//! What an operation does, exactly as etcd has it: pure functions from an operation and a view of the keyspace to an
//! answer and the changes to be logged.
//!
//! A request passes three steps. [`validate`] refuses what is wrong whatever the state. [`prepare`] computes every
//! comparison up-front, finds the branches taken, and refuses what the state forbids; it knows then whether the operation
//! writes, so that a revision is taken for those alone, and no longer fails. [`Prepared::run`] performs it.
//! [`evaluate`] is the last two at once.
//!
//! One shard or many makes no difference here: a transaction over several shards is evaluated over [`Gathered`], the
//! answers of its participants to what it [`needs`].
//!
//! | file | what |
//! | --- | --- |
//! | `validate` | checks that need no state |
//! | `view` | what evaluation reads |
//! | `prepare` | comparisons, branches, checks against the state |
//! | `run`, `overlay` | the effects; later operations of a transaction see the earlier ones' |
//! | `select` | the options of a range: bounds, order, limit, count |
//! | `needs`, `gathered` | transactions and reads over several shards |
//! | `sliced`, `changes` | the former in slices, their changes dealt out |

mod changes;
mod gathered;
mod needs;
mod overlay;
mod prepare;
mod run;
mod select;
mod sliced;
mod validate;
mod view;

#[cfg(test)]
mod tests;

pub use changes::{Changes, Dealt};
pub use gathered::Gathered;
pub use needs::{Found, Need, Needs, find, find_attached, needs, shards_of, sole_shard};
pub use prepare::{Prepared, prepare};
pub use sliced::Evaluation;
pub use validate::{Limits, validate};
pub use view::{Compacted, Leases, View};

use crate::clock::Change;
use crate::error::UserError;
use crate::request::Operation;
use crate::response::OperationResponse;
use campanile_storage::ids::Revision;

/// What an operation came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// To be written and logged at the revision taken; none if the operation turned out to change nothing. Their
    /// sub-revisions count from 0, in order.
    pub changes: Vec<Change>,
    pub response: OperationResponse,
}

/// Evaluates an operation that passed [`validate`]. `next` is the revision that its changes get, if it makes any; the
/// newest state is that of the revision before.
///
/// # Errors
/// What the state forbids: a key or lease that is not there, a revision that is compacted or in the future.
pub fn evaluate(
    operation: &Operation,
    view: &impl View,
    leases: &impl Leases,
    next: Revision,
) -> Result<Evaluated, UserError> {
    let newest = Revision(next.0 - 1);
    Ok(prepare(operation, view, leases, newest)?.run(view, newest))
}
