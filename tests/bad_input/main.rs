//! Bad input from clients, against the real server: etcd's own answer, or a clear one; nothing is lost, stuck or unbounded.
//!
//! Where real etcd has an answer, etcd 3.5.1 is asked the same and must say the same.
//!
//! | variable | meaning | default | campaign |
//! | --- | --- | --- | --- |
//! | `CAMPANILE_IDLE_CONNECTIONS` | connections that lie idle at once | 10000 | |
//! | `CAMPANILE_SLOW_READER_MIB` | MiB of answers and events past clients that do not read | 128 | 1024 |
//! | `CAMPANILE_SUBJECT` | puts another program in Campanile's place | | |

mod connections;
mod floods;
mod frames;
mod requests;
mod slow_readers;
mod stopping;

use campanile_test_support::{Cluster, Options, Program, tools};

fn subject() -> Program {
    Program::subject(env!("CARGO_BIN_EXE_campanile"))
}

/// A single member of Campanile's.
async fn campanile(flags: &[&str]) -> Cluster {
    start(&subject(), flags).await
}

/// Real etcd beside it, if it is there.
async fn etcd(flags: &[&str]) -> Option<Cluster> {
    let tool = tools::judge()?;
    Some(start(&Program::at(&tool.path), flags).await)
}

async fn start(program: &Program, flags: &[&str]) -> Cluster {
    let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
    Cluster::start(program, &Options { shards: 2, flags, ..Options::default() }).await
}
