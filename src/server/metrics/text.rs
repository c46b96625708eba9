//! Prometheus' text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).

use std::fmt::{Display, Write};

use super::cells::HistogramSum;

/// What a scrape takes, roughly; the text grows beyond it if it must.
const TEXT_BYTES_EXPECTED: usize = 64 << 10;

/// A scrape in the making. Writing into it cannot fail.
pub(super) struct Text(String);

impl Default for Text {
    fn default() -> Text {
        Text(String::with_capacity(TEXT_BYTES_EXPECTED))
    }
}

impl Text {
    /// The two lines before the samples of a name. Help is one line without backslashes.
    pub(super) fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        self.labels(labels, None);
        let _ = writeln!(self.0, " {value}");
    }

    /// The samples of one histogram, in seconds.
    pub(super) fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &HistogramSum) {
        let mut cumulative = 0_u64;
        let ends = histogram.bounds.iter().map(|bound| seconds(*bound)).chain(["+Inf".to_owned()]);
        for (end, count) in ends.zip(&histogram.counts) {
            cumulative = cumulative.wrapping_add(*count);
            let _ = write!(self.0, "{name}_bucket");
            self.labels(labels, Some(&end));
            let _ = writeln!(self.0, " {cumulative}");
        }
        let _ = write!(self.0, "{name}_sum");
        self.labels(labels, None);
        let _ = write!(self.0, " {}\n{name}_count", seconds(histogram.sum_nanoseconds));
        self.labels(labels, None);
        let _ = writeln!(self.0, " {cumulative}");
    }

    fn labels(&mut self, labels: &[(&str, &str)], less_or_equal: Option<&str>) {
        let mut before = '{';
        for (label, value) in labels.iter().copied().chain(less_or_equal.map(|end| ("le", end))) {
            self.0.push(before);
            before = ',';
            let _ = write!(self.0, "{label}=\"");
            for character in value.chars() {
                match character {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    other => self.0.push(other),
                }
            }
            self.0.push('"');
        }
        if before == ',' {
            self.0.push('}');
        }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Nanoseconds as seconds, exactly, in the fewest digits: Go and Rust agree on them down to 0.0001, where etcd's ends.
fn seconds(nanoseconds: u64) -> String {
    let (whole, fraction) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    if fraction == 0 {
        return whole.to_string();
    }
    format!("{whole}.{fraction:09}").trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::cells::Histogram;

    #[test]
    fn samples_are_lines() {
        let mut text = Text::default();
        text.head("a_total", "counter", "As.");
        text.sample("a_total", &[], 3);
        text.sample("a_total", &[("b", "c\"d\\e\nf"), ("g", "")], 1.5);
        assert_eq!(
            text.finish(),
            "# HELP a_total As.\n# TYPE a_total counter\na_total 3\na_total{b=\"c\\\"d\\\\e\\nf\",g=\"\"} 1.5\n"
        );
    }

    #[test]
    fn histograms_are_cumulative() {
        static BOUNDS: [u64; 2] = [500_000, 2_000_000_000];
        let histogram = Histogram::new(&BOUNDS);
        for duration in [Duration::from_micros(1), Duration::from_secs(1), Duration::from_secs(3)] {
            histogram.observe(duration);
        }
        let mut text = Text::default();
        text.histogram("h", &[("a", "b")], &HistogramSum::of(&BOUNDS, [&histogram].into_iter()));
        assert_eq!(
            text.finish(),
            "h_bucket{a=\"b\",le=\"0.0005\"} 1\nh_bucket{a=\"b\",le=\"2\"} 2\nh_bucket{a=\"b\",le=\"+Inf\"} 3\n\
             h_sum{a=\"b\"} 4.000001\nh_count{a=\"b\"} 3\n"
        );
    }
}
