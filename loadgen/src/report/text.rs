//! A report for people: one table, what the client cost, and the proof. Plain text, no colours.

use super::{Latencies, Report};
use std::fmt::{Display, Formatter, Result};

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let setting = &self.setting;
        let pace = setting.rate.map_or("closed loop".to_owned(), |rate| format!("open loop at {rate}/s"));
        let kind = if setting.serializable { ", serializable" } else { "" };
        writeln!(
            out,
            "{}{kind}: {pace}, {} clients on {} connections and {} thread(s)",
            setting.mix, setting.clients, setting.connections, setting.threads
        )?;
        writeln!(
            out,
            "{} keys, {} order, values of {} bytes, seed {}",
            setting.keys,
            order_name(setting.order),
            setting.value_bytes,
            setting.seed
        )?;
        if let Some(fill) = self.fill {
            writeln!(out, "filled {} keys in {:.1} s", fill.keys, fill.seconds)?;
        }
        writeln!(out)?;
        let columns = ["", "requests", "per s", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"];
        writeln!(out, "{}", row(&columns.map(str::to_owned)))?;
        for operation in &self.operations {
            let (count, rate) = (operation.count.to_string(), format!("{:.0}", operation.per_second));
            let cells = [operation.operation.name().to_owned(), count, rate];
            let latencies = columns_of(&operation.latencies).map(time);
            writeln!(out, "{}", row(&[cells.as_slice(), latencies.as_slice()].concat()))?;
        }
        let client = &self.client;
        writeln!(out)?;
        writeln!(
            out,
            "client   {:.2} µs CPU a request, busiest thread {:.0} % of its CPU, kept waiting {:.1} %",
            client.cpu_us_per_request,
            client.busiest_thread * 100.0,
            client.kept_waiting * 100.0
        )?;
        write!(out, "{}", self.proof)
    }
}

impl Display for super::Proof {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        writeln!(
            out,
            "proof    {} failed, {} unanswered; revision {} to {}, {} writes acknowledged, {} conflicts; {} keys with the prefix",
            self.failed,
            self.unanswered,
            self.revision_before,
            self.revision_after,
            self.writes,
            self.conflicts,
            self.keys
        )?;
        for (failure, count) in &self.failures {
            writeln!(out, "failure  {count} x {failure}")?;
        }
        for warning in &self.warnings {
            writeln!(out, "warning  {warning}")?;
        }
        for violation in &self.violations {
            writeln!(out, "VIOLATED {violation}")?;
        }
        Ok(())
    }
}

fn columns_of(latencies: &Latencies) -> [f64; 7] {
    let Latencies { mean_us, p50_us, p90_us, p99_us, p99_9_us, p99_99_us, max_us } = *latencies;
    [mean_us, p50_us, p90_us, p99_us, p99_9_us, p99_99_us, max_us]
}

fn order_name(order: crate::workload::keys::Order) -> &'static str {
    use crate::workload::keys::Order;
    match order {
        Order::Sequential => "sequential",
        Order::Uniform => "uniform",
        Order::Zipf => "zipf",
    }
}

fn row(cells: &[String]) -> String {
    cells
        .iter()
        .enumerate()
        .map(|(at, cell)| if at == 0 { format!("{cell:<8}") } else { format!("{cell:>10}") })
        .collect()
}

/// A time in its natural unit.
pub fn time(microseconds: f64) -> String {
    match microseconds {
        us if us < 1_000.0 => format!("{us:.0} µs"),
        us if us < 1_000_000.0 => format!("{:.2} ms", us / 1_000.0),
        us => format!("{:.2} s", us / 1_000_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_natural_unit() {
        assert_eq!([0.4, 999.0, 1_500.0, 2_500_000.0].map(time), ["0 µs", "999 µs", "1.50 ms", "2.50 s"]);
    }
}
