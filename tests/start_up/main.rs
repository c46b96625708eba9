//! What a member finds when it starts, wrong in one way each: it refuses and says what to do, or mends it and loses nothing.
//!
//! Needs root for two tests (a file system of its own that is full), which are skipped without, but fail in continuous
//! integration. `CAMPANILE_SUBJECT` does not apply: the messages are Campanile's own.

mod arguments;
mod damage;
mod directory;
mod environment;
mod full_disk;
mod http;
mod outcome;
mod strangers;

use std::path::Path;

use campanile_api::etcdserverpb::PutRequest;
use campanile_test_support::{Client, Cluster, Options, Program};

const CAMPANILE: &str = env!("CARGO_BIN_EXE_campanile");

fn program() -> Program {
    Program::at(Path::new(CAMPANILE))
}

/// A single member with further flags.
async fn member(flags: &[String]) -> Cluster {
    Cluster::start(&program(), &Options { shards: 2, flags: flags.to_vec(), ..Options::default() }).await
}

/// Puts `key`; the revision if that was acknowledged.
async fn put(client: &Client, key: &str, value_bytes: usize) -> Option<i64> {
    let value = vec![b'v'; value_bytes].into();
    let put = PutRequest { key: key.to_owned().into(), value, ..Default::default() };
    client.kv().put(put).await.ok().map(|answer| answer.into_inner().header.expect("every answer has one").revision)
}
