//! The mod revision of every key of a thread as far as its own requests told, and which keys are being updated:
//! what an informer's cache is to a Kubernetes controller.

/// Keys tried before an update is sent to a key that is being updated already.
const BUSY_STEPS_MAX: u64 = 64;

/// One entry for each of a thread's keys.
#[derive(Debug)]
pub struct KnownRevisions {
    mod_revisions: Vec<i64>,
    busy: Vec<bool>,
}

impl KnownRevisions {
    /// Nothing is known of `keys` keys; a key that is not known is taken to be absent.
    pub fn new(keys: u64) -> Self {
        let keys = usize::try_from(keys).expect("keys fit the address space");
        Self { mod_revisions: vec![0; keys], busy: vec![false; keys] }
    }

    /// The first key from `key` on that is not being updated, marked as being updated, with its known mod revision.
    /// Two updates of one key at once would make one of them fail its comparison. If too many are busy, so be it.
    pub fn claim(&mut self, key: u64) -> (u64, i64) {
        let keys = self.busy.len() as u64;
        let free = (0..BUSY_STEPS_MAX.min(keys)).map(|step| (key + step) % keys).find(|&key| !self.busy[key as usize]);
        let key = free.unwrap_or(key);
        self.busy[key as usize] = true;
        (key, self.mod_revisions[key as usize])
    }

    /// The update of a key has been answered, well or not.
    pub fn release(&mut self, key: u64) {
        self.busy[key as usize] = false;
    }

    /// An answer told a key's mod revision. Answers may overtake each other: the highest is the newest.
    pub fn learn(&mut self, key: u64, mod_revision: i64) {
        let known = &mut self.mod_revisions[key as usize];
        *known = mod_revision.max(*known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_avoid_each_other_while_they_can() {
        let mut known = KnownRevisions::new(2);
        known.learn(1, 9);
        known.learn(1, 7);
        assert_eq!(known.claim(1), (1, 9));
        assert_eq!(known.claim(1), (0, 0));
        assert_eq!(known.claim(1), (1, 9), "no key is free");
        known.release(1);
        assert_eq!(known.claim(0), (1, 9));
    }
}
