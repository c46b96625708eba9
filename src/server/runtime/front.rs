//! The connections of one executor: accepted or dealt, served, and told to go.

use super::ending::Reason;
use super::executor::{Connections, Shared};
use super::listener::{Dealing, Purpose};
use super::sockets::Socket;
use super::tasks::Tasks;
use crate::metrics::Metrics;
use crate::peers::{Acceptor, serve_peer};
use crate::rpc::Services;
use crate::start::logging;
use campanile_rpc::{Environment, Peer, serve_connection};
use glommio::net::TcpStream;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long connections get to end by themselves when the member stops.
const DRAIN: Duration = Duration::from_secs(5);
/// How long they get to hear that the member begins anew.
const FAREWELL: Duration = Duration::from_millis(50);
/// How often a draining executor looks whether its connections have ended.
const DRAIN_LOOK: Duration = Duration::from_millis(10);

/// The connections of one executor.
pub struct Front {
    pub environment: Environment<Services>,
    pub acceptor: Rc<Acceptor>,
    /// Connections that are open.
    pub open: Rc<Cell<usize>>,
    pub tasks: Tasks,
    pub metrics: Rc<Metrics>,
}

impl Front {
    /// Begins to serve: listens and deals out, or takes what is dealt.
    pub async fn accept(&self, connections: Connections, shared: &Arc<Shared>) -> Option<Rc<Dealing>> {
        let serve = self.server();
        match connections {
            Connections::Take(hand) => {
                self.tasks.spawn(async move { hand.take(serve).await });
                None
            }
            Connections::Deal { dealer, addresses } => {
                let dealing = Dealing::new(dealer, serve).await;
                for (address, purpose) in addresses {
                    if let Err(error) = dealing.listen(address, purpose) {
                        logging::fatal(&format!("cannot listen on {address}: {error}"));
                        std::process::exit(1);
                    }
                }
                (shared.listening)();
                Some(dealing)
            }
        }
    }

    /// Serves one connection in a task of its own.
    fn server(&self) -> impl Fn(Purpose, TcpStream) + 'static {
        let (environment, acceptor) = (self.environment.clone(), Rc::clone(&self.acceptor));
        let (open, metrics, tasks) = (Rc::clone(&self.open), Rc::clone(&self.metrics), self.tasks.clone());
        move |purpose, stream| {
            let (environment, acceptor) = (environment.clone(), Rc::clone(&acceptor));
            let counted = Counted::new(&open, &metrics, purpose);
            tasks.spawn(async move {
                let _counted = counted;
                let address = stream.peer_addr().map_or_else(|_| "gone".into(), |address| address.to_string());
                let _ = stream.set_nodelay(true);
                match purpose {
                    Purpose::Client => {
                        let peer = Peer { address: address.clone() };
                        if let Err(error) = serve_connection(Socket(stream), peer, environment).await {
                            tracing::debug!(client = address, %error, "a connection ended");
                        }
                    }
                    Purpose::Peer => serve_peer(stream, acceptor).await,
                }
            });
        }
    }

    /// Tells the clients to go, and waits for a while until they have, those of the other executors too. Where the core
    /// is silent already, no call can end any more, and waiting helps nobody.
    pub async fn drain(&self, reason: Reason, serving: &AtomicUsize) {
        self.environment.shutdown.begin();
        let patience = match reason {
            Reason::Stop => DRAIN,
            Reason::BeginAnew => FAREWELL,
        };
        let deadline = std::time::Instant::now() + patience;
        let mut is_serving = true;
        while std::time::Instant::now() < deadline {
            if is_serving && self.open.get() == 0 {
                is_serving = false;
                serving.fetch_sub(1, Ordering::Relaxed);
            }
            if !is_serving && serving.load(Ordering::Relaxed) == 0 {
                break;
            }
            glommio::timer::sleep(DRAIN_LOOK).await;
        }
    }
}

/// A connection is counted as long as this lives, however it ends.
struct Counted {
    open: Rc<Cell<usize>>,
    /// Of a client's connection.
    metrics: Option<Rc<Metrics>>,
}

impl Counted {
    fn new(open: &Rc<Cell<usize>>, metrics: &Rc<Metrics>, purpose: Purpose) -> Counted {
        let metrics = (purpose == Purpose::Client).then(|| Rc::clone(metrics));
        open.set(open.get() + 1);
        metrics.iter().for_each(|metrics| metrics.client_connections.add(1));
        Counted { open: Rc::clone(open), metrics }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.open.set(self.open.get() - 1);
        self.metrics.iter().for_each(|metrics| metrics.client_connections.add(-1));
    }
}
