//! The Maintenance service, as far as it exists.

use bytes::Bytes;
use campanile_api::etcdserverpb as pb;
use campanile_api::etcdserverpb::alarm_request::AlarmAction;
use campanile_core::error::UserError;
use campanile_core::request::{AlarmKind, Request};
use campanile_core::response::{Alarm, HashKv, Status as MemberStatus};
use campanile_rpc::{Code, Status};
use campanile_storage::ids::{MemberId, Revision};

use super::executor::Sizes;
use super::header::Headers;
use super::kv::decode;
use super::methods::Rpc;

/// What a message of one of the service's methods asks for.
pub(super) fn request(rpc: Rpc, message: Bytes) -> Result<Request, Status> {
    match rpc {
        Rpc::Status => decode(message).map(|pb::StatusRequest {}| Request::Status),
        Rpc::Hash => decode(message).map(|pb::HashRequest {}| Request::Hash),
        Rpc::HashKv => {
            let pb::HashKvRequest { revision } = decode(message)?;
            Ok(Request::HashKv { at: Revision(revision) })
        }
        Rpc::Alarm => alarm_request(&decode(message)?),
        rpc => unreachable!("{rpc:?} is no method of Maintenance"),
    }
}

fn alarm_request(request: &pb::AlarmRequest) -> Result<Request, Status> {
    match request.action() {
        AlarmAction::Get => Ok(Request::AlarmGet { kind: alarm_kind(request.alarm()) }),
        action @ (AlarmAction::Activate | AlarmAction::Deactivate) => {
            let text = format!("action {} of method Alarm for service etcdserverpb.Maintenance", action.as_str_name());
            Err(Status::new(Code::Unimplemented, text))
        }
    }
}

fn alarm_kind(alarm: pb::AlarmType) -> Option<AlarmKind> {
    match alarm {
        pb::AlarmType::None => None,
        pb::AlarmType::Nospace => Some(AlarmKind::NoSpace),
        pb::AlarmType::Corrupt => Some(AlarmKind::Corrupt),
    }
}

pub(super) fn alarms(revision: Revision, alarms: Vec<Alarm>, headers: &Headers) -> pb::AlarmResponse {
    let member = |alarm: Alarm| {
        let kind = match alarm.kind {
            AlarmKind::NoSpace => pb::AlarmType::Nospace,
            AlarmKind::Corrupt => pb::AlarmType::Corrupt,
        };
        pb::AlarmMember { member_id: alarm.member.0, alarm: kind.into() }
    };
    pb::AlarmResponse { header: headers.at(revision), alarms: alarms.into_iter().map(member).collect() }
}

pub(super) fn hash_kv(response: HashKv, headers: &Headers) -> pb::HashKvResponse {
    pb::HashKvResponse {
        header: headers.at(response.revision),
        hash: response.hash,
        compact_revision: response.compacted.0,
        hash_revision: response.hash_revision.0,
    }
}

pub(super) fn status(status: MemberStatus, sizes: Sizes, api_version: &str, headers: &Headers) -> pb::StatusResponse {
    let leaderless = (status.leader == MemberId::NONE).then(|| UserError::NoLeader.to_string());
    pb::StatusResponse {
        header: headers.at(status.revision),
        version: api_version.to_owned(),
        db_size: bytes(sizes.total),
        leader: status.leader.0,
        raft_index: status.committed_index,
        raft_term: headers.term().0,
        raft_applied_index: status.applied_index,
        errors: leaderless.into_iter().collect(),
        db_size_in_use: bytes(sizes.in_use),
        is_learner: status.is_learner,
        storage_version: String::new(),
        db_size_quota: bytes(sizes.quota),
        downgrade_info: Some(pb::DowngradeInfo::default()),
    }
}

fn bytes(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
