//! Running one `etcdctl`: to its end, or beside the test while its output is read line by line.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use campanile_test_support::tools::Tool;

/// No command of these tests takes long; one that does hangs.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// An `etcdctl` and the endpoints that it is pointed at.
pub struct Ctl<'a> {
    pub tool: &'a Tool,
    pub endpoints: String,
}

impl Ctl<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.tool.path);
        command.env("ETCDCTL_API", "3").arg(format!("--endpoints={}", self.endpoints)).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What a command that succeeds prints.
    pub fn ok(&self, arguments: &[&str]) -> String {
        self.ok_with_input(arguments, "")
    }

    /// What a command that succeeds prints when it is told `input`.
    pub fn ok_with_input(&self, arguments: &[&str], input: &str) -> String {
        let output = self.output(arguments, input);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "etcdctl {} {arguments:?}: {errors}", self.tool.version_text());
        String::from_utf8(output.stdout).expect("these tests print text")
    }

    /// What a command that fails complains of.
    pub fn error(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments, "");
        let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success(), "etcdctl {} {arguments:?} succeeds: {text}", self.tool.version_text());
        errors.into_owned()
    }

    fn output(&self, arguments: &[&str], input: &str) -> Output {
        let mut running = self.start(arguments);
        running.child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("etcdctl reads");
        let text: Vec<String> = running.lines.iter().collect();
        let status = running.ended();
        let mut errors = Vec::new();
        running.child.stderr.take().expect("piped").read_to_end(&mut errors).expect("etcdctl's errors are read");
        Output { status, stdout: text.concat().into_bytes(), stderr: errors }
    }

    /// Starts a command that stays.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut child = self.command(arguments).spawn().expect("etcdctl starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || read_lines(output, &sender));
        Running { child, lines }
    }
}

fn read_lines(mut output: impl BufRead, lines: &mpsc::Sender<String>) {
    let mut line = String::new();
    while output.read_line(&mut line).is_ok_and(|bytes| bytes > 0) && lines.send(std::mem::take(&mut line)).is_ok() {}
}

/// A command that has not ended; it is killed when the value goes.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// The next line, without its end.
    pub fn line(&self) -> String {
        let line = self.lines.recv_timeout(COMMAND_LIMIT).expect("etcdctl prints another line");
        line.trim_end_matches('\n').to_owned()
    }

    /// Whether nothing is printed for this long.
    pub fn is_silent_for(&self, time: Duration) -> bool {
        self.lines.recv_timeout(time).is_err()
    }

    /// Ctrl-C, on which `lock` and `elect` give back what they hold.
    pub fn interrupt(&mut self) {
        let status = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "cannot interrupt etcdctl");
        self.ended();
    }

    fn ended(&mut self) -> std::process::ExitStatus {
        let deadline = Instant::now() + COMMAND_LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child can be asked") {
                return status;
            }
            assert!(Instant::now() < deadline, "etcdctl does not end");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
