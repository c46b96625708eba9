//! The crate as `main` sees it: arguments, variables and files in, a configuration or a refusal out.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{ClusterState, Command, Config, ConfigError, CpuChoice, LogFormat, LogLevel, LogOutput, Warning};

fn parse(arguments: &[&str], variables: &[(&str, &str)]) -> Result<(Config, Vec<Warning>), ConfigError> {
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    match Command::parse(arguments.iter().map(OsString::from), variables)? {
        Command::Run { config, warnings } => Ok((*config, warnings)),
        other => panic!("{other:?}"),
    }
}

fn flags(arguments: &[&str]) -> Result<Config, String> {
    parse(arguments, &[]).map(|(config, _)| config).map_err(|error| error.to_string())
}

/// A configuration file of this test's own, removed in the end.
struct File(PathBuf);

impl File {
    fn new(text: &str) -> File {
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("campanile-config-{}-{number}.yml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        File(path)
    }

    fn parse(&self) -> Result<(Config, Vec<Warning>), ConfigError> {
        parse(&["--config-file", self.0.to_str().unwrap()], &[])
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn file(text: &str) -> Result<Config, String> {
    File::new(text).parse().map(|(config, _)| config).map_err(|error| error.to_string())
}

fn texts(urls: &[crate::Url]) -> Vec<String> {
    urls.iter().map(crate::Url::to_string).collect()
}

#[test]
fn the_defaults_are_etcds() {
    let config = flags(&[]).unwrap();
    assert_eq!(config.name, "default");
    assert_eq!(config.data_dir, Path::new("default.etcd"));
    assert_eq!(config.wal_dir, None);
    assert_eq!(texts(&config.listen_peer_urls), ["http://localhost:2380"]);
    assert_eq!(texts(&config.listen_client_urls), ["http://localhost:2379"]);
    assert_eq!(texts(&config.initial_advertise_peer_urls), ["http://localhost:2380"]);
    assert_eq!(texts(&config.advertise_client_urls), ["http://localhost:2379"]);
    assert_eq!(config.initial_cluster_state, ClusterState::New);
    assert_eq!(config.initial_cluster_token, "etcd-cluster");
    assert_eq!(config.timing.heartbeat_interval, Duration::from_millis(100));
    assert_eq!(config.timing.election_timeout, Duration::from_secs(1));
    assert_eq!(config.timing.election_ticks(), 10);
    assert_eq!(config.limits.request_bytes_max, 1_572_864);
    assert_eq!(config.limits.txn_operations_max, 128);
    assert_eq!(config.limits.concurrent_streams_max, u32::MAX);
    assert_eq!(config.limits.quota_bytes, Some(2 << 30));
    assert_eq!(config.checkpoint.transactions, 10_000);
    assert_eq!(config.keepalive.client_ping_interval_min, Duration::from_secs(5));
    assert_eq!(config.watch_progress_notify_interval, Duration::from_secs(600));
    assert_eq!(config.executors.cpus, CpuChoice::Inherited);
    assert_eq!(config.shards, None);
    assert_eq!(config.logging.level, LogLevel::Info);
    assert_eq!(config.logging.format, LogFormat::Automatic);
    assert_eq!(config.logging.outputs, [LogOutput::Stderr]);
    let bootstrap = config.bootstrap().unwrap();
    assert_eq!(format!("{:x} {:x}", bootstrap.cluster_id, bootstrap.local_id), "cdf818194e3a8c32 8e9e05c52164694d");
}

#[test]
fn a_flag_beats_its_variable() {
    let (config, warnings) =
        parse(&["--name=flag"], &[("ETCD_NAME", "variable"), ("ETCD_MAX_TXN_OPS", "7"), ("ETCD_DATA_DIR", "")])
            .unwrap();
    assert_eq!(config.name, "flag");
    assert_eq!(config.limits.txn_operations_max, 7);
    assert_eq!(config.data_dir, Path::new("flag.etcd"));
    assert_eq!(warnings, [Warning::ShadowedVariable { variable: "ETCD_NAME".to_owned(), flag: "name" }]);
}

#[test]
fn unknown_variables_earn_a_warning() {
    let variables =
        [("ETCD_SERVICE_PORT", "tcp://10.0.0.1:80"), ("ETCD_DATADIR", "/d"), ("ETCDCTL_API", "3"), ("A", "b")];
    let (_, warnings) = parse(&[], &variables).unwrap();
    let texts: Vec<String> = warnings.iter().map(Warning::to_string).collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert_eq!(texts[0], "unrecognized environment variable ETCD_DATADIR; did you mean ETCD_DATA_DIR?");
    assert_eq!(texts[1], "unrecognized environment variable ETCD_SERVICE_PORT");
}

#[test]
fn a_wrong_variable_is_named() {
    let error = parse(&[], &[("ETCD_ELECTION_TIMEOUT", "1s")]).unwrap_err().to_string();
    assert_eq!(error, "ETCD_ELECTION_TIMEOUT=1s is not a whole number");
}

#[test]
fn what_comes_later_is_refused_unless_it_is_the_default() {
    for accepted in [
        &["--auto-tls=false"][..],
        &["--cors=*"],
        &["--logger=zap"],
        &["--max-wals=5"],
        &["--enable-grpc-gateway=false"],
        &["--corrupt-check-time=0"],
        &["--compact-hash-check-time=60s"],
        &["--pre-vote"],
        &["--backend-batch-interval", "0s"],
    ] {
        assert!(flags(accepted).is_ok(), "{accepted:?}: {:?}", flags(accepted).err());
    }
    for (argument, expected) in [
        ("--auto-tls", "--auto-tls=true: not in this version yet; leave it out, or give etcd's default, \"false\""),
        ("--cert-file=a.pem", "--cert-file=a.pem: not in this version yet"),
        ("--feature-gates=InitialCorruptCheck=true", "not in this version yet"),
        ("--discovery-password=secret", "--discovery-password=***: not in this version yet"),
        ("--pre-vote=false", "--pre-vote=false: data groups start no elections of their own"),
        ("--unsafe-no-fsync", "--unsafe-no-fsync=true: what is acknowledged is durable"),
        ("--max-wals=9", "--max-wals=9: log segments are recycled"),
        ("--enable-v2", "--enable-v2=true: the v2 API was removed"),
        ("--listen-client-urls=https://localhost:2379", "https:// is not in this version yet"),
    ] {
        let error = flags(&[argument]).unwrap_err();
        assert!(error.contains(expected), "{argument}: {error}");
    }
}

#[test]
fn earlier_names_are_taken() {
    let (config, warnings) = parse(&["--experimental-watch-progress-notify-interval=5s", "--vv=2"], &[]).unwrap();
    assert_eq!(config.watch_progress_notify_interval, Duration::from_secs(5));
    let texts: Vec<String> = warnings.iter().map(Warning::to_string).collect();
    assert!(texts[0].contains("is an earlier name of --watch-progress-notify-interval"), "{texts:?}");
    assert!(texts[1].starts_with("--vv has no effect"), "{texts:?}");
    let error = flags(&["--experimental-corrupt-check-time=1m"]).unwrap_err();
    assert!(error.starts_with("--corrupt-check-time=1m: not in this version yet"), "{error}");
}

#[test]
fn rules_between_settings_hold() {
    let cases: &[(&[&str], &str)] = &[
        (&["--name="], "--name= is empty"),
        (&["--name=a,b"], "holds a comma"),
        (&["--heartbeat-interval=0"], "must be >0"),
        (&["--heartbeat-interval=201"], "--election-timeout=1000 (the default) should be at least 5 times"),
        (&["--election-timeout=50001"], "is too long; the most is 50000 milliseconds"),
        (&["--heartbeat-interval=18446744073709551615"], "should be at least 5 times"),
        (&["--max-txn-ops=0"], "is too small; the least is 1"),
        (&["--max-request-bytes=0"], "is too small"),
        (&["--max-request-bytes=3145729"], "is too large; the most is 3145728"),
        (&["--wal-segment-bytes=16777217"], "is no multiple of 1048576"),
        (&["--log-memory-bytes=1"], "is too small; the least is 65536"),
        (&["--log-hold-bytes=0"], "is too small; the least is 65536"),
        (&["--checkpoint-wal-bytes=1"], "is smaller than 2 segments of the log; give at least 134217728"),
        (&["--grpc-keepalive-interval=-1s"], "is negative"),
        (&["--watch-progress-notify-interval=99ms"], "is too short; the least is 100ms"),
        (&["--executor-io-memory-bytes=65537"], "is no multiple of 4096"),
        (&["--executor-spin=2s"], "is too long"),
        (&["--shards=0"], "is no number from 1 to 1024"),
        (&["--shards=1025"], "is no number from 1 to 1024"),
        (&["--cpus=1,x"], "is not a list of CPUs"),
        (&["--initial-cluster-state=old"], "is neither new nor existing"),
        (&["--initial-cluster-state="], "is neither new nor existing"),
        (&["--metrics=all"], "is neither basic nor extensive"),
        (&["--log-level=trace"], "is none of debug"),
        (&["--log-format=xml"], "is neither json nor console"),
        (&["--log-outputs=default,stdout"], "names default besides other outputs"),
        (&["--log-outputs=systemd/journal"], "use stderr, which systemd hands to the journal"),
        (&["--listen-client-urls=http://localhost:1"], "so --advertise-client-urls is required"),
        (&["--listen-peer-urls=http://example.com:1"], "expected IP in URL for binding (http://example.com:1)"),
        (&["--listen-peer-urls=http://localhost:2379"], "which is one of --listen-peer-urls"),
        (&["--listen-metrics-urls=http://localhost:2379"], "serves /metrics already"),
        (&["--initial-cluster=a"], "has no URL in \"a\""),
        (&["--initial-cluster==http://a:1"], "has no name"),
        (&["--initial-cluster=,"], "names no member"),
        (&["--initial-cluster=a=http://a"], "host:port"),
    ];
    for (arguments, expected) in cases {
        let error = flags(arguments).err().unwrap_or_else(|| panic!("{arguments:?} was accepted"));
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}

#[test]
fn zeros_mean_what_they_mean_in_etcd() {
    let config = flags(&[
        "--snapshot-count=0",
        "--max-concurrent-streams=0",
        "--grpc-keepalive-timeout=0",
        "--grpc-keepalive-min-time=0",
        "--watch-progress-notify-interval=0",
        "--quota-backend-bytes=-1",
    ])
    .unwrap();
    assert_eq!(config.checkpoint.transactions, 10_000);
    assert_eq!(config.limits.concurrent_streams_max, u32::MAX);
    assert_eq!(config.keepalive.ping, None);
    assert_eq!(config.keepalive.client_ping_interval_min, Duration::from_secs(300));
    assert_eq!(config.watch_progress_notify_interval, Duration::from_secs(600));
    assert_eq!(config.limits.quota_bytes, None);
}

#[test]
fn large_values_earn_a_warning() {
    let (_, warnings) = parse(&["--quota-backend-bytes=8589934593"], &[]).unwrap();
    let texts: Vec<String> = warnings.iter().map(Warning::to_string).collect();
    assert_eq!(texts, ["--quota-backend-bytes=8589934593 is above the recommended maximum, 8589934592"]);
}

const THREE: &str =
    "--initial-cluster=c=http://10.1.2.3:2380,a=http://127.0.0.1:39180,b=http://[::1]:2380,a=http://localhost:39180";

#[test]
fn first_members_have_etcds_ids() {
    let peers = "--initial-advertise-peer-urls=http://localhost:39180,http://127.0.0.1:39180";
    let config = flags(&["--name=a", THREE, peers, "--initial-cluster-token=tkn"]).unwrap();
    let bootstrap = config.bootstrap().unwrap();
    assert_eq!(format!("{:x} {:x}", bootstrap.cluster_id, bootstrap.local_id), "ef1364fd5724df9d 2791e767a994b949");
    let names: Vec<&str> = bootstrap.members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(texts(&bootstrap.members[0].peer_urls), ["http://127.0.0.1:39180", "http://localhost:39180"]);
}

#[test]
fn first_members_are_checked_only_when_asked() {
    let cases: &[(&[&str], &str)] = &[
        (
            &["--name=d", THREE],
            "couldn't find local name \"d\" in the initial cluster configuration, which names a, b, c",
        ),
        (
            &["--name=a", THREE, "--initial-advertise-peer-urls=http://localhost:39180"],
            "--initial-cluster has a=http://127.0.0.1:39180 but missing from \
             --initial-advertise-peer-urls=http://localhost:39180",
        ),
        (
            &["--name=b", THREE, "--initial-advertise-peer-urls=http://[::1]:2380,http://b:1"],
            "--initial-advertise-peer-urls has http://b:1 but missing from --initial-cluster=b=http://[::1]:2380",
        ),
        (
            &["--name=a", "--initial-cluster=a=http://localhost:2380,b=http://localhost:2380"],
            "initial cluster has duplicate url http://localhost:2380, of a and of b",
        ),
    ];
    for (arguments, expected) in cases {
        let config = flags(arguments).unwrap();
        let error = config.bootstrap().unwrap_err().to_string();
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
    // A joining member's own URLs need not agree, but it must be named.
    let joining = flags(&["--name=c", THREE, "--initial-cluster-state=existing"]).unwrap();
    assert_eq!(joining.bootstrap().unwrap().members.len(), 3);
}

#[test]
fn a_member_of_a_cluster_should_have_a_name() {
    let cluster = "--initial-cluster=default=http://localhost:2380,b=http://b:2380";
    let (_, warnings) = parse(&[cluster], &[]).unwrap();
    assert_eq!(warnings, [Warning::DefaultName]);
}

#[test]
fn a_name_alone_is_a_cluster_of_one() {
    let config = flags(&["--name=a", "--initial-advertise-peer-urls=http://10.0.0.1:2380"]).unwrap();
    assert_eq!(config.data_dir, Path::new("a.etcd"));
    assert_eq!(config.initial_cluster.len(), 1);
    assert!(config.bootstrap().is_ok());
}

/// etcd's own sample file, less what it holds of the v2 proxy.
const SAMPLE: &str = "
# This is the configuration file for the etcd server.
name: 'default'
data-dir:
wal-dir:
snapshot-count: 10000
heartbeat-interval: 100
election-timeout: 1000
quota-backend-bytes: 0
listen-peer-urls: http://localhost:2380
listen-client-urls: http://localhost:2379
max-snapshots: 5
max-wals: 5
cors:
initial-advertise-peer-urls: http://localhost:2380
advertise-client-urls: http://localhost:2379
discovery-srv:
initial-cluster:
initial-cluster-token: 'etcd-cluster'
initial-cluster-state: 'new'
strict-reconfig-check: false
enable-pprof: false
client-transport-security:
  cert-file:
  key-file:
  client-cert-auth: false
  trusted-ca-file:
  auto-tls: false
peer-transport-security:
  cert-file:
  auto-tls: false
  allowed-cn:
self-signed-cert-validity: 1
log-level: debug
logger: zap
log-outputs: [stderr]
force-new-cluster: false
auto-compaction-mode: periodic
auto-compaction-retention: \"0\"
";

#[test]
fn etcds_sample_file_is_read() {
    let config = file(SAMPLE).unwrap();
    assert!(!config.strict_reconfig_check);
    assert_eq!(config.logging.level, LogLevel::Debug);
    assert_eq!(config.data_dir, Path::new("default.etcd"));
}

#[test]
fn values_of_a_file_are_of_their_kind() {
    let text = "
name: 17
max-txn-ops: 0x40
log-outputs: [stdout, /tmp/a.log]
listen-peer-urls: [http://10.0.0.1:2380, http://127.0.0.1:2380]
grpc-keepalive-interval: 600000000000
grpc-keepalive-timeout: 10s
socket-options:
  reuse-port: true
shards: 3
cpus: 0-1
executor-spin: 50us
";
    let config = file(text).unwrap();
    assert_eq!(config.name, "17");
    assert_eq!(config.limits.txn_operations_max, 64);
    assert_eq!(config.logging.outputs, [LogOutput::File("/tmp/a.log".into()), LogOutput::Stdout]);
    assert_eq!(config.listen_peer_urls.len(), 2);
    let ping = config.keepalive.ping.unwrap();
    assert_eq!((ping.interval, ping.timeout), (Duration::from_secs(600), Duration::from_secs(10)));
    assert!(config.socket.reuse_port && !config.socket.reuse_address);
    assert_eq!(config.shards.unwrap().get(), 3);
    assert_eq!(config.executors.cpus, CpuChoice::Listed(vec![0, 1]));
    assert_eq!(config.executors.spin, Some(Duration::from_micros(50)));
}

#[test]
fn empty_files_set_nothing() {
    for text in ["", "# nothing\n", "\n\n", "---\n"] {
        assert_eq!(file(text).unwrap(), flags(&[]).unwrap(), "{text:?}");
    }
}

#[test]
fn what_is_wrong_in_a_file_is_named() {
    for (text, expected) in [
        ("nam: a", "unknown key nam; did you mean name?"),
        ("client-transport-security:\n  cert: a", "unknown key client-transport-security.cert; did you mean"),
        ("client-transport-security: a", "keys belong below client-transport-security"),
        (
            "client-transport-security:\n  auto-tls: true",
            "client-transport-security.auto-tls: true: not in this version",
        ),
        ("name: [a, b]", "name: a,b is a list"),
        ("name: {a: b}", "name: {a} has keys below it"),
        ("max-txn-ops: many", "max-txn-ops: many is not a whole number"),
        ("max-txn-ops: 1.5", "max-txn-ops: 1.5 is not a whole number"),
        ("enable-pprof: true", "enable-pprof: true: not in this version yet"),
        ("proxy: 'on'", "proxy: on: the v2 proxy was removed"),
        ("config-file: a", "unknown key config-file"),
        ("just a text", "must hold keys and values"),
        ("name: a\nname: b", "duplicate"),
        ("name: [a", "configuration file"),
        ("log-outputs: [[a]]", "single values only"),
    ] {
        let error = file(text).unwrap_err();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
    let error = flags(&["--config-file=/nonexistent/a.yml"]).unwrap_err();
    assert!(error.starts_with("configuration file /nonexistent/a.yml: No such file"), "{error}");
    assert!(file(&"#".repeat(2 << 20)).unwrap_err().contains("is larger than 1048576 bytes"));
}

#[test]
fn a_file_makes_everything_else_mute() {
    let file = File::new("name: file\nadvertise-client-urls: http://a:1\n");
    let path = file.0.to_str().unwrap();
    let (config, warnings) = parse(&["--name=flag", "--config-file", path], &[("ETCD_MAX_TXN_OPS", "many")]).unwrap();
    assert_eq!(config.name, "file");
    assert_eq!(config.limits.txn_operations_max, 128);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].to_string().ends_with("are ignored (--name, ETCD_MAX_TXN_OPS)"), "{}", warnings[0]);
    let (config, _) = parse(&[], &[("ETCD_CONFIG_FILE", path)]).unwrap();
    assert_eq!(config.name, "file");
    // A flag that does not exist is an error all the same.
    assert!(parse(&["--nonsense", "--config-file", path], &[]).is_err());
}

#[test]
fn a_file_that_listens_elsewhere_should_say_where_clients_find_it() {
    let (config, warnings) = File::new("listen-client-urls: http://10.0.0.1:2379").parse().unwrap();
    assert_eq!(texts(&config.advertise_client_urls), ["http://localhost:2379"]);
    assert!(matches!(warnings[..], [Warning::AdvertisesLocalhost { .. }]), "{warnings:?}");
}

#[test]
fn version_and_help_come_first() {
    let command = |arguments: &[&str]| Command::parse(arguments.iter().map(OsString::from), []);
    assert_eq!(command(&["--version"]), Ok(Command::PrintVersion));
    assert_eq!(command(&["--version", "--name="]), Ok(Command::PrintVersion));
    assert_eq!(command(&["--help"]), Ok(Command::PrintHelp));
    assert!(matches!(command(&["--version=false"]), Ok(Command::Run { .. })));
    assert!(command(&["--version", "stray"]).is_err());
}
