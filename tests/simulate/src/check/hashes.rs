//! Members have the same state at the same revision: every answer to HashKV is the one that the history has.

use super::reference::Reference;
use super::{Violation, promise};
use crate::record::calls::Call;
use crate::record::history::History;
use campanile_core::response::Response;
use campanile_storage::ids::Revision;
use campanile_storage::store::HashMerge;

const PROMISE: &str = "members have the same state at the same revision";

/// # Errors
/// The first hash that differs.
pub fn check(history: &History, calls: &[Call]) -> Result<(), Violation> {
    let reference = Reference::of(history);
    for call in calls {
        let Some(Response::HashKv(told)) = call.response() else { continue };
        promise!(
            PROMISE,
            told.hash_revision <= history.newest(),
            "member {} hashes at {}, the history ends at {}",
            call.member,
            told.hash_revision,
            history.newest()
        );
        let expected = hash(&reference, told.hash_revision, told.compacted);
        promise!(
            PROMISE,
            told.hash == expected,
            "member {} has hash {:x} at {} compacted at {}, the history has {expected:x}",
            call.member,
            told.hash,
            told.hash_revision,
            told.compacted
        );
    }
    Ok(())
}

fn hash(reference: &Reference, at: Revision, compacted: Revision) -> u32 {
    let mut merge = HashMerge::new(1);
    merge.push(0, reference.store.hash_entries(at, compacted, None), true);
    merge.finish()
}
