//! The real `etcdctl`, 3.4 and 3.5, unmodified, against one member and against three: right answers to what people type.
//!
//! `CAMPANILE_SUBJECT` puts another server in Campanile's place; the tests are validated on etcd in this way.

mod command;

use std::time::Duration;

use campanile_test_support::{Cluster, Options, Program, tools, wait};
use command::Ctl;

/// More shards than most machines of a developer have cores: they share executors.
const SHARDS: usize = 3;
/// A member that has just started still has to tell the others where clients reach it.
const ANNOUNCED_LIMIT: Duration = Duration::from_secs(10);

/// Runs `test` on a fresh cluster for each `etcdctl` that is there.
async fn with_each_etcdctl(members: usize, test: impl Fn(&Ctl)) {
    let program = Program::subject(env!("CARGO_BIN_EXE_campanile"));
    for tool in tools::etcdctls() {
        let options = Options { members, shards: SHARDS, ..Options::default() };
        let cluster = Cluster::start(&program, &options).await;
        let ctl = Ctl { tool: &tool, endpoints: cluster.addresses().join(",") };
        tokio::task::block_in_place(|| test(&ctl));
    }
}

/// The number after `name` in a line such as `"revision":7,`.
fn json_number(text: &str, name: &str) -> i64 {
    let (_, rest) = text.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("no {name} in {text}"));
    let end = rest.find(|character: char| character != '-' && !character.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().unwrap_or_else(|error| panic!("{name} in {text}: {error}"))
}

/// `lease 32695410dcc0ca06 granted with TTL(100s)`
fn lease_id(text: &str) -> String {
    text.split(' ').nth(1).unwrap_or_else(|| panic!("no lease in {text}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn put_get_and_delete() {
    with_each_etcdctl(1, |ctl| {
        for (key, value) in
            [("fruit/apple", "red"), ("fruit/banana", "yellow"), ("fruit/cherry", "dark"), ("tool", "saw")]
        {
            assert_eq!(ctl.ok(&["put", key, value]), "OK\n");
        }
        assert_eq!(ctl.ok(&["put", "--prev-kv", "fruit/apple", "green"]), "OK\nfruit/apple\nred\n");
        assert_eq!(
            ctl.ok(&["get", "--prefix", "fruit/"]),
            "fruit/apple\ngreen\nfruit/banana\nyellow\nfruit/cherry\ndark\n"
        );
        assert_eq!(
            ctl.ok(&["get", "--prefix", "--keys-only", "--limit=2", "fruit/"]),
            "fruit/apple\n\nfruit/banana\n\n"
        );
        let by_value = ["get", "--prefix", "--print-value-only", "--sort-by=VALUE", "--order=DESCEND", "fruit/"];
        assert_eq!(ctl.ok(&by_value), "yellow\ngreen\ndark\n");
        assert_eq!(ctl.ok(&["get", "--print-value-only", "--rev=2", "fruit/apple"]), "red\n");
        assert_eq!(ctl.ok(&["get", "--from-key", "fruit/cherry"]), "fruit/cherry\ndark\ntool\nsaw\n");
        assert_eq!(ctl.ok(&["get", "nothing"]), "");
        let json = ctl.ok(&["get", "--write-out=json", "fruit/apple"]);
        let numbers = ["revision", "create_revision", "mod_revision", "version"].map(|name| json_number(&json, name));
        assert_eq!(numbers, [6, 2, 6, 2]);
        assert_eq!(ctl.ok(&["del", "--prefix", "--prev-kv", "fruit/a"]), "1\nfruit/apple\ngreen\n");
        assert_eq!(ctl.ok(&["del", "--prefix", "fruit/"]), "2\n");
        assert_eq!(ctl.ok(&["del", "nothing"]), "0\n");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interactive_transaction() {
    with_each_etcdctl(1, |ctl| {
        ctl.ok(&["put", "stock", "3"]);
        let sell =
            "value(\"stock\") = \"3\"\nversion(\"order\") = \"0\"\n\nput stock 2\nput order ann\n\nget stock\n\n";
        let first = ctl.ok_with_input(&["txn", "-i"], sell);
        assert!(first.contains("SUCCESS\n\nOK\n\nOK\n"), "{first}");
        let second = ctl.ok_with_input(&["txn", "-i"], sell);
        assert!(second.contains("FAILURE\n\nstock\n2\n"), "{second}");
        let kvs = ctl.ok(&["get", "--write-out=json", "order"]);
        assert_eq!(
            [json_number(&kvs, "create_revision"), json_number(&kvs, "revision")],
            [3, 3],
            "one revision for both"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_from_a_revision() {
    with_each_etcdctl(1, |ctl| {
        ctl.ok(&["put", "before", "unseen"]);
        ctl.ok(&["put", "w/1", "one"]);
        ctl.ok(&["put", "w/2", "two"]);
        ctl.ok(&["del", "w/1"]);
        let watch = ctl.start(&["watch", "--prefix", "--prev-kv", "--rev=2", "w/"]);
        let history = ["PUT", "w/1", "one", "PUT", "w/2", "two", "DELETE", "w/1", "one", "w/1", ""];
        let read = |count: usize| (0..count).map(|_| watch.line()).collect::<Vec<_>>();
        assert_eq!(read(history.len()), history);
        ctl.ok(&["put", "w/2", "again"]);
        assert_eq!(read(5), ["PUT", "w/2", "two", "w/2", "again"]);
        ctl.ok(&["put", "x", "elsewhere"]);
        assert!(watch.is_silent_for(Duration::from_millis(300)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_keep_and_lose_their_keys() {
    with_each_etcdctl(1, |ctl| {
        let granted = ctl.ok(&["lease", "grant", "100"]);
        assert!(granted.ends_with("granted with TTL(100s)\n"), "{granted}");
        let id = lease_id(&granted);
        ctl.ok(&["put", &format!("--lease={id}"), "held", "1"]);
        assert_eq!(ctl.ok(&["lease", "keep-alive", "--once", &id]), format!("lease {id} keepalived with TTL(100)\n"));
        let left = ctl.ok(&["lease", "timetolive", "--keys", &id]);
        assert!(left.starts_with(&format!("lease {id} granted with TTL(100s), remaining(")), "{left}");
        assert!(left.ends_with("attached keys([held])\n"), "{left}");
        assert_eq!(ctl.ok(&["lease", "list"]), format!("found 1 leases\n{id}\n"));
        assert_eq!(ctl.ok(&["lease", "revoke", &id]), format!("lease {id} revoked\n"));
        assert_eq!(ctl.ok(&["get", "held"]), "");
        assert_eq!(ctl.ok(&["lease", "timetolive", &id]), format!("lease {id} already expired\n"));
        assert!(ctl.error(&["lease", "revoke", &id]).contains("requested lease not found"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_expire() {
    with_each_etcdctl(1, |ctl| {
        let watch = ctl.start(&["watch", "--rev=1", "brief"]);
        let id = lease_id(&ctl.ok(&["lease", "grant", "2"]));
        ctl.ok(&["put", &format!("--lease={id}"), "brief", "1"]);
        let seen: Vec<String> = (0..6).map(|_| watch.line()).collect();
        assert_eq!(seen, ["PUT", "brief", "1", "DELETE", "brief", ""]);
        assert_eq!(ctl.ok(&["lease", "timetolive", &id]), format!("lease {id} already expired\n"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_has_one_holder() {
    with_each_etcdctl(1, |ctl| {
        let mut first = ctl.start(&["lock", "mutex"]);
        assert!(first.line().starts_with("mutex/"));
        let second = ctl.start(&["lock", "mutex"]);
        assert!(second.is_silent_for(Duration::from_millis(500)), "two hold the lock");
        first.interrupt();
        assert!(second.line().starts_with("mutex/"));
        drop(second);
        assert_eq!(ctl.ok(&["lock", "another", "echo", "inside"]), "inside\n");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_election_has_one_leader() {
    with_each_etcdctl(1, |ctl| {
        let mut first = ctl.start(&["elect", "office", "ann"]);
        assert!(first.line().starts_with("office/"));
        assert_eq!(first.line(), "ann");
        let second = ctl.start(&["elect", "office", "bob"]);
        assert!(second.is_silent_for(Duration::from_millis(500)), "two lead");
        let listener = ctl.start(&["elect", "--listen", "office"]);
        assert!(listener.line().starts_with("office/"));
        assert_eq!(listener.line(), "ann");
        first.interrupt();
        assert!(second.line().starts_with("office/"));
        assert_eq!(second.line(), "bob");
        assert!(listener.line().starts_with("office/"));
        assert_eq!(listener.line(), "bob");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_forgets() {
    with_each_etcdctl(1, |ctl| {
        for value in ["1", "2", "3", "4"] {
            ctl.ok(&["put", "k", value]);
        }
        assert_eq!(ctl.ok(&["compaction", "4"]), "compacted revision 4\n");
        assert_eq!(ctl.ok(&["get", "--print-value-only", "--rev=4", "k"]), "3\n");
        assert!(ctl.error(&["get", "--rev=3", "k"]).contains("required revision has been compacted"));
        assert!(ctl.error(&["get", "--rev=99", "k"]).contains("required revision is a future revision"));
        assert!(ctl.error(&["compaction", "4"]).contains("required revision has been compacted"));
        assert!(ctl.error(&["watch", "--rev=2", "k"]).contains("required revision has been compacted"));
        assert_eq!(ctl.ok(&["compaction", "--physical", "5"]), "compacted revision 5\n");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_of_three_members() {
    with_each_etcdctl(3, |ctl| {
        ctl.ok(&["put", "k", "v"]);
        let status = ctl.ok(&["endpoint", "status", "--write-out=table"]);
        let addresses: Vec<&str> = ctl.endpoints.split(',').collect();
        for address in &addresses {
            assert!(status.contains(address), "{status}");
        }
        assert_eq!(status.matches(" true |").count(), 1, "one leader: {status}");
        let health = ctl.ok(&["endpoint", "health", "--write-out=table"]);
        assert_eq!(health.matches(" true |").count(), 3, "{health}");
        let table = ctl.ok(&["endpoint", "hashkv", "--write-out=table", "--rev=2"]);
        let cells = |line: &str| line.split('|').nth(2).map(|hash| hash.trim().to_owned());
        let hashes: Vec<_> = table.lines().filter(|line| line.contains("127.0.0.1")).filter_map(cells).collect();
        assert!(hashes.len() == 3 && hashes.iter().all(|hash| *hash == hashes[0]), "{table}");
        // Some commands of 3.4 send an endpoint as it was written for the authority of their requests.
        let urls: Vec<String> = addresses.iter().map(|address| format!("http://{address}")).collect();
        let by_url = Ctl { tool: ctl.tool, endpoints: urls.join(",") };
        for command in ["status", "hashkv"] {
            let lines = by_url.ok(&["endpoint", command]);
            assert_eq!(lines.matches("http://").count(), 3, "{command}: {lines}");
        }
        let members = ctl.ok(&["member", "list", "--write-out=table"]);
        assert_eq!(members.matches("started").count(), 3, "{members}");
        for name in ["m0", "m1", "m2"] {
            assert!(members.contains(name), "{members}");
        }
    })
    .await;
}

/// Waits until each of these members tells the clients' URLs of all members, whether they run or not.
async fn each_tells_of_all(cluster: &Cluster, tool: &tools::Tool, asked: &[usize]) {
    for &member in asked {
        let ctl = Ctl { tool, endpoints: cluster.members[member].address.clone() };
        let tells_of_all = async || {
            let members = tokio::task::block_in_place(|| ctl.ok(&["member", "list"]));
            cluster.members.iter().all(|one| members.contains(&format!("http://{}", one.address))).then_some(())
        };
        wait::until("where clients reach each member", ANNOUNCED_LIMIT, tells_of_all).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_member_tells_where_all_are_reached() {
    let program = Program::subject(env!("CARGO_BIN_EXE_campanile"));
    for tool in tools::etcdctls() {
        let options = Options { members: 3, shards: SHARDS, ..Options::default() };
        let mut cluster = Cluster::start(&program, &options).await;
        each_tells_of_all(&cluster, &tool, &[0, 1, 2]).await;
        let ctl = Ctl { tool: &tool, endpoints: cluster.members[1].address.clone() };
        let status = tokio::task::block_in_place(|| ctl.ok(&["endpoint", "status", "--cluster"]));
        assert_eq!(status.lines().count(), 3, "{status}");
        // It stands in the log: a member that is down is told of, even by others that have just started.
        cluster.kill_all();
        for member in [0, 1] {
            cluster.members[member].start();
        }
        for member in [0, 1] {
            cluster.members[member].ready().await;
        }
        each_tells_of_all(&cluster, &tool, &[0, 1]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_of_three_members_answers() {
    with_each_etcdctl(3, |ctl| {
        for (at, address) in ctl.endpoints.split(',').enumerate() {
            let one = Ctl { tool: ctl.tool, endpoints: address.to_owned() };
            assert_eq!(one.ok(&["put", "turn", &at.to_string()]), "OK\n");
            for other in ctl.endpoints.split(',') {
                let other = Ctl { tool: ctl.tool, endpoints: other.to_owned() };
                assert_eq!(other.ok(&["get", "--print-value-only", "turn"]), format!("{at}\n"), "a stale read");
            }
        }
    })
    .await;
}
