//! What an allocation of so many bytes costs in memory.

/// Smallest size class in bytes.
const CLASS_BYTES_MIN: usize = 16;

/// Resident bytes of one allocation: its size rounded up to the size class that it falls in.
///
/// mimalloc and jemalloc both have four classes for each doubling above 128 bytes, so up to a fifth of an
/// allocation is padding; counting the requested bytes alone would flatter us by about a tenth.
pub(super) fn allocation_bytes(requested_bytes: usize) -> usize {
    if requested_bytes <= CLASS_BYTES_MIN {
        return CLASS_BYTES_MIN;
    }
    let doubling = requested_bytes.next_power_of_two() / 2;
    requested_bytes.next_multiple_of((doubling / 4).max(CLASS_BYTES_MIN))
}

#[cfg(test)]
mod tests {
    use super::allocation_bytes;

    #[test]
    fn sizes_round_up_to_a_quarter_of_their_doubling() {
        for (requested, resident) in
            [(1, 16), (16, 16), (17, 32), (128, 128), (129, 160), (256, 256), (257, 320), (315, 320), (321, 384)]
        {
            assert_eq!(allocation_bytes(requested), resident, "{requested} bytes");
        }
    }
}
