//! One of the two servers that are compared, with the connections to it.

use campanile_api::etcdserverpb::{LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseLeasesRequest};
use campanile_test_support::{Client, Cluster, Kind, Options, Program};
use tonic::Status;

use crate::{
    answer::Answer,
    operation::{Operation, STREAMS},
    stream::Stream,
};

/// Small, so that a run reaches it: requests beyond are refused, watch answers beyond this and 512 KiB come in fragments.
const MAX_REQUEST_BYTES: usize = 16 << 10;

/// A running server.
#[derive(Debug)]
pub struct Side {
    pub kind: Kind,
    client: Client,
    pub streams: Vec<Stream>,
    /// Ends the process when it goes.
    _cluster: Cluster,
}

impl Side {
    /// One member with this many shards, if it has shards.
    pub async fn start(program: &Program, shards: usize) -> Self {
        let mut flags = vec![format!("--max-request-bytes={MAX_REQUEST_BYTES}")];
        if let Kind::Etcd(..) = program.kind {
            // Here a judge's word counts, not its durability; it would be the slower side.
            flags.push("--unsafe-no-fsync".to_owned());
            flags.push("--log-level=error".to_owned());
        }
        let cluster = Cluster::start(program, &Options { shards, flags, ..Options::default() }).await;
        let client = cluster.client(0);
        let streams = (0..STREAMS).map(|_| Stream::open(&client)).collect();
        Self { kind: program.kind, client, streams, _cluster: cluster }
    }

    /// A further watch stream, outside those of the generated watchers.
    pub fn open_stream(&self) -> Stream {
        Stream::open(&self.client)
    }

    /// Sends a unary operation. Watches and settling are the run's own business.
    pub async fn perform(&self, operation: &Operation) -> Answer {
        self.ask(operation).await.unwrap_or_else(Answer::from)
    }

    async fn ask(&self, operation: &Operation) -> Result<Answer, Status> {
        let (mut kv, mut lease) = (self.client.kv(), self.client.lease());
        Ok(match operation.clone() {
            Operation::Range(request) => Answer::Range(kv.range(request).await?.into_inner()),
            Operation::Put(request) => Answer::Put(kv.put(request).await?.into_inner()),
            Operation::Delete(request) => Answer::Delete(kv.delete_range(request).await?.into_inner()),
            Operation::Txn(request) => Answer::Txn(kv.txn(request).await?.into_inner()),
            Operation::Compact(request) => Answer::Compact(kv.compact(request).await?.into_inner()),
            Operation::Grant(request) => Answer::Grant(lease.lease_grant(request).await?.into_inner()),
            Operation::Revoke(request) => Answer::Revoke(lease.lease_revoke(request).await?.into_inner()),
            Operation::TimeToLive(request) => Answer::TimeToLive(lease.lease_time_to_live(request).await?.into_inner()),
            Operation::Leases => Answer::Leases(lease.lease_leases(LeaseLeasesRequest {}).await?.into_inner()),
            Operation::KeepAlive(request) => Answer::KeepAlive(self.keep_alive(request).await?),
            Operation::HashKv(request) => {
                Answer::HashKv(self.client.maintenance().hash_kv(request).await?.into_inner())
            }
            Operation::Watch { .. }
            | Operation::CancelWatch { .. }
            | Operation::Progress { .. }
            | Operation::Settle => {
                unreachable!("not a unary operation")
            }
        })
    }

    async fn keep_alive(&self, request: LeaseKeepAliveRequest) -> Result<LeaseKeepAliveResponse, Status> {
        let mut answers = self.client.lease().lease_keep_alive(tokio_stream::once(request)).await?.into_inner();
        answers.message().await?.ok_or_else(|| Status::unknown("the stream ended without an answer"))
    }
}
