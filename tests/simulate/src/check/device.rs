//! An error of the disk is answered as the design says: a member that cannot write its log stops, one that cannot start says
//! so and starts later, and one that cannot write or send a checkpoint goes on without it.

use super::{Violation, promise};
use crate::record::Counts;
use crate::record::points::Point;

const PROMISE: &str = "an error of the disk is answered as the design says";

/// What a member did whose disk failed at this point, and at no other.
///
/// # Errors
/// If it went on where it must stop, or the other way round.
pub fn check(point: &Point, counts: &Counts) -> Result<(), Violation> {
    let (refused, stopped) = (counts.of("start refused by the disk"), counts.of("member stopped by its disk"));
    let told = format!("{point:?} failed, {refused} starts were refused, and the member stopped {stopped} times");
    promise!(PROMISE, refused == u64::from(point.is_in_start()), "{told}");
    promise!(PROMISE, stopped <= 1 && (stopped == 0 || !point.is_in_start()), "{told}");
    promise!(PROMISE, stopped == 1 || !point.is_record(), "{told}");
    promise!(PROMISE, stopped == 0 || !point.is_of_checkpoint(), "{told}");
    Ok(())
}
