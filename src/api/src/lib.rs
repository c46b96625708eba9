//! etcd's gRPC API, at the level of etcd 3.7, as protobuf messages.
//!
//! Owns the `.proto` files in `proto/` and the types generated from them, one module for each protobuf package, and
//! [`raw`], which writes the hot answers around key-values that are encoded already. Names and numbers are etcd's
//! (`api/etcdserverpb/rpc.proto` of its repository); nothing here knows what a message means.
//!
//! The feature `client` adds a tonic client to each service, for tests and the load generator.

pub mod raw;

/// Users, roles and permissions as they are stored and sent.
pub mod authpb {
    include!(concat!(env!("OUT_DIR"), "/authpb.rs"));
}

/// The services that etcd's clients speak: KV, Watch, Lease, Cluster, Maintenance, Auth.
pub mod etcdserverpb {
    include!(concat!(env!("OUT_DIR"), "/etcdserverpb.rs"));
}

/// Key-values and events.
pub mod mvccpb {
    include!(concat!(env!("OUT_DIR"), "/mvccpb.rs"));
}

/// The lock service.
pub mod v3lockpb {
    include!(concat!(env!("OUT_DIR"), "/v3lockpb.rs"));
}

/// The election service.
pub mod v3electionpb {
    include!(concat!(env!("OUT_DIR"), "/v3electionpb.rs"));
}

/// gRPC's own health service.
pub mod grpc {
    pub mod health {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/grpc.health.v1.rs"));
        }
    }
}
