//! Known mistakes, for the simulator to find. Here `planted!` is the constant `false`, and no feature of this crate can
//! change that; the package in `tests/simulate/planted/storage` compiles the same sources with a switch for each.

#[cfg(not(feature = "planted"))]
macro_rules! planted {
    ($mistake:ident) => {
        false
    };
}

#[cfg(feature = "planted")]
macro_rules! planted {
    ($mistake:ident) => {
        campanile_planted::is_planted(campanile_planted::Mistake::$mistake)
    };
}

pub(crate) use planted;
