//! What was asked for and what came of it. No answer means 'maybe', to the end of the history.

use std::collections::BTreeMap;

/// One write, named by a value that nobody else writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The value put to each key.
    pub value: String,
    /// All keys of the transaction; they change at one revision or not at all.
    pub keys: Vec<String>,
    /// The revision of the acknowledgement; `None` is 'maybe'.
    pub revision: Option<i64>,
}

/// One change as a watcher or a reader of history saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub revision: i64,
    pub key: String,
    pub value: String,
}

/// A key as it stands: (value, create revision, mod revision, version).
pub type Standing = BTreeMap<String, (String, i64, i64, i64)>;

/// What the keyspace must hold after `changes`.
pub fn standing_after(changes: &[Change]) -> Standing {
    let mut standing = Standing::new();
    for change in changes {
        let (created, version) =
            standing.get(&change.key).map_or((change.revision, 0), |&(_, created, _, version)| (created, version));
        standing.insert(change.key.clone(), (change.value.clone(), created, change.revision, version + 1));
    }
    standing
}
