//! What handlers answered becomes frames. An error of h2 here means that the client reset the stream: it wants nothing.

use bytes::Buf;
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Connection;
use super::exchange::{Outgoing, Role};
use super::headers;
use crate::handler::Handler;
use crate::outbox::{Answer, ExchangeKey};
use crate::plain::HttpResponse;
use crate::segment::Segment;
use crate::status::{Code, Status};

impl<T, H> Connection<T, H>
where
    T: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    /// Sends one answer. Answers to what is over go nowhere.
    pub(super) fn answer(&mut self, key: ExchangeKey, answer: Answer) {
        if self.exchange(key).is_none() {
            return;
        }
        match answer {
            Answer::Message(segment) => self.send_message(key, segment),
            Answer::Last(segment) => {
                self.admission.answered(segment.remaining());
                self.send_message(key, segment);
                self.finish(key, &Status::OK);
            }
            Answer::Finish(status) => self.finish(key, &status),
            Answer::ReadOn => self.see_to_stream(key),
            Answer::Http(response) => self.send_plain(key, response),
        }
    }

    fn send_message(&mut self, key: ExchangeKey, segment: Segment) {
        let exchange = self.exchange(key).expect("answers go to open exchanges");
        let method = exchange.method.expect("messages go to calls");
        if let Outgoing::Fresh(send) = &mut exchange.outgoing {
            let Ok(send) = send.send_response(headers::response(), false) else { return };
            exchange.outgoing = Outgoing::Begun(send);
        }
        if let Outgoing::Begun(send) = &mut exchange.outgoing {
            let _ = send.send_data(segment, false);
        }
        self.environment.meter.message_sent(method);
    }

    /// Ends a call with `status`, whoever decided it.
    pub(super) fn finish(&mut self, key: ExchangeKey, status: &Status) {
        self.outbox.queued.note_written();
        let exchange = self.exchange(key).expect("only open exchanges are ended");
        let _ = match &mut exchange.outgoing {
            Outgoing::Fresh(send) => {
                send.send_response(headers::trailers_only(StatusCode::OK, status), true).map(|_| ())
            }
            Outgoing::Begun(send) => send.send_trailers(headers::trailers(status)),
        };
        self.remove(key, status.code);
    }

    fn send_plain(&mut self, key: ExchangeKey, response: HttpResponse) {
        let outbox = self.outbox.clone();
        let exchange = self.exchange(key).expect("answers go to open exchanges");
        let Role::Plain { head_only } = exchange.role else { unreachable!("plain answers go to plain requests") };
        let Outgoing::Fresh(send) = &mut exchange.outgoing else { unreachable!("a plain answer is sent at once") };
        outbox.queued.note_written();
        let bodiless = head_only || response.body.is_empty();
        if let Ok(mut send) = send.send_response(headers::plain(&response), bodiless)
            && !bodiless
        {
            let _ = send.send_data(Segment::plain(response.body, &outbox), true);
        }
        self.remove(key, Code::Ok);
    }
}
