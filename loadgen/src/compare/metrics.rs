//! One sample of a server's metrics, from `/metrics` in the text format of Prometheus.

use crate::{endpoint::Endpoint, error::Error};
use std::{
    io::{self, Read, Write},
    time::Duration,
};

const TIMEOUT: Duration = Duration::from_secs(10);
/// More than any server has to say.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// The value of a sample without labels, rounded down; 0 if the server has none of that name.
///
/// # Errors
/// If the server does not answer.
pub fn sample(endpoint: &Endpoint, name: &str) -> Result<u64, Error> {
    let mut stream = endpoint.connect(TIMEOUT)?;
    let mut answer = String::new();
    let mut ask = || -> io::Result<()> {
        stream.set_read_timeout(Some(TIMEOUT))?;
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", endpoint.authority())?;
        Read::take(&mut stream, ANSWER_BYTES_MAX).read_to_string(&mut answer).map(drop)
    };
    ask().map_err(Error::io(format!("http://{endpoint}/metrics")))?;
    Ok(value(&answer, name).unwrap_or(0))
}

fn value(answer: &str, name: &str) -> Option<u64> {
    let value = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.trim().parse::<f64>().ok().map(|value| value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_found_by_its_whole_name() {
        let answer = "HTTP/1.1 200 OK\r\n\r\n# TYPE a counter\na_count{x=\"1\"} 7\na_count_more 8\na_count 1.5e+03\n";
        assert_eq!(value(answer, "a_count"), Some(1500));
        assert_eq!((value(answer, "a"), value("", "a_count")), (None, None));
    }
}
