//! A panic ends the process: one line in the log, then an abort.
//!
//! A task of an executor that panics would only be cancelled, and its shard would be silent from then on; a process
//! that is gone is noticed, restarted, and recovers from its log.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

use super::logging::{self, Severity};

/// Installs the hook for every thread, before there is a second one.
pub fn install() {
    std::panic::set_hook(Box::new(|panic| {
        report(panic);
        std::process::abort();
    }));
}

fn report(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("a panic without a message");
    let (file, line) = panic.location().map_or(("", 0), |location| (location.file(), location.line()));
    let thread = std::thread::current();
    let backtrace = Backtrace::capture();
    let mut fields = vec![("thread", thread.name().unwrap_or("unnamed").to_owned())];
    if backtrace.status() == BacktraceStatus::Captured {
        fields.push(("stacktrace", backtrace.to_string()));
    }
    logging::write_last_words(Severity::Panic, (file, line), message, &fields);
}

#[cfg(test)]
pub(crate) mod tests {
    use std::process::{Command, Output};

    use super::*;

    /// The variable that tells a test that it is the child of itself, and of which kind.
    const CHILD: &str = "CAMPANILE_TEST_CHILD";

    /// Whether this process was started by [`run_child`] with that kind.
    pub(crate) fn child(kind: &str) -> bool {
        std::env::var(CHILD).is_ok_and(|value| value == kind)
    }

    /// Runs one test of this binary in a process of its own, for what would end the process.
    pub(crate) fn run_child(test: &str, kind: &str) -> Output {
        let names = Command::new(std::env::current_exe().unwrap()).args(["--list"]).output().unwrap();
        let listed = String::from_utf8(names.stdout).unwrap();
        let name = listed.lines().filter_map(|line| line.strip_suffix(": test")).find(|name| name.ends_with(test));
        let name = name.unwrap_or_else(|| panic!("there is no test {test}"));
        Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture", "--test-threads=1"])
            .env(CHILD, kind)
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap()
    }

    #[test]
    fn a_panic_is_a_line_and_an_abort() {
        use std::os::unix::process::ExitStatusExt;
        if child("panic") {
            install();
            std::thread::Builder::new()
                .name("executor-1".to_owned())
                .spawn(|| panic!("the \"invariant\""))
                .unwrap()
                .join()
                .ok();
            std::process::exit(42);
        }
        let output = run_child("start::panic::tests::a_panic_is_a_line_and_an_abort", "panic");
        assert_eq!(output.status.signal(), Some(signal_hook::consts::SIGABRT), "{output:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(r#"{"level":"panic","ts":""#), "{text}");
        assert!(text.contains(r#""msg":"the \"invariant\"","thread":"executor-1"}"#), "{text}");
    }
}
