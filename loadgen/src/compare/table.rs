//! The comparison's result: medians and their ratio as a markdown table, with what is wanted and whether it holds.

use super::row::{Metric, Wanted};

/// One line of the table.
#[derive(Debug)]
pub struct Line {
    pub row: String,
    pub metric: Metric,
    /// Medians of both sides.
    pub medians: [f64; 2],
}

/// The lines of rows that compare the same two sides.
#[derive(Debug)]
pub struct Table {
    pub sides: [&'static str; 2],
    pub lines: Vec<Line>,
}

impl Line {
    fn ratio(&self) -> f64 {
        self.medians[1] / self.medians[0]
    }

    /// Whether the medians are as wanted; nothing if nothing is wanted.
    fn holds(&self) -> Option<bool> {
        match self.metric.wanted {
            Wanted::RatioAtLeast(times) => Some(self.ratio() >= times),
            Wanted::RatioAtMost(times) => Some(self.ratio() <= times),
            Wanted::ValueAtLeast(value) => Some(self.medians[1] >= value),
            Wanted::ValueAtMost(value) => Some(self.medians[1] <= value),
            Wanted::Nothing => None,
        }
    }

    fn wanted(&self) -> String {
        let wanted = match self.metric.wanted {
            Wanted::RatioAtLeast(times) => format!("≥ {times}x"),
            Wanted::RatioAtMost(times) => format!("≤ {times}x"),
            Wanted::ValueAtLeast(value) => format!("≥ {value}"),
            Wanted::ValueAtMost(value) => format!("≤ {value}"),
            Wanted::Nothing => return String::new(),
        };
        let verdict = if self.holds() == Some(true) { "yes" } else { "**no**" };
        format!("{wanted}: {verdict}")
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(out, "| | | {} | {} | ratio | wanted |", self.sides[0], self.sides[1])?;
        writeln!(out, "| --- | --- | ---: | ---: | ---: | --- |")?;
        for line in &self.lines {
            let [first, second] = line.medians.map(|median| number(median) + line.metric.unit);
            let (row, name) = (&line.row, line.metric.name);
            let ratio = Some(line.ratio()).filter(|ratio| ratio.is_finite());
            let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}x"));
            writeln!(out, "| {row} | {name} | {first} | {second} | {ratio} | {} |", line.wanted())?;
        }
        Ok(())
    }
}

/// The median; of an even number the mean of the middle two. There must be one.
pub fn median(mut values: Vec<f64>) -> f64 {
    assert!(!values.is_empty(), "a median of nothing");
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// A figure with as many digits as can matter, thousands apart.
fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 1_000.0 {
        return format!("{value:.0}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_numbers() {
        assert_eq!((median(vec![3.0, 1.0, 2.0]), median(vec![4.0, 1.0])), (2.0, 2.5));
        let numbers = [0.5, 12.34, 999.0, 1_000.0, 1_234_567.0].map(number);
        assert_eq!(numbers, ["0.50", "12", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_line_says_what_was_wanted_and_whether_it_is() {
        let line =
            |wanted, medians| Line { row: "Put".into(), metric: Metric { name: "rate", unit: "/s", wanted }, medians };
        let lines = vec![
            line(Wanted::RatioAtLeast(5.0), [20_000.0, 110_000.0]),
            line(Wanted::RatioAtMost(0.25), [100.0, 26.0]),
            line(Wanted::ValueAtMost(1.3), [9.0, 1.2]),
            line(Wanted::ValueAtLeast(3.0), [0.0, 2.0]),
            line(Wanted::Nothing, [1.0, 1.0]),
        ];
        let text = Table { sides: ["etcd", "campanile"], lines }.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "| | | etcd | campanile | ratio | wanted |");
        assert_eq!(lines[2], "| Put | rate | 20,000/s | 110,000/s | 5.50x | ≥ 5x: yes |");
        assert!(lines[3].ends_with("0.26x | ≤ 0.25x: **no** |"));
        assert!(lines[4].ends_with("| ≤ 1.3: yes |"));
        assert!(lines[5].ends_with("2.00/s |  | ≥ 3: **no** |"), "no ratio to nothing: {}", lines[5]);
        assert!(lines[6].ends_with("1.00x |  |"));
    }
}
