//! gRPC's health service. The server as a whole is what is asked about: a member that answers at all serves.

use bytes::Bytes;
use campanile_api::grpc::health::v1::health_check_response::ServingStatus;
use campanile_api::grpc::health::v1::{HealthCheckRequest, HealthCheckResponse};
use campanile_rpc::{Code, Reply, Status, StreamHandle, StreamHandler};
use prost::Message;

use super::kv::decode;

/// Answers Check.
pub(super) fn check(message: Bytes, reply: Reply) {
    match decode(message) {
        Ok(HealthCheckRequest { service }) if service.is_empty() => reply.ok(response(ServingStatus::Serving)),
        Ok(_) => reply.error(Status::new(Code::NotFound, "unknown service")),
        Err(status) => reply.error(status),
    }
}

fn response(status: ServingStatus) -> Bytes {
    HealthCheckResponse { status: status.into() }.encode_to_vec().into()
}

/// Watch tells the status once; it does not change before the stream ends with the connection.
pub(super) struct HealthWatch {
    pub(super) stream: Option<StreamHandle>,
}

impl StreamHandler for HealthWatch {
    fn on_message(&mut self, message: Bytes) {
        match (decode(message), &self.stream) {
            (Ok(HealthCheckRequest { service }), Some(stream)) => {
                let known = if service.is_empty() { ServingStatus::Serving } else { ServingStatus::ServiceUnknown };
                stream.send(response(known));
            }
            (Err(status), _) => self.finish(status),
            (Ok(_), None) => {}
        }
    }

    /// The client's half ends behind its one message; ours goes on.
    fn on_half_close(&mut self) {}

    fn on_cancel(&mut self) {
        self.stream = None;
    }
}

impl HealthWatch {
    fn finish(&mut self, status: Status) {
        if let Some(stream) = self.stream.take() {
            stream.finish(status);
        }
    }
}
