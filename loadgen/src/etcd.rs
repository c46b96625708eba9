//! The part of etcd's API that a load needs, encoded and decoded by hand: a few hundred nanoseconds saved on each
//! request are what keeps the generator from being the bottleneck. Its tests hold it against the generated types.

pub mod protobuf;
pub mod requests;
pub mod responses;

#[cfg(test)]
mod tests;
