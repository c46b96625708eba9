//! A connection with its socket: one read takes all that has come, one write sends all that waits.
//! It is opened blocking, shakes hands, and may then be made non-blocking. It counts no request and retries nothing.

use crate::{
    endpoint::Endpoint,
    error::Error,
    etcd::requests::Method,
    protocol::{
        connection::{Connection, RECEIVED_FRAME_BYTES_MAX},
        frame::FRAME_HEADER_BYTES,
        grpc::{Failure, RequestHeaders},
    },
};
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// Bytes taken by one read: thousands of answers, or many frames of a large one.
const INPUT_BYTES: usize = 256 << 10;

const _: () = assert!(INPUT_BYTES > 2 * (RECEIVED_FRAME_BYTES_MAX + FRAME_HEADER_BYTES));

/// A connection to one endpoint, whose calls are remembered as `T`.
#[derive(Debug)]
pub struct Link<T> {
    endpoint: Endpoint,
    socket: TcpStream,
    connection: Connection<T>,
    headers: [RequestHeaders; Method::ALL.len()],
    input: Vec<u8>,
    filled: usize,
}

impl<T> Link<T> {
    /// Connects and exchanges settings, blocking; `calls_max` calls may be open at once.
    ///
    /// # Errors
    /// If nobody answers within `timeout`, or not as an HTTP/2 server.
    pub fn open(endpoint: &Endpoint, calls_max: usize, timeout: Duration) -> Result<Self, Error> {
        let socket = endpoint.connect(timeout)?;
        let setup = |source| Error::Connect { endpoint: endpoint.to_string(), source };
        socket.set_nodelay(true).map_err(setup)?;
        socket.set_read_timeout(Some(timeout)).map_err(setup)?;
        socket.set_write_timeout(Some(timeout)).map_err(setup)?;
        let mut link = Self {
            endpoint: endpoint.clone(),
            socket,
            connection: Connection::new(calls_max),
            headers: Method::ALL.map(|method| RequestHeaders::new(method.path(), endpoint.authority())),
            input: vec![0; INPUT_BYTES],
            filled: 0,
        };
        let deadline = Instant::now() + timeout;
        while !link.connection.is_ready() {
            link.exchange(deadline, timeout, |_, _| ())?;
        }
        link.flush()?;
        Ok(link)
    }

    /// Sends what waits and takes what comes, blocking, until something came.
    ///
    /// # Errors
    /// [`Error::TimedOut`] after `deadline`, which is `timeout` after the beginning.
    pub fn exchange(
        &mut self,
        deadline: Instant,
        timeout: Duration,
        answer: impl FnMut(T, Result<&[u8], Failure>),
    ) -> Result<(), Error> {
        self.flush()?;
        if !self.read()? && Instant::now() >= deadline {
            return Err(Error::TimedOut { endpoint: self.endpoint.to_string(), seconds: timeout.as_secs() });
        }
        self.dispatch(answer)
    }

    /// From now on reads and writes return at once.
    ///
    /// # Errors
    /// If the socket refuses.
    pub fn set_nonblocking(&self) -> Result<(), Error> {
        self.socket.set_nonblocking(true).map_err(|source| self.lost(source))
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Whether a call can start now.
    pub fn has_room(&self) -> bool {
        self.connection.room() > 0
    }

    pub fn connection(&mut self) -> &mut Connection<T> {
        &mut self.connection
    }

    /// Queues a call. There must be room.
    pub fn start(&mut self, method: Method, message: &[u8], call: T) {
        let headers = match method {
            Method::Range => &self.headers[0],
            Method::Put => &self.headers[1],
            Method::Txn => &self.headers[2],
        };
        self.connection.start(headers, message, call);
    }

    /// Writes what waits, as far as the socket takes it at once. Tells whether all is gone.
    ///
    /// # Errors
    /// [`Error::Lost`] if the socket fails.
    pub fn flush(&mut self) -> Result<bool, Error> {
        while !self.connection.outgoing().is_empty() {
            match (&self.socket).write(self.connection.outgoing()) {
                Ok(count) => self.connection.advance(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_pause(&error) => return Ok(false),
                Err(error) => return Err(self.lost(error)),
            }
        }
        Ok(true)
    }

    /// Reads once. Tells whether anything came; [`Self::dispatch`] then makes it answers.
    ///
    /// # Errors
    /// [`Error::Lost`] if the socket fails or the server closed it.
    pub fn read(&mut self) -> Result<bool, Error> {
        match (&self.socket).read(&mut self.input[self.filled..]) {
            Ok(0) => {
                let source = std::io::Error::new(ErrorKind::UnexpectedEof, "the server closed it");
                Err(self.lost(source))
            }
            Ok(count) => {
                self.filled += count;
                Ok(true)
            }
            Err(error) if is_pause(&error) || error.kind() == ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(self.lost(error)),
        }
    }

    /// Calls `answer` for each call that ended with what was read.
    ///
    /// # Errors
    /// [`Error::Protocol`] if the server breaks the protocol.
    pub fn dispatch(&mut self, answer: impl FnMut(T, Result<&[u8], Failure>)) -> Result<(), Error> {
        let received = self.connection.receive(&self.input[..self.filled], answer);
        let used = received.map_err(|source| Error::Protocol { endpoint: self.endpoint.to_string(), source })?;
        self.input.copy_within(used..self.filled, 0);
        self.filled -= used;
        Ok(())
    }

    fn lost(&self, source: std::io::Error) -> Error {
        Error::Lost { endpoint: self.endpoint.to_string(), source }
    }
}

/// What a socket says that has nothing now: non-blocking, or after its timeout.
fn is_pause(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
