//! Randomness that can be had again: every generator comes from a seed that the test prints.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use rand::{SeedableRng, rngs::StdRng};

use crate::environment;

/// The variable that fixes the seed.
pub const VARIABLE: &str = "CAMPANILE_SEED";

/// What a run's random choices hang on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// The seed of the environment, else one that the clock gives; printed together with the line that repeats the run.
    pub fn take(test: &str) -> Self {
        let of_the_clock = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
            now.as_nanos() as u64 & 0xffff_ffff
        };
        let seed = Self(environment::number(VARIABLE, of_the_clock()));
        eprintln!("{test}: seed {seed} (repeat with {VARIABLE}={seed})");
        seed
    }

    /// The generator of one numbered part of the run. Parts do not shift each other: leaving one out changes no other.
    pub fn part(self, number: u64) -> StdRng {
        StdRng::seed_from_u64(self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xd134_2543_de82_ef95))
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use rand::RngCore;

    use super::*;

    #[test]
    fn a_part_depends_on_seed_and_number_alone() {
        assert_eq!(Seed(7).part(3).next_u64(), Seed(7).part(3).next_u64());
        assert_ne!(Seed(7).part(3).next_u64(), Seed(7).part(4).next_u64());
        assert_ne!(Seed(7).part(3).next_u64(), Seed(8).part(3).next_u64());
    }
}
