//! gRPC above HTTP/2: the request's headers, the five bytes before a message, and how a call ended.
//! Source: grpc/grpc doc/PROTOCOL-HTTP2.md and statuscodes.md. Pure; it never touches a frame.

use super::hpack::{self, HpackError};

/// Bytes before each message: a compression flag and the length.
pub const MESSAGE_PREFIX_BYTES: usize = 5;

/// A status code of gRPC; codes without a name keep their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u32);

impl Code {
    pub const CANCELED: Self = Self(1);
    pub const UNKNOWN: Self = Self(2);
    pub const RESOURCE_EXHAUSTED: Self = Self(8);
    pub const INTERNAL: Self = Self(13);
    pub const UNAVAILABLE: Self = Self(14);

    /// The code's name in gRPC's own spelling.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 17] = [
            "OK",
            "Canceled",
            "Unknown",
            "InvalidArgument",
            "DeadlineExceeded",
            "NotFound",
            "AlreadyExists",
            "PermissionDenied",
            "ResourceExhausted",
            "FailedPrecondition",
            "Aborted",
            "OutOfRange",
            "Unimplemented",
            "Internal",
            "Unavailable",
            "DataLoss",
            "Unauthenticated",
        ];
        usize::try_from(self.0).ok().and_then(|at| NAMES.get(at)).copied().unwrap_or("unnamed code")
    }
}

/// Why a call has no answer: what the server said, or what happened to its stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    pub code: Code,
    pub message: String,
}

impl Failure {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {}", self.code.name(), self.message)
    }
}

/// The header block that opens a call, encoded once for each method and server.
#[derive(Debug, Clone)]
pub struct RequestHeaders {
    block: Vec<u8>,
}

impl RequestHeaders {
    /// Every frame size allowed by HTTP/2 holds this, so a block is one HEADERS frame, always.
    pub const BYTES_MAX: usize = 16_384;

    /// `path` is `/package.Service/Method`, `authority` the server's host and port.
    pub fn new(path: &str, authority: &str) -> Self {
        const METHOD_POST: u32 = 3;
        const SCHEME_HTTP: u32 = 6;
        const NAME_PATH: u32 = 4;
        const NAME_AUTHORITY: u32 = 1;
        const NAME_CONTENT_TYPE: u32 = 31;
        let mut block = Vec::new();
        hpack::write_indexed(&mut block, METHOD_POST);
        hpack::write_indexed(&mut block, SCHEME_HTTP);
        hpack::write_static_name(&mut block, NAME_PATH, path.as_bytes());
        hpack::write_static_name(&mut block, NAME_AUTHORITY, authority.as_bytes());
        hpack::write_static_name(&mut block, NAME_CONTENT_TYPE, b"application/grpc");
        hpack::write_literal(&mut block, b"te", b"trailers");
        assert!(block.len() <= Self::BYTES_MAX, "a host name has at most 253 bytes");
        Self { block }
    }

    pub fn block(&self) -> &[u8] {
        &self.block
    }
}

/// What the header blocks of a response say that matters to a call.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ResponseHeaders {
    /// The value of `:status`; absent in trailers.
    http_status: Option<String>,
    grpc_status: Option<String>,
    grpc_message: Option<String>,
}

impl ResponseHeaders {
    /// # Errors
    /// If the block is not valid HPACK.
    pub fn decode(block: &[u8]) -> Result<Self, HpackError> {
        let mut headers = Self::default();
        hpack::decode(block, |name, value| {
            let value = || Some(String::from_utf8_lossy(value).into_owned());
            match name {
                b":status" => headers.http_status = value(),
                b"grpc-status" => headers.grpc_status = value(),
                b"grpc-message" => headers.grpc_message = value(),
                _ => {}
            }
        })?;
        Ok(headers)
    }

    /// Whether these can open the response of a call that goes well: status 200, and no end yet.
    pub fn opens_response(&self) -> bool {
        self.http_status.as_deref() == Some("200") && self.grpc_status.is_none()
    }

    /// Whether these end a call with success. A block of headers alone (`:status` is there) never does: no message came.
    pub fn is_success(&self) -> bool {
        self.http_status.is_none() && self.grpc_status.as_deref() == Some("0")
    }

    /// The failure that these headers, the last of a call, tell of.
    pub fn failure(&self) -> Failure {
        if let Some(status) = &self.grpc_status {
            let message = percent_decoded(self.grpc_message.as_deref().unwrap_or_default());
            return match status.parse() {
                Ok(0) => Failure::new(Code::INTERNAL, "grpc-status 0 without a message"),
                Ok(code) => Failure::new(Code(code), message),
                Err(_) => Failure::new(Code::UNKNOWN, format!("grpc-status {status:?} is no number")),
            };
        }
        match self.http_status.as_deref() {
            Some("200") | None => Failure::new(Code::INTERNAL, "the stream ended without a grpc-status"),
            Some(status) => Failure::new(Code::UNKNOWN, format!("HTTP status {status}")),
        }
    }
}

/// Appends the prefix of an uncompressed message of `length` bytes.
pub fn write_message_prefix(out: &mut Vec<u8>, length: usize) {
    out.push(0);
    out.extend_from_slice(&u32::try_from(length).expect("a message is far below 4 GiB").to_be_bytes());
}

/// The one message of a unary response.
///
/// # Errors
/// If the body is not exactly one uncompressed message.
pub fn only_message(body: &[u8]) -> Result<&[u8], Failure> {
    let Some((prefix, message)) = body.split_first_chunk::<MESSAGE_PREFIX_BYTES>() else {
        return Err(Failure::new(Code::INTERNAL, "success without a message"));
    };
    let &[compressed, l0, l1, l2, l3] = prefix;
    let length = u32::from_be_bytes([l0, l1, l2, l3]);
    if compressed != 0 {
        return Err(Failure::new(Code::INTERNAL, "a compressed message, although none was asked for"));
    }
    if usize::try_from(length).ok() != Some(message.len()) {
        return Err(Failure::new(Code::INTERNAL, "a unary response is not exactly one message"));
    }
    Ok(message)
}

/// `grpc-message` is percent-encoded UTF-8. What is no valid escape stands for itself.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = tail.split_first_chunk::<2>().filter(|_| first == b'%').and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, after))
        });
        let (byte, after) = escaped.unwrap_or((first, tail));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> ResponseHeaders {
        let mut block = Vec::new();
        for (name, value) in fields {
            hpack::write_literal(&mut block, name.as_bytes(), value.as_bytes());
        }
        ResponseHeaders::decode(&block).unwrap()
    }

    #[test]
    fn success_is_trailers_with_status_zero() {
        assert!(headers(&[(":status", "200"), ("content-type", "application/grpc")]).opens_response());
        assert!(headers(&[("grpc-status", "0"), ("grpc-message", "")]).is_success());
        assert!(!headers(&[(":status", "200"), ("grpc-status", "0")]).is_success());
        assert!(!headers(&[("grpc-status", "00")]).is_success());
    }

    #[test]
    fn failures_carry_code_and_message() {
        let failure = headers(&[("grpc-status", "14"), ("grpc-message", "etcdserver: no%20leader 100%")]).failure();
        assert_eq!(failure, Failure::new(Code::UNAVAILABLE, "etcdserver: no leader 100%"));
        assert_eq!(failure.to_string(), "Unavailable: etcdserver: no leader 100%");
        assert_eq!(headers(&[(":status", "502")]).failure().message, "HTTP status 502");
        assert_eq!(headers(&[("x", "y")]).failure().code, Code::INTERNAL);
        assert_eq!(Code(99).name(), "unnamed code");
    }

    #[test]
    fn a_body_is_one_message_or_an_error() {
        let mut body = Vec::new();
        write_message_prefix(&mut body, 3);
        assert!(only_message(&body).is_err());
        body.extend_from_slice(b"abc");
        assert_eq!(only_message(&body), Ok(b"abc".as_slice()));
        body.push(0);
        assert!(only_message(&body).is_err());
        assert!(only_message(&[]).is_err());
        assert!(only_message(&[1, 0, 0, 0, 0]).is_err());
        assert_eq!(only_message(&[0, 0, 0, 0, 0]), Ok([].as_slice()));
    }
}
