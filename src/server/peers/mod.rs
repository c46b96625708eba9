//! How members of one cluster talk.
//!
//! Each executor keeps a connection of its own to each remote, and says what it has to say on it: Raft messages, and
//! clients' requests that only the primary can answer. The other direction of the connection carries answers and pongs
//! alone; what the remote has to say comes on connections that it opened. So what an executor sends to a member keeps its
//! order, within its class.
//!
//! What is guaranteed:
//! - Nothing is taken from, or given to, anybody but the member that it is for: both sides say who they are first.
//! - A message comes whole, once at most, behind those of its class that left before it. It may be lost.
//! - A request that is sent on is answered once; one that may have left is never sent again.
//! - Every queue is bounded; nothing here ever waits for a remote. What is small goes ahead of what is large.
//!
//! What is never done: looking into a message (but for its class), routing it, or repeating it.
//!
//! | file | what |
//! | --- | --- |
//! | `bounds` | every bound |
//! | `frame`, `handshake` | the format on the wire, version 1 |
//! | `dial` | from a URL to a connection |
//! | `remote` | one remote: queue, reconnect, ping |
//! | `relay` | requests sent on, and their answers |
//! | `serve` | connections that other members opened |
//! | `outbox`, `stream` | what waits for a socket; frames out of it and into it |
//! | `backoff`, `complaints`, `meter` | when to try again, what to log, what to count |

mod backoff;
mod bounds;
mod complaints;
mod dial;
mod frame;
mod handshake;
mod meter;
mod outbox;
mod relay;
mod remote;
mod serve;
mod stream;
#[cfg(test)]
mod tests;

use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use campanile_config::Url;
use campanile_core::peer::PeerMessage;
use campanile_storage::ids::MemberId;
use glommio::Task;
use glommio::timer::Timer;

use crate::metrics::Metrics;

pub use complaints::Complaints;
pub use relay::{RelayError, RelayRequest, RelayStatus};
pub use serve::{Acceptor, Answer, Incoming, serve_peer};

use remote::Connection;

/// This member, as it introduces itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub cluster_id: u64,
    pub member: MemberId,
}

/// Another member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    pub id: MemberId,
    /// Its peer URLs, at least one: each attempt takes the next.
    pub urls: Vec<Url>,
}

/// What the operator and the process say.
#[derive(Clone)]
pub struct Options {
    /// How often a remote is pinged.
    pub heartbeat: Duration,
    /// A connection is given up when a ping has had no answer for so long. Raft elects another leader after one election
    /// timeout; a little more than that tells its clients soon, and forgives a busy remote.
    pub silence_max: Duration,
    /// Of the pauses between attempts.
    pub seed: u64,
    pub metrics: Rc<Metrics>,
    /// The same for all executors, so that each cause is logged once.
    pub complaints: Complaints,
}

/// One executor's connections to all remotes. Dropping it closes them, and answers what waits.
pub struct Peers {
    connections: Vec<Rc<Connection>>,
    /// They end when they are dropped.
    _tasks: Vec<Task<()>>,
}

impl Peers {
    /// Connections are opened when there is something to say. To be called on the executor that uses them.
    #[must_use]
    pub fn new(identity: Identity, remotes: Vec<Remote>, options: &Options) -> Rc<Peers> {
        let connections: Vec<Rc<Connection>> =
            remotes.into_iter().map(|remote| Connection::new(identity, remote, options)).collect();
        Rc::new_cyclic(|peers: &Weak<Peers>| {
            let run = |connection: &Rc<Connection>| glommio::spawn_local(Rc::clone(connection).run());
            let mut tasks: Vec<Task<()>> = connections.iter().map(run).collect();
            tasks.push(glommio::spawn_local(tick(Weak::clone(peers), options.heartbeat)));
            Peers { connections, _tasks: tasks }
        })
    }

    /// Sends a message, unless the remote's queue is full: then it is lost, and counted. Never waits.
    pub fn send(&self, to: MemberId, message: &PeerMessage) {
        if let Some(connection) = self.connection(to) {
            connection.send(message);
        }
    }

    /// Sends a client's request on, once. `done` is called exactly once, with the response or with what is known of the
    /// request's fate; at once, if it is sure not to be sent.
    pub fn relay(&self, to: MemberId, request: RelayRequest, done: impl FnOnce(Result<Bytes, RelayError>) + 'static) {
        match self.connection(to) {
            Some(connection) => connection.relay(&request, Box::new(done)),
            None => done(Err(RelayError::NotSent)),
        }
    }

    /// None for who is no remote: a message may still be meant for a member that has left.
    fn connection(&self, id: MemberId) -> Option<&Rc<Connection>> {
        self.connections.iter().find(|connection| connection.remote() == id)
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.connections.iter().for_each(|connection| connection.abandon());
    }
}

/// Ticks every connection, as long as there are peers.
async fn tick(peers: Weak<Peers>, heartbeat: Duration) {
    loop {
        Timer::new(heartbeat).await;
        let Some(peers) = peers.upgrade() else { return };
        let now = Instant::now();
        peers.connections.iter().for_each(|connection| connection.tick(now));
    }
}
