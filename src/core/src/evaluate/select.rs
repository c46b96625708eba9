//! The options of a range: which of the keys found are answered, in which order, and what is said of the rest.
//!
//! etcd's oddities are kept (`server/etcdserver/txn/range.go`): a target with the default order sorts, but only what the
//! limit let through; keys alone come without their lease, unless they are sorted by value. Keys that are equal in a
//! sort's target stay in key order, where etcd leaves the order open.

use crate::request::{Range, SortOrder, SortTarget};
use crate::response::RangeResponse;
use campanile_storage::ids::{LeaseId, Revision};
use campanile_storage::store::KeyValue;

/// Answers a range from its keys in key order. `count` says how many there are, and is asked only if that was not seen.
pub(super) fn select(
    range: &Range,
    revision: Revision,
    found: impl Iterator<Item = KeyValue>,
    count: impl FnOnce() -> u64,
) -> RangeResponse {
    if range.count_only {
        return RangeResponse { revision, key_values: Vec::new(), more: false, count: count() };
    }
    let (mut key_values, count) = match useful(range) {
        Some(useful) => {
            let key_values: Vec<_> = found.take(useful).collect();
            let count = if key_values.len() < useful { key_values.len() as u64 } else { count() };
            (key_values, count)
        }
        None => {
            let key_values: Vec<_> = found.collect();
            let count = key_values.len() as u64;
            (key_values, count)
        }
    };
    filter(&mut key_values, range);
    sort(&mut key_values, range);
    let more = range.limit > 0 && key_values.len() as u64 > range.limit;
    if more {
        key_values.truncate(usize::try_from(range.limit).expect("the limit is below a length"));
    }
    if range.keys_only {
        let keeps_lease = target(range).0 == SortTarget::Value;
        key_values.iter_mut().for_each(|key_value| *key_value = without_value(key_value, keeps_lease));
    }
    RangeResponse { revision, key_values, more, count }
}

/// How many keys of the range, in key order, can bear on the answer; `None` is all of them. One more than the limit: it
/// tells whether there are more.
pub(super) fn useful(range: &Range) -> Option<usize> {
    let (target, order) = target(range);
    let in_key_order = order == SortOrder::None || (target, order) == (SortTarget::Key, SortOrder::Ascend);
    if range.count_only {
        return Some(0);
    }
    let bounded = range.limit > 0 && in_key_order && !has_bounds(range);
    bounded.then(|| usize::try_from(range.limit.saturating_add(1)).unwrap_or(usize::MAX))
}

/// Whether the range is one plain look-up, with no option that could change its answer.
pub(super) fn is_plain(range: &Range) -> bool {
    range.keys.is_single() && !range.keys_only && !range.count_only && !has_bounds(range)
}

fn target(range: &Range) -> (SortTarget, SortOrder) {
    range.sort.unwrap_or((SortTarget::Key, SortOrder::None))
}

fn has_bounds(range: &Range) -> bool {
    let bounds = [range.mod_revision_min, range.mod_revision_max, range.create_revision_min, range.create_revision_max];
    bounds.iter().any(|bound| *bound != 0)
}

fn filter(key_values: &mut Vec<KeyValue>, range: &Range) {
    if !has_bounds(range) {
        return;
    }
    let within = |number: Revision, min: i64, max: i64| (min == 0 || number.0 >= min) && (max == 0 || number.0 <= max);
    key_values.retain(|key_value| {
        within(key_value.mod_revision(), range.mod_revision_min, range.mod_revision_max)
            && within(key_value.create_revision(), range.create_revision_min, range.create_revision_max)
    });
}

fn sort(key_values: &mut [KeyValue], range: &Range) {
    let (target, order) = target(range);
    let descending = match order {
        SortOrder::None if target == SortTarget::Key => return,
        SortOrder::None | SortOrder::Ascend => false,
        SortOrder::Descend => true,
    };
    let compare = |a: &KeyValue, b: &KeyValue| match target {
        SortTarget::Key => a.key().cmp(b.key()),
        SortTarget::Version => a.version().cmp(&b.version()),
        SortTarget::Create => a.create_revision().cmp(&b.create_revision()),
        SortTarget::Mod => a.mod_revision().cmp(&b.mod_revision()),
        SortTarget::Value => a.value().cmp(b.value()),
    };
    key_values.sort_by(|a, b| if descending { compare(b, a) } else { compare(a, b) });
}

fn without_value(key_value: &KeyValue, keeps_lease: bool) -> KeyValue {
    let lease = if keeps_lease { key_value.lease() } else { LeaseId::NONE };
    KeyValue::new(key_value.key(), b"", key_value.create_revision(), key_value.position(), key_value.version(), lease)
}
