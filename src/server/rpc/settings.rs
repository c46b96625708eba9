//! What the services are told once, when the member starts.

use std::time::Duration;

use campanile_config::{Bootstrap, CAMPANILE_VERSION, Config, ETCD_VERSION};
use campanile_core::evaluate::Limits;
use campanile_storage::ids::MemberId;

use super::kv::KvLimits;

/// Between progress notices of a watch, unless the operator says otherwise.
const NOTICE_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// The versions that a member reports.
#[derive(Clone, Debug)]
pub struct Versions {
    /// The level of etcd's API that is served; clients decide by it what they may ask.
    pub api: &'static str,
    /// The level that all members serve.
    pub cluster: String,
    /// Our own.
    pub own: &'static str,
}

/// The services' part of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    pub cluster_id: u64,
    pub member: MemberId,
    pub limits: KvLimits,
    pub versions: Versions,
    /// Up to a tenth is added for each stream.
    pub notice_interval: Duration,
}

impl Settings {
    #[must_use]
    pub fn new(config: &Config, bootstrap: &Bootstrap) -> Settings {
        let bounded = |limit| usize::try_from(limit).unwrap_or(usize::MAX);
        let interval = config.watch_progress_notify_interval;
        let minor = ETCD_VERSION.rsplit_once('.').map_or(ETCD_VERSION, |(minor, _)| minor);
        Settings {
            cluster_id: bootstrap.cluster_id,
            member: MemberId(bootstrap.local_id),
            limits: KvLimits {
                operations: Limits { txn_operations_max: bounded(config.limits.txn_operations_max) },
                request_bytes_max: bounded(config.limits.request_bytes_max),
            },
            versions: Versions { api: ETCD_VERSION, cluster: format!("{minor}.0"), own: CAMPANILE_VERSION },
            notice_interval: if interval.is_zero() { NOTICE_INTERVAL } else { interval },
        }
    }
}
