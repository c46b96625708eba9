//! Counts how often a run reached each corner, so that a generator that misses one is found out.

mod names;

use std::{collections::BTreeMap, fmt};

use names::{compare_name, depth_name, sort_name};

use campanile_api::{
    etcdserverpb::{
        Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest, WatchCreateRequest,
        compare::{CompareTarget, TargetUnion},
        range_request::{SortOrder, SortTarget},
        request_op::Request,
        watch_create_request::FilterType,
    },
    mvccpb::Event,
};

use crate::{answer::Answer, generate, horizon::Horizon, operation::Operation};

/// How often each corner was reached.
#[derive(Debug)]
pub struct Corners(BTreeMap<String, u64>);

impl Default for Corners {
    fn default() -> Self {
        Self(names::all().into_iter().map(|name| (name, 0)).collect())
    }
}

impl Corners {
    /// The corners that no operation reached.
    pub fn missed(&self) -> Vec<&str> {
        self.0.iter().filter(|(_, count)| **count == 0).map(|(name, _)| name.as_str()).collect()
    }

    fn hit(&mut self, name: &str) {
        *self.0.get_mut(name).unwrap_or_else(|| panic!("no such corner: {name}")) += 1;
    }

    fn hit_if(&mut self, condition: bool, name: &str) {
        if condition {
            self.hit(name);
        }
    }

    /// Counts an operation by itself and by the answer that was agreed on.
    pub fn observe(&mut self, operation: &Operation, answer: &Answer, horizon: &Horizon) {
        if let Answer::Failed { message, .. } = answer {
            // An unexpected error is compared like any other; only the known ones must all occur.
            let name = format!("error: {message}");
            if let Some(count) = self.0.get_mut(&name) {
                *count += 1;
            }
        }
        match operation {
            Operation::Range(request) => {
                self.range(request, horizon);
                let is_long = matches!(answer, Answer::Range(answer) if answer.kvs.len() > 12);
                self.hit_if(is_long && request.sort_target != 0, "range: more than 12 sorted");
            }
            Operation::Put(request) => self.put(request),
            Operation::Delete(request) => self.delete(request),
            Operation::Txn(request) => self.txn(request, 1, horizon),
            Operation::Compact(request) => {
                let succeeded = matches!(answer, Answer::Compact(_));
                self.hit_if(succeeded, if request.physical { "compact: physical" } else { "compact: logical" });
            }
            Operation::HashKv(request) if matches!(answer, Answer::HashKv(_)) => {
                self.hit(if request.revision == 0 { "hash: newest" } else { "hash: of the past" });
            }
            Operation::Grant(request) => self.hit_if(generate::SHORT_LIVED.contains(&request.id), "lease: short"),
            Operation::Leases => self.hit("lease: list"),
            Operation::Watch { request, .. } => self.watch(request, answer, horizon),
            Operation::CancelWatch { .. } => self.hit("watch: cancelled"),
            _ => {}
        }
        self.answered(answer, horizon);
    }

    fn answered(&mut self, answer: &Answer, horizon: &Horizon) {
        match answer {
            Answer::Range(answer) => self.hit_if(answer.more, "range: limit reached"),
            Answer::Delete(answer) => {
                self.hit_if(answer.deleted == 0, "delete: of nothing");
                self.hit_if(answer.deleted > 1, "delete: several keys");
            }
            Answer::Put(answer) => {
                self.hit_if(answer.prev_kv.as_ref().is_some_and(|kv| kv.lease != 0), "put: over one with a lease");
            }
            Answer::Txn(answer) => {
                self.hit(if answer.succeeded { "txn: success branch" } else { "txn: failure branch" });
                let revision = answer.header.as_ref().map_or(0, |header| header.revision);
                self.hit_if(revision == horizon.revision, "txn: without write");
            }
            Answer::Revoke(answer) => {
                let revision = answer.header.as_ref().map_or(0, |header| header.revision);
                let with_keys = revision > horizon.revision;
                self.hit(if with_keys { "lease: revoked with keys" } else { "lease: revoked without keys" });
            }
            Answer::TimeToLive(answer) => {
                self.hit(if answer.ttl > 0 { "lease: alive" } else { "lease: missing" });
                self.hit_if(!answer.keys.is_empty(), "lease: keys of");
            }
            Answer::KeepAlive(answer) => {
                self.hit(if answer.ttl > 0 { "lease: kept alive" } else { "lease: missing, kept alive" });
            }
            _ => {}
        }
    }

    fn range(&mut self, request: &RangeRequest, horizon: &Horizon) {
        self.range_shape(&request.key, &request.range_end);
        self.hit_if(request.limit > 0, "range: limit");
        self.hit_if(request.serializable, "range: serializable");
        self.hit_if(request.keys_only, "range: keys_only");
        self.hit_if(request.count_only, "range: count_only");
        self.hit_if(request.min_mod_revision > 0, "range: min mod revision");
        self.hit_if(request.max_mod_revision > 0, "range: max mod revision");
        self.hit_if(request.min_create_revision > 0, "range: min create revision");
        self.hit_if(request.max_create_revision > 0, "range: max create revision");
        self.hit_if(request.revision < 0, "range: revision below zero");
        self.hit_if((horizon.compacted.max(1)..horizon.revision).contains(&request.revision), "range: of the past");
        let is_sort =
            SortTarget::try_from(request.sort_target).is_ok() && SortOrder::try_from(request.sort_order).is_ok();
        if is_sort && !request.range_end.is_empty() {
            self.hit(&sort_name(request.sort_target, request.sort_order));
        }
    }

    fn range_shape(&mut self, key: &[u8], end: &[u8]) {
        let is_prefix = || key.len() == end.len() && key[..key.len() - 1] == end[..end.len() - 1];
        self.hit(match (key, end) {
            (_, b"") => "range: single key",
            (b"\0", b"\0") => "range: of everything",
            (_, b"\0") => "range: from key",
            (key, end) if key >= end => "range: empty or inverted",
            (key, _) if !key.is_empty() && is_prefix() => "range: prefix",
            _ => "range: ordinary",
        });
    }

    fn put(&mut self, request: &PutRequest) {
        self.hit_if(request.prev_kv, "put: prev_kv");
        self.hit_if(request.ignore_value, "put: ignore_value");
        self.hit_if(request.ignore_lease, "put: ignore_lease");
        self.hit_if(request.lease != 0, "put: lease");
        self.hit_if(request.value.is_empty() && !request.ignore_value, "put: empty value");
        self.hit_if(request.value.len() > 1000, "put: large value");
    }

    fn delete(&mut self, request: &DeleteRangeRequest) {
        self.range_shape(&request.key, &request.range_end);
        self.hit_if(request.prev_kv, "delete: prev_kv");
    }

    fn txn(&mut self, request: &TxnRequest, depth: usize, horizon: &Horizon) {
        self.hit(&depth_name(depth));
        self.hit_if(request.success.is_empty() && request.failure.is_empty(), "txn: empty");
        request.compare.iter().for_each(|compare| self.compare(compare));
        for RequestOp { request } in request.success.iter().chain(&request.failure) {
            match request {
                Some(Request::RequestRange(request)) => self.range(request, horizon),
                Some(Request::RequestPut(request)) => self.put(request),
                Some(Request::RequestDeleteRange(request)) => self.delete(request),
                Some(Request::RequestTxn(request)) => self.txn(request, depth + 1, horizon),
                None => {}
            }
        }
    }

    fn compare(&mut self, compare: &Compare) {
        self.hit(&compare_name(compare.target, compare.result, !compare.range_end.is_empty()));
        let fits = matches!(
            (CompareTarget::try_from(compare.target), &compare.target_union),
            (Ok(CompareTarget::Version), Some(TargetUnion::Version(_)))
                | (Ok(CompareTarget::Create), Some(TargetUnion::CreateRevision(_)))
                | (Ok(CompareTarget::Mod), Some(TargetUnion::ModRevision(_)))
                | (Ok(CompareTarget::Value), Some(TargetUnion::Value(_)))
                | (Ok(CompareTarget::Lease), Some(TargetUnion::Lease(_)))
        );
        self.hit_if(!fits, "txn: value of another kind than the target");
    }

    fn watch(&mut self, request: &WatchCreateRequest, answer: &Answer, horizon: &Horizon) {
        let Answer::Watch(answer) = answer else { return };
        if answer.canceled {
            let doomed = !answer.created;
            self.hit(match answer.cancel_reason.as_str() {
                _ if doomed => "watch: doomed by compaction",
                _ if request.start_revision < 0 => "watch: refused revision",
                reason if reason.contains("duplicate") => "watch: duplicate id",
                _ => "watch: empty range",
            });
            return;
        }
        self.hit(match request.start_revision {
            0 => "watch: from now",
            start if start <= horizon.revision => "watch: from history",
            _ => "watch: from the future",
        });
        self.hit_if(request.watch_id != 0, "watch: given id");
        self.hit_if(request.fragment, "watch: fragment");
        self.hit_if(request.prev_kv, "watch: prev_kv");
        self.hit_if(!request.range_end.is_empty(), "watch: range");
        self.hit_if(request.filters.contains(&(FilterType::Noput as i32)), "watch: no puts");
        self.hit_if(request.filters.contains(&(FilterType::Nodelete as i32)), "watch: no deletions");
    }

    /// Counts what a watcher received.
    pub fn events(&mut self, events: &[Event]) {
        self.hit_if(events.iter().any(|event| event.r#type != 0), "watch: deletions received");
        self.hit_if(events.iter().any(|event| event.prev_kv.is_some()), "watch: prev_kv received");
    }

    /// Counts a request for progress.
    pub fn progress(&mut self, is_due: bool) {
        self.hit(if is_due { "progress: due" } else { "progress: not due" });
    }

    /// Counts answers to watchers that said that more follows.
    pub fn fragments(&mut self, fragments: u64) {
        self.hit_if(fragments > 0, "watch: fragments received");
    }
}

impl fmt::Display for Corners {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, count)| writeln!(formatter, "{count:>8}  {name}"))
    }
}
