//! When the faults have stopped, the cluster comes back within a bound: everybody is served, all members show the same and
//! tell the same of each other, and nothing keeps running for ever.

use super::{Violation, promise};
use campanile_storage::ids::Revision;
use std::time::Duration;

const PROMISE: &str = "when the faults stop, everybody is served within a bound";

/// From the last fault to the moment when every member has answered.
pub const BOUND: Duration = Duration::from_secs(30);

/// Takes the members that still owe an answer, with what they were asked.
///
/// # Errors
/// If there is one.
pub fn nobody_waits(asked: &[(usize, String)]) -> Result<(), Violation> {
    let first = asked.first().map(|(member, request)| format!("member {member} was asked {request}"));
    promise!(PROMISE, asked.is_empty(), "{} are not answered in the end: {first:?}", asked.len());
    Ok(())
}

/// What a settled cluster looks like.
#[derive(Debug)]
pub struct Settled {
    /// Members that are up, with what each of their executors shows.
    pub visible: Vec<(usize, Revision)>,
    /// Requests that were asked of each member after the faults, and have no good answer.
    pub unserved: Vec<String>,
    /// Members that tell something else of one than this one says of itself.
    pub mistold: Vec<String>,
}

impl Settled {
    /// # Errors
    /// If somebody is not served, or stands elsewhere.
    pub fn check(&self) -> Result<(), Violation> {
        promise!(PROMISE, self.unserved.is_empty(), "after {BOUND:?} without faults: {:?}", self.unserved);
        let same = self.visible.windows(2).all(|pair| pair[0].1 == pair[1].1);
        promise!(PROMISE, same, "members stand at {:?}", self.visible);
        promise!(PROMISE, self.mistold.is_empty(), "what members announced of themselves: {:?}", self.mistold);
        Ok(())
    }

    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.check().is_ok()
    }
}
