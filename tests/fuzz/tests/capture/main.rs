//! Writes the corpora anew, from the traffic of three real members with a real `etcdctl`, recorded by proxies between them:
//! `CAMPANILE_SUBJECT=target/release/campanile cargo test -p campanile-fuzz --test capture -- --ignored`.

mod kept;
mod proxy;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use campanile_storage::{
    bounds::BLOCK_BYTES,
    checkpoint::{ChunkEncoder, Header, Number, Version, Writer, checkpoint_path, create_directory},
    disk::simulated::{SimulatedDisk, data_directory, run},
    ids::{LeaseId, Position, Revision, ShardId},
    log::record::{decode_header, decode_sections},
};
use campanile_test_support::{Cluster, Options, Program, ports, tools, wait};
use kept::Kept;
use proxy::Recording;

const ELECTION_LIMIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes files of the source tree"]
async fn real_traffic() {
    let Some(program) = std::env::var_os("CAMPANILE_SUBJECT") else { panic!("CAMPANILE_SUBJECT names no campanile") };
    let etcdctl = tools::etcdctls().pop().expect("an etcdctl");
    let options = Options { members: 3, shards: 2, ..Options::default() };
    let mut cluster = Cluster::begin(&Program::at(Path::new(&program)), &options);
    let peers = through_proxies(&mut cluster);
    cluster.start_all().await;
    wait::until("a leader", ELECTION_LIMIT, || cluster.leader()).await;

    let clients: Recording = Arc::new(Mutex::new(Vec::new()));
    let port = ports::free();
    proxy::start(port, &cluster.members[0].address, &clients);
    for session in sessions() {
        let mut command = Command::new(&etcdctl.path);
        command.env("ETCDCTL_API", "3").arg(format!("--endpoints=127.0.0.1:{port}")).args(session);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().expect("etcdctl runs");
        assert!(status.success(), "etcdctl {session:?}");
    }
    let data: PathBuf = cluster.folder().join("m0");
    cluster.kill_all();

    let mut kept = Kept::new();
    keep_connections(&mut kept, &clients.lock().expect("nobody panicked"));
    keep_frames(&mut kept, &peers.lock().expect("nobody panicked"));
    keep_log(&mut kept, &data);
    kept.keep("checkpoint", "marker", &fs::read(data.join("campanile.directory")).expect("a marker"));
    kept.keep("checkpoint", "small", &checkpoint());
    kept.write();
}

/// Starts the members anew, with a recording proxy before each one's peer port.
fn through_proxies(cluster: &mut Cluster) -> Recording {
    cluster.kill_all();
    let recording: Recording = Arc::new(Mutex::new(Vec::new()));
    let fronts: Vec<u16> = cluster.members.iter().map(|_| ports::free()).collect();
    let initial: Vec<String> =
        fronts.iter().enumerate().map(|(at, port)| format!("m{at}=http://127.0.0.1:{port}")).collect();
    for (at, front) in fronts.iter().enumerate() {
        let folder = cluster.folder().join(format!("m{at}"));
        let arguments = cluster.members[at].arguments();
        let listens = arguments.iter().find_map(|argument| argument.strip_prefix("--listen-peer-urls=http://"));
        proxy::start(*front, listens.expect("every member listens"), &recording);
        arguments.push(format!("--initial-advertise-peer-urls=http://127.0.0.1:{front}"));
        arguments.push(format!("--initial-cluster={}", initial.join(",")));
        // It may have been killed before it made one.
        let _ = fs::remove_dir_all(folder);
    }
    recording
}

fn sessions() -> [&'static [&'static str]; 9] {
    [
        &["put", "k/1", "value"],
        &["put", "k/2", "other", "--prev-kv"],
        &["get", "k", "--prefix", "--sort-by=MODIFY", "--order=DESCEND", "--limit=1"],
        &["get", "", "--from-key", "--keys-only", "--rev=2"],
        &["del", "k/2", "--prev-kv"],
        &["lease", "grant", "100"],
        &["compaction", "2"],
        &["endpoint", "status"],
        &["member", "list"],
    ]
}

/// What clients said, whole, and the messages in it.
fn keep_connections(kept: &mut Kept, recorded: &[Vec<u8>]) {
    for said in recorded {
        kept.keep("connection", "grpc", said);
        for message in messages(said) {
            kept.keep("request", "message", message);
        }
    }
    kept.keep("connection", "http", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
}

/// The gRPC messages in an HTTP/2 connection's DATA frames, of those that fit into one each (RFC 9113, sections 3.4 and 4.1).
fn messages(said: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = said.get(24..).unwrap_or_default();
    std::iter::from_fn(move || {
        loop {
            let (header, after) = rest.split_at_checked(9)?;
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
            let (payload, after) = after.split_at_checked(length)?;
            rest = after;
            if header[3] == 0 && payload.len() > 5 {
                return Some(&payload[5..]);
            }
        }
    })
}

/// Hellos, and the bodies of frames.
fn keep_frames(kept: &mut Kept, recorded: &[Vec<u8>]) {
    const HELLO_BYTES: usize = 40;
    for said in recorded {
        let Some((hello, mut rest)) = said.split_at_checked(HELLO_BYTES) else { continue };
        kept.keep("peer_frame", "hello", hello);
        while let Some((header, after)) = rest.split_at_checked(8) {
            let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
            let Some((body, after)) = after.split_at_checked(length) else { break };
            // Kind of the frame, of its message and, of one of Raft's, its type, which is behind group and epoch.
            let sort = |at| body.get(at).copied().unwrap_or_default();
            kept.keep("peer_frame", &format!("frame-{}-{}-{}", sort(0), sort(1), sort(18)), body);
            rest = after;
        }
    }
}

/// Records of the log, and the payloads in them.
fn keep_log(kept: &mut Kept, data: &Path) {
    for log in ["log-0", "log-1"] {
        let Ok(entries) = fs::read_dir(data.join(log)) else { continue };
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.extension().is_some_and(|extension| extension == "segment") {
                keep_segment(kept, &fs::read(path).expect("a segment"));
            }
        }
    }
}

fn keep_segment(kept: &mut Kept, segment: &[u8]) {
    for at in (0..segment.len()).step_by(BLOCK_BYTES) {
        let Some(header) = decode_header(&segment[at..]) else { continue };
        let Some(record) = segment.get(at..at + header.length) else { continue };
        let Ok(sections) = decode_sections(&header, record) else { continue };
        kept.keep("log_record", &format!("sections-{}", sections.len()), record);
        for entry in sections.iter().flat_map(|section| &section.entries) {
            let kind = entry.payload.first().copied().unwrap_or_default();
            kept.keep("log_entry", &format!("kind-{}-{kind}", u8::from(entry.payload.len() > 30)), &entry.payload);
        }
    }
}

/// A checkpoint of a few versions.
fn checkpoint() -> Bytes {
    let disk = SimulatedDisk::new(0, &data_directory());
    run(create_directory(&disk, &data_directory())).expect("nothing fails");
    let header = Header { cluster: 1, revision: Revision(9), shards: 2 };
    let mut writer = run(Writer::begin(disk.clone(), &data_directory(), Number(1), header, b"meta")).expect("room");
    for shard in 0..2 {
        let mut encoder = ChunkEncoder::new(ShardId(shard));
        for number in 0..4 {
            let key = format!("k/{number}");
            let version = Version {
                key: key.as_bytes(),
                value: b"value",
                create_revision: Revision(2),
                position: Position { revision: Revision(3 + number), sub: 0 },
                version: 2,
                lease: LeaseId(0),
                tombstone: number == 3,
            };
            encoder.add(&version).expect("it is small");
        }
        let chunk = encoder.finish().expect("there is something in it");
        run(writer.write_chunk(&chunk)).expect("room");
    }
    run(writer.finish()).expect("room");
    disk.contents(&checkpoint_path(&data_directory(), Number(1))).expect("it is there")
}
