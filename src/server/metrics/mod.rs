//! What the server counts, and `/metrics` in Prometheus' text format.
//!
//! Every executor has cells of its own, written by it alone: no lock, no atomic read-modify-write, no shared cache line
//! on the hot path (0.8 ns a count, against 2.9 ns for an atomic addition that nobody contends for; `cells.rs` has the
//! measurement). A scrape reads all executors' cells and adds them up: an `etcd_*` series is the member's sum, or says in
//! its row what else it is. What belongs to one executor bears the prefix `campanile_`, or sums would count twice.
//!
//! Crates for this (`metrics`, `prometheus-client`) share one atomic between all threads, or look series up by name at
//! each count; neither fits executors that share nothing.
//!
//! - [`cells`]: counter, gauge, histogram.  - [`series`]: one row a series; to add one, add its cell and its row.
//! - [`rpc`]: the front end's counts by method.  - [`peers`]: those by member.
//! - [`process`]: what the kernel knows.  - [`text`]: the format.

pub mod cells;
mod peers;
mod process;
mod rpc;
mod series;
#[cfg(test)]
mod tests;
mod text;

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use campanile_config::{ETCD_VERSION, MetricsDetail};
use campanile_rpc::Method;

pub use peers::{PeerCells, PeerSlot};
pub use series::Cells;

use peers::PeerNames;
use rpc::MethodCells;
use text::Text;

/// The content type of [`Registry::render`]'s text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is known of the member before it counts anything.
#[derive(Clone, Debug)]
pub struct Identity {
    /// As etcd prints it, in hexadecimal.
    pub member_id: u64,
    /// `--quota-backend-bytes`; none is no quota.
    pub quota_bytes: Option<u64>,
    /// `--metrics`.
    pub detail: MetricsDetail,
}

/// All counts of the member.
pub struct Registry {
    identity: Identity,
    methods: &'static [Method],
    executors: Box<[Executor]>,
    peers: PeerNames,
}

/// One executor's counts, away from its neighbours' cache lines.
#[repr(align(128))]
struct Executor {
    claimed: AtomicBool,
    cells: Cells,
    methods: Box<[MethodCells]>,
    peers: Box<[PeerCells]>,
}

/// One executor's right to count. It stays on the thread that claimed it.
pub struct Metrics {
    registry: Arc<Registry>,
    executor: usize,
    _stays_on_its_thread: PhantomData<*const ()>,
}

impl Registry {
    /// Cells, all at zero, for so many executors and for these methods, whose indexes are their places.
    #[must_use]
    pub fn new(identity: Identity, executors: usize, methods: &'static [Method]) -> Arc<Registry> {
        assert!(
            methods.iter().enumerate().all(|(place, method)| method.index == place),
            "a method's index is its place in the table"
        );
        let executor = |_| Executor {
            claimed: AtomicBool::new(false),
            cells: Cells::default(),
            methods: methods.iter().map(|_| MethodCells::default()).collect(),
            peers: peers::cells(),
        };
        Arc::new(Registry {
            identity,
            methods,
            executors: (0..executors).map(executor).collect(),
            peers: PeerNames::default(),
        })
    }

    /// The executors have ended, and their threads with them: others may claim their cells, and count on.
    pub fn release(&self) {
        self.executors.iter().for_each(|executor| executor.claimed.store(false, Ordering::Release));
    }

    /// The cells of an executor, for the thread that is that executor. Each can be claimed once.
    #[must_use]
    pub fn claim(self: &Arc<Registry>, executor: usize) -> Metrics {
        let claimed = self.executors[executor].claimed.swap(true, Ordering::AcqRel);
        assert!(!claimed, "executor {executor} claims its metrics once");
        let metrics = Metrics { registry: Arc::clone(self), executor, _stays_on_its_thread: PhantomData };
        metrics.thread_id.set(i64::from(rustix::thread::gettid().as_raw_nonzero().get()));
        metrics
    }

    /// Everything, as Prometheus reads it. Takes some 100 microseconds, most of them in `/proc`.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = Text::default();
        let cells: Vec<&Cells> = self.executors.iter().map(|executor| &executor.cells).collect();
        series::render(&mut text, &cells);
        self.render_identity(&mut text);
        self.peers.render(&mut text, &self.executors.iter().map(|executor| &*executor.peers).collect::<Vec<_>>());
        let methods: Vec<&[MethodCells]> = self.executors.iter().map(|executor| &*executor.methods).collect();
        rpc::render(&mut text, self.methods, &methods, self.identity.detail);
        process::render(&mut text, &cells);
        text.finish()
    }

    /// What the member's stores take, and how much of it is not compacted, in bytes.
    #[must_use]
    pub fn store_bytes(&self) -> (u64, u64) {
        let bytes = |gauge: &cells::Gauge| u64::try_from(gauge.get()).unwrap_or(0);
        self.executors.iter().fold((0, 0), |(total, in_use), executor| {
            (total + bytes(&executor.cells.store_bytes), in_use + bytes(&executor.cells.store_bytes_in_use))
        })
    }

    fn render_identity(&self, text: &mut Text) {
        let cluster_version = ETCD_VERSION.rsplit_once('.').map_or(ETCD_VERSION, |(major_minor, _)| major_minor);
        let member_id = format!("{:x}", self.identity.member_id);
        let known: &[(&str, &str, &str, &str)] = &[
            ("etcd_server_id", "The member's id, as a label.", "server_id", &member_id),
            ("etcd_server_version", "The version of etcd's API that is served.", "server_version", ETCD_VERSION),
            ("etcd_cluster_version", "The version that all members serve.", "cluster_version", cluster_version),
            ("campanile_version", "The server's own version.", "version", campanile_config::CAMPANILE_VERSION),
        ];
        for (name, help, label, value) in known {
            text.head(name, "gauge", help);
            text.sample(name, &[(label, value)], 1);
        }
        let quota = self.identity.quota_bytes.unwrap_or(0);
        text.head("etcd_server_quota_backend_bytes", "gauge", "How large the data may grow; 0 is no quota.");
        text.sample("etcd_server_quota_backend_bytes", &[], quota);
    }
}

impl Metrics {
    /// The slot for what is counted about one other member. Slots are few; see [`peers`].
    #[must_use]
    pub fn peer_slot(&self, member_id: u64) -> PeerSlot {
        self.registry.peers.slot(member_id)
    }

    /// The cells of a slot.
    #[must_use]
    pub fn peer(&self, slot: PeerSlot) -> &PeerCells {
        &self.registry.executors[self.executor].peers[slot.0]
    }
}

impl Deref for Metrics {
    type Target = Cells;

    fn deref(&self) -> &Cells {
        &self.registry.executors[self.executor].cells
    }
}
