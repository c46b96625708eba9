//! What an answered request adds to the member's counts.
//!
//! Counted where it is answered, once: etcd counts what each member applies, also on behalf of the others.

use crate::metrics::Metrics;
use campanile_core::error::UserError;
use campanile_core::request::Request;
use campanile_core::response::{OperationResponse, Response};
use std::time::Duration;

/// Counts a request that was answered so.
pub fn count(metrics: &Metrics, response: &Response) {
    match response {
        Response::Operation(response) => count_operation(metrics, response),
        Response::LeaseGrant { .. } => metrics.leases_granted.increment(),
        Response::LeaseRevoke { .. } => metrics.leases_revoked.increment(),
        Response::LeaseKeepAlive { ttl_seconds, .. } if *ttl_seconds > 0 => metrics.leases_renewed.increment(),
        _ => {}
    }
}

/// What a request is to those who count its failures.
#[derive(Clone, Copy, Debug)]
pub enum Class {
    /// It is written to a log.
    Proposal,
    /// The primary confirms that it still is, and then it reads.
    ConfirmedRead,
    Other,
}

impl Class {
    #[must_use]
    pub fn of(request: &Request) -> Class {
        match request {
            Request::Operation(operation) if !operation.is_read_only() => Class::Proposal,
            Request::Operation(operation) if !operation.is_serializable() => Class::ConfirmedRead,
            Request::Compact { .. } | Request::LeaseGrant { .. } | Request::LeaseRevoke { .. } => Class::Proposal,
            _ => Class::Other,
        }
    }
}

/// Counts a request that the cluster failed to serve in time.
pub fn count_failure(metrics: &Metrics, class: Class, error: &UserError) {
    let is_of_the_cluster = matches!(
        error,
        UserError::Timeout
            | UserError::TimeoutDueToLeaderFailure
            | UserError::TimeoutDueToConnectionLost
            | UserError::TimeoutWaitingForAppliedIndex
            | UserError::LeaderChanged
            | UserError::NoLeader
            | UserError::Stopped
    );
    match class {
        Class::Proposal if is_of_the_cluster => metrics.proposals_failed.increment(),
        Class::ConfirmedRead if is_of_the_cluster => metrics.failed_read_indexes.increment(),
        _ => {}
    }
}

/// Counts a read whose confirmation took as long as etcd's leader waits before it asks again.
pub fn count_slow(metrics: &Metrics, class: Class, took: Duration) {
    if matches!(class, Class::ConfirmedRead) && took > SLOW_READ {
        metrics.slow_read_indexes.increment();
    }
}

const SLOW_READ: Duration = Duration::from_millis(500);

/// As in etcd a transaction is what does not come to exactly one operation.
fn count_operation(metrics: &Metrics, response: &OperationResponse) {
    let operations = count_operations(metrics, response);
    if operations != 1 {
        metrics.transactions.increment();
    }
}

fn count_operations(metrics: &Metrics, response: &OperationResponse) -> usize {
    match response {
        OperationResponse::Range(_) => metrics.ranges.increment(),
        OperationResponse::Put(_) => metrics.puts.increment(),
        OperationResponse::DeleteRange(_) => metrics.deletes.increment(),
        OperationResponse::Txn(txn) => return txn.responses.iter().map(|step| count_operations(metrics, step)).sum(),
    }
    1
}
