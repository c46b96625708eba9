//! The URLs of members and listeners: `http://host:port`, nothing behind it.
//!
//! Owns which URLs are accepted and in which one form they are printed: that form is hashed into member and cluster
//! ids, so it is the one that etcd prints. Never resolves a name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A URL of a member or a listener. Ordered by its printed form, as etcd orders them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
}

/// Why a text is no such URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// No scheme, or one that etcd does not know either.
    #[error("URL scheme must be http: {0:?}")]
    Scheme(String),
    /// One of etcd's schemes that this version does not serve.
    #[error("{scheme}:// is not in this version yet; use http://: {url:?}")]
    SchemeNotYet { scheme: &'static str, url: String },
    /// The host or the port is missing or malformed.
    #[error("URL address does not have the form \"host:port\": {0:?}")]
    Address(String),
    /// Something stands behind the port.
    #[error("URL must not contain a path: {0:?}")]
    Path(String),
    /// A name where an address is needed.
    #[error("expected IP in URL for binding ({0})")]
    NotAnAddress(String),
}

impl Url {
    /// A URL of plain HTTP.
    #[must_use]
    pub fn new(host: &str, port: u16) -> Url {
        Url { host: host.to_owned(), port }
    }

    /// Reads one URL; white space around it is dropped.
    ///
    /// # Errors
    /// If it is not `http://host:port`.
    pub fn parse(text: &str) -> Result<Url, UrlError> {
        let text = text.trim();
        let owned = || text.to_owned();
        let (scheme, rest) = text.split_once("://").ok_or_else(|| UrlError::Scheme(owned()))?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => return Err(UrlError::SchemeNotYet { scheme: "https", url: owned() }),
            "unix" => return Err(UrlError::SchemeNotYet { scheme: "unix", url: owned() }),
            "unixs" => return Err(UrlError::SchemeNotYet { scheme: "unixs", url: owned() }),
            _ => return Err(UrlError::Scheme(owned())),
        }
        if rest.contains(['/', '?', '#']) {
            return Err(UrlError::Path(owned()));
        }
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once("]:").ok_or_else(|| UrlError::Address(owned()))?;
                host.parse::<Ipv6Addr>().map_err(|_| UrlError::Address(owned()))?;
                (host, port)
            }
            None => {
                let (host, port) = rest.split_once(':').ok_or_else(|| UrlError::Address(owned()))?;
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
                if host.is_empty() || !host.chars().all(plain) {
                    return Err(UrlError::Address(owned()));
                }
                (host, port)
            }
        };
        // Rust's parser would take a sign, and a second spelling of a port would be a second id of a member.
        let canonical = port.bytes().all(|digit| digit.is_ascii_digit()) && (port.len() == 1 || !port.starts_with('0'));
        let port = port.parse().ok().filter(|_| canonical).ok_or_else(|| UrlError::Address(owned()))?;
        Ok(Url { host: host.to_owned(), port })
    }

    /// The host: a name or an address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where to listen: the address itself, or 127.0.0.1 for `localhost`.
    ///
    /// # Errors
    /// If the host is any other name: a listener needs an address.
    pub fn bind_address(&self) -> Result<SocketAddr, UrlError> {
        let address = match self.host.as_str() {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            host => host.parse().map_err(|_| UrlError::NotAnAddress(self.to_string()))?,
        };
        Ok(SocketAddr::new(address, self.port))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "http://[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "http://{}:{}", self.host, self.port)
        }
    }
}

/// Reads several URLs into etcd's order, without repetition.
pub(crate) fn parse_urls<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<Url>, UrlError> {
    let mut urls = texts.map(Url::parse).collect::<Result<Vec<Url>, UrlError>>()?;
    sort_urls(&mut urls);
    urls.dedup();
    Ok(urls)
}

/// Puts URLs into etcd's order, which is that of their texts.
pub(crate) fn sort_urls(urls: &mut [Url]) {
    urls.sort_by_cached_key(Url::to_string);
}

/// The URLs between commas.
pub(crate) fn join_urls(urls: &[Url]) -> String {
    urls.iter().map(Url::to_string).collect::<Vec<String>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_printed_again() {
        for text in ["http://localhost:2380", "http://10.0.0.1:80", "http://[::1]:2380", "http://node-1.example.com:1"]
        {
            assert_eq!(Url::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Url::parse(" HTTP://a:1 ").unwrap().to_string(), "http://a:1");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases: &[(&str, &str)] = &[
            ("", "scheme must be http"),
            ("localhost:2380", "scheme must be http"),
            ("ftp://a:1", "scheme must be http"),
            ("https://a:1", "https:// is not in this version yet"),
            ("unix:///run/a", "unix:// is not in this version yet"),
            ("http://a", "host:port"),
            ("http://:2380", "host:port"),
            ("http://a:", "host:port"),
            ("http://a:65536", "host:port"),
            ("http://a:+1", "host:port"),
            ("http://a:02380", "host:port"),
            ("http://a b:1", "host:port"),
            ("http://user@a:1", "host:port"),
            ("http://::1:2380", "host:port"),
            ("http://[::1]", "host:port"),
            ("http://[fe80::1%25lo]:1", "host:port"),
            ("http://a:1/", "must not contain a path"),
            ("http://a:1?b", "must not contain a path"),
        ];
        for (text, expected) in cases {
            let problem = Url::parse(text).unwrap_err().to_string();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }

    #[test]
    fn listeners_need_addresses() {
        let bind = |text: &str| Url::parse(text).unwrap().bind_address();
        assert_eq!(bind("http://localhost:2379").unwrap().to_string(), "127.0.0.1:2379");
        assert_eq!(bind("http://0.0.0.0:1").unwrap().to_string(), "0.0.0.0:1");
        assert_eq!(bind("http://[::]:1").unwrap().to_string(), "[::]:1");
        assert_eq!(
            bind("http://example.com:1").unwrap_err().to_string(),
            "expected IP in URL for binding (http://example.com:1)"
        );
    }
}
