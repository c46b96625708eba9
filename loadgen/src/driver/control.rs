//! Single questions outside of the load: the store's revision and its number of keys. Blocking, on a link of its own.

use super::link::Link;
use crate::{
    endpoint::Endpoint,
    error::Error,
    etcd::{
        requests::{self, Method},
        responses::{self, RangeAnswer},
    },
    protocol::grpc::Failure,
    workload::keys::prefix_end,
};
use std::time::{Duration, Instant};

/// A client that asks one thing at a time.
#[derive(Debug)]
pub struct Control {
    link: Link<()>,
    timeout: Duration,
}

impl Control {
    /// # Errors
    /// If the endpoint cannot be reached within `timeout`, which later holds for each answer too.
    pub fn connect(endpoint: &Endpoint, timeout: Duration) -> Result<Self, Error> {
        Ok(Self { link: Link::open(endpoint, 1, timeout)?, timeout })
    }

    /// The store's newest revision, and how many keys begin with `prefix`. Linearizable: it stands for the cluster.
    ///
    /// # Errors
    /// If there is no answer, or none of etcd's.
    pub fn count(&mut self, prefix: &str) -> Result<RangeAnswer, Error> {
        // A range cannot begin at the empty key: \0 is the lowest that exists.
        let key = if prefix.is_empty() { b"\0".as_slice() } else { prefix.as_bytes() };
        let range_end = prefix_end(prefix.as_bytes());
        self.range(requests::Range { key, range_end: &range_end, count_only: true, ..Default::default() })
    }

    /// One linearizable get.
    ///
    /// # Errors
    /// As for [`Self::count`].
    pub fn get(&mut self, key: &[u8]) -> Result<RangeAnswer, Error> {
        self.range(requests::Range { key, ..Default::default() })
    }

    fn range(&mut self, request: requests::Range<'_>) -> Result<RangeAnswer, Error> {
        let mut message = Vec::new();
        requests::range(&mut message, request);
        let endpoint = self.link.endpoint().to_string();
        if self.link.connection().room() == 0 {
            return Err(Error::Refused {
                endpoint,
                failure: Failure::new(crate::protocol::grpc::Code::UNAVAILABLE, "the server takes no request"),
            });
        }
        self.link.start(Method::Range, &message, ());
        let deadline = Instant::now() + self.timeout;
        let mut answer = None;
        while answer.is_none() {
            self.link.exchange(deadline, self.timeout, |(), result| answer = Some(result.map(responses::range)))?;
        }
        let answer = answer.expect("the loop ends with an answer");
        let decoded = answer.map_err(|failure| Error::Refused { endpoint: endpoint.clone(), failure })?;
        decoded.map_err(|source| Error::Decode { endpoint, source })
    }
}
