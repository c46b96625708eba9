//! What a load is made of, and how the kinds are mixed.

use rand::{Rng, rngs::StdRng};

/// One kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// A put.
    Put,
    /// A range of one key.
    Get,
    /// A range of up to a limit of keys, from a key on.
    Range,
    /// Kubernetes' update: if the mod revision is the known one, put, else read.
    Update,
    /// Kubernetes' create: the same with mod revision 0, on a key that was never touched.
    Create,
}

impl Operation {
    pub const COUNT: usize = 5;
    pub const ALL: [Self; Self::COUNT] = [Self::Put, Self::Get, Self::Range, Self::Update, Self::Create];

    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::Range => "range",
            Self::Update => "update",
            Self::Create => "create",
        }
    }
}

/// How often each kind is chosen, by weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    weights: Vec<(Operation, u32)>,
    total: u32,
}

impl Mix {
    pub fn only(operation: Operation) -> Self {
        Self { weights: vec![(operation, 1)], total: 1 }
    }

    /// A mix by weights, or nothing if all are zero or their sum is beyond 32 bits.
    pub fn of(weights: &[(Operation, u32)]) -> Option<Self> {
        let weights: Vec<_> = weights.iter().copied().filter(|&(_, weight)| weight > 0).collect();
        let total = weights.iter().try_fold(0u32, |sum, &(_, weight)| sum.checked_add(weight))?;
        (total > 0).then_some(Self { weights, total })
    }

    /// Whether this kind can be chosen.
    pub fn has(&self, operation: Operation) -> bool {
        self.weights.iter().any(|&(kind, _)| kind == operation)
    }

    /// The kind of the next request.
    pub fn choose(&self, random: &mut StdRng) -> Operation {
        if let &[(operation, _)] = self.weights.as_slice() {
            return operation;
        }
        let mut drawn = random.random_range(0..self.total);
        for &(operation, weight) in &self.weights {
            if drawn < weight {
                return operation;
            }
            drawn -= weight;
        }
        unreachable!("the total is the sum of the weights")
    }
}

impl std::fmt::Display for Mix {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, &(operation, weight)) in self.weights.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            match self.weights.len() {
                1 => write!(out, "{}", operation.name())?,
                _ => write!(out, "{separator}{} {weight}", operation.name())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_mix_keeps_its_weights() {
        let mix = Mix::of(&[(Operation::Put, 1), (Operation::Get, 0), (Operation::Update, 3)]).unwrap();
        let seed = 3;
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let updates = (0..10_000).filter(|_| mix.choose(&mut random) == Operation::Update).count();
        assert!((7_300..7_700).contains(&updates), "{updates}");
        assert!(!mix.has(Operation::Get));
        assert_eq!(mix.to_string(), "put 1, update 3");
        assert_eq!(Mix::only(Operation::Get).to_string(), "get");
    }

    #[test]
    fn a_mix_of_nothing_is_none() {
        assert_eq!(Mix::of(&[(Operation::Put, 0)]), None);
        assert_eq!(Mix::of(&[(Operation::Put, u32::MAX), (Operation::Get, 1)]), None);
    }
}
