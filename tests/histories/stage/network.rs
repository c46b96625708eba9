//! The cluster's network: one namespace for each member, a bridge between them in another one, and the clients in a last
//! one, which has a link of its own to each member. So a member that no other member reaches still meets its clients.
//!
//! ```text
//!   clients 10.1.i.1 ────── 10.1.i.2  member i  10.0.0.i+1 ────── port i  bridge
//! ```
//!
//! Addresses are the same in every cluster, since nobody outside sees them. Neighbours are told to each member once and for
//! all: whoever is told a wrong one sends into the void, silently and in this direction alone.

use std::{collections::BTreeMap, io, sync::Arc};

use super::namespace::Namespace;

/// No card has it.
const NOBODY: &str = "02:00:00:00:ff:ff";

/// Something that does not get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cut {
    /// A member's plug is pulled: its card notices.
    Plug(usize),
    /// What one member sends to another is lost, and nobody is told.
    OneWay { from: usize, to: usize },
}

/// The links of one cluster.
#[derive(Debug)]
pub struct Network {
    bridge: Namespace,
    members: Vec<Namespace>,
    pub clients: Arc<Namespace>,
    /// How many faults hold each cut open.
    cuts: BTreeMap<Cut, u32>,
}

impl Network {
    /// # Errors
    /// If namespaces cannot be made.
    pub fn create(members: usize) -> io::Result<Network> {
        let network = Network {
            bridge: Namespace::create()?,
            members: (0..members).map(|_| Namespace::create()).collect::<io::Result<_>>()?,
            clients: Arc::new(Namespace::create()?),
            cuts: BTreeMap::new(),
        };
        network.lay();
        Ok(network)
    }

    fn lay(&self) {
        let mut bridge = "link add br0 type bridge\nlink set br0 up\n".to_owned();
        let mut clients = "link set lo up\n".to_owned();
        for (at, member) in self.members.iter().enumerate() {
            let path = member.path();
            bridge += &format!("link add port{at} type veth peer name eth0 netns {path}\n");
            bridge += &format!("link set port{at} master br0\nlink set port{at} up\n");
            clients += &format!("link add member{at} type veth peer name clients netns {path}\n");
            clients += &format!("addr add 10.1.{at}.1/24 dev member{at}\nlink set member{at} up\n");
        }
        self.bridge.ip(&bridge);
        self.clients.ip(&clients);
        for (at, member) in self.members.iter().enumerate() {
            let mut own = format!("link set eth0 address {}\naddr add {}/24 dev eth0\n", card(at), peer_address(at));
            own += &format!("addr add {}/24 dev clients\n", client_address(at));
            own += "link set lo up\nlink set eth0 up\nlink set clients up\n";
            for other in (0..self.members.len()).filter(|&other| other != at) {
                own += &neighbour(other, &card(other));
            }
            member.ip(&own);
        }
    }

    /// Where a member lives.
    pub fn member(&self, at: usize) -> &Namespace {
        &self.members[at]
    }

    /// From now on this does not get through.
    pub fn cut(&mut self, cut: Cut) {
        let holders = self.cuts.entry(cut).or_default();
        *holders += 1;
        if *holders == 1 {
            self.apply(cut, true);
        }
    }

    /// One fault less holds the cut open.
    pub fn mend(&mut self, cut: Cut) {
        let holders = self.cuts.get_mut(&cut).expect("only what was cut is mended");
        *holders -= 1;
        if *holders == 0 {
            self.cuts.remove(&cut);
            self.apply(cut, false);
        }
    }

    /// Everything gets through again.
    pub fn mend_all(&mut self) {
        for cut in std::mem::take(&mut self.cuts).into_keys() {
            self.apply(cut, false);
        }
    }

    fn apply(&self, cut: Cut, is_cut: bool) {
        match cut {
            Cut::Plug(at) => self.bridge.ip(&format!("link set port{at} {}\n", if is_cut { "down" } else { "up" })),
            Cut::OneWay { from, to } => {
                let card = if is_cut { NOBODY.to_owned() } else { card(to) };
                self.members[from].ip(&neighbour(to, &card));
            }
        }
    }
}

/// A member's address among members.
pub fn peer_address(at: usize) -> String {
    format!("10.0.0.{}", at + 1)
}

/// A member's address for clients.
pub fn client_address(at: usize) -> String {
    format!("10.1.{at}.2")
}

fn card(at: usize) -> String {
    format!("02:00:00:00:00:{:02x}", at + 1)
}

fn neighbour(of: usize, card: &str) -> String {
    format!("neigh replace {} lladdr {card} dev eth0 nud permanent\n", peer_address(of))
}

#[cfg(test)]
mod tests {
    use std::{
        net::{SocketAddr, TcpListener, TcpStream},
        time::{Duration, Instant},
    };

    use super::*;

    const PORT: u16 = 4000;
    const CONNECT_LIMIT: Duration = Duration::from_millis(300);
    const NOTICE_LIMIT: Duration = Duration::from_secs(10);

    fn reaches(from: &Namespace, address: &str) -> bool {
        let address: SocketAddr = format!("{address}:{PORT}").parse().expect("an address");
        from.within(|| TcpStream::connect_timeout(&address, CONNECT_LIMIT)).is_ok()
    }

    fn meet(network: &Network, from: usize, to: usize) -> bool {
        reaches(network.member(from), &peer_address(to))
    }

    /// The kernel notices a plug in its own time.
    fn soon(condition: impl Fn() -> bool) -> bool {
        let deadline = Instant::now() + NOTICE_LIMIT;
        while !condition() {
            if Instant::now() >= deadline {
                return false;
            }
        }
        true
    }

    #[test]
    fn what_is_cut_does_not_get_through_until_it_is_mended() {
        if !Namespace::is_possible() {
            return;
        }
        let mut network = Network::create(3).expect("they are possible");
        let listen = |at| network.member(at).within(|| TcpListener::bind(("0.0.0.0", PORT)).expect("a free port"));
        let _listeners: Vec<TcpListener> = (0..3).map(listen).collect();
        assert!(soon(|| (0..3).all(|from| (0..3).all(|to| meet(&network, from, to)))));

        // Nobody answers either where only one direction is lost; whom it leaves out is met as before.
        network.cut(Cut::OneWay { from: 0, to: 1 });
        network.cut(Cut::OneWay { from: 0, to: 1 });
        assert!(!meet(&network, 0, 1) && !meet(&network, 1, 0));
        assert!(soon(|| meet(&network, 0, 2) && meet(&network, 1, 2)));
        network.mend(Cut::OneWay { from: 0, to: 1 });
        assert!(!meet(&network, 0, 1), "another fault still holds it");
        network.mend(Cut::OneWay { from: 0, to: 1 });
        assert!(soon(|| meet(&network, 0, 1) && meet(&network, 1, 0)));

        network.cut(Cut::Plug(2));
        assert!(!meet(&network, 2, 0) && !meet(&network, 1, 2));
        assert!(soon(|| meet(&network, 0, 1)));
        let clients_reach = |at| reaches(&network.clients, &client_address(at));
        assert!(soon(|| (0..3).all(clients_reach)), "clients have links of their own");
        network.mend_all();
        assert!(soon(|| meet(&network, 2, 0) && meet(&network, 1, 2)));
    }
}
