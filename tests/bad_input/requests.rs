//! Single requests that are wrong in one way each, from the header to the message: etcd's code, and its text where the
//! text is its own and not its libraries'.

use bytes::Bytes;
use campanile_api::etcdserverpb as pb;
use campanile_test_support::caller::{Answer, Caller, framed, h2, head, http::Request};
use prost::Message;

use crate::{campanile, etcd};

const PUT: &str = "/etcdserverpb.KV/Put";
const RANGE: &str = "/etcdserverpb.KV/Range";
const DELETE: &str = "/etcdserverpb.KV/DeleteRange";
const TXN: &str = "/etcdserverpb.KV/Txn";
const WATCH: &str = "/etcdserverpb.Watch/Watch";
const KEEP_ALIVE: &str = "/etcdserverpb.Lease/LeaseKeepAlive";
const HEALTH: &str = "/grpc.health.v1.Health/Check";

const INTERNAL: u16 = 13;
const INVALID_ARGUMENT: u16 = 3;
const UNIMPLEMENTED: u16 = 12;

/// How far an answer has to be etcd's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Like {
    /// Status of HTTP, code and text.
    Text,
    /// The text is a library's: status of HTTP and code.
    Code,
    /// grpc-go has changed since etcd 3.5.1: the newer one answers with this status of HTTP and code.
    Newer(u16, u16),
}

struct Case {
    name: String,
    like: Like,
    head: Request<()>,
    body: Bytes,
}

fn case(name: &str, like: Like, head: Request<()>, body: impl Into<Bytes>) -> Case {
    Case { name: name.to_owned(), like, head, body: body.into() }
}

/// A proper call with this message.
fn message(name: &str, like: Like, path: &str, message: &impl Message) -> Case {
    case(name, like, head(path, &[]), framed(&message.encode_to_vec()))
}

/// What was said, for comparison: a stream that was reset has a reason instead of a code.
fn said(answer: &Result<Answer, h2::Error>) -> (Option<u16>, Option<u16>, String) {
    match answer {
        Ok(answer) => (Some(answer.http_status), answer.code, answer.text.clone()),
        Err(error) => (None, None, format!("{:?}", error.reason())),
    }
}

/// Asks both servers every case, and lists what is answered otherwise than etcd does.
async fn compare(cases: Vec<Case>) {
    let (subject, judge) = (campanile(&[]).await, etcd(&[]).await);
    let mut faults = Vec::new();
    for Case { name, like, head, body } in cases {
        // A connection each: one case's end of the connection is no other's.
        let ours = Caller::connect(&subject.members[0].address).await;
        let ours = said(&ours.ask(clone(&head), body.clone()).await);
        let Some(judge) = &judge else { continue };
        let theirs = Caller::connect(&judge.members[0].address).await;
        let theirs = said(&theirs.ask(head, body).await);
        let is_alike = match like {
            Like::Text => ours == theirs,
            Like::Code => (ours.0, ours.1) == (theirs.0, theirs.1),
            // An excuse that nothing needs any more is a fault too.
            Like::Newer(http, code) => (ours.0, ours.1) == (Some(http), Some(code)) && ours != theirs,
        };
        if !is_alike {
            faults.push(format!("{name}: {ours:?}, but etcd {theirs:?}"));
        }
    }
    // Whatever came in, both serve on.
    subject.client(0).probe().await.expect("the member serves on");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn clone(head: &Request<()>) -> Request<()> {
    let mut copy = Request::new(());
    (*copy.method_mut(), *copy.uri_mut(), *copy.version_mut()) =
        (head.method().clone(), head.uri().clone(), head.version());
    *copy.headers_mut() = head.headers().clone();
    copy
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_zero_length() {
    use pb::{compare::TargetUnion, request_op::Request};
    let op = |request| pb::RequestOp { request: Some(request) };
    let empty = Bytes::new;
    let put = || pb::PutRequest { key: empty(), value: "v".into(), ..Default::default() };
    let branch = |request| pb::TxnRequest { success: vec![op(request)], ..Default::default() };
    let nested = pb::TxnRequest {
        failure: vec![op(Request::RequestTxn(branch(Request::RequestPut(put()))))],
        ..Default::default()
    };
    let compared = pb::TxnRequest {
        compare: vec![pb::Compare { target_union: Some(TargetUnion::Version(0)), ..Default::default() }],
        ..Default::default()
    };
    let text = Like::Text;
    compare(vec![
        message("put", text, PUT, &put()),
        message("range", text, RANGE, &pb::RangeRequest::default()),
        message("range to an end", text, RANGE, &pb::RangeRequest { range_end: "z".into(), ..Default::default() }),
        message("delete", text, DELETE, &pb::DeleteRangeRequest::default()),
        message("put in a transaction", text, TXN, &branch(Request::RequestPut(put()))),
        message("range in a transaction", text, TXN, &branch(Request::RequestRange(pb::RangeRequest::default()))),
        message(
            "delete in a transaction",
            text,
            TXN,
            &branch(Request::RequestDeleteRange(pb::DeleteRangeRequest::default())),
        ),
        message("put in a nested transaction", text, TXN, &nested),
        message("compare", text, TXN, &compared),
        message(
            "nothing in a step",
            text,
            TXN,
            &pb::TxnRequest { success: vec![pb::RequestOp { request: None }], ..Default::default() },
        ),
    ])
    .await;
}

/// A put whose message has exactly this length.
fn put_of(message_bytes: usize) -> pb::PutRequest {
    let mut put =
        pb::PutRequest { key: "k".into(), value: vec![b'v'; message_bytes - 16].into(), ..Default::default() };
    let missing = message_bytes - put.encoded_len();
    put.value = vec![b'v'; message_bytes - 16 + missing].into();
    assert_eq!(put.encoded_len(), message_bytes);
    put
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_too_long() {
    const REQUEST_BYTES_MAX: usize = 3 << 19;
    const GRPC_BYTES_MAX: usize = REQUEST_BYTES_MAX + (512 << 10);
    // etcd measures a request with its own envelope of a few bytes around it.
    const ENVELOPE_BYTES_MAX: usize = 64;
    let sizes = [
        ("just allowed", REQUEST_BYTES_MAX - ENVELOPE_BYTES_MAX),
        ("just too long", REQUEST_BYTES_MAX + 1),
        ("the longest that gRPC takes", GRPC_BYTES_MAX),
        ("too long for gRPC", GRPC_BYTES_MAX + 1),
        ("far too long", 16 << 20),
    ];
    let mut cases: Vec<Case> =
        sizes.iter().map(|(name, bytes)| message(name, Like::Text, PUT, &put_of(*bytes))).collect();
    let long = Bytes::from(vec![b'k'; REQUEST_BYTES_MAX + 1]);
    cases.push(message(
        "a long read",
        Like::Text,
        RANGE,
        &pb::RangeRequest { key: long.clone(), ..Default::default() },
    ));
    let delete = pb::DeleteRangeRequest { key: long, ..Default::default() };
    cases.push(message("a long delete", Like::Text, DELETE, &delete));
    let wrong = pb::PutRequest { key: Bytes::new(), ..put_of(REQUEST_BYTES_MAX + 100) };
    cases.push(message("a long put without a key", Like::Text, PUT, &wrong));
    cases.push(case("a length that never comes", Like::Text, head(PUT, &[]), &b"\0\xff\xff\xff\xffabc"[..]));
    compare(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_utf_8() {
    // HealthCheckRequest.service and a field of any message that says text.
    let service = framed(b"\x0a\x03\xff\xfe\xfd");
    compare(vec![
        case("in a string", Like::Code, head(HEALTH, &[]), service),
        case(
            "in a timeout",
            Like::Newer(400, INTERNAL),
            head(RANGE, &[("grpc-timeout", b"\xff\xfe")]),
            framed(b"\x0a\x01k"),
        ),
        case("in metadata", Like::Code, head(RANGE, &[("anything", b"\xff\xfe")]), framed(b"\x0a\x01k")),
        case(
            "in a content type",
            Like::Newer(415, INVALID_ARGUMENT),
            head(RANGE, &[("content-type", b"application/\xff")]),
            framed(b""),
        ),
        // Keys and values are bytes: any are right.
        case("in a key", Like::Text, head(PUT, &[]), framed(b"\x0a\x02\xff\xfe\x12\x01\xff")),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_protobuf() {
    let bad: [(&str, &[u8]); 9] = [
        ("a key that ends early", b"\x0a\x05ab"),
        ("a tag that ends early", b"\x8a"),
        ("a varint without end", b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        ("field number 0", b"\x02\x01a"),
        ("a wire type that is none", b"\x0f\x01"),
        ("a number where bytes are due", b"\x08\x01"),
        ("bytes where a number is due", b"\x0a\x01k\x1a\x01a"),
        ("the end of a group that did not begin", b"\x0c"),
        ("a length beyond everything", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
    ];
    let mut cases: Vec<Case> =
        bad.iter().map(|(name, bytes)| case(name, Like::Code, head(PUT, &[]), framed(bytes))).collect();
    let unknown =
        case("a field that nobody knows", Like::Text, head(PUT, &[]), framed(b"\x0a\x01k\xf8\xff\xff\xff\x0f\x01"));
    let watch = case("on a watch", Like::Code, head(WATCH, &[]), framed(b"\x0a\x05ab"));
    let keep_alive = case("on a keepalive", Like::Code, head(KEEP_ALIVE, &[]), framed(b"\x0a\x05ab"));
    let nothing = case("nothing at all", Like::Text, head(PUT, &[]), framed(b""));
    cases.extend([unknown, watch, keep_alive, nothing]);
    compare(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_grpc() {
    let range = || framed(b"\x0a\x01k");
    let twice = [range(), range()].concat();
    let with = |name: &'static str, value: &'static [u8]| head(RANGE, &[(name, value)]);
    let code = Like::Code;
    compare(vec![
        case("compressed without a codec", code, head(RANGE, &[]), &b"\x01\0\0\0\0"[..]),
        case("a flag that is none", code, head(RANGE, &[]), &b"\x07\0\0\0\0"[..]),
        case("half a prefix", code, head(RANGE, &[]), &b"\0\0"[..]),
        case("half a message", code, head(RANGE, &[]), &b"\0\0\0\0\x05\x0a"[..]),
        case("no message", code, head(RANGE, &[]), Bytes::new()),
        case("two messages in a unary call", code, head(RANGE, &[]), twice),
        case("half a message on a watch", code, head(WATCH, &[]), &b"\0\0\0\0\x05\x0a"[..]),
        case("a codec that is not there", Like::Text, with("grpc-encoding", b"snappy"), range()),
        case(
            "a content type of another world",
            Like::Newer(415, INVALID_ARGUMENT),
            with("content-type", b"text/plain"),
            range(),
        ),
        case("no unit in the timeout", Like::Newer(400, INTERNAL), with("grpc-timeout", b"10"), range()),
        case("a negative timeout", Like::Newer(400, INTERNAL), with("grpc-timeout", b"-1S"), range()),
        case(
            "too many digits in the timeout",
            Like::Newer(400, INTERNAL),
            with("grpc-timeout", b"123456789S"),
            range(),
        ),
        case("no te", code, with("te", b"nothing"), range()),
        case("a connection header", code, with("connection", b"keep-alive"), range()),
        case("a subtype of gRPC", Like::Text, with("content-type", b"application/grpc+proto"), range()),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_do_not_exist() {
    let unknown = |path: &str| case(path, Like::Text, head(path, &[]), framed(b""));
    compare(vec![
        unknown("/etcdserverpb.KV/Frobnicate"),
        unknown("/etcdserverpb.Nothing/Put"),
        case("/Put", Like::Newer(200, UNIMPLEMENTED), head("/Put", &[]), framed(b"")),
        case("/", Like::Newer(200, UNIMPLEMENTED), head("/", &[]), framed(b"")),
        unknown("//"),
        unknown("/etcdserverpb.KV/"),
        unknown("/etcdserverpb.KV/Put/more"),
        unknown("/ETCDSERVERPB.KV/PUT"),
    ])
    .await;
    // Methods of etcd's that come later say their names too.
    let subject = campanile(&[]).await;
    let caller = Caller::connect(&subject.members[0].address).await;
    for (service, method) in
        [("etcdserverpb.Auth", "AuthEnable"), ("etcdserverpb.Maintenance", "Snapshot"), ("v3lockpb.Lock", "Lock")]
    {
        let answer = caller.call(&format!("/{service}/{method}"), b"").await;
        assert_eq!(answer.code, Some(UNIMPLEMENTED), "{answer:?}");
        assert!(answer.text.contains(service) || answer.text.contains(method), "{answer:?}");
    }
}
