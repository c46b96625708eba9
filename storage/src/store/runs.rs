//! The older versions of one key: a deque that never moves many of them at once.
//!
//! A key may change a million times between two compactions. One contiguous deque would then copy megabytes when it
//! grows, within one put; this one is a deque of short runs. A key with few older versions has one run and pays
//! nothing for the others.

use std::collections::VecDeque;

use super::key_value::KeyValue;
use super::size::allocation_bytes;

/// Versions in one run, but for the first, which may have fewer, and the last.
const RUN_VERSIONS: usize = 512;
/// The only run is moved to a smaller allocation when it fills less than this part of its own.
const SHRINK_PART: usize = 4;

type Run = VecDeque<KeyValue>;

/// Versions of one key, oldest first.
#[derive(Debug, Default)]
pub(super) struct Runs {
    first: Run,
    /// All of these but the last are full.
    rest: VecDeque<Run>,
}

impl Runs {
    pub(super) fn len(&self) -> usize {
        let full = self.rest.len().saturating_sub(1);
        self.first.len() + full * RUN_VERSIONS + self.rest.back().map_or(0, Run::len)
    }

    pub(super) fn get(&self, index: usize) -> Option<&KeyValue> {
        match index.checked_sub(self.first.len()) {
            None => self.first.get(index),
            Some(behind) => self.rest.get(behind / RUN_VERSIONS)?.get(behind % RUN_VERSIONS),
        }
    }

    /// How many of the oldest versions are `before` something; all others are not.
    pub(super) fn partition_point(&self, before: impl Fn(&KeyValue) -> bool) -> usize {
        if self.rest.is_empty() {
            return self.first.partition_point(before);
        }
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.get(middle).is_some_and(&before) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    pub(super) fn push_newest(&mut self, version: KeyValue) {
        let last = self.rest.back_mut().unwrap_or(&mut self.first);
        if last.len() < RUN_VERSIONS {
            last.push_back(version);
        } else {
            let mut run = Run::with_capacity(RUN_VERSIONS);
            run.push_back(version);
            self.rest.push_back(run);
        }
    }

    pub(super) fn pop_newest(&mut self) -> Option<KeyValue> {
        let Some(last) = self.rest.back_mut() else {
            let popped = self.first.pop_back();
            self.shrink();
            return popped;
        };
        let popped = last.pop_back();
        if last.is_empty() {
            self.rest.pop_back();
        }
        popped
    }

    pub(super) fn pop_oldest(&mut self) -> Option<KeyValue> {
        let popped = self.first.pop_front();
        if self.first.is_empty()
            && let Some(next) = self.rest.pop_front()
        {
            self.first = next;
        }
        self.shrink();
        popped
    }

    /// Resident bytes, without the versions themselves.
    pub(super) fn bytes(&self) -> usize {
        let pointers = |count: usize| allocation_bytes(count * size_of::<KeyValue>());
        let directory = match self.rest.capacity() {
            0 => 0,
            capacity => allocation_bytes(capacity * size_of::<Run>()),
        };
        allocation_bytes(size_of::<Runs>())
            + pointers(self.first.capacity())
            + directory
            + self.rest.len() * pointers(RUN_VERSIONS)
    }

    fn shrink(&mut self) {
        if self.rest.is_empty() && self.first.len() < self.first.capacity() / SHRINK_PART {
            self.first.shrink_to(self.first.len() * 2);
            self.rest.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::ids::{Position, Revision};

    #[test]
    fn versions_come_and_go_at_both_ends_as_in_a_deque() {
        for seed in 0..10 {
            println!("seed {seed}");
            let mut random = StdRng::seed_from_u64(seed);
            let (mut runs, mut model) = (Runs::default(), VecDeque::new());
            let mut revision = 0;
            for round in 0..20_000 {
                let growing = (round / 5_000) % 2 == 0;
                if random.random_bool(if growing { 0.8 } else { 0.1 }) {
                    revision += 1;
                    runs.push_newest(KeyValue::tombstone(b"k", Position { revision: Revision(revision), sub: 0 }));
                    model.push_back(revision);
                } else if random.random_bool(0.5) {
                    assert_eq!(runs.pop_newest().map(|version| version.mod_revision().0), model.pop_back());
                } else {
                    assert_eq!(runs.pop_oldest().map(|version| version.mod_revision().0), model.pop_front());
                }
                assert_eq!(runs.len(), model.len());
                let place = random.random_range(0..=model.len());
                assert_eq!(runs.get(place).map(|version| version.mod_revision().0), model.get(place).copied());
                let sought = random.random_range(0..=revision);
                let before = runs.partition_point(|version| version.mod_revision().0 <= sought);
                assert_eq!(before, model.partition_point(|revision| *revision <= sought));
            }
            while runs.pop_oldest().is_some() {}
            assert_eq!((runs.len(), runs.rest.len()), (0, 0));
        }
    }
}
