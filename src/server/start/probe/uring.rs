//! Whether io_uring is there, allowed, and complete.
//!
//! The same refusal has several causes (no kernel support, a sysctl, a seccomp filter, a limit), and each has another
//! mend; telling them apart is what this file is for.

use std::ffi::c_void;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::io_uring::{IoringRegisterOp, io_uring_params, io_uring_register, io_uring_setup};

/// Why no executor can run here.
#[derive(Debug, thiserror::Error)]
pub enum UringError {
    /// ENOSYS: neither kernel nor filter know the call.
    #[error(
        "io_uring is not there (kernel {kernel}): Linux 5.8 or newer with CONFIG_IO_URING is needed; if this is \
             such a kernel, a sandbox (gVisor, a seccomp profile) hides it: allow io_uring_setup, io_uring_enter and \
             io_uring_register"
    )]
    Missing { kernel: String },
    /// The sysctl forbids it to everybody, or to this user.
    #[error("io_uring is disabled by the sysctl kernel.io_uring_disabled={value}; {mend}")]
    Disabled { value: u8, mend: &'static str },
    /// EPERM, and no sysctl to blame.
    #[error(
        "io_uring is forbidden to this process by a seccomp filter, as container runtimes install by default; \
             allow io_uring_setup, io_uring_enter and io_uring_register in the container's profile (docker run \
             --security-opt seccomp=profile.json)"
    )]
    Forbidden,
    /// Old kernels count rings as locked memory.
    #[error(
        "io_uring cannot lock memory for a ring; raise the limit (ulimit -l, LimitMEMLOCK= of the unit, \
             --ulimit memlock= of the container)"
    )]
    LockedMemory,
    /// Some of what executors submit is unknown to the kernel.
    #[error("the kernel {kernel} lacks io_uring's {}; Linux 5.8 or newer is needed", missing.join(", "))]
    Operations { missing: Vec<&'static str>, kernel: String },
    /// Anything else.
    #[error("io_uring cannot be used: {0}; see the kernel's log (dmesg)")]
    Other(io::Error),
}

/// What executors and the log submit, by the kernel's number (`enum io_uring_op`).
const OPERATIONS: &[(usize, &str)] = &[
    (0, "NOP"),
    (1, "READV"),
    (2, "WRITEV"),
    (3, "FSYNC"),
    (4, "READ_FIXED"),
    (5, "WRITE_FIXED"),
    (6, "POLL_ADD"),
    (7, "POLL_REMOVE"),
    (9, "SENDMSG"),
    (10, "RECVMSG"),
    (11, "TIMEOUT"),
    (12, "TIMEOUT_REMOVE"),
    (13, "ACCEPT"),
    (15, "LINK_TIMEOUT"),
    (16, "CONNECT"),
    (17, "FALLOCATE"),
    (18, "OPENAT"),
    (19, "CLOSE"),
    (21, "STATX"),
    (22, "READ"),
    (23, "WRITE"),
    (26, "SEND"),
    (27, "RECV"),
];

/// How many operations the kernel is asked about.
const PROBED_OPERATIONS: usize = 64;
/// In `io_uring_probe_op.flags`: the kernel knows the operation.
const SUPPORTED: u16 = 1;

/// The kernel's `struct io_uring_probe`, with plain numbers where a kernel newer than this code may write new ones.
#[repr(C)]
struct Probe {
    last_operation: u8,
    operations_length: u8,
    reserved: [u8; 14],
    operations: [ProbedOperation; PROBED_OPERATIONS],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct ProbedOperation {
    operation: u8,
    reserved: u8,
    flags: u16,
    reserved_too: u32,
}

const _: () = assert!(size_of::<Probe>() == 16 + 8 * PROBED_OPERATIONS);

/// Makes a ring, and asks it what it can do.
pub(super) fn check() -> Result<(), UringError> {
    let ring = make_ring().map_err(|errno| explain(errno, disabled_sysctl(), kernel()))?;
    let missing = missing_operations(&ring).map_err(|errno| UringError::Other(errno.into()))?;
    if missing.is_empty() { Ok(()) } else { Err(UringError::Operations { missing, kernel: kernel() }) }
}

fn make_ring() -> Result<OwnedFd, Errno> {
    let mut parameters = io_uring_params::default();
    // SAFETY: the parameters are a zeroed structure that asks for no feature, and outlive the call.
    unsafe { io_uring_setup(4, &mut parameters) }
}

fn missing_operations(ring: &OwnedFd) -> Result<Vec<&'static str>, Errno> {
    let nothing = ProbedOperation { operation: 0, reserved: 0, flags: 0, reserved_too: 0 };
    let mut probe =
        Probe { last_operation: 0, operations_length: 0, reserved: [0; 14], operations: [nothing; PROBED_OPERATIONS] };
    let pointer: *mut Probe = &raw mut probe;
    let length = u32::try_from(PROBED_OPERATIONS).expect("it is 64");
    // SAFETY: the kernel writes a header and at most `length` operations behind it, which is the size of `Probe`; every
    // bit pattern is valid in it, and it outlives the call.
    unsafe { io_uring_register(ring, IoringRegisterOp::RegisterProbe, pointer.cast::<c_void>(), length)? };
    let supported = |number: usize| probe.operations.get(number).is_some_and(|found| found.flags & SUPPORTED != 0);
    Ok(OPERATIONS.iter().filter(|(number, _)| !supported(*number)).map(|(_, name)| *name).collect())
}

fn explain(errno: Errno, disabled: Option<u8>, kernel: String) -> UringError {
    match (errno, disabled) {
        (Errno::NOSYS, _) => UringError::Missing { kernel },
        (Errno::PERM, Some(2)) => {
            UringError::Disabled { value: 2, mend: "set it to 0 (sysctl -w kernel.io_uring_disabled=0)" }
        }
        (Errno::PERM, Some(1)) => UringError::Disabled {
            value: 1,
            mend: "set it to 0, or run as a member of the group that kernel.io_uring_group names",
        },
        (Errno::PERM | Errno::ACCESS, _) => UringError::Forbidden,
        (Errno::NOMEM, _) => UringError::LockedMemory,
        (other, _) => UringError::Other(other.into()),
    }
}

/// None where the kernel (before 6.6) has no such sysctl.
fn disabled_sysctl() -> Option<u8> {
    fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?.trim().parse().ok()
}

fn kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_mend() {
        let cases: &[(Errno, Option<u8>, &str)] = &[
            (Errno::NOSYS, Some(0), "Linux 5.8 or newer with CONFIG_IO_URING"),
            (Errno::PERM, Some(2), "sysctl -w kernel.io_uring_disabled=0"),
            (Errno::PERM, Some(1), "kernel.io_uring_group"),
            (Errno::PERM, Some(0), "seccomp"),
            (Errno::PERM, None, "seccomp"),
            (Errno::ACCESS, None, "seccomp"),
            (Errno::NOMEM, None, "LimitMEMLOCK="),
            (Errno::INVAL, None, "dmesg"),
        ];
        for (errno, disabled, expected) in cases {
            let message = explain(*errno, *disabled, "5.4.0".to_owned()).to_string();
            assert!(message.contains(expected), "{errno} {disabled:?}: {message}");
        }
    }

    #[test]
    fn a_ring_that_can_be_made_knows_its_operations() {
        if let Ok(ring) = make_ring() {
            assert_eq!(missing_operations(&ring).unwrap(), Vec::<&str>::new());
            assert!(check().is_ok());
        }
    }
}
