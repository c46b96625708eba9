//! The header fields of answers, and what is read from those of requests
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

use crate::plain::HttpResponse;
use crate::status::{Code, Status};

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// What stands before the first message.
pub(super) fn response() -> Response<()> {
    let mut response = Response::new(());
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

/// What stands behind the last.
pub(super) fn trailers(status: &Status) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(2);
    insert_status(&mut fields, status);
    fields
}

/// An answer without messages: the trailers stand in the only header.
pub(super) fn trailers_only(http_status: StatusCode, status: &Status) -> Response<()> {
    let mut response = response();
    *response.status_mut() = http_status;
    insert_status(response.headers_mut(), status);
    if status.code == Code::Unimplemented {
        response.headers_mut().insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    response
}

fn insert_status(fields: &mut HeaderMap, status: &Status) {
    fields.insert(GRPC_STATUS, HeaderValue::from_static(status.code.as_decimal()));
    if !status.message.is_empty() {
        let message = HeaderValue::try_from(status.encoded_message());
        fields.insert(GRPC_MESSAGE, message.expect("a percent-encoded text is a valid field"));
    }
}

/// The head of a plain HTTP answer.
pub(super) fn plain(response: &HttpResponse) -> Response<()> {
    let mut head = Response::new(());
    *head.status_mut() = StatusCode::from_u16(response.status).expect("handlers answer with statuses of HTTP");
    let content_type = HeaderValue::try_from(&*response.content_type);
    head.headers_mut().insert(CONTENT_TYPE, content_type.expect("handlers answer with valid content types"));
    head
}

/// Whether a content type is gRPC's, with whatever subtype or parameter.
pub(super) fn is_grpc(content_type: &[u8]) -> bool {
    let lower = content_type.to_ascii_lowercase();
    lower.strip_prefix(b"application/grpc").is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_of_grpc_are_known() {
        for yes in ["application/grpc", "application/grpc+proto", "application/GRPC;x=y"] {
            assert!(is_grpc(yes.as_bytes()), "{yes}");
        }
        for no in ["", "application/json", "application/grpc-web", "text/plain"] {
            assert!(!is_grpc(no.as_bytes()), "{no}");
        }
    }
}
