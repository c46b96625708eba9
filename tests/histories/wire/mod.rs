//! Between the core's own words, in which the checkers think, and gRPC.
//!
//! | file | what |
//! | --- | --- |
//! | `request` | requests to protobuf |
//! | `answer` | answers from protobuf |
//! | `events` | what a watch stream brings |
//! | `errors` | what a status means |

pub mod answer;
pub mod errors;
pub mod events;
pub mod request;

use answer::{Nonsense, Understood};
use campanile_api::etcdserverpb::{self as pb, cluster_client::ClusterClient};
use campanile_core::{
    error::UserError,
    request::{Operation, Request},
    response::Response,
};
use campanile_storage::ids::{LeaseId, Revision};
use campanile_test_support::Client;
use errors::Meaning;
use tonic::Status;

/// What became of a request, as far as its client knows.
#[derive(Clone, Debug)]
pub enum Heard {
    Answer(Result<Response, UserError>),
    /// Nobody knows.
    Nothing,
    Nonsense(Nonsense),
}

/// Asks one member, and waits for as long as it takes.
pub async fn ask(client: &Client, request: &Request) -> Heard {
    match send(client, request).await {
        Ok(Ok(response)) => Heard::Answer(Ok(response)),
        Ok(Err(nonsense)) => Heard::Nonsense(nonsense),
        Err(status) => match errors::meaning(&status) {
            Meaning::Error(error) => Heard::Answer(Err(error)),
            Meaning::Lost => Heard::Nothing,
            Meaning::Unheard(text) => Heard::Nonsense(Nonsense(text)),
        },
    }
}

async fn send(client: &Client, request: &Request) -> Result<Understood<Response>, Status> {
    match request {
        Request::Operation(operation) => send_operation(client, operation).await,
        Request::Compact { at, physical } => {
            let request = pb::CompactionRequest { revision: at.0, physical: *physical };
            let answer = client.kv().compact(request).await?.into_inner();
            Ok(Ok(Response::Compact { revision: answer::revision(answer.header.as_ref()) }))
        }
        Request::Status => {
            let answer = client.status().await?;
            Ok(Ok(Response::Status(answer::status(&answer))))
        }
        Request::Hash => {
            let answer = client.maintenance().hash(pb::HashRequest {}).await?.into_inner();
            Ok(Ok(Response::Hash { revision: answer::revision(answer.header.as_ref()), hash: answer.hash }))
        }
        Request::HashKv { at } => Ok(Ok(Response::HashKv(answer::hash_kv(&client.hash_kv(at.0).await?)))),
        Request::MemberList { linearizable } => {
            let mut cluster = ClusterClient::new(client.channel());
            let answer = cluster.member_list(pb::MemberListRequest { linearizable: *linearizable }).await?.into_inner();
            // Who the members are is not what histories are about.
            Ok(Ok(Response::MemberList { revision: answer::revision(answer.header.as_ref()), members: Vec::new() }))
        }
        Request::AlarmGet { .. } => unreachable!("no client asks for alarms"),
        _ => send_lease(client, request).await,
    }
}

async fn send_operation(client: &Client, operation: &Operation) -> Result<Understood<Response>, Status> {
    let mut kv = client.kv();
    let answer = match operation {
        Operation::Range(range) => answer::range(&kv.range(request::range(range)).await?.into_inner()),
        Operation::Put(put) => answer::put(&kv.put(request::put(put)).await?.into_inner()),
        Operation::DeleteRange(delete) => answer::delete(&kv.delete_range(request::delete(delete)).await?.into_inner()),
        Operation::Txn(txn) => answer::txn(&kv.txn(request::txn(txn)).await?.into_inner()),
    };
    Ok(answer.map(Response::Operation))
}

async fn send_lease(client: &Client, request: &Request) -> Result<Understood<Response>, Status> {
    let mut lease = client.lease();
    let response = match request {
        Request::LeaseGrant { id, ttl_seconds } => {
            let request = pb::LeaseGrantRequest { id: id.0, ttl: *ttl_seconds };
            let answer = lease.lease_grant(request).await?.into_inner();
            let revision = answer::revision(answer.header.as_ref());
            Response::LeaseGrant { revision, id: LeaseId(answer.id), ttl_seconds: answer.ttl }
        }
        Request::LeaseRevoke { id } => {
            let answer = lease.lease_revoke(pb::LeaseRevokeRequest { id: id.0 }).await?.into_inner();
            Response::LeaseRevoke { revision: answer::revision(answer.header.as_ref()) }
        }
        Request::LeaseTimeToLive { id, keys } => {
            let request = pb::LeaseTimeToLiveRequest { id: id.0, keys: *keys };
            Response::LeaseTimeToLive(answer::time_to_live(&lease.lease_time_to_live(request).await?.into_inner()))
        }
        Request::LeaseLeases => {
            let answer = lease.lease_leases(pb::LeaseLeasesRequest {}).await?.into_inner();
            let leases = answer.leases.iter().map(|lease| LeaseId(lease.id)).collect();
            Response::LeaseLeases { revision: answer::revision(answer.header.as_ref()), leases }
        }
        Request::LeaseKeepAlive { id } => {
            let once = tokio_stream::once(pb::LeaseKeepAliveRequest { id: id.0 });
            let mut answers = lease.lease_keep_alive(once).await?.into_inner();
            let answer = answers.message().await?.ok_or_else(|| Status::unavailable("the stream ended"))?;
            let revision = answer::revision(answer.header.as_ref());
            Response::LeaseKeepAlive { revision, id: LeaseId(answer.id), ttl_seconds: answer.ttl }
        }
        request => unreachable!("{request:?} is not about leases"),
    };
    Ok(Ok(response))
}

/// The revision up to which a client was shown everything by an answer.
pub fn shown(heard: &Heard) -> Option<Revision> {
    match heard {
        Heard::Answer(Ok(response)) => Some(response.revision()),
        _ => None,
    }
}
