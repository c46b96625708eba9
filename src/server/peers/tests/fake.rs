//! A remote that the test plays by hand, on a plain socket: it says what members never say, and stops when they never stop.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use bytes::Bytes;
use campanile_storage::ids::MemberId;

use super::{A, B, CLUSTER, PATIENCE};
use crate::peers::frame::{Frame, HEADER_BYTES, Header};
use crate::peers::handshake::{HELLO_BYTES, Hello, REPLY_BYTES, Refusal, Reply, VERSION};

/// What B says to A.
pub const FROM_B: Hello = Hello { version: VERSION, cluster_id: CLUSTER, sender: B, receiver: A };

/// Where A believes that B listens.
pub struct Listening(TcpListener);

impl Listening {
    pub fn new() -> Listening {
        Listening(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// Takes A's connection, and answers its hello.
    pub fn accept_with(&self, hello: Hello, refusal: Option<Refusal>) -> (Hello, Connection) {
        let (stream, _) = self.0.accept().unwrap();
        let mut connection = Connection::new(stream);
        let mut bytes = [0; HELLO_BYTES];
        connection.0.read_exact(&mut bytes).unwrap();
        connection.say(&Reply { hello, refusal }.encode());
        (Hello::decode(&bytes).unwrap(), connection)
    }

    pub fn accept(&self) -> Connection {
        self.accept_with(FROM_B, None).1
    }
}

pub struct Connection(TcpStream);

impl Connection {
    fn new(stream: TcpStream) -> Connection {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection(stream)
    }

    /// Connects to a member and says hello.
    pub fn open(port: u16, hello: Hello) -> (io::Result<Reply>, Connection) {
        let mut connection = Connection::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
        connection.say(&hello.encode());
        let mut reply = [0; REPLY_BYTES];
        let read = connection.0.read_exact(&mut reply);
        (read.map(|()| Reply::decode(&reply).unwrap()), connection)
    }

    /// Connects to A as B, who is welcome.
    pub fn welcome(port: u16) -> Connection {
        let (reply, connection) = Connection::open(port, FROM_B);
        let reply = reply.unwrap();
        assert_eq!((reply.refusal, reply.hello.sender, reply.hello.receiver), (None, A, B));
        connection
    }

    pub fn stranger(port: u16, bytes: &[u8]) -> Connection {
        let mut connection = Connection::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
        connection.say(bytes);
        connection
    }

    pub fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// The next frame.
    pub fn frame(&mut self) -> Frame {
        let mut header = [0; HEADER_BYTES];
        self.0.read_exact(&mut header).unwrap();
        let header = Header::decode(header).unwrap();
        let mut body = vec![0; header.length];
        self.0.read_exact(&mut body).unwrap();
        header.decode_body(Bytes::from(body)).unwrap()
    }

    /// The next frame that is no ping.
    pub fn frame_but_ping(&mut self) -> Frame {
        loop {
            match self.frame() {
                Frame::Ping(_) => {}
                frame => return frame,
            }
        }
    }

    /// Waits until something has come.
    pub fn wait_for_bytes(&mut self) {
        let mut bytes = [0; 64 << 10];
        assert!(self.0.read(&mut bytes).unwrap() > 0);
    }

    /// Waits until the other side has closed, whatever it says before.
    pub fn wait_for_end(mut self) {
        let mut rest = [0; 4096];
        loop {
            match self.0.read(&mut rest) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return,
                Err(error) => panic!("the other side did not close: {error}"),
            }
        }
    }
}

/// A hello of somebody else.
pub fn hello_from(sender: MemberId) -> Hello {
    Hello { sender, ..FROM_B }
}
