//! The Cluster service.

use bytes::Bytes;
use campanile_api::etcdserverpb as pb;
use campanile_core::request::Request;
use campanile_core::response::Member;
use campanile_rpc::Status;

use super::header::Headers;
use super::kv::decode;
use super::methods::Rpc;

/// What a message of one of the service's methods asks for.
pub(super) fn request(rpc: Rpc, message: Bytes) -> Result<Request, Status> {
    match rpc {
        Rpc::MemberList => {
            let pb::MemberListRequest { linearizable } = decode(message)?;
            Ok(Request::MemberList { linearizable })
        }
        rpc => unreachable!("{rpc:?} is no method of Cluster"),
    }
}

/// etcd's header names no revision here.
pub(super) fn member_list(members: Vec<Member>, headers: &Headers) -> pb::MemberListResponse {
    let member = |member: Member| pb::Member {
        id: member.id.0,
        name: member.name,
        peer_urls: member.peer_urls,
        client_urls: member.client_urls,
        is_learner: member.is_learner,
    };
    pb::MemberListResponse { header: headers.without_revision(), members: members.into_iter().map(member).collect() }
}
