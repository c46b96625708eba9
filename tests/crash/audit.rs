//! Holds the whole history against all attempts.

use std::collections::{HashMap, HashSet};

use crate::attempt::{Attempt, Change};

/// An empty store is at revision 1, so the first change is at 2.
pub const FIRST_REVISION: i64 = 2;

/// Everything that is wrong with `history`, each in a sentence. Empty is right:
/// revisions have no hole and no repetition; every acknowledged write stands at its revision, whole; an unanswered one
/// stands at most once, whole; nothing stands there that nobody wrote.
pub fn faults(history: &[Change], attempts: &[Attempt]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut next = FIRST_REVISION;
    let mut seen: HashMap<&str, (i64, HashSet<&str>)> = HashMap::new();
    for same_revision in history.chunk_by(|left, right| left.revision == right.revision) {
        let revision = same_revision[0].revision;
        if revision != next {
            faults.push(format!("revision {next} is missing: {revision} follows"));
        }
        next = revision + 1;
        for change in same_revision {
            let (at, keys) = seen.entry(&change.value).or_insert((revision, HashSet::new()));
            if *at != revision || !keys.insert(&change.key) {
                faults.push(format!("{change:?} repeats what stands at {at}"));
            }
        }
    }
    for attempt in attempts {
        let found = seen.remove(attempt.value.as_str());
        let is_whole = |keys: &HashSet<&str>| {
            keys.len() == attempt.keys.len() && attempt.keys.iter().all(|key| keys.contains(key.as_str()))
        };
        match (attempt.revision, &found) {
            (Some(_), None) => faults.push(format!("{attempt:?} was acknowledged and is lost")),
            (Some(revision), Some((at, _))) if revision != *at => {
                faults.push(format!("{attempt:?} was acknowledged and stands at {at}"));
            }
            (_, Some((_, keys))) if !is_whole(keys) => faults.push(format!("of {attempt:?} only {keys:?} stand there")),
            _ => {}
        }
    }
    faults.extend(seen.into_keys().map(|value| format!("nobody wrote {value}")));
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(revision: i64, key: &str, value: &str) -> Change {
        Change { revision, key: key.to_owned(), value: value.to_owned() }
    }

    fn attempt(value: &str, keys: &[&str], revision: Option<i64>) -> Attempt {
        Attempt { value: value.to_owned(), keys: keys.iter().map(|&key| key.to_owned()).collect(), revision }
    }

    fn history() -> (Vec<Change>, Vec<Attempt>) {
        let changes = vec![change(2, "a", "1"), change(3, "a", "2"), change(3, "b", "2"), change(4, "c", "3")];
        let attempts = vec![
            attempt("1", &["a"], Some(2)),
            attempt("2", &["a", "b"], Some(3)),
            attempt("3", &["c"], None),
            attempt("4", &["d"], None),
        ];
        (changes, attempts)
    }

    fn only_fault(changes: &[Change], attempts: &[Attempt]) -> String {
        let mut faults = faults(changes, attempts);
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults.remove(0)
    }

    #[test]
    fn maybe_may_stand_there_or_not() {
        let (changes, attempts) = history();
        assert_eq!(faults(&changes, &attempts), Vec::<String>::new());
    }

    #[test]
    fn each_fault_is_found() {
        let (changes, attempts) = history();
        let mut lost = attempts.clone();
        lost[3].revision = Some(9);
        assert!(only_fault(&changes, &lost).contains("is lost"));
        let mut elsewhere = attempts.clone();
        elsewhere[0].revision = Some(3);
        assert!(only_fault(&changes, &elsewhere).contains("stands at 2"));
        let torn = [&changes[..2], &changes[3..]].concat();
        assert!(only_fault(&torn, &attempts).contains("only"));
        assert!(only_fault(&changes, &attempts[..2]).contains("nobody wrote 3"));
        let with_hole = [&changes[..], &[change(6, "d", "4")]].concat();
        assert!(only_fault(&with_hole, &attempts).contains("revision 5 is missing"));
        let repeated = [&changes[..], &[change(5, "c", "3")]].concat();
        assert!(only_fault(&repeated, &attempts).contains("repeats"));
    }
}
