//! When to stop: at SIGTERM, SIGINT and SIGQUIT.
//!
//! A signal arrives as a byte in a socket pair, which a thread can block on and an executor can poll. A second signal ends
//! the process at once, with the exit status that shells give a killed process: whoever sends it does not want to wait.
//! Never decides how to stop.

use std::io::{self, Read};
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

/// Where requests to stop arrive. There is one in a process.
#[derive(Debug)]
pub struct StopRequests {
    reader: UnixStream,
    signal: Arc<AtomicUsize>,
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
        Ok(StopRequests { reader, signal })
    }

    /// Blocks this thread until the member is to stop.
    ///
    /// # Errors
    /// If the kernel refuses to read; that is a bug.
    pub fn wait(&mut self) -> io::Result<StopSignal> {
        self.reader.read_exact(&mut [0])?;
        Ok(self.cause())
    }

    /// Why, once a byte has arrived.
    fn cause(&self) -> StopSignal {
        match i32::try_from(self.signal.load(Ordering::SeqCst)) {
            Ok(SIGTERM) => StopSignal("SIGTERM"),
            Ok(SIGINT) => StopSignal("SIGINT"),
            Ok(SIGQUIT) => StopSignal("SIGQUIT"),
            number => unreachable!("a byte comes with one of the signals, not with {number:?}"),
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
            assert_eq!(requests.wait().unwrap(), StopSignal("SIGTERM"));
            std::process::exit(42);
        }
        let output = run_child("start::signals::tests::the_first_signal_is_reported", "signals::first");
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
