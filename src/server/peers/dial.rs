//! Opens a connection to a remote: from its URL to a stream on which both sides know each other.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use campanile_config::Url;
use campanile_storage::ids::MemberId;
use futures_lite::future;
use futures_lite::io::{AsyncReadExt, AsyncWriteExt};
use glommio::net::TcpStream;
use glommio::timer::Timer;

use super::Identity;
use super::bounds::{ADDRESSES_MAX, CONNECT_TIMEOUT, HANDSHAKE_TIMEOUT};
use super::handshake::{Hello, NotAMember, REPLY_BYTES, Refusal, Reply};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("its host name cannot be resolved: {0}")]
    Resolve(io::Error),
    #[error("it cannot be reached: {0}")]
    Connect(io::Error),
    #[error("it did not say who it is: {0}")]
    Handshake(io::Error),
    #[error(transparent)]
    NotAMember(#[from] NotAMember),
    /// One of the two does not talk to the other.
    #[error("{}", refusal.reason())]
    Refused { refusal: Refusal, remote: Hello },
}

impl DialError {
    /// A name for the kind, by which repetitions are known.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        match self {
            DialError::Resolve(_) => "no address",
            DialError::Connect(_) => "no connection",
            DialError::Handshake(_) => "no greeting",
            DialError::NotAMember(_) => "not a member",
            DialError::Refused { refusal, .. } => refusal.reason(),
        }
    }
}

/// Connects to the member at the URL, and makes sure that it is that member.
///
/// # Errors
/// The last one, if the host has several addresses and none of them answers.
pub async fn dial(identity: &Identity, remote: MemberId, url: &Url) -> Result<TcpStream, DialError> {
    let mut stream = connect(resolve(url).await.map_err(DialError::Resolve)?).await.map_err(DialError::Connect)?;
    let greeted = within(HANDSHAKE_TIMEOUT, async {
        stream.write_all(&Hello::new(identity, remote).encode()).await?;
        let mut reply = [0; REPLY_BYTES];
        stream.read_exact(&mut reply).await?;
        Ok(reply)
    });
    let reply = Reply::decode(&greeted.await.map_err(DialError::Handshake)?)?;
    // A welcome counts from the right member alone.
    let refusal = reply.refusal.or_else(|| reply.hello.judge(identity, &[remote]).err());
    match refusal {
        None => Ok(stream),
        Some(refusal) => Err(DialError::Refused { refusal, remote: reply.hello }),
    }
}

/// Gives a piece of I/O so much time.
pub async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    future::or(work, async {
        Timer::new(limit).await;
        Err(io::ErrorKind::TimedOut.into())
    })
    .await
}

async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for address in addresses {
        match TcpStream::connect_timeout(address, CONNECT_TIMEOUT).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

/// Names are resolved on a thread that may block.
async fn resolve(url: &Url) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = url.host().parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, url.port())]);
    }
    let (host, port) = (url.host().to_owned(), url.port());
    let resolved = glommio::executor().spawn_blocking(move || (host, port).to_socket_addrs()).await?;
    Ok(resolved.take(ADDRESSES_MAX).collect())
}
