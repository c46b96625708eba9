//! A server of etcd's KV API upon the `h2` crate that keeps nothing but each key's mod revision: it shows what the
//! generator makes of a server that is not etcd, and what the generator itself costs. Keys below `/refused/` are
//! refused, and writes below `/forgotten/` are acknowledged without raising the revision.

#![allow(clippy::unwrap_used, reason = "a test's server may end with its reason")]

use bytes::{BufMut, Bytes, BytesMut};
use campanile_api::{
    etcdserverpb::{
        PutRequest, PutResponse, RangeRequest, RangeResponse, ResponseHeader, ResponseOp, TxnRequest, TxnResponse,
        compare::TargetUnion, request_op::Request, response_op::Response,
    },
    mvccpb::KeyValue,
};
use prost::Message;
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinSet, LocalSet},
};

/// The keys' mod revisions, and the store's.
struct Store {
    mod_revisions: BTreeMap<Vec<u8>, i64>,
    revision: i64,
}

/// Serves the listener until the process ends.
pub fn serve(listener: std::net::TcpListener) {
    listener.set_nonblocking(true).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::from_std(listener).unwrap();
        let store = Rc::new(RefCell::new(Store { mod_revisions: BTreeMap::new(), revision: 1 }));
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            socket.set_nodelay(true).unwrap();
            tokio::task::spawn_local(connection(socket, Rc::clone(&store)));
        }
    });
}

async fn connection(socket: TcpStream, store: Rc<RefCell<Store>>) -> Result<(), h2::Error> {
    // A small window and few streams: the client has to wait for both.
    let mut connection = h2::server::Builder::new()
        .initial_window_size(100_000)
        .max_concurrent_streams(200)
        .handshake::<_, Bytes>(socket)
        .await?;
    let mut calls = JoinSet::new();
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        calls.spawn_local(call(request, respond, Rc::clone(&store)));
        while calls.try_join_next().is_some() {}
    }
    Ok(())
}

async fn call(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    store: Rc<RefCell<Store>>,
) -> Result<(), h2::Error> {
    let path = request.uri().path().to_owned();
    let mut stream = request.into_body();
    let mut body = BytesMut::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        stream.flow_control().release_capacity(data.len())?;
        body.extend_from_slice(&data);
    }
    let answer = store.borrow_mut().answer(&path, &body[5..]);
    let opening = http::Response::builder().header("content-type", "application/grpc");
    let Some(message) = answer else {
        let refusal = opening.header("grpc-status", "8").header("grpc-message", "etcdserver: too%20many requests");
        respond.send_response(refusal.body(()).unwrap(), true)?;
        return Ok(());
    };
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.extend_from_slice(&message);
    let mut send = respond.send_response(opening.body(()).unwrap(), false)?;
    send.send_data(framed.freeze(), false)?;
    let trailers = http::HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
    send.send_trailers(trailers)
}

impl Store {
    fn answer(&mut self, path: &str, message: &[u8]) -> Option<Vec<u8>> {
        match path {
            "/etcdserverpb.KV/Put" => Some(self.put(&PutRequest::decode(message).unwrap())?.encode_to_vec()),
            "/etcdserverpb.KV/Range" => Some(self.range(&RangeRequest::decode(message).unwrap()).encode_to_vec()),
            "/etcdserverpb.KV/Txn" => Some(self.txn(TxnRequest::decode(message).unwrap())?.encode_to_vec()),
            other => panic!("nobody asked for {other}"),
        }
    }

    fn header(&self) -> Option<ResponseHeader> {
        Some(ResponseHeader { cluster_id: 1, member_id: 1, revision: self.revision, raft_term: 1 })
    }

    fn put(&mut self, put: &PutRequest) -> Option<PutResponse> {
        if put.key.starts_with(b"/refused/") {
            return None;
        }
        if !put.key.starts_with(b"/forgotten/") {
            self.revision += 1;
        }
        self.mod_revisions.insert(put.key.to_vec(), self.revision);
        Some(PutResponse { header: self.header(), prev_kv: None })
    }

    fn range(&self, range: &RangeRequest) -> RangeResponse {
        let key_value = |(key, &mod_revision): (&Vec<u8>, &i64)| KeyValue {
            key: key.clone().into(),
            value: vec![1; 256].into(),
            mod_revision,
            ..Default::default()
        };
        let mut response = RangeResponse { header: self.header(), ..Default::default() };
        if range.range_end.is_empty() {
            response.kvs.extend(self.mod_revisions.get_key_value(range.key.as_ref()).map(key_value));
            response.count = response.kvs.len() as i64;
            return response;
        }
        let keys = || self.mod_revisions.range(range.key.to_vec()..range.range_end.to_vec());
        response.count = keys().count() as i64;
        if !range.count_only {
            response.kvs.extend(keys().take(range.limit as usize).map(key_value));
        }
        response
    }

    fn txn(&mut self, txn: TxnRequest) -> Option<TxnResponse> {
        let compare = &txn.compare[0];
        let found = self.mod_revisions.get(compare.key.as_ref()).copied().unwrap_or(0);
        let succeeded = compare.target_union == Some(TargetUnion::ModRevision(found));
        let branch = if succeeded { txn.success } else { txn.failure };
        let response = match branch.into_iter().next().unwrap().request.unwrap() {
            Request::RequestPut(put) => Response::ResponsePut(self.put(&put)?),
            Request::RequestRange(range) => Response::ResponseRange(self.range(&range)),
            _ => panic!("the generator sends puts and ranges"),
        };
        Some(TxnResponse { header: self.header(), succeeded, responses: vec![ResponseOp { response: Some(response) }] })
    }
}
