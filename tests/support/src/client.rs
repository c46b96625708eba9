//! Clients of one endpoint, and the waits that every test needs.

use std::time::Duration;

use campanile_api::etcdserverpb::{
    HashKvRequest, HashKvResponse, RangeRequest, StatusRequest, StatusResponse, kv_client::KvClient,
    lease_client::LeaseClient, maintenance_client::MaintenanceClient, watch_client::WatchClient,
};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

/// Watch answers may be as large as their events together: clients of etcd take any size.
const MESSAGE_BYTES_MAX: usize = 256 << 20;
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// One connection, made when it is first used and again when it broke.
#[derive(Clone, Debug)]
pub struct Client {
    channel: Channel,
}

impl Client {
    /// `address` is `host:port`. Must be called inside a runtime.
    pub fn new(address: &str) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .expect("an address of a test is valid")
            .connect_timeout(CONNECT_LIMIT)
            .tcp_nodelay(true);
        Self { channel: endpoint.connect_lazy() }
    }

    /// For services that a test asks for once.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub fn kv(&self) -> KvClient<Channel> {
        KvClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    pub fn lease(&self) -> LeaseClient<Channel> {
        LeaseClient::new(self.channel.clone())
    }

    pub fn watch(&self) -> WatchClient<Channel> {
        WatchClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    pub fn maintenance(&self) -> MaintenanceClient<Channel> {
        MaintenanceClient::new(self.channel.clone())
    }

    /// A linearizable read of a key that nobody writes: answered only by a member that serves.
    pub async fn probe(&self) -> Result<(), Status> {
        self.kv().range(RangeRequest { key: "health".into(), ..Default::default() }).await?;
        Ok(())
    }

    /// The newest revision, by a linearizable read.
    pub async fn revision(&self) -> Result<i64, Status> {
        let answer = self.kv().range(RangeRequest { key: "health".into(), ..Default::default() }).await?;
        Ok(answer.into_inner().header.map_or(0, |header| header.revision))
    }

    pub async fn status(&self) -> Result<StatusResponse, Status> {
        Ok(self.maintenance().status(StatusRequest::default()).await?.into_inner())
    }

    /// The hash of the history up to `revision`, by this very member.
    pub async fn hash_kv(&self, revision: i64) -> Result<HashKvResponse, Status> {
        Ok(self.maintenance().hash_kv(HashKvRequest { revision }).await?.into_inner())
    }
}
