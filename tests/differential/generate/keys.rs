//! Keys, ranges of keys, and values.

use bytes::Bytes;
use rand::Rng;

use super::Generator;

/// Few enough that operations meet, and with neighbours at the ends of the order: a zero byte, bytes of ones.
const KEYS: [&[u8]; 28] = [
    b"a",
    b"a/0",
    b"a/1",
    b"a/2",
    b"a/3",
    b"a/4",
    b"a/5",
    b"a/6",
    b"a/7",
    b"a/8",
    b"a/9",
    b"a\0",
    b"a/\xff",
    b"b",
    b"b/0",
    b"b/1",
    b"b/2",
    b"b/3",
    b"c",
    b"cc",
    b"ccc",
    b"\0",
    b"\0\0",
    b"\x01",
    b"\xff",
    b"\xff\xff",
    b"zebra",
    b"health",
];
/// What random keys are spelled with.
const ALPHABET: [u8; 5] = [0, b'/', b'a', b'b', 0xff];

/// Bytes and lengths of two values: few of the first make an answer that a fragmenting watcher receives in pieces; a
/// request with one of the second is refused.
pub const LARGE_VALUES: [(u8, usize); 2] = [(b'L', 10 << 10), (b'O', 20 << 10)];

impl Generator<'_> {
    pub(super) fn key(&mut self) -> Bytes {
        match self.random.random_range(0..100) {
            0..2 => Bytes::new(),
            2..6 => self.spelled(),
            _ => self.pooled(),
        }
    }

    pub(super) fn pooled(&mut self) -> Bytes {
        Bytes::from_static(KEYS[self.random.random_range(0..KEYS.len())])
    }

    fn spelled(&mut self) -> Bytes {
        let length = self.random.random_range(1..4);
        (0..length).map(|_| ALPHABET[self.random.random_range(0..ALPHABET.len())]).collect()
    }

    /// One key, a prefix, all from a key on, everything, an ordinary range, an empty or an inverted one.
    pub(super) fn key_range(&mut self) -> (Bytes, Bytes) {
        let key = self.key();
        let end = match self.random.random_range(0..100) {
            0..45 => Bytes::new(),
            45..60 => prefix_end(&key),
            60..67 => Bytes::from_static(b"\0"),
            67..72 => return (Bytes::from_static(b"\0"), Bytes::from_static(b"\0")),
            72..92 => self.pooled(),
            92..95 => key.clone(),
            95..98 => [&key[..], b"\0"].concat().into(),
            _ => self.spelled(),
        };
        (key, end)
    }

    /// Mostly short and often equal, so that sorting by value meets ties; now and then large, rarely too large.
    pub(super) fn value(&mut self) -> Bytes {
        match self.random.random_range(0..1000) {
            0..50 => Bytes::new(),
            50..700 => vec![b'a' + self.random.random_range(0..6u8)].into(),
            700..850 => {
                let mut value = vec![0; self.random.random_range(1..40)];
                self.random.fill(&mut value[..]);
                value.into()
            }
            rare => {
                let (byte, length) = LARGE_VALUES[usize::from(rare >= 997)];
                vec![byte; length].into()
            }
        }
    }
}

/// The end of the range of all keys that begin with `key`; "\0", from `key` on, if there is no greater one.
fn prefix_end(key: &[u8]) -> Bytes {
    match key.iter().rposition(|&byte| byte < 0xff) {
        Some(last) => {
            let mut end = key[..=last].to_vec();
            end[last] += 1;
            end.into()
        }
        None => Bytes::from_static(b"\0"),
    }
}
