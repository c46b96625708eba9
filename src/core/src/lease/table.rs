//! Every lease with its time to live and its deadline, for grants, keepalives and expiry on the primary.
//!
//! Changes by committed records alone ([`LeaseTable::restore`], [`LeaseTable::remove`]); a keepalive moves a deadline and
//! nothing else. Never reads a clock, and never revokes by itself: [`LeaseTable::expired`] only names what is due.

use crate::error::UserError;
use crate::evaluate::Leases;
use crate::planted::planted;
use crate::time::Instant;
use campanile_storage::ids::{Index, LeaseId};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use std::time::Duration;

/// The longest time to live that etcd grants, in seconds.
pub const TTL_SECONDS_MAX: i64 = 9_000_000_000;
/// A lease that was named as expired and is still there is named again after this time, as etcd does.
pub const EXPIRY_RETRY: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug)]
struct Lease {
    ttl_seconds: i64,
    /// Index of the grant in the control group's log.
    granted: Index,
    deadline: Instant,
    /// Where the lease stands in the queue: its deadline, or a later moment once it was named as expired.
    due: Instant,
}

/// What a lease has left and what it was granted, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeToLive {
    pub remaining_seconds: i64,
    pub granted_seconds: i64,
}

#[derive(Debug)]
pub struct LeaseTable {
    ttl_min_seconds: i64,
    leases: FxHashMap<LeaseId, Lease>,
    /// Every lease once, by [`Lease::due`].
    queue: BTreeSet<(Instant, LeaseId)>,
    /// A revision was taken at which these die. What is evaluated from then on must not attach them.
    condemned: BTreeSet<LeaseId>,
}

impl LeaseTable {
    /// `ttl_min_seconds`: shorter grants are raised to it. etcd takes one and a half election timeouts, rounded up.
    ///
    /// # Panics
    /// If the minimum is not between 1 s and [`TTL_SECONDS_MAX`].
    #[must_use]
    pub fn new(ttl_min_seconds: i64) -> LeaseTable {
        assert!((1..=TTL_SECONDS_MAX).contains(&ttl_min_seconds), "no lease can live {ttl_min_seconds} s at least");
        LeaseTable { ttl_min_seconds, leases: FxHashMap::default(), queue: BTreeSet::new(), condemned: BTreeSet::new() }
    }

    /// Whether this lease may be granted, and with which time to live in seconds. Changes nothing: the grant takes effect
    /// with [`restore`](Self::restore) once its record is committed. The caller draws an id in place of 0 before it asks.
    ///
    /// # Errors
    /// [`UserError::LeaseNotFound`] for id 0, [`UserError::LeaseTtlTooLarge`], [`UserError::LeaseExists`], looked for in
    /// etcd's order.
    pub fn check_grant(&self, id: LeaseId, ttl_seconds: i64) -> Result<i64, UserError> {
        if id == LeaseId::NONE {
            return Err(UserError::LeaseNotFound);
        }
        if ttl_seconds > TTL_SECONDS_MAX {
            return Err(UserError::LeaseTtlTooLarge);
        }
        if self.leases.contains_key(&id) {
            return Err(UserError::LeaseExists);
        }
        Ok(ttl_seconds.max(self.ttl_min_seconds))
    }

    /// A committed grant takes effect, or comes back from a checkpoint. The lease has its whole time from `now` on.
    ///
    /// # Panics
    /// If no grant can have been logged so: id 0, or a time to live that is out of bounds.
    pub fn restore(&mut self, id: LeaseId, ttl_seconds: i64, granted: Index, now: Instant) {
        assert!(id != LeaseId::NONE, "0 is no lease");
        assert!((1..=TTL_SECONDS_MAX).contains(&ttl_seconds), "a lease of {ttl_seconds} s was granted");
        self.remove(id);
        let deadline = now + seconds(ttl_seconds);
        self.queue.insert((deadline, id));
        self.leases.insert(id, Lease { ttl_seconds, granted, deadline, due: deadline });
    }

    /// A revoke takes effect. Says whether the lease was there.
    pub fn remove(&mut self, id: LeaseId) -> bool {
        self.condemned.remove(&id);
        let Some(lease) = self.leases.remove(&id) else { return false };
        let queued = self.queue.remove(&(lease.due, id));
        assert!(queued, "every lease stands in the queue");
        true
    }

    /// A revision was taken at which the lease dies together with its keys.
    pub fn condemn(&mut self, id: LeaseId) {
        self.condemned.insert(id);
    }

    /// The reign is over: whether a lease dies is for the log to say.
    pub fn pardon_all(&mut self) {
        self.condemned.clear();
    }

    /// Gives a lease its whole time again, and says how much that is, in seconds.
    ///
    /// # Errors
    /// [`UserError::LeaseNotFound`] if it is gone, or has run out and only waits for its revoke to commit: what was named
    /// as expired may be on its way through the log, and is promised to nobody any more.
    pub fn keep_alive(&mut self, id: LeaseId, now: Instant) -> Result<i64, UserError> {
        let lease = self.leases.get_mut(&id).filter(|lease| lease.deadline > now).ok_or(UserError::LeaseNotFound)?;
        let due = now + seconds(lease.ttl_seconds);
        self.queue.remove(&(lease.due, id));
        self.queue.insert((due, id));
        (lease.deadline, lease.due) = (due, due);
        Ok(lease.ttl_seconds)
    }

    /// What a lease has left, rounded down to whole seconds; `None` if it is not there.
    #[must_use]
    pub fn time_to_live(&self, id: LeaseId, now: Instant) -> Option<TimeToLive> {
        let lease = self.leases.get(&id)?;
        let remaining = lease.deadline.since(now).as_secs();
        let remaining_seconds = i64::try_from(remaining).expect("no deadline is further off than the longest grant");
        Some(TimeToLive { remaining_seconds, granted_seconds: lease.ttl_seconds })
    }

    /// Names up to `limit` leases that have run out, in the order of their deadlines, to be revoked. Those that are still
    /// there after [`EXPIRY_RETRY`] are named again.
    pub fn expired(&mut self, now: Instant, limit: usize) -> Vec<LeaseId> {
        let early = if planted!(LeaseEndsEarly) { Duration::from_millis(500) } else { Duration::ZERO };
        let due: Vec<_> = self.queue.iter().take_while(|(due, _)| *due <= now + early).take(limit).copied().collect();
        for entry in &due {
            let later = now + EXPIRY_RETRY;
            self.queue.remove(entry);
            self.queue.insert((later, entry.1));
            self.leases.get_mut(&entry.1).expect("the queue names leases that are there").due = later;
        }
        due.into_iter().map(|(_, id)| id).collect()
    }

    /// When [`expired`](Self::expired) is worth asking next; `None` without leases.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// Every lease, the one that runs out first in front: etcd's order.
    #[must_use]
    pub fn list(&self) -> Vec<LeaseId> {
        let mut leases: Vec<_> = self.leases.iter().map(|(id, lease)| (lease.deadline, *id)).collect();
        leases.sort_unstable();
        leases.into_iter().map(|(_, id)| id).collect()
    }

    /// A reign opens: every lease has its whole time again.
    pub fn renew_all(&mut self, now: Instant) {
        self.queue.clear();
        for (id, lease) in &mut self.leases {
            lease.deadline = now + seconds(lease.ttl_seconds);
            lease.due = lease.deadline;
            self.queue.insert((lease.due, *id));
        }
    }

    /// What a checkpoint keeps, by id: the lease, its time to live in seconds, the index of its grant.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(LeaseId, i64, Index)> {
        let mut leases: Vec<_> =
            self.leases.iter().map(|(id, lease)| (*id, lease.ttl_seconds, lease.granted)).collect();
        leases.sort_unstable();
        leases
    }

    /// The index of the grant, if the lease lives.
    #[must_use]
    pub fn granted(&self, id: LeaseId) -> Option<Index> {
        self.leases.get(&id).map(|lease| lease.granted)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.leases.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }
}

impl Leases for LeaseTable {
    fn is_live(&self, id: LeaseId) -> bool {
        self.leases.contains_key(&id) && !self.condemned.contains(&id)
    }
}

fn seconds(ttl_seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(ttl_seconds).expect("a time to live is positive"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use std::collections::BTreeMap;

    fn at(seconds: u64) -> Instant {
        Instant { nanoseconds: seconds * 1_000_000_000 }
    }

    #[test]
    fn a_grant_is_checked_in_etcds_order_and_raised_to_the_minimum() {
        let mut table = LeaseTable::new(2);
        table.restore(LeaseId(7), 60, Index(3), at(0));
        assert_eq!(table.check_grant(LeaseId::NONE, i64::MAX), Err(UserError::LeaseNotFound));
        assert_eq!(table.check_grant(LeaseId(7), TTL_SECONDS_MAX + 1), Err(UserError::LeaseTtlTooLarge));
        assert_eq!(table.check_grant(LeaseId(7), 5), Err(UserError::LeaseExists));
        assert_eq!(table.check_grant(LeaseId(8), TTL_SECONDS_MAX), Ok(TTL_SECONDS_MAX));
        assert_eq!(table.check_grant(LeaseId(8), -5), Ok(2));
        assert_eq!(table.check_grant(LeaseId(-8), 1), Ok(2));
    }

    #[test]
    fn an_expired_lease_is_named_again_until_it_is_revoked_and_kept_alive_no_more() {
        let mut table = LeaseTable::new(1);
        table.restore(LeaseId(1), 5, Index(1), at(0));
        assert_eq!(table.expired(at(4), 10), []);
        assert_eq!(table.expired(at(5), 10), [LeaseId(1)]);
        assert_eq!(table.expired(at(6), 10), []);
        assert_eq!(table.keep_alive(LeaseId(1), at(6)), Err(UserError::LeaseNotFound));
        assert_eq!(table.expired(at(8), 10), [LeaseId(1)]);
        assert!(table.remove(LeaseId(1)) && !table.remove(LeaseId(1)));
        assert_eq!((table.expired(at(100), 10), table.next_due()), (vec![], None));
    }

    #[test]
    fn the_longest_lease_outlives_every_clock() {
        let mut table = LeaseTable::new(1);
        table.restore(LeaseId(1), TTL_SECONDS_MAX, Index(1), at(1_000_000_000));
        let left = table.time_to_live(LeaseId(1), at(1_000_000_001)).expect("it lives");
        assert_eq!(left.remaining_seconds, TTL_SECONDS_MAX - 1);
    }

    /// The same promises by the simplest means: every lease with its deadline, searched through.
    #[derive(Default)]
    struct Model(BTreeMap<LeaseId, (i64, Instant, Option<Instant>)>);

    impl Model {
        fn expired(&mut self, now: Instant, limit: usize) -> Vec<LeaseId> {
            let due = |entry: &(i64, Instant, Option<Instant>)| entry.2.unwrap_or(entry.1);
            let mut found: Vec<_> = self.0.iter().map(|(id, entry)| (due(entry), *id)).collect();
            found.retain(|(due, _)| *due <= now);
            found.sort_unstable();
            found.truncate(limit);
            for (_, id) in &found {
                self.0.get_mut(id).expect("found").2 = Some(now + EXPIRY_RETRY);
            }
            found.into_iter().map(|(_, id)| id).collect()
        }
    }

    fn step(random: &mut StdRng, table: &mut LeaseTable, model: &mut Model, now: &mut Instant) {
        let id = LeaseId(random.random_range(1..30));
        match random.random_range(0..10) {
            0..3 => {
                let granted = table.check_grant(id, random.random_range(-3..20));
                assert_eq!(granted.is_err(), model.0.contains_key(&id));
                if let Ok(ttl) = granted {
                    table.restore(id, ttl, Index(9), *now);
                    model.0.insert(id, (ttl, *now + seconds(ttl), None));
                }
            }
            3 => assert_eq!(table.remove(id), model.0.remove(&id).is_some()),
            4..7 => {
                let kept = table.keep_alive(id, *now).ok();
                let lease = model.0.get_mut(&id).filter(|lease| lease.1 > *now);
                assert_eq!(kept, lease.as_ref().map(|lease| lease.0));
                if let Some(lease) = lease {
                    *lease = (lease.0, *now + seconds(lease.0), None);
                }
            }
            7 => {
                let limit = random.random_range(0..5);
                assert_eq!(table.expired(*now, limit), model.expired(*now, limit));
            }
            8 if random.random_ratio(1, 20) => {
                table.renew_all(*now);
                model.0.values_mut().for_each(|lease| *lease = (lease.0, *now + seconds(lease.0), None));
            }
            _ => *now = *now + Duration::from_millis(random.random_range(0..2_000)),
        }
        let left = model.0.get(&id).map(|lease| lease.1.since(*now).as_secs());
        assert_eq!(table.time_to_live(id, *now).map(|left| left.remaining_seconds.cast_unsigned()), left);
        let mut listed: Vec<_> = model.0.iter().map(|(id, lease)| (lease.1, *id)).collect();
        listed.sort_unstable();
        assert_eq!(table.list(), listed.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
        assert_eq!(table.queue.len(), table.leases.len());
    }

    #[test]
    fn the_table_does_what_a_plain_list_would() {
        for seed in 0..40 {
            println!("seed {seed}");
            let mut random = StdRng::seed_from_u64(seed);
            let (mut table, mut model, mut now) = (LeaseTable::new(1), Model::default(), at(1));
            for _ in 0..1_000 {
                step(&mut random, &mut table, &mut model, &mut now);
            }
            let mut again = LeaseTable::new(1);
            table.snapshot().into_iter().for_each(|(id, ttl, granted)| again.restore(id, ttl, granted, now));
            table.renew_all(now);
            assert_eq!((again.snapshot(), again.list()), (table.snapshot(), table.list()));
        }
    }
}
