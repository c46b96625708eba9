//! When to stop: at SIGTERM, SIGINT and SIGQUIT; and the call by which another thread wakes the one that waits for them.
//!
//! A signal arrives as a byte in a socket pair, which a thread can block on and an executor can poll. A second signal ends
//! the process at once, with the exit status that shells give a killed process: whoever sends it does not want to wait.
//! Never decides how to stop.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGQUIT, SIGTERM};

/// What stops a member in an orderly way.
const SIGNALS: [i32; 3] = [SIGTERM, SIGINT, SIGQUIT];
/// What shells add to a signal's number for the exit status of a process that it ended.
const SHELL_STATUS_BASE: i32 = 128;

/// The signal by which the member is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopSignal(pub &'static str);

/// What ends the wait of the first thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    Stop(StopSignal),
    /// Another thread called.
    Call,
}

/// Where requests to stop arrive. There is one in a process.
#[derive(Debug)]
pub struct StopRequests {
    reader: UnixStream,
    writer: UnixStream,
    signal: Arc<AtomicUsize>,
}

/// Ends the wait from another thread.
#[derive(Debug)]
pub struct Caller(UnixStream);

impl Caller {
    pub fn call(&self) {
        // The socket takes far more bytes than there are calls; and the first thread, which reads them, never ends before.
        let _ = (&self.0).write_all(&[0]);
    }
}

impl StopRequests {
    /// Takes the signals over from the kernel's default, which is to kill the process.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub fn install() -> io::Result<StopRequests> {
        let (reader, writer) = UnixStream::pair()?;
        let armed = Arc::new(AtomicBool::new(false));
        let signal = Arc::new(AtomicUsize::new(0));
        for number in SIGNALS {
            // The order matters: the first signal finds the shutdown unarmed, and its number is there before its byte.
            let status = SHELL_STATUS_BASE + number;
            signal_hook::flag::register_conditional_shutdown(number, status, Arc::clone(&armed))?;
            signal_hook::flag::register(number, Arc::clone(&armed))?;
            let value = usize::try_from(number).expect("signals have positive numbers");
            signal_hook::flag::register_usize(number, Arc::clone(&signal), value)?;
            signal_hook::low_level::pipe::register(number, writer.try_clone()?)?;
        }
        Ok(StopRequests { reader, writer, signal })
    }

    /// For a thread that has something to say to the one that waits.
    ///
    /// # Errors
    /// If the kernel refuses another descriptor.
    pub fn caller(&self) -> io::Result<Caller> {
        self.writer.try_clone().map(Caller)
    }

    /// Blocks this thread until the member is to stop, or another thread calls.
    ///
    /// # Errors
    /// If the kernel refuses to read; that is a bug.
    pub fn wait(&mut self) -> io::Result<Awaited> {
        self.reader.read_exact(&mut [0])?;
        Ok(self.cause())
    }

    /// Why, once a byte has arrived. A signal comes first: it does not go away.
    fn cause(&self) -> Awaited {
        match i32::try_from(self.signal.load(Ordering::SeqCst)) {
            Ok(0) => Awaited::Call,
            Ok(SIGTERM) => Awaited::Stop(StopSignal("SIGTERM")),
            Ok(SIGINT) => Awaited::Stop(StopSignal("SIGINT")),
            Ok(SIGQUIT) => Awaited::Stop(StopSignal("SIGQUIT")),
            number => unreachable!("only these signals are taken over, not {number:?}"),
        }
    }
}

impl AsFd for StopRequests {
    /// Readable once the member is to stop.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::start::panic::tests::{child, run_child};

    #[test]
    fn the_first_signal_is_reported() {
        if child("signals::first") {
            let mut requests = StopRequests::install().unwrap();
            signal_hook::low_level::raise(SIGTERM).unwrap();
            assert_eq!(requests.wait().unwrap(), Awaited::Stop(StopSignal("SIGTERM")));
            std::process::exit(42);
        }
        let output = run_child("start::signals::tests::the_first_signal_is_reported", "signals::first");
        assert_eq!(output.status.code(), Some(42), "{output:?}");
    }

    #[test]
    fn a_call_ends_the_wait() {
        if child("signals::call") {
            let mut requests = StopRequests::install().unwrap();
            requests.caller().unwrap().call();
            assert_eq!(requests.wait().unwrap(), Awaited::Call);
            std::process::exit(42);
        }
        let output = run_child("start::signals::tests::a_call_ends_the_wait", "signals::call");
        assert_eq!(output.status.code(), Some(42), "{output:?}");
    }

    #[test]
    fn the_second_signal_ends_the_process() {
        if child("signals::second") {
            let _requests = StopRequests::install().unwrap();
            signal_hook::low_level::raise(SIGTERM).unwrap();
            signal_hook::low_level::raise(SIGINT).unwrap();
            std::process::exit(42);
        }
        let output = run_child("start::signals::tests::the_second_signal_ends_the_process", "signals::second");
        assert_eq!(output.status.code(), Some(SHELL_STATUS_BASE + SIGINT), "{output:?}");
    }
}
