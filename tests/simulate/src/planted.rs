//! The simulator's side of planted mistakes: what compares a run with the promises must not make the mistake itself.

/// Does something without the mistake that is planted on this thread, if any.
#[cfg(feature = "planted")]
pub fn honestly<T>(act: impl FnOnce() -> T) -> T {
    campanile_planted::honestly(act)
}

/// Does something. No mistake can be planted in this build.
#[cfg(not(feature = "planted"))]
pub fn honestly<T>(act: impl FnOnce() -> T) -> T {
    act()
}
