//! Every bound of a connection, and how the bounds hang together.

use std::time::Duration;

/// What the operator may set. Each is per connection.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The longest request message, in bytes: RESOURCE_EXHAUSTED beyond it.
    pub message_max_bytes: usize,
    /// Streams a client may have open at a time; announced to it.
    pub concurrent_streams_max: u32,
    /// Once this many bytes of answers wait for the client to read them, or are expected of what the handler has, no
    /// further request of it is read.
    pub queued_max_bytes: usize,
    /// Once unary requests of this many bytes in all wait for the handler's answer, no further request is read.
    pub in_flight_max_bytes: usize,
    /// Once this many bytes wait on one stream, its handler is told to pause; at half of it, to go on.
    pub stream_queue_max_bytes: usize,
    /// How long the client may be silent before it is pinged; `None` never pings.
    pub keepalive_interval: Option<Duration>,
    /// How long it may be silent after that before it is given up.
    pub keepalive_timeout: Duration,
    /// The least time between two pings of a client that has calls open.
    pub ping_interval_min: Duration,
    /// How long open calls may go on after the shutdown was announced.
    pub drain_timeout: Duration,
    /// How long the client may take for its first bytes, and for the head of an HTTP/1.1 request once it began it.
    pub first_bytes_timeout: Duration,
    /// How long an HTTP/1.1 connection may lie idle between requests.
    pub http1_idle_timeout: Duration,
}

impl Default for Limits {
    /// etcd's defaults, where it has one.
    fn default() -> Limits {
        Limits {
            message_max_bytes: (3 << 19) + GRPC_OVERHEAD_BYTES,
            concurrent_streams_max: 16_384,
            queued_max_bytes: 16 << 20,
            in_flight_max_bytes: 64 << 20,
            stream_queue_max_bytes: 2 << 20,
            keepalive_interval: Some(Duration::from_secs(2 * 60 * 60)),
            keepalive_timeout: Duration::from_secs(20),
            ping_interval_min: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(10),
            first_bytes_timeout: Duration::from_secs(120),
            http1_idle_timeout: Duration::from_secs(60),
        }
    }
}

/// What etcd adds to its limit on a request for the message around it: gRPC refuses only beyond both.
pub(crate) const GRPC_OVERHEAD_BYTES: usize = 512 << 10;

/// Bytes a client may send on one stream before they were read. Messages are read as they come, so that this need not
/// be the longest message; it is what keeps a large put from waiting for round trips.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// The same for all streams of a connection together: what a connection may hold while its requests are not read.
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
const _: () = assert!(STREAM_WINDOW_BYTES <= CONNECTION_WINDOW_BYTES);

/// Bytes of messages that have begun and are not complete, over all streams of a connection.
pub(crate) const PARTIAL_MAX_BYTES: usize = 64 << 20;

/// Overhead of small DATA frames that may lie unread in h2, which counts up to 256 bytes for each: enough for one
/// small frame on every stream of a full window.
pub(crate) const DATA_FRAME_BUDGET_BYTES: usize = 8 << 20;

/// The longest list of header fields of a request.
pub(crate) const HEADER_LIST_MAX_BYTES: u32 = 64 << 10;

/// Streams that a client opened and reset before they were looked at.
pub(crate) const UNSEEN_RESETS_MAX: usize = 1_024;

/// Bytes gathered for one write.
pub(crate) const WRITE_BUFFER_MAX_BYTES: usize = 256 << 10;

/// Requests taken from a connection in one poll, before other tasks of the executor have their turn.
pub(crate) const REQUESTS_PER_POLL_MAX: usize = 128;
/// How often a poll goes round because its own work woke it.
pub(crate) const ROUNDS_PER_POLL_MAX: usize = 8;

/// The head of an HTTP/1.1 request.
pub(crate) const HTTP1_HEAD_MAX_BYTES: usize = 16 << 10;
pub(crate) const HTTP1_HEADERS_MAX: usize = 64;

/// The text of a status, as it goes over the wire.
pub(crate) const STATUS_MESSAGE_MAX_BYTES: usize = 4 << 10;
const _: () = assert!(STATUS_MESSAGE_MAX_BYTES < HEADER_LIST_MAX_BYTES as usize);
