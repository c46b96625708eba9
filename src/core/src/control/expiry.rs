//! Leases run out on the open primary only. Each is revoked as one transaction over all shards.

use super::Control;
use super::coordinator::Work;
use crate::executor::effect::Event;
use crate::executor::outbox::Outbox;
use crate::time::Instant;

impl Control {
    pub(super) fn expire_leases(&mut self, now: Instant, out: &mut Outbox) {
        if self.reign.is_none() || self.coordinator.is_revoking_expired() {
            return;
        }
        for lease in self.leases.expired(now, self.config.bounds.expired_leases_max) {
            out.report(Event::LeaseExpired(lease));
            self.enqueue(Work::Revoke { origin: None, lease }, out);
        }
    }
}
