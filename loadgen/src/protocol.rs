//! HTTP/2 and gRPC for a client that spends next to nothing: pure state, no sockets.
//!
//! `frame` and `hpack` are formats, `grpc` is what travels in them, `streams` and `sending` are the two halves of a
//! `connection`.

pub mod connection;
pub mod frame;
pub mod grpc;
pub mod hpack;
mod sending;
mod streams;
