//! Bytes of a request become messages for its handler.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Connection;
use super::exchange::{Received, Role};
use crate::handler::Handler;
use crate::limits::PARTIAL_MAX_BYTES;
use crate::outbox::ExchangeKey;
use crate::reply::Reply;
use crate::status::{Code, Status};

impl<T, H> Connection<T, H>
where
    T: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    /// Sees to a stream that may have news: messages, or its end.
    pub(super) fn see_to_stream(&mut self, key: ExchangeKey) {
        self.receive(key);
        let signals = Arc::clone(&self.signals);
        let Some(exchange) = self.exchange(key) else { return };
        // A unary call's end is not waited for: what it asked for is done in any case.
        if !matches!(exchange.role, Role::Stream { .. }) {
            return;
        }
        let incoming = exchange.incoming.as_mut().expect("a streaming call has a body");
        let waker = incoming.waker(|| signals.waker(key)).clone();
        if exchange.outgoing.is_reset(&waker) {
            self.cancel(key);
        }
    }

    /// Hands on the messages that have arrived.
    pub(super) fn receive(&mut self, key: ExchangeKey) {
        let signals = Arc::clone(&self.signals);
        loop {
            let Some(exchange) = self.exchange(key) else { return };
            match &exchange.role {
                Role::UnaryHandled { .. } | Role::Plain { .. } => return,
                // Goes on when the queue has drained, or the handler says so.
                Role::Stream { queue, handler } if queue.paused.get() || !handler.is_accepting() => return,
                Role::UnaryArriving(_) | Role::Stream { .. } => {}
            }
            let incoming = exchange.incoming.as_mut().expect("a call has a body");
            let before = incoming.partial_bytes();
            let received = incoming.receive(|| signals.waker(key));
            let after = incoming.partial_bytes();
            self.partial_bytes = self.partial_bytes - before + after;
            match received {
                Received::Message(message) => self.deliver(key, message),
                Received::End => self.half_close(key),
                Received::Cancelled => self.cancel(key),
                Received::Broken(status) => self.finish(key, &status),
                Received::Truncated => self.end_truncated(key),
                Received::Nothing if self.partial_bytes > PARTIAL_MAX_BYTES => {
                    let text = "too many bytes of unfinished messages on one connection";
                    self.finish(key, &Status::new(Code::ResourceExhausted, text));
                }
                Received::Nothing => return,
            }
        }
    }

    fn deliver(&mut self, key: ExchangeKey, message: Bytes) {
        let exchange = self.exchange(key).expect("messages come on open exchanges");
        let method = exchange.method.expect("messages come on calls");
        let message_bytes = message.len();
        let role = std::mem::replace(&mut exchange.role, Role::UnaryHandled { message_bytes });
        match role {
            Role::UnaryArriving(call) => {
                self.admission.begin(message_bytes);
                let reply = Reply::new(self.outbox.clone(), key);
                self.environment.meter.message_received(method);
                self.environment.handler.unary(call, message, reply);
            }
            Role::Stream { mut handler, queue } => {
                handler.on_message(message);
                exchange.role = Role::Stream { handler, queue };
                self.environment.meter.message_received(method);
            }
            Role::UnaryHandled { .. } | Role::Plain { .. } => unreachable!("they read no messages"),
        }
    }

    /// The code is grpc-go's: it knows one for a message that ends early on a stream, and none in a unary call.
    fn end_truncated(&mut self, key: ExchangeKey) {
        let exchange = self.exchange(key).expect("it ends while it is open");
        let code = if matches!(exchange.role, Role::Stream { .. }) { Code::Internal } else { Code::Unknown };
        self.finish(key, &Status::new(code, "unexpected EOF"));
    }

    fn half_close(&mut self, key: ExchangeKey) {
        let exchange = self.exchange(key).expect("it ends while it is open");
        match &mut exchange.role {
            Role::Stream { handler, .. } => handler.on_half_close(),
            Role::UnaryArriving(_) => {
                self.finish(key, &Status::new(Code::Unknown, "EOF"));
            }
            Role::UnaryHandled { .. } | Role::Plain { .. } => unreachable!("they do not read on"),
        }
    }
}
