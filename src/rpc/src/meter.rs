//! What the front end counts, for the metrics that others keep.

use std::time::Duration;

use crate::call::Method;
use crate::status::Code;

/// Receives the front end's counts. Every method does nothing unless it is implemented.
pub trait Meter {
    /// A call of `method` began.
    fn started(&self, method: &'static Method) {
        let _ = method;
    }

    /// It ended with `code`, after `elapsed`.
    fn handled(&self, method: &'static Method, code: Code, elapsed: Duration) {
        let _ = (method, code, elapsed);
    }

    /// One message of a call came in.
    fn message_received(&self, method: &'static Method) {
        let _ = method;
    }

    /// One message of a call was handed to the connection.
    fn message_sent(&self, method: &'static Method) {
        let _ = method;
    }

    /// Bytes read from and written to the socket since the last call.
    fn transferred(&self, received: u64, sent: u64) {
        let _ = (received, sent);
    }
}
