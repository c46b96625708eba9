//! Flags, configuration files and variables that are wrong: each is named, with what would be right.

use std::process::Command;

use campanile_test_support::tools;

use crate::{CAMPANILE, outcome};

#[test]
fn wrong_flags_name_themselves_and_the_mend() {
    let cases: [(&[&str], &[&str]); 8] = [
        (&["--listen-client-url=http://127.0.0.1:1"], &["listen-client-url", "did you mean --listen-client-urls"]),
        (&["--heartbeat-interval=soon"], &["heartbeat-interval", "soon"]),
        (&["--heartbeat-interval=100", "--election-timeout=200"], &["election-timeout", "200", "heartbeat"]),
        (&["--listen-client-urls=127.0.0.1:1"], &["listen-client-urls", "127.0.0.1:1", "http"]),
        (&["--shards=0"], &["shards", "0"]),
        (&["--cpus=1000"], &["--cpus", "1000", "taskset"]),
        (&["--initial-cluster-state=newish"], &["initial-cluster-state", "newish", "existing"]),
        (&["serve"], &["serve"]),
    ];
    for (arguments, words) in cases {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut all = vec![format!("--data-dir={}", folder.path().display())];
        all.extend(arguments.iter().map(|&argument| argument.to_owned()));
        outcome::run(&all).is_refusal(words);
        assert!(std::fs::read_dir(folder.path()).expect("a folder").count() <= 1, "nothing but a lock is left");
    }
}

#[test]
fn an_unknown_key_of_the_file_names_the_nearest() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("campanile.yaml");
    let run = |text: &str| {
        std::fs::write(&file, text).expect("a file");
        outcome::run(&[format!("--config-file={}", file.display())])
    };
    run("nmae: m0\n").is_refusal(&["nmae", "name"]);
    run("heartbeat-interval: often\n").is_refusal(&["heartbeat-interval", "often"]);
    run("name: [\n").is_refusal(&["campanile.yaml"]);
    std::fs::remove_file(&file).expect("it was written");
    outcome::run(&[format!("--config-file={}", file.display())]).is_refusal(&["campanile.yaml", "No such file"]);
}

#[test]
fn wrong_variables() {
    let with = |name: &str, value: &str| {
        let mut command = Command::new(CAMPANILE);
        command.env(name, value).arg("--data-dir=/proc/campanile");
        outcome::finish(command)
    };
    // As in etcd an unknown one only warns; the start fails for its directory.
    with("ETCD_DATA_DIRR", "x").is_refusal(&["ETCD_DATA_DIRR", "ETCD_DATA_DIR", "/proc/campanile"]);
    with("ETCD_HEARTBEAT_INTERVAL", "often").is_refusal(&["ETCD_HEARTBEAT_INTERVAL", "often"]);
}

#[test]
fn the_version_has_etcds_lines() {
    let keys = |path: &std::path::Path| -> Vec<String> {
        let output = Command::new(path).arg("--version").output().expect("it runs");
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).expect("a version is text");
        text.lines().filter_map(|line| Some(line.split_once(": ")?.0.to_owned())).collect()
    };
    let ours = keys(CAMPANILE.as_ref());
    let theirs = tools::judge().map(|judge| keys(&judge.path)).unwrap_or_default();
    assert!(ours.starts_with(&theirs), "{ours:?} do not begin with etcd's {theirs:?}");
}
