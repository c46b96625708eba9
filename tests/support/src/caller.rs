//! gRPC calls whose head and body are whatever a test says, over a correct HTTP/2: what comes back, code and text.

use std::time::Duration;

use bytes::Bytes;
/// For tests whose own package must not name them.
pub use {h2, http};

use h2::client::{Builder, SendRequest};
use http::{Request, Version};
use tokio::{net::TcpStream, time::timeout};

/// No answer takes longer, unless it is lost.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// A connection.
#[derive(Clone, Debug)]
pub struct Caller {
    send: SendRequest<Bytes>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub http_status: u16,
    /// `grpc-status`, wherever it stood; `None` where the stream was reset.
    pub code: Option<u16>,
    /// `grpc-message`, decoded.
    pub text: String,
    pub body: Vec<u8>,
}

/// A message behind gRPC's prefix.
pub fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("a test's message is short");
    let mut bytes = vec![0];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(message);
    bytes.into()
}

/// The head of a call, with these fields in place of the usual ones or beside them.
pub fn head(path: &str, fields: &[(&str, &[u8])]) -> Request<()> {
    let mut request = Request::post(format!("http://test{path}")).version(Version::HTTP_2);
    let usual: [(&str, &[u8]); 2] = [("content-type", b"application/grpc"), ("te", b"trailers")];
    let is_given = |name: &str| fields.iter().any(|(given, _)| *given == name);
    for (name, value) in usual.iter().filter(|(name, _)| !is_given(name)).chain(fields) {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a head that HTTP knows")
}

impl Caller {
    pub async fn connect(address: &str) -> Self {
        let socket = TcpStream::connect(address).await.expect("the server accepts");
        socket.set_nodelay(true).expect("a socket takes the option");
        let mut builder = Builder::new();
        builder.initial_window_size(4 << 20).initial_connection_window_size(16 << 20);
        let (send, connection) = builder.handshake(socket).await.expect("the server shakes hands");
        tokio::spawn(async {
            // An error means that the server has ended the connection: the calls learn of it.
            let _ = connection.await;
        });
        Self { send }
    }

    /// Sends `head` and `body`, and reads all of the answer. An error is the stream's reset, or the connection's end.
    pub async fn ask(&self, head: Request<()>, body: Bytes) -> Result<Answer, h2::Error> {
        timeout(ANSWER_LIMIT, self.exchange(head, body, true)).await.expect("an answer comes")
    }

    /// The same, but the client's half of the stream stays open until the server ends its own.
    pub async fn watch(&self, head: Request<()>, body: Bytes) -> Answer {
        let answer = timeout(ANSWER_LIMIT, self.exchange(head, body, false)).await.expect("an end comes");
        answer.expect("the stream ends with a status")
    }

    async fn exchange(&self, head: Request<()>, body: Bytes, ends: bool) -> Result<Answer, h2::Error> {
        let mut send = self.send.clone().ready().await?;
        let (response, mut stream) = send.send_request(head, false)?;
        // The server may have answered and reset the stream before it has read all.
        let _ = stream.send_data(body, ends);
        let (head, mut body) = response.await?.into_parts();
        let mut all = Vec::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            all.extend_from_slice(&chunk);
        }
        let trailers = body.trailers().await?.unwrap_or_default();
        let field = |name: &str| {
            let value = trailers.get(name).or(head.headers.get(name))?;
            Some(value.to_str().expect("fields of answers are ASCII").to_owned())
        };
        Ok(Answer {
            http_status: head.status.as_u16(),
            code: field("grpc-status").and_then(|code| code.parse().ok()),
            text: percent_decoded(&field("grpc-message").unwrap_or_default()),
            body: all,
        })
    }

    /// A call as any client makes it.
    pub async fn call(&self, path: &str, message: &[u8]) -> Answer {
        self.ask(head(path, &[]), framed(message)).await.expect("a proper call is answered")
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let coded = tail.get(..2).and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        match coded {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_decoded() {
        assert_eq!(percent_decoded("50 %25 Schl%C3%BCssel %2"), "50 % Schlüssel %2");
    }
}
