//! What surrounds a member: a sandbox without io_uring, a service manager, outputs for its log.

use std::{os::unix::net::UnixDatagram, process::Command, time::Duration};

use campanile_test_support::{Program, ports, process::Process};

use crate::{CAMPANILE, member, outcome, program, put};

const NOTICE_LIMIT: Duration = Duration::from_secs(20);

/// Runs what follows under a seccomp filter that refuses io_uring_setup (number 425) with the given error.
const WITHOUT_IO_URING: &str = r"
import ctypes, os, struct, sys
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
error = int(sys.argv[1])
program = [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x00050000 | error), (0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in program))
class Header(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('steps', ctypes.c_void_p)]
header = Header(len(program), ctypes.addressof(code))
prctl = ctypes.CDLL(None, use_errno=True).prctl
if prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(header), 0, 0):
    sys.exit('no filter: ' + os.strerror(ctypes.get_errno()))
os.execv(sys.argv[2], sys.argv[2:])
";

#[test]
fn without_io_uring() {
    const EPERM: &str = "1";
    const ENOSYS: &str = "38";
    for (error, words) in [(EPERM, ["seccomp", "io_uring_setup"]), (ENOSYS, ["io_uring is not there", "Linux 5.8"])] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("python3");
        command.args(["-c", WITHOUT_IO_URING, error, CAMPANILE]);
        command.arg(format!("--data-dir={}", folder.path().display()));
        outcome::finish(command).is_refusal(&words);
    }
}

#[test]
fn the_service_manager_is_told() {
    let folder = tempfile::Builder::new().prefix("campanile-test-").tempdir().expect("a temporary folder");
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).expect("a socket");
    manager.set_read_timeout(Some(NOTICE_LIMIT)).expect("a socket takes a limit");
    let next = || {
        let mut bytes = [0; 256];
        let length = manager.recv(&mut bytes).expect("the member speaks in time");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let (client, peer) = (ports::free(), ports::free());
    let Program { path, .. } = program();
    let script = format!("export NOTIFY_SOCKET='{}'; exec '{}' \"$@\"", socket.display(), path.display());
    let arguments = [
        "-c".to_owned(),
        script,
        "campanile".to_owned(),
        format!("--data-dir={}", folder.path().join("data").display()),
        format!("--listen-client-urls=http://127.0.0.1:{client}"),
        format!("--advertise-client-urls=http://127.0.0.1:{client}"),
        format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
    ];
    let mut process = Process::start("/bin/sh".as_ref(), &arguments, &folder.path().join("log")).expect("a shell");
    assert!(next().starts_with("STATUS="));
    assert_eq!(next(), "READY=1");
    process.signal("TERM");
    assert_eq!(next(), "STOPPING=1");
    assert_eq!(process.ends_within(NOTICE_LIMIT).expect("it ends").code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_goes_where_it_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    let outputs = format!("--log-outputs={},{}", one.display(), other.display());
    let mut cluster = member(&[outputs, "--log-level=warn".to_owned()]).await;
    assert!(put(&cluster.client(0), "k", 1).await.is_some());
    let printed = cluster.members[0].process().log();
    assert!(!printed.contains("starting a member"), "{printed}");
    cluster.kill_all();
    assert_eq!(std::fs::read_to_string(&one).expect("a log"), std::fs::read_to_string(&other).expect("a log"));
    let flags = [format!("--log-outputs={}", one.display()), "--log-level=info".to_owned()];
    cluster.members[0].arguments().extend(flags);
    cluster.start_all().await;
    let text = std::fs::read_to_string(&one).expect("a log");
    let line = text.lines().find(|line| line.contains("starting a member")).expect("info is logged");
    for key in ["{\"level\":\"info\",\"ts\":\"", "\"caller\":\"", "\"msg\":\"starting a member\"", "\"data-dir\":"] {
        assert!(line.contains(key), "{line}");
    }
}

#[test]
fn wrong_outputs_and_levels_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = format!("--data-dir={}", folder.path().display());
    outcome::run(&[&data, "--log-level=loud"]).is_refusal(&["log-level", "loud", "info"]);
    outcome::run(&[&data, "--log-outputs=/proc/nothing/log"]).is_refusal(&["/proc/nothing/log"]);
    outcome::run(&[&data, "--log-format=xml"]).is_refusal(&["log-format", "xml", "json"]);
}
