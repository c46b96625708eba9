//! `grpc-timeout`: at most eight digits and a unit
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).

use std::time::Duration;

const DIGITS_MAX: usize = 8;

/// The time a client gives its call; `None` if the header is malformed.
pub(crate) fn parse(header: &[u8]) -> Option<Duration> {
    let (unit, digits) = header.split_last()?;
    if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count = digits.iter().fold(0, |count: u64, digit| count * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(count * 60 * 60),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        assert_eq!(parse(b"2H"), Some(Duration::from_secs(7_200)));
        assert_eq!(parse(b"3M"), Some(Duration::from_secs(180)));
        assert_eq!(parse(b"4S"), Some(Duration::from_secs(4)));
        assert_eq!(parse(b"4999m"), Some(Duration::from_millis(4_999)));
        assert_eq!(parse(b"4999999u"), Some(Duration::from_micros(4_999_999)));
        assert_eq!(parse(b"99999999n"), Some(Duration::from_nanos(99_999_999)));
        assert_eq!(parse(b"0S"), Some(Duration::ZERO));
    }

    #[test]
    fn malformed_timeouts_are_refused() {
        for malformed in [&b""[..], b"S", b"1", b"1s", b"-1S", b"1.5S", b"123456789S", b" 1S"] {
            assert_eq!(parse(malformed), None, "{}", String::from_utf8_lossy(malformed));
        }
    }
}
