//! Word to the service manager, by systemd's notification protocol (sd_notify(3)).
//!
//! One datagram of `NAME=value` to the socket that `NOTIFY_SOCKET` names; a leading `@` is the abstract namespace.
//! Without that variable there is nobody to tell. The standard library has all of it, so there is no crate for it here.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Tells the service manager, if there is one.
#[derive(Debug)]
pub struct Notifier {
    manager: Option<(UnixDatagram, SocketAddr)>,
}

impl Notifier {
    /// The manager that started this process.
    ///
    /// # Errors
    /// If `NOTIFY_SOCKET` is set and is no socket's name.
    pub fn from_environment() -> io::Result<Notifier> {
        Notifier::new(std::env::var_os("NOTIFY_SOCKET").as_deref())
    }

    fn new(name: Option<&OsStr>) -> io::Result<Notifier> {
        let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(Notifier { manager: None }) };
        let address = match name.as_bytes().split_first() {
            Some((b'@', rest)) => SocketAddr::from_abstract_name(rest)?,
            _ => SocketAddr::from_pathname(name)?,
        };
        Ok(Notifier { manager: Some((UnixDatagram::unbound()?, address)) })
    }

    /// The member serves clients.
    ///
    /// # Errors
    /// If the manager's socket is gone. Nothing is lost by it.
    pub fn ready(&self) -> io::Result<()> {
        self.send("READY=1")
    }

    /// The member has begun to stop.
    ///
    /// # Errors
    /// If the manager's socket is gone. Nothing is lost by it.
    pub fn stopping(&self) -> io::Result<()> {
        self.send("STOPPING=1")
    }

    /// A line about what the member is doing, for `systemctl status`.
    ///
    /// # Errors
    /// If the manager's socket is gone. Nothing is lost by it.
    pub fn status(&self, line: &str) -> io::Result<()> {
        assert!(!line.contains('\n'), "a status is one line: {line:?}");
        self.send(&format!("STATUS={line}"))
    }

    fn send(&self, message: &str) -> io::Result<()> {
        match &self.manager {
            Some((socket, address)) => socket.send_to_addr(message.as_bytes(), address).map(|_| ()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::start::probe::tests::Scratch;

    fn receive(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 64];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_socket_in_the_file_system_is_told() {
        let scratch = Scratch::new();
        let path = scratch.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::new(Some(path.as_os_str())).unwrap();
        notifier.ready().unwrap();
        notifier.status("recovering").unwrap();
        notifier.stopping().unwrap();
        assert_eq!(
            [receive(&manager), receive(&manager), receive(&manager)],
            ["READY=1", "STATUS=recovering", "STOPPING=1"]
        );
    }

    #[test]
    fn an_abstract_socket_is_told() {
        let name = format!("campanile-notify-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Notifier::new(Some(OsStr::new(&format!("@{name}")))).unwrap().ready().unwrap();
        assert_eq!(receive(&manager), "READY=1");
    }

    #[test]
    fn without_a_manager_nobody_is_told() {
        for name in [None, Some(OsStr::new(""))] {
            Notifier::new(name).unwrap().ready().unwrap();
        }
    }
}
