//! All chance of a run. Every part of it (the plan, the network, each client) has dice of its own, drawn from the seed and
//! the part's number, so that leaving one part out does not shift the others.

use campanile_core::random::Random;
use std::ops::Range;
use std::time::Duration;

/// Which part of a run asks. The numbers are part of what a seed means.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    Shape,
    Faults,
    World,
    Network,
    Disk(u64),
    Client(u64),
    Watcher(u64),
    Interleaving,
    Announcing,
    Bounds,
}

/// Seeded dice.
#[derive(Clone, Debug)]
pub struct Dice(Random);

impl Dice {
    #[must_use]
    pub fn of(seed: u64, part: Part) -> Dice {
        let number = match part {
            Part::Shape => 1,
            Part::Faults => 2,
            Part::World => 3,
            Part::Network => 4,
            Part::Interleaving => 5,
            Part::Announcing => 6,
            Part::Bounds => 7,
            Part::Disk(member) => 1_000 + member,
            Part::Client(client) => 2_000 + client,
            Part::Watcher(watcher) => 3_000 + watcher,
        };
        let mut mixed = Random::new(seed ^ number << 40);
        Dice(Random::new(mixed.draw()))
    }

    pub fn draw(&mut self) -> u64 {
        self.0.draw()
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    pub fn place(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }

    pub fn coin(&mut self) -> bool {
        self.draw() & 1 == 1
    }

    pub fn one_in(&mut self, number: u64) -> bool {
        self.below(number) == 0
    }

    pub fn per_mille(&mut self, chance: u64) -> bool {
        self.below(1_000) < chance
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.place(choices.len())]
    }

    /// A time between two, most often nearer to the shorter one: waits of every size are seen, long ones seldom.
    pub fn time(&mut self, range: Range<Duration>) -> Duration {
        let span = (range.end - range.start).as_micros() as u64;
        let fraction = self.below(1_024) * self.below(1_024) / 1_024;
        range.start + Duration::from_micros(span * fraction / 1_024)
    }
}
