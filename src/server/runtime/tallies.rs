//! What an answered request adds to the member's counts.
//!
//! Counted where it is answered, once: etcd counts what each member applies, also on behalf of the others.

use crate::metrics::Metrics;
use campanile_core::response::{OperationResponse, Response};

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
