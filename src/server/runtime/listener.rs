//! Accepts connections on the control executor, and spreads them over all executors in turn.
//!
//! One that accepts and deals out leaves no executor without work, which chance would with a few busy connections.

use glommio::channels::shared_channel::{ConnectedSender, SharedReceiver, SharedSender, new_bounded};
use glommio::net::{AcceptedTcpStream, TcpListener, TcpStream};
use socket2::{Domain, Protocol, Socket, Type};
use std::cell::{Cell, RefCell};
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

/// Connections on their way to one executor.
const UNDER_WAY_MAX: usize = 1024;
/// Connections that the kernel completes before they are accepted.
const BACKLOG: i32 = 4096;
/// How long accepting rests after an error, such as too many open files.
const REST: Duration = Duration::from_millis(50);

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Client,
    Peer,
}

/// An accepted socket is owned, so that one that nobody takes any more is closed. glommio's own is not.
type Dealt = (Purpose, OwnedFd);

/// The control executor's ends of the channels by which connections are dealt out.
pub struct Dealer {
    senders: Vec<SharedSender<Dealt>>,
}

/// An executor's end, before it runs.
pub struct Hand {
    receiver: SharedReceiver<Dealt>,
}

/// Channels from the control executor to the other executors, in their order.
#[must_use]
pub fn channels(others: u16) -> (Dealer, Vec<Hand>) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..others).map(|_| new_bounded(UNDER_WAY_MAX)).unzip();
    (Dealer { senders }, receivers.into_iter().map(|receiver| Hand { receiver }).collect())
}

impl Hand {
    /// Takes the connections that are dealt to this executor, for ever.
    pub async fn take(self, serve: impl Fn(Purpose, TcpStream)) {
        let receiver = self.receiver.connect().await;
        while let Some((purpose, socket)) = receiver.recv().await {
            // SAFETY: the descriptor is an open socket, and its only owner hands it over.
            serve(purpose, unsafe { TcpStream::from_raw_fd(socket.into_raw_fd()) });
        }
    }
}

/// Deals connections out.
pub struct Dealing {
    others: Vec<ConnectedSender<Dealt>>,
    next: Cell<usize>,
    serve_here: Box<dyn Fn(Purpose, TcpStream)>,
    /// Accepting has ended.
    ended: Cell<bool>,
    /// The listening sockets once more, and the tasks that accept on them.
    listeners: RefCell<Vec<(Socket, glommio::task::JoinHandle<()>)>>,
}

impl Dealing {
    pub async fn new(dealer: Dealer, serve_here: impl Fn(Purpose, TcpStream) + 'static) -> Rc<Dealing> {
        let mut others = Vec::new();
        for sender in dealer.senders {
            others.push(sender.connect().await);
        }
        Rc::new(Dealing {
            others,
            next: Cell::new(0),
            serve_here: Box::new(serve_here),
            ended: Cell::new(false),
            listeners: RefCell::default(),
        })
    }

    /// Listens on an address.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub fn listen(self: &Rc<Self>, address: SocketAddr, purpose: Purpose) -> io::Result<()> {
        let (listener, socket) = bind(address)?;
        let dealing = Rc::clone(self);
        let task = glommio::spawn_local(async move {
            while !dealing.ended.get() {
                match listener.shared_accept().await {
                    Ok(accepted) => dealing.deal(purpose, accepted).await,
                    Err(_) if dealing.ended.get() => {}
                    Err(error) => {
                        tracing::warn!(%address, %error, "cannot accept a connection");
                        glommio::timer::sleep(REST).await;
                    }
                }
            }
        });
        self.listeners.borrow_mut().push((socket, task.detach()));
        Ok(())
    }

    async fn deal(&self, purpose: Purpose, accepted: AcceptedTcpStream) {
        let turn = self.next.get();
        self.next.set((turn + 1) % (self.others.len() + 1));
        match turn.checked_sub(1) {
            None => (self.serve_here)(purpose, accepted.bind_to_executor()),
            Some(other) => match owned(accepted) {
                // An executor that is gone takes the member with it; the socket comes back, and is closed.
                Ok(socket) => drop(self.others[other].send((purpose, socket)).await),
                Err(error) => tracing::warn!(%error, "cannot hand a connection on"),
            },
        }
    }

    /// Accepts nothing more. The sockets are shut down, which ends the accepting under way: one that is only dropped may
    /// still take a connection, and would keep it open for ever.
    pub async fn end(&self) {
        self.ended.set(true);
        for (socket, task) in self.listeners.take() {
            if socket.shutdown(Shutdown::Both).is_err() {
                task.cancel();
            }
            task.await;
        }
    }
}

/// The accepted socket, for another executor.
fn owned(accepted: AcceptedTcpStream) -> io::Result<OwnedFd> {
    let stream = accepted.bind_to_executor();
    // SAFETY: the descriptor is open as long as the stream lives, which is longer than it is borrowed.
    unsafe { BorrowedFd::borrow_raw(stream.as_raw_fd()) }.try_clone_to_owned()
}

/// glommio's own bind sets SO_REUSEPORT, by which a second member could steal connections of the first. Answers with the
/// listener, and its socket once more.
fn bind(address: SocketAddr) -> io::Result<(TcpListener, Socket)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // An IPv4 address of the same port has a listener of its own, if it was asked for.
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let again = socket.try_clone()?;
    // SAFETY: the descriptor is an open listening socket, and its only owner hands it over.
    Ok((unsafe { TcpListener::from_raw_fd(socket.into_raw_fd()) }, again))
}
