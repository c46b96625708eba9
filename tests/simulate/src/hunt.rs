//! Looks for a planted mistake: runs seeds of the simulator that is compiled over the planted copies of core and storage,
//! until one breaks a promise.

use campanile_planted::{Mistake, plant};
use campanile_simulate_planted::campaign::{Outcome, play_world};
use campanile_simulate_planted::plan::{Plan, scenarios};
use campanile_simulate_planted::record::Trace;
use campanile_simulate_planted::world::World;
use std::fmt;
use std::time::{Duration, Instant};

/// The runs that found each mistake, as `cargo simulate planted` found them.
const SEEDS: &str = include_str!("../planted/seeds.txt");

/// A run that may find a mistake: of a seed alone, or of a trace's scenario with a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its place in the list of scenarios.
    scenario: Option<usize>,
    seed: u64,
}

impl fmt::Display for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scenario {
            Some(place) => formatter.pad(&format!("{}/{}", scenarios::ALL[place].0, self.seed)),
            None => formatter.pad(&self.seed.to_string()),
        }
    }
}

impl Run {
    /// From the way in which it is told: 17, or trace-9/3.
    #[must_use]
    pub fn read(text: &str) -> Option<Run> {
        let Some((name, seed)) = text.split_once('/') else {
            return Some(Run { scenario: None, seed: text.parse().ok()? });
        };
        let scenario = scenarios::ALL.iter().position(|(other, _)| *other == name)?;
        Some(Run { scenario: Some(scenario), seed: seed.parse().ok()? })
    }

    fn world(self) -> World {
        match self.scenario {
            Some(place) => scenarios::ALL[place].1().world(self.seed),
            None => World::new(Plan::of(self.seed), Trace::default()),
        }
    }

    fn play(self, mistake: Option<Mistake>) -> Outcome {
        play_planted(self.world(), mistake)
    }

    /// Plays it with every event printed.
    #[must_use]
    pub fn replay(self, mistake: Option<Mistake>) -> Outcome {
        let mut world = self.world();
        world.trace = Trace::new(true);
        play_planted(world, mistake)
    }

    /// What the run breaks with the mistake.
    #[must_use]
    pub fn breaks(self, mistake: Mistake) -> Option<Found> {
        let outcome = self.play(Some(mistake));
        let violation = outcome.violation?;
        Some(Found { run: self, events: outcome.events, promise: violation.promise, what: violation.what })
    }

    /// The same, if nothing is broken without the mistake.
    fn finds(self, mistake: Mistake) -> Option<Found> {
        self.breaks(mistake).filter(|_| self.play(None).violation.is_none())
    }
}

fn play_planted(mut world: World, mistake: Option<Mistake>) -> Outcome {
    plant(mistake);
    let outcome = play_world(&mut world);
    plant(None);
    outcome
}

/// What found a mistake.
#[derive(Debug)]
pub struct Found {
    pub run: Run,
    pub events: u64,
    /// The promise that was broken.
    pub promise: &'static str,
    pub what: String,
}

/// The run that is known to find a mistake.
#[must_use]
pub fn known_run(mistake: Mistake) -> Option<Run> {
    let fields = SEEDS.lines().filter_map(|line| line.split_once(' '));
    fields.filter(|(name, _)| *name == mistake.to_string()).find_map(|(_, run)| Run::read(run.trim()))
}

/// Plays the known run, unless it is to be found anew, and then seeds and scenarios in turn, those of the mistake's trace first, until one finds it or the
/// time is over.
#[must_use]
pub fn hunt(mistake: Mistake, patience: Duration, anew: bool) -> Option<Found> {
    let began = Instant::now();
    let name = match mistake.trace() {
        number if number.starts_with(|first: char| first.is_ascii_digit()) => format!("trace-{number}"),
        name => name.to_owned(),
    };
    let of_trace = |place: &usize| {
        let scenario = scenarios::ALL[*place].0;
        scenario == name || scenario.strip_prefix(&name).is_some_and(|rest| rest.starts_with('-'))
    };
    let own: Vec<usize> = (0..scenarios::ALL.len()).filter(of_trace).collect();
    let runs = (0..).flat_map(|seed: u64| {
        let any = seed as usize % scenarios::ALL.len();
        let scenarios = own.iter().copied().chain([any]).map(|place| Run { scenario: Some(place), seed });
        std::iter::once(Run { scenario: None, seed }).chain(scenarios).collect::<Vec<_>>()
    });
    let known = known_run(mistake).filter(|_| !anew).into_iter();
    known.chain(runs).take_while(|_| began.elapsed() < patience).find_map(|run| run.finds(mistake))
}
