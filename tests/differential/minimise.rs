//! Cuts a failing run down: leaves out operations as long as the same operation still ends in a difference.

use std::time::{Duration, Instant};

use campanile_test_support::{Seed, environment};

use crate::{
    difference::Difference,
    run::{Pair, Run},
};

/// The smallest failing run found in the time allowed.
#[derive(Debug)]
pub struct Minimal {
    pub numbers: Vec<u64>,
    pub difference: Difference,
}

/// Tries ever smaller pieces to leave out, for `CAMPANILE_DIFFERENTIAL_MINIMISE_SECONDS`. `numbers` must have failed.
pub async fn minimise(pair: &Pair, seed: Seed, numbers: &[u64], difference: Difference) -> Minimal {
    let limit = Duration::from_secs(environment::number("CAMPANILE_DIFFERENTIAL_MINIMISE_SECONDS", 60));
    let deadline = Instant::now() + limit;
    let end = numbers.iter().position(|&number| number == difference.number).map_or(numbers.len(), |at| at + 1);
    let mut minimal = Minimal { numbers: numbers[..end].to_vec(), difference };
    let mut piece = minimal.numbers.len() / 2;
    while piece > 0 && Instant::now() < deadline {
        let mut at = 0;
        // The last operation is the one that shows the difference.
        while at + 1 < minimal.numbers.len() && Instant::now() < deadline {
            let end = (at + piece).min(minimal.numbers.len() - 1);
            let fewer = [&minimal.numbers[..at], &minimal.numbers[end..]].concat();
            match Run::perform(pair, seed, &fewer).await {
                Err(difference) => {
                    let shown_by = fewer.iter().position(|&number| number == difference.number);
                    let end = shown_by.map_or(fewer.len(), |at| at + 1);
                    minimal = Minimal { numbers: fewer[..end].to_vec(), difference: *difference };
                }
                Ok(_) => at = end,
            }
        }
        piece /= 2;
    }
    minimal
}

/// Numbers as `0-99,250,300-301`.
pub fn written(numbers: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let written = runs.iter().map(|&(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    written.collect::<Vec<_>>().join(",")
}

/// The reverse of [`written`]. Panics at anything else.
pub fn read(text: &str) -> Vec<u64> {
    let number = |text: &str| -> u64 { text.parse().unwrap_or_else(|error| panic!("{text}: {error}")) };
    text.split(',')
        .flat_map(|run| match run.split_once('-') {
            Some((first, last)) => number(first)..=number(last),
            None => number(run)..=number(run),
        })
        .collect()
}

#[test]
fn numbers_are_read_as_written() {
    for numbers in [vec![3], vec![0, 1, 2, 7, 9, 10], (0..2000).collect()] {
        assert_eq!(read(&written(&numbers)), numbers);
    }
}
