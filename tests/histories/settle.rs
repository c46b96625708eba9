//! The faults stop. Within a bound every member writes and reads, all have the same hash at the same revision, and every
//! watch has brought everything.

use std::time::{Duration, Instant};

use bytes::Bytes;
use campanile_core::{
    request::{KeyRange, Operation, Put, Range, RangeEnd, Request},
    response::Response,
};
use campanile_simulate::{
    check::{Violation, progress::BOUND},
    record::CallId,
};
use campanile_storage::ids::{LeaseId, Revision};
use campanile_test_support::Client as Connection;
use tokio::time::{sleep, timeout};

use crate::{
    record::Recorder,
    stage::Stage,
    wire::{self, Heard},
};

const PROMISE: &str = "when the faults stop, everybody is served within a bound";
const SAME: &str = "members have the same state at the same revision";
const ATTEMPT: Duration = Duration::from_secs(2);
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Ends all faults, and waits until every member serves.
///
/// # Errors
/// If the bound passes, or a member stops.
pub async fn settle(stage: &mut Stage, recorder: &Recorder) -> Result<(), Violation> {
    stage.calm();
    let until = Instant::now() + BOUND;
    let connections: Vec<Connection> = stage.addresses().iter().map(|address| Connection::new(address)).collect();
    for (member, connection) in connections.iter().enumerate() {
        for request in [put(member), everything()] {
            serve(stage, recorder, until, (member, connection), &request).await?;
        }
    }
    Ok(())
}

/// Asks every member for the hash at one revision, until all have compacted the same.
///
/// # Errors
/// If two hashes differ then, or one does not come.
pub async fn compare_hashes(stage: &mut Stage, recorder: &Recorder, at: Revision) -> Result<(), Violation> {
    let until = Instant::now() + BOUND;
    let connections: Vec<Connection> = stage.addresses().iter().map(|address| Connection::new(address)).collect();
    loop {
        let mut hashes = Vec::new();
        for (member, connection) in connections.iter().enumerate() {
            let answer = serve(stage, recorder, until, (member, connection), &Request::HashKv { at }).await?;
            if let Response::HashKv(told) = answer {
                hashes.push((told.hash_revision, told.compacted, told.hash));
            }
        }
        if hashes.windows(2).all(|pair| pair[0] == pair[1]) {
            return Ok(());
        }
        let same_history = hashes.windows(2).all(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1));
        if same_history || Instant::now() >= until {
            return Err(Violation::new(SAME, format!("(revision, compacted, hash) are {hashes:?}")));
        }
        sleep(RETRY_INTERVAL).await;
    }
}

/// Asks one member until it has a good answer.
async fn serve(
    stage: &mut Stage,
    recorder: &Recorder,
    until: Instant,
    (member, connection): (usize, &Connection),
    request: &Request,
) -> Result<Response, Violation> {
    loop {
        stage.look()?;
        let call: CallId = recorder.ask(request.clone(), member);
        let heard = timeout(ATTEMPT, wire::ask(connection, request)).await.unwrap_or(Heard::Nothing);
        recorder.hear(call, &heard);
        if let Heard::Answer(Ok(response)) = heard {
            return Ok(response);
        }
        if Instant::now() >= until {
            let what = format!("after {BOUND:?} without faults member {member} says {heard:?} to {request:?}");
            return Err(Violation::new(PROMISE, what));
        }
        sleep(RETRY_INTERVAL).await;
    }
}

fn put(member: usize) -> Request {
    Request::Operation(Operation::Put(Put {
        key: format!("key-{member:02}").into(),
        value: "settled".into(),
        lease: LeaseId::NONE,
        previous: false,
        ignore_value: false,
        ignore_lease: false,
    }))
}

fn everything() -> Request {
    Request::Operation(Operation::Range(Range {
        keys: KeyRange { start: Bytes::from_static(b"\0"), end: RangeEnd::Unbounded },
        at: None,
        limit: 0,
        sort: None,
        serializable: false,
        keys_only: false,
        count_only: false,
        mod_revision_min: 0,
        mod_revision_max: 0,
        create_revision_min: 0,
        create_revision_max: 0,
    }))
}
