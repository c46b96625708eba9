//! What a seed decides before anything runs: the cluster's shape, and the list of faults with their moments.

pub mod bounds;
pub mod fault;
mod faults;
pub mod scenarios;
pub mod shape;

pub use fault::{Fault, Planned, Whom};
pub use shape::Shape;

/// A run to be.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub shape: Shape,
    /// In the order of their moments. Leaving some out changes nothing of the others: a failing run is minimised so.
    pub faults: Vec<Planned>,
}

impl Plan {
    /// What this seed stands for.
    #[must_use]
    pub fn of(seed: u64) -> Plan {
        let shape = Shape::of(seed);
        let faults = faults::draw(seed, &shape);
        Plan { seed, shape, faults }
    }

    /// The same cluster and clients, without faults.
    #[must_use]
    pub fn calm(seed: u64, shape: Shape) -> Plan {
        Plan { seed, shape, faults: Vec::new() }
    }

    /// The same run with only some of its faults, by their numbers in the list.
    #[must_use]
    pub fn with_faults(&self, numbers: &[usize]) -> Plan {
        let faults = numbers.iter().filter_map(|&number| self.faults.get(number).cloned()).collect();
        Plan { faults, ..self.clone() }
    }
}
