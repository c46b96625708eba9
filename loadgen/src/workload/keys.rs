//! Which keys a load touches, and in what order.
//!
//! The key space is divided among the threads (key i belongs to thread i modulo their number), so a thread knows
//! all that its run does to its keys, and shares nothing. The same seed gives the same keys.

use rand::{Rng, rngs::StdRng};
use rand_distr::{Distribution, Zipf};

/// Digits of a key's number; keys of one space have one length and sort as their numbers.
const DIGITS: usize = 10;
/// One more than the highest key number.
pub const KEYS_MAX: u64 = 10u64.pow(DIGITS as u32);

/// In what order keys are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// One after the other, from the first again after the last.
    Sequential,
    /// Each key equally often.
    Uniform,
    /// The lowest numbers most often, by Zipf's law.
    Zipf,
}

/// One thread's part of the key space.
#[derive(Debug)]
pub struct Keys {
    prefix: Vec<u8>,
    /// How many keys the thread owns.
    owned: u64,
    threads: u64,
    thread: u64,
    choice: Choice,
}

#[derive(Debug)]
enum Choice {
    Sequential { next: u64 },
    Uniform,
    Zipf(Zipf<f64>),
}

impl Choice {
    fn new(order: Order, owned: u64, exponent: f64) -> Self {
        match order {
            Order::Sequential => Self::Sequential { next: 0 },
            Order::Uniform => Self::Uniform,
            Order::Zipf => {
                Self::Zipf(Zipf::new(owned as f64, exponent).expect("the exponent was checked with the options"))
            }
        }
    }
}

impl Keys {
    /// The part that `thread` of `threads` owns of `total` keys that begin with `prefix`.
    /// `exponent` is Zipf's, and must be positive.
    pub fn new(prefix: &str, total: u64, thread: u64, threads: u64, order: Order, exponent: f64) -> Self {
        assert!(thread < threads && threads <= total && total <= KEYS_MAX, "every thread owns at least one key");
        let owned = (total - thread).div_ceil(threads);
        let choice = Choice::new(order, owned, exponent);
        Self { prefix: prefix.as_bytes().to_vec(), owned, threads, thread, choice }
    }

    /// Goes on in another order.
    pub fn choose_by(&mut self, order: Order, exponent: f64) {
        self.choice = Choice::new(order, self.owned, exponent);
    }

    /// The same keys, of which a sequence begins at the first whose number is at least `number`.
    pub fn starting_at(mut self, number: u64) -> Self {
        let next = number.saturating_sub(self.thread).div_ceil(self.threads);
        self.choice = Choice::Sequential { next: next.min(self.owned - 1) };
        self
    }

    /// How many keys the thread owns. They are numbered from 0 in what follows.
    pub fn owned(&self) -> u64 {
        self.owned
    }

    /// The next key to touch.
    pub fn choose(&mut self, random: &mut StdRng) -> u64 {
        match &mut self.choice {
            Choice::Sequential { next } => {
                let key = *next;
                *next = (key + 1) % self.owned;
                key
            }
            Choice::Uniform => random.random_range(0..self.owned),
            Choice::Zipf(zipf) => (zipf.sample(random) as u64).clamp(1, self.owned) - 1,
        }
    }

    /// Appends the name of one of the thread's keys.
    pub fn write(&self, out: &mut Vec<u8>, key: u64) {
        assert!(key < self.owned, "a thread touches its own keys alone");
        write_key(out, &self.prefix, key * self.threads + self.thread);
    }
}

/// Appends the name of the key with this number in the whole space.
fn write_key(out: &mut Vec<u8>, prefix: &[u8], mut number: u64) {
    out.extend_from_slice(prefix);
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&digits);
}

/// The end of the range that holds every key with this prefix: the next prefix, or `\0` for 'to the end'.
pub fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeSet;

    #[test]
    fn threads_share_the_space_out_without_overlap_or_gap() {
        let mut names = BTreeSet::new();
        for thread in 0..3 {
            let keys = Keys::new("k/", 10, thread, 3, Order::Sequential, 1.0);
            for key in 0..keys.owned() {
                let mut name = Vec::new();
                keys.write(&mut name, key);
                assert!(names.insert(String::from_utf8(name).unwrap()));
            }
        }
        assert_eq!(names.len(), 10);
        assert_eq!(names.first().unwrap(), "k/0000000000");
        assert_eq!(names.last().unwrap(), "k/0000000009");
    }

    #[test]
    fn every_order_stays_inside_and_repeats_with_its_seed() {
        let seed = 11;
        println!("seed {seed}");
        for order in [Order::Sequential, Order::Uniform, Order::Zipf] {
            let draw = || {
                let mut random = StdRng::seed_from_u64(seed);
                let mut keys = Keys::new("", 100, 0, 1, order, 0.99);
                (0..10_000).map(|_| keys.choose(&mut random)).collect::<Vec<_>>()
            };
            let keys = draw();
            assert_eq!(keys, draw());
            assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 100, "{order:?} reaches every key");
            assert!(keys.iter().all(|&key| key < 100));
            let first = keys.iter().filter(|&&key| key == 0).count();
            assert_eq!(first > 1000, order == Order::Zipf, "{order:?} chose the first key {first} times");
        }
    }

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        assert_eq!(prefix_end(b"/a/"), b"/a0");
        assert_eq!(prefix_end(b"a\xff\xff"), b"b");
        assert_eq!(prefix_end(b"\xff"), b"\0");
        assert_eq!(prefix_end(b""), b"\0");
    }
}
