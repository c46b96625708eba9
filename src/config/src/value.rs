//! One value, read as Go reads it: `strconv.ParseBool`, `strconv.ParseInt` with base 0, `time.ParseDuration`.
//!
//! Never knows which flag a value belongs to, nor what would be a sensible value for it.

use crate::flag::Kind;
use crate::url::{Url, parse_urls};

/// A value of one of the kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Boolean(bool),
    Integer(i64),
    /// Of 64 or 32 bits.
    Unsigned(u64),
    /// In nanoseconds, like Go's.
    Duration(i64),
    Text(String),
    /// Sorted, without repetition, as etcd keeps its lists.
    List(Vec<String>),
    /// Sorted, without repetition.
    Urls(Vec<Url>),
}

impl Value {
    /// Reads `text`. The error is the end of a sentence: what is wrong, and what would be right.
    pub(crate) fn parse(kind: Kind, text: &str) -> Result<Value, String> {
        match kind {
            Kind::Boolean => parse_boolean(text).map(Value::Boolean),
            Kind::Integer => parse_integer(text).map(Value::Integer),
            Kind::Unsigned => parse_unsigned(text).map(Value::Unsigned),
            Kind::Unsigned32 => parse_unsigned(text).and_then(|number| match u32::try_from(number) {
                Ok(_) => Ok(Value::Unsigned(number)),
                Err(_) => Err(format!("is above the largest value, {}", u32::MAX)),
            }),
            Kind::Duration => parse_duration(text).map(Value::Duration),
            Kind::Text => Ok(Value::Text(text.to_owned())),
            Kind::List => Ok(Value::list(text.split(','))),
            Kind::Urls if text.is_empty() => Ok(Value::Urls(Vec::new())),
            Kind::Urls => parse_urls(text.split(',')).map(Value::Urls).map_err(|error| error.to_string()),
        }
    }

    /// A list of texts, as etcd keeps it.
    pub(crate) fn list<'a>(items: impl Iterator<Item = &'a str>) -> Value {
        let mut items: Vec<String> = items.filter(|item| !item.is_empty()).map(str::to_owned).collect();
        items.sort();
        items.dedup();
        Value::List(items)
    }
}

fn parse_boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("is neither true nor false".to_owned()),
    }
}

fn parse_integer(text: &str) -> Result<i64, String> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let magnitude = i128::from(parse_digits(digits)?);
    i64::try_from(if negative { -magnitude } else { magnitude })
        .map_err(|_| format!("is outside of {} to {}", i64::MIN, i64::MAX))
}

fn parse_unsigned(text: &str) -> Result<u64, String> {
    if text.starts_with('-') {
        return Err("is negative; give a whole number from 0".to_owned());
    }
    parse_digits(text)
}

/// Digits with Go's prefixes (`0x`, `0o`, `0b`, a leading `0` for octal) and its underscores.
fn parse_digits(text: &str) -> Result<u64, String> {
    let malformed = || "is not a whole number".to_owned();
    let lower = text.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    // An underscore stands between two digits, or behind a prefix.
    let leading = radix == 10 && digits.starts_with('_');
    if leading || digits.ends_with('_') || digits.contains("__") {
        return Err(malformed());
    }
    let digits = digits.replace('_', "");
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err(malformed());
    }
    u64::from_str_radix(&digits, radix).map_err(|_| format!("is above the largest value, {}", u64::MAX))
}

/// How many digits of a fraction of a duration are read.
const FRACTION_DIGITS_MAX: usize = 18;

/// Go's durations: numbers with units, one behind the other. A number alone must be 0.
fn parse_duration(text: &str) -> Result<i64, String> {
    let malformed = || "is not a duration such as 300ms, 1.5h or 2h45m".to_owned();
    let overlong = || "is longer than 292 years".to_owned();
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(malformed());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, behind) = rest.split_at(number_end);
        let unit_end = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_end);
        let unit_nanoseconds: i128 = match unit {
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(malformed()),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(malformed());
        }
        if whole.len() > 19 {
            return Err(overlong());
        }
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| malformed())? };
        total += whole * unit_nanoseconds;
        // Digits behind the eighteenth are worth less than a nanosecond, whatever the unit.
        let digits = &fraction[..fraction.len().min(FRACTION_DIGITS_MAX)];
        if !digits.is_empty() {
            let places = u32::try_from(digits.len()).expect("there are at most eighteen");
            let numerator: i128 = digits.parse().map_err(|_| malformed())?;
            total += numerator * unit_nanoseconds / 10_i128.pow(places);
        }
        rest = behind;
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| overlong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_gos() {
        for text in ["1", "t", "T", "true", "TRUE", "True"] {
            assert_eq!(parse_boolean(text), Ok(true), "{text}");
        }
        for text in ["0", "f", "F", "false", "FALSE", "False"] {
            assert_eq!(parse_boolean(text), Ok(false), "{text}");
        }
        for text in ["", "yes", "tRUE", " true", "2"] {
            assert!(parse_boolean(text).is_err(), "{text}");
        }
    }

    #[test]
    fn integers_are_gos() {
        let cases: &[(&str, Option<i64>)] = &[
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("+7", Some(7)),
            ("0x10", Some(16)),
            ("0X_1F", Some(31)),
            ("0b101", Some(5)),
            ("0o17", Some(15)),
            ("017", Some(15)),
            ("0_7", Some(7)),
            ("1_000_000", Some(1_000_000)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
            ("--1", None),
            ("+-1", None),
            ("08", None),
            ("1_", None),
            ("_1", None),
            ("1__0", None),
            ("0x", None),
            ("1.0", None),
            ("1e3", None),
            (" 1", None),
            ("٣", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_integer(text).ok(), *expected, "{text:?}");
        }
        assert_eq!(parse_unsigned("18446744073709551615"), Ok(u64::MAX));
        assert!(parse_unsigned("18446744073709551616").is_err());
        assert!(parse_unsigned("-1").is_err_and(|problem| problem.contains("negative")));
        // Go's ParseUint takes no sign at all.
        assert!(parse_unsigned("+1").is_err());
        assert!(Value::parse(Kind::Unsigned32, "4294967296").is_err());
    }

    #[test]
    fn durations_are_gos() {
        let cases: &[(&str, Option<i64>)] = &[
            ("0", Some(0)),
            ("-0", Some(0)),
            ("5s", Some(5_000_000_000)),
            ("1h30m", Some(5_400_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            (".5s", Some(500_000_000)),
            ("1.s", Some(1_000_000_000)),
            ("100us", Some(100_000)),
            ("100µs", Some(100_000)),
            ("100μs", Some(100_000)),
            ("-2m", Some(-120_000_000_000)),
            ("0.100000000000000000000h", Some(360_000_000_000)),
            ("2562047h47m16.854775807s", Some(i64::MAX)),
            ("2562047h47m16.854775808s", None),
            ("99999999999999999999h", None),
            ("", None),
            ("5", None),
            ("s", None),
            (".s", None),
            ("1d", None),
            ("1 s", None),
            ("1s ", None),
            ("1.2.3s", None),
            ("+-1s", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_duration(text).ok(), *expected, "{text:?}");
        }
    }

    #[test]
    fn lists_are_sets() {
        let list = |text| match Value::parse(Kind::List, text) {
            Ok(Value::List(items)) => items,
            other => panic!("{other:?}"),
        };
        assert_eq!(list("b,a,b"), ["a", "b"]);
        assert!(list("").is_empty());
    }
}
