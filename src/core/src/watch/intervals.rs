//! Ranges of keys, found by a key that lies in them in O(log n) and the number found: a treap ordered by start, each node
//! knowing how far its subtree reaches.
//!
//! Priorities come from a counter that is mixed, not from chance: a run is the same every time.

use bytes::Bytes;
use std::cmp::Ordering;

type Link<T> = Option<Box<Node<T>>>;

/// Values by range of keys. A range is there once.
#[derive(Debug)]
pub(super) struct Intervals<T> {
    root: Link<T>,
    inserted: u64,
}

/// Where a range ends; nothing is to the end of the keyspace.
type End = Option<Bytes>;

#[derive(Debug)]
struct Node<T> {
    start: Bytes,
    end: End,
    /// The farthest end in this subtree.
    reach: End,
    priority: u64,
    value: T,
    left: Link<T>,
    right: Link<T>,
}

impl<T> Default for Intervals<T> {
    fn default() -> Intervals<T> {
        Intervals { root: None, inserted: 0 }
    }
}

impl<T> Intervals<T> {
    /// The value of this very range, made by `new` if the range is not there.
    pub(super) fn get_or_insert_with(&mut self, start: &Bytes, end: &End, new: impl FnOnce() -> T) -> &mut T {
        if self.get_mut(start, end).is_none() {
            self.inserted += 1;
            let priority = mix(self.inserted);
            let node = Node {
                start: start.clone(),
                end: end.clone(),
                reach: end.clone(),
                priority,
                value: new(),
                left: None,
                right: None,
            };
            let (left, right) = split(self.root.take(), start, end);
            self.root = join(join(left, Some(Box::new(node))), right);
        }
        self.get_mut(start, end).expect("it was there, or was inserted")
    }

    pub(super) fn get_mut(&mut self, start: &Bytes, end: &End) -> Option<&mut T> {
        let mut link = self.root.as_deref_mut();
        while let Some(node) = link {
            link = match order(start, end, node) {
                Ordering::Equal => return Some(&mut node.value),
                Ordering::Less => node.left.as_deref_mut(),
                Ordering::Greater => node.right.as_deref_mut(),
            };
        }
        None
    }

    pub(super) fn remove(&mut self, start: &Bytes, end: &End) {
        self.root = remove(self.root.take(), start, end);
    }

    /// Calls `visit` with the value of every range that the key lies in.
    pub(super) fn stab(&self, key: &[u8], visit: &mut impl FnMut(&T)) {
        stab(self.root.as_deref(), key, visit);
    }
}

fn stab<T>(link: Option<&Node<T>>, key: &[u8], visit: &mut impl FnMut(&T)) {
    let Some(node) = link.filter(|node| is_behind(&node.reach, key)) else { return };
    stab(node.left.as_deref(), key, visit);
    if *node.start <= *key {
        if is_behind(&node.end, key) {
            visit(&node.value);
        }
        stab(node.right.as_deref(), key, visit);
    }
}

fn is_behind(end: &End, key: &[u8]) -> bool {
    end.as_ref().is_none_or(|end| key < end)
}

fn further<'a>(one: &'a End, other: &'a End) -> &'a End {
    match (one, other) {
        (Some(a), Some(b)) if a < b => other,
        (Some(_), None) => other,
        _ => one,
    }
}

fn order<T>(start: &Bytes, end: &End, node: &Node<T>) -> Ordering {
    start.cmp(&node.start).then_with(|| end.cmp(&node.end))
}

impl<T> Node<T> {
    /// Tells how far the subtree reaches, after its children changed.
    fn measured(mut self: Box<Self>) -> Link<T> {
        let mut reach = &self.end;
        for child in [&self.left, &self.right].into_iter().flatten() {
            reach = further(reach, &child.reach);
        }
        self.reach = reach.clone();
        Some(self)
    }
}

/// Parts a tree into what stands before the range and what does not.
fn split<T>(link: Link<T>, start: &Bytes, end: &End) -> (Link<T>, Link<T>) {
    let Some(mut node) = link else { return (None, None) };
    if order(start, end, &node) == Ordering::Greater {
        let (before, behind) = split(node.right.take(), start, end);
        node.right = before;
        (node.measured(), behind)
    } else {
        let (before, behind) = split(node.left.take(), start, end);
        node.left = behind;
        (before, node.measured())
    }
}

/// Joins two trees, of which the first stands wholly before the second.
fn join<T>(left: Link<T>, right: Link<T>) -> Link<T> {
    match (left, right) {
        (Some(mut left), Some(right)) if left.priority > right.priority => {
            left.right = join(left.right.take(), Some(right));
            left.measured()
        }
        (Some(left), Some(mut right)) => {
            right.left = join(Some(left), right.left.take());
            right.measured()
        }
        (left, right) => left.or(right),
    }
}

fn remove<T>(link: Link<T>, start: &Bytes, end: &End) -> Link<T> {
    let mut node = link?;
    match order(start, end, &node) {
        Ordering::Equal => return join(node.left.take(), node.right.take()),
        Ordering::Less => node.left = remove(node.left.take(), start, end),
        Ordering::Greater => node.right = remove(node.right.take(), start, end),
    }
    node.measured()
}

/// Spreads a counter over 64 bits (the finalizer of SplitMix64).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use std::collections::BTreeMap;

    fn depth<T>(link: &Link<T>) -> usize {
        link.as_ref().map_or(0, |node| 1 + depth(&node.left).max(depth(&node.right)))
    }

    #[test]
    fn a_stab_finds_what_a_search_through_all_ranges_finds() {
        for seed in 0..20 {
            println!("seed {seed}");
            let mut random = StdRng::seed_from_u64(seed);
            let mut intervals = Intervals::default();
            let mut model = BTreeMap::new();
            for number in 0..600 {
                let key = |random: &mut StdRng| Bytes::from(vec![random.random_range(0..40); 1]);
                let (start, end) = (key(&mut random), random.random_bool(0.8).then(|| key(&mut random)));
                if random.random_bool(0.6) {
                    *intervals.get_or_insert_with(&start, &end, || number) = number;
                    model.insert((start, end), number);
                } else {
                    intervals.remove(&start, &end);
                    model.remove(&(start, end));
                }
                let wanted = key(&mut random);
                let mut found = Vec::new();
                intervals.stab(&wanted, &mut |value| found.push(*value));
                let contains = |start: &Bytes, end: &End| *start <= wanted && is_behind(end, &wanted);
                let expected: Vec<i32> =
                    model.iter().filter(|((start, end), _)| contains(start, end)).map(|(_, value)| *value).collect();
                assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn ranges_that_come_in_order_make_no_list() {
        let mut intervals = Intervals::default();
        for number in 0_u32..10_000 {
            let start = Bytes::copy_from_slice(&number.to_be_bytes());
            let end = Bytes::copy_from_slice(&(number + 1).to_be_bytes());
            intervals.get_or_insert_with(&start, &Some(end), || number);
        }
        assert!(depth(&intervals.root) < 50, "depth {}", depth(&intervals.root));
        let mut found = Vec::new();
        intervals.stab(&[0, 0, 4, 0, 9], &mut |value| found.push(*value));
        assert_eq!(found, [1024]);
    }
}
