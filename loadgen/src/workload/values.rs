//! Values of one size that no server can compress away or store once: pieces of a seeded pool of random bytes.

use rand::{Rng, RngCore, rngs::StdRng};

/// Random bytes beyond one value's size: as many different values.
const POOL_EXTRA_BYTES: usize = 64 << 10;

/// A pool of values.
#[derive(Debug)]
pub struct Values {
    pool: Vec<u8>,
    size: usize,
}

impl Values {
    /// Values of `size` bytes each.
    pub fn new(size: usize, random: &mut StdRng) -> Self {
        let mut pool = vec![0; size + POOL_EXTRA_BYTES];
        random.fill_bytes(&mut pool);
        Self { pool, size }
    }

    /// Any value.
    pub fn choose(&self, random: &mut StdRng) -> &[u8] {
        let from = random.random_range(0..=self.pool.len() - self.size);
        &self.pool[from..from + self.size]
    }
}
