//! The methods that exist. A method that is not here answers UNIMPLEMENTED with its name.

use campanile_rpc::{Kind, Method, UnknownMethod};

/// A method, by its place in [`METHODS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rpc {
    Range,
    Put,
    DeleteRange,
    Txn,
    Compact,
    Watch,
    LeaseGrant,
    LeaseRevoke,
    LeaseKeepAlive,
    LeaseTimeToLive,
    LeaseLeases,
    MemberList,
    Alarm,
    Status,
    Hash,
    HashKv,
    HealthCheck,
    HealthWatch,
}

const KV: &str = "etcdserverpb.KV";
const WATCH: &str = "etcdserverpb.Watch";
const LEASE: &str = "etcdserverpb.Lease";
const CLUSTER: &str = "etcdserverpb.Cluster";
const MAINTENANCE: &str = "etcdserverpb.Maintenance";
const HEALTH: &str = "grpc.health.v1.Health";

/// Methods that are called most come first: they are looked up in order.
const TABLE: [(Rpc, &str, &str, Kind); 18] = [
    (Rpc::Range, KV, "Range", Kind::Unary),
    (Rpc::Put, KV, "Put", Kind::Unary),
    (Rpc::DeleteRange, KV, "DeleteRange", Kind::Unary),
    (Rpc::Txn, KV, "Txn", Kind::Unary),
    (Rpc::Compact, KV, "Compact", Kind::Unary),
    (Rpc::Watch, WATCH, "Watch", Kind::BidirectionalStream),
    (Rpc::LeaseGrant, LEASE, "LeaseGrant", Kind::Unary),
    (Rpc::LeaseRevoke, LEASE, "LeaseRevoke", Kind::Unary),
    (Rpc::LeaseKeepAlive, LEASE, "LeaseKeepAlive", Kind::BidirectionalStream),
    (Rpc::LeaseTimeToLive, LEASE, "LeaseTimeToLive", Kind::Unary),
    (Rpc::LeaseLeases, LEASE, "LeaseLeases", Kind::Unary),
    (Rpc::MemberList, CLUSTER, "MemberList", Kind::Unary),
    (Rpc::Alarm, MAINTENANCE, "Alarm", Kind::Unary),
    (Rpc::Status, MAINTENANCE, "Status", Kind::Unary),
    (Rpc::Hash, MAINTENANCE, "Hash", Kind::Unary),
    (Rpc::HashKv, MAINTENANCE, "HashKV", Kind::Unary),
    (Rpc::HealthCheck, HEALTH, "Check", Kind::Unary),
    (Rpc::HealthWatch, HEALTH, "Watch", Kind::ServerStream),
];

/// All methods, each at its index.
pub static METHODS: [Method; TABLE.len()] = {
    const NONE: Method = Method { service: "", name: "", kind: Kind::Unary, index: 0 };
    let mut methods = [NONE; TABLE.len()];
    let mut index = 0;
    while index < TABLE.len() {
        let (rpc, service, name, kind) = TABLE[index];
        assert!(rpc as usize == index, "the table follows the enum");
        methods[index] = Method { service, name, kind, index };
        index += 1;
    }
    methods
};

/// Which of [`METHODS`] this is.
pub(super) fn rpc(method: &'static Method) -> Rpc {
    TABLE[method.index].0
}

/// The method with this name.
///
/// # Errors
/// Says whether the service is unknown too.
pub(super) fn find(service: &str, name: &str) -> Result<&'static Method, UnknownMethod> {
    let found = METHODS.iter().find(|method| method.name == name && method.service == service);
    found.ok_or_else(|| {
        let is_known = METHODS.iter().any(|method| method.service == service);
        if is_known { UnknownMethod::Method } else { UnknownMethod::Service }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_found_by_their_paths() {
        assert_eq!(find("etcdserverpb.KV", "Txn").map(rpc), Ok(Rpc::Txn));
        assert_eq!(find("etcdserverpb.Watch", "Watch").map(rpc), Ok(Rpc::Watch));
        assert_eq!(find("grpc.health.v1.Health", "Watch").map(rpc), Ok(Rpc::HealthWatch));
        assert_eq!(find("etcdserverpb.KV", "RangeStream"), Err(UnknownMethod::Method));
        assert_eq!(find("v3lockpb.Lock", "Lock"), Err(UnknownMethod::Service));
    }
}
