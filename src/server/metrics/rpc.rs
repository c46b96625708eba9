//! The front end's counts, by method and code, as gRPC's middleware for Prometheus names them.
//!
//! A method that was never called has its series at zero; a code that was never answered has none, but for OK.

use std::time::Duration;

use campanile_config::MetricsDetail;
use campanile_rpc::{Code, Kind, Meter, Method};

use super::Metrics;
use super::cells::{Counter, HANDLING_BOUNDS, Histogram, HistogramSum};
use super::text::Text;

/// One executor's counts about one method.
#[derive(Debug)]
pub(super) struct MethodCells {
    started: Counter,
    messages_received: Counter,
    messages_sent: Counter,
    /// By code.
    handled: [Counter; Code::ALL.len()],
    handling: Histogram,
}

impl Default for MethodCells {
    fn default() -> MethodCells {
        MethodCells {
            started: Counter::default(),
            messages_received: Counter::default(),
            messages_sent: Counter::default(),
            handled: Default::default(),
            handling: Histogram::new(&HANDLING_BOUNDS),
        }
    }
}

impl Metrics {
    fn method(&self, method: &'static Method) -> &MethodCells {
        &self.registry.executors[self.executor].methods[method.index]
    }
}

impl Meter for Metrics {
    fn started(&self, method: &'static Method) {
        self.method(method).started.increment();
    }

    fn handled(&self, method: &'static Method, code: Code, elapsed: Duration) {
        let cells = self.method(method);
        cells.handled[code as usize].increment();
        if self.registry.identity.detail == MetricsDetail::Extensive {
            cells.handling.observe(elapsed);
        }
    }

    fn message_received(&self, method: &'static Method) {
        self.method(method).messages_received.increment();
    }

    fn message_sent(&self, method: &'static Method) {
        self.method(method).messages_sent.increment();
    }

    fn transferred(&self, received: u64, sent: u64) {
        self.client_received_bytes.add(received);
        self.client_sent_bytes.add(sent);
    }
}

/// Writes the series of all methods.
pub(super) fn render(text: &mut Text, methods: &'static [Method], executors: &[&[MethodCells]], detail: MetricsDetail) {
    type Row = (&'static str, &'static str, fn(&MethodCells) -> &Counter);
    let rows: [Row; 3] = [
        ("grpc_server_started_total", "Calls that began.", |cells| &cells.started),
        ("grpc_server_msg_received_total", "Messages received.", |cells| &cells.messages_received),
        ("grpc_server_msg_sent_total", "Messages sent.", |cells| &cells.messages_sent),
    ];
    let sum = |cell: &dyn Fn(&MethodCells) -> u64, method: &Method| {
        executors.iter().fold(0_u64, |sum, cells| sum.wrapping_add(cell(&cells[method.index])))
    };
    for (name, help, cell) in rows {
        text.head(name, "counter", help);
        for method in methods {
            text.sample(name, &labels(method), sum(&|cells| cell(cells).get(), method));
        }
    }
    let name = "grpc_server_handled_total";
    text.head(name, "counter", "Calls that ended, by code.");
    for method in methods {
        for code in Code::ALL {
            let count = sum(&|cells| cells.handled[code as usize].get(), method);
            if count > 0 || code == Code::Ok {
                let [service, name_label, kind] = labels(method);
                text.sample(name, &[("grpc_code", code.name()), service, name_label, kind], count);
            }
        }
    }
    if detail == MetricsDetail::Extensive {
        let name = "grpc_server_handling_seconds";
        text.head(name, "histogram", "Calls, from their first frame to their last.");
        for method in methods {
            let histograms = executors.iter().map(|cells| &cells[method.index].handling);
            text.histogram(name, &labels(method), &HistogramSum::of(&HANDLING_BOUNDS, histograms));
        }
    }
}

fn labels(method: &'static Method) -> [(&'static str, &'static str); 3] {
    let kind = match method.kind {
        Kind::Unary => "unary",
        Kind::ClientStream => "client_stream",
        Kind::ServerStream => "server_stream",
        Kind::BidirectionalStream => "bidi_stream",
    };
    [("grpc_service", method.service), ("grpc_method", method.name), ("grpc_type", kind)]
}
