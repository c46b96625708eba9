//! Why a run could not be made. What the user gave, what the network did and what a server answered stay apart;
//! a request that fails during a run is none of these, it is counted.

use crate::{
    etcd::protobuf::DecodeError,
    protocol::{connection::ProtocolError, grpc::Failure},
};
use std::io;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    /// The user gave something that makes no sense; the text names it and the remedy.
    #[error("{0}")]
    Options(String),
    #[error("cannot connect to {endpoint}: {source}")]
    Connect { endpoint: String, source: io::Error },
    #[error("connection to {endpoint} lost: {source}")]
    Lost { endpoint: String, source: io::Error },
    #[error("{endpoint}: {source}")]
    Protocol { endpoint: String, source: ProtocolError },
    #[error("{endpoint} refused a request: {failure}")]
    Refused { endpoint: String, failure: Failure },
    #[error("{endpoint} answered what is not etcd's: {source}")]
    Decode { endpoint: String, source: DecodeError },
    #[error("{endpoint} did not answer within {seconds} s")]
    TimedOut { endpoint: String, seconds: u64 },
    #[error("a server did not start: {0}")]
    NotStarted(String),
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
}

impl Error {
    /// For `map_err`: an I/O error with what was being done.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
