//! The nearest valid name to one that is not.

/// The least similarity (of Jaro and Winkler, from 0 to 1) at which a name is worth suggesting.
const LEAST_SIMILARITY: f64 = 0.8;

/// The name that was most likely meant, if any is near enough.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= LEAST_SIMILARITY)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;

    #[test]
    fn slips_find_their_flag() {
        let flag = |name| nearest(name, table::flags().map(|flag| flag.name));
        assert_eq!(flag("listen-client-url"), Some("listen-client-urls"));
        assert_eq!(flag("heartbeat-intervall"), Some("heartbeat-interval"));
        assert_eq!(flag("shard"), Some("shards"));
        assert_eq!(flag("datadir"), Some("data-dir"));
        assert_eq!(flag("qqqq"), None);
    }
}
