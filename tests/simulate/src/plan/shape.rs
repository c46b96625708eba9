//! The cluster of a run, its clients, and how fast everything is.

use super::bounds;
use crate::dice::{Dice, Part};
use campanile_core::bounds::Bounds;
use campanile_core::executor::CatchUpBounds;
use campanile_core::watch::StreamLimits;
use campanile_storage::bounds::RECORD_BYTES_MAX;
use std::ops::Range;
use std::time::Duration;

/// One heartbeat interval of every member.
pub const TICK: Duration = Duration::from_millis(50);
/// The election timeout in ticks.
pub const ELECTION_TICKS: usize = 10;
/// The least time to live of a lease.
pub const LEASE_TTL_MIN_SECONDS: i64 = 1;

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Shape {
    pub members: usize,
    pub shards: u32,
    /// Every start of a member draws its number of executors between these.
    pub executors_min: u16,
    pub executors_max: u16,
    pub clients: usize,
    pub watchers: usize,
    /// How long faults strike.
    pub safety: Duration,
    /// What a client waits for between an answer and its next request.
    pub think: Range<Duration>,
    pub latency: Range<Duration>,
    /// Whether messages between two members keep their order, as on one connection.
    pub is_ordered: bool,
    /// How long one operation of a disk takes.
    pub disk: Range<Duration>,
    /// From the first input of a round to its end.
    pub round: Range<Duration>,
    /// How often another executor runs between two looks at what a reign shares, of a thousand.
    pub interleavings_per_mille: u64,
    /// By member, in millionths.
    pub skew_ppm: Vec<i64>,
    /// Transactions between two checkpoints.
    pub checkpoint_transactions: u64,
    /// Among them what stays in memory for members that lag: with little of it they are sent checkpoints.
    pub bounds: Bounds,
    /// A larger batch is several records of the log.
    pub record_bytes_max: usize,
    pub keys: u64,
    /// Whether each member announces another name in each of its lives.
    pub announces: bool,
    /// Weights of what clients ask, so that runs differ in what they are about.
    pub appetite: Appetite,
}

/// How often clients ask for what, relatively.
#[derive(Clone, Copy, Debug)]
pub struct Appetite {
    pub puts: u64,
    pub deletes: u64,
    pub transactions: u64,
    pub ranges: u64,
    pub leases: u64,
    pub compactions: u64,
    pub inspections: u64,
}

impl Appetite {
    fn draw(dice: &mut Dice) -> Appetite {
        let mut weight = |usual: u64| if dice.one_in(6) { 0 } else { usual * dice.within(1..4) };
        let (puts, deletes) = (1 + weight(4), weight(2));
        let (transactions, ranges, leases) = (weight(4), 1 + weight(4), weight(2));
        Appetite { puts, deletes, transactions, ranges, leases, compactions: weight(1), inspections: weight(1) }
    }
}

impl Shape {
    #[must_use]
    pub fn of(seed: u64) -> Shape {
        let dice = &mut Dice::of(seed, Part::Shape);
        let members = dice.pick(&[1, 2, 3, 3, 3, 3, 3, 4, 5, 5]);
        let micros = |range: Range<u64>| Duration::from_micros(range.start)..Duration::from_micros(range.end);
        let slowest_disk = dice.pick(&[300, 2_000, 10_000]);
        let slowest_message = dice.pick(&[300, 2_000, 20_000]);
        let skews = dice.pick(&[1, 1_000, 100_000]);
        let usual = Bounds::default();
        let mut shape = Shape {
            members,
            shards: dice.within(1..5) as u32,
            executors_min: 1,
            executors_max: dice.within(1..4) as u16,
            clients: dice.within(3..9) as usize,
            watchers: dice.below(5) as usize,
            safety: Duration::from_secs(dice.within(20..41)),
            think: micros(0..dice.pick(&[20_000, 80_000, 200_000])),
            latency: micros(50..slowest_message),
            is_ordered: dice.coin(),
            disk: micros(20..slowest_disk),
            round: micros(1..dice.pick(&[20, 200, 2_000])),
            interleavings_per_mille: dice.pick(&[0, 50, 300]),
            skew_ppm: (0..members).map(|_| dice.below(2 * skews) as i64 - skews as i64).collect(),
            checkpoint_transactions: dice.pick(&[5, 40, 300, u64::MAX]),
            bounds: Bounds {
                catch_up: CatchUpBounds {
                    group_log_bytes: dice.pick(&[0, 400, 4_000, 1 << 20]),
                    held_log_bytes: dice.pick(&[1_000, 100_000]),
                    part_bytes: 1_500,
                },
                streams: StreamLimits { held_bytes_max: dice.pick(&[600, 4_000, 8 << 20]) },
                ..usual
            },
            record_bytes_max: RECORD_BYTES_MAX,
            keys: dice.pick(&[4, 12, 40]),
            appetite: Appetite::draw(dice),
            announces: Dice::of(seed, Part::Announcing).one_in(4),
        };
        // Fragments of one change each, of a few, or none is so large.
        shape.bounds.entry_bytes_max = dice.pick(&[1, 150, usual.entry_bytes_max]);
        shape.bounds.slice_changes_max = dice.pick(&[1, 3, usual.slice_changes_max]);
        bounds::narrow(seed, &mut shape.bounds, &mut shape.record_bytes_max);
        shape
    }

    /// A small cluster for a scenario.
    #[must_use]
    pub fn small(members: usize, shards: u32, executors: u16) -> Shape {
        let micros = |range: Range<u64>| Duration::from_micros(range.start)..Duration::from_micros(range.end);
        Shape {
            members,
            shards,
            executors_min: executors,
            executors_max: executors,
            clients: 0,
            watchers: 0,
            safety: Duration::from_secs(0),
            think: micros(0..20_000),
            latency: micros(50..300),
            is_ordered: true,
            disk: micros(20..300),
            round: micros(1..20),
            interleavings_per_mille: 0,
            skew_ppm: vec![0; members],
            checkpoint_transactions: u64::MAX,
            bounds: Bounds::default(),
            record_bytes_max: RECORD_BYTES_MAX,
            keys: 12,
            announces: false,
            appetite: Appetite {
                puts: 4,
                deletes: 1,
                transactions: 4,
                ranges: 4,
                leases: 1,
                compactions: 1,
                inspections: 1,
            },
        }
    }
}
