//! Where a server listens: `host:port`, or `http://host:port` as etcd's own tools write it.

use crate::error::Error;
use std::{
    io,
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    str::FromStr,
    time::Duration,
};

/// A server's address as the user wrote it, without the scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    authority: String,
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("https://") {
            return Err(format!("{text}: loadgen does not speak TLS; give a plain http:// endpoint"));
        }
        let authority = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
        let port = authority.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
        match port {
            Some(Ok(_)) => Ok(Self { authority: authority.to_owned() }),
            _ => Err(format!("{text}: an endpoint is host:port, as in 127.0.0.1:2379")),
        }
    }
}

impl Endpoint {
    /// Host and port, as HTTP's `:authority`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Connects to the first of the host's addresses that accepts.
    ///
    /// # Errors
    /// [`Error::Connect`] with the last address's reason.
    pub fn connect(&self, timeout: Duration) -> Result<TcpStream, Error> {
        let failed = |source| Error::Connect { endpoint: self.authority.clone(), source };
        let addresses: Vec<SocketAddr> = self.authority.to_socket_addrs().map_err(failed)?.collect();
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(stream) => return Ok(stream),
                Err(source) => last = source,
            }
        }
        Err(failed(last))
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_host_and_port() {
        for (text, authority) in
            [("127.0.0.1:2379", "127.0.0.1:2379"), ("http://host:1", "host:1"), ("http://[::1]:2379/", "[::1]:2379")]
        {
            assert_eq!(text.parse::<Endpoint>().unwrap().authority(), authority);
        }
        for text in ["https://host:1", "host", "host:", ":2379", "host:70000", "http://", ""] {
            let reason = text.parse::<Endpoint>().unwrap_err();
            assert!(reason.starts_with(text), "{reason}");
        }
    }

    #[test]
    fn a_refused_connection_names_its_endpoint() {
        let endpoint: Endpoint = "127.0.0.1:1".parse().unwrap();
        let reason = endpoint.connect(Duration::from_secs(1)).unwrap_err().to_string();
        assert!(reason.starts_with("cannot connect to 127.0.0.1:1: "), "{reason}");
    }
}
