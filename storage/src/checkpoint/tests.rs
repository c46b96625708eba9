//! Checkpoints on a disk that crashes, rots and fills up.
