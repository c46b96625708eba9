//! Generates the Rust types from `proto/`. Pure Rust: no `protoc` has to be installed.

use std::error::Error;

use prost_build::Config;
use protox::prost_reflect::prost_types::{DescriptorProto, FileDescriptorSet};

const FILES: [&str; 11] = [
    "authpb/auth.proto",
    "etcdserverpb/auth.proto",
    "etcdserverpb/cluster.proto",
    "etcdserverpb/header.proto",
    "etcdserverpb/kv.proto",
    "etcdserverpb/lease.proto",
    "etcdserverpb/maintenance.proto",
    "etcdserverpb/watch.proto",
    "grpc/health/v1/health.proto",
    "v3electionpb/election.proto",
    "v3lockpb/lock.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut files = protox::compile(FILES, ["proto"])?;
    respell_urls(&mut files);

    let mut config = Config::new();
    // Keys and values are slices of the message that brought them, never copies.
    config.bytes(["."]);
    #[cfg(feature = "client")]
    config.service_generator(tonic_prost_build::configure().build_server(false).service_generator());
    config.compile_fds(files)?;
    Ok(())
}

/// `peerURLs` would become `peer_ur_ls` in Rust. Only the Rust name changes: the wire knows numbers.
fn respell_urls(files: &mut FileDescriptorSet) {
    fn respell(message: &mut DescriptorProto) {
        for field in &mut message.field {
            if let Some(name) = &mut field.name {
                *name = name.replace("URLs", "Urls");
            }
        }
        message.nested_type.iter_mut().for_each(respell);
    }
    files.file.iter_mut().flat_map(|file| &mut file.message_type).for_each(respell);
}
