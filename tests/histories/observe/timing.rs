//! Between which moments each revision was written. It had not been written when a lower one was still to be asked for, and it
//! had been when somebody was shown it, or a higher one.

use campanile_core::{request::Request, response::Response};
use campanile_simulate::{
    check::answers::says_written,
    moment::Moment,
    record::{Call, history::When},
};
use campanile_storage::ids::Revision;

use super::keyspace::Keyspace;

#[derive(Debug)]
pub struct Timing {
    /// From revision 2 on.
    written: Vec<When>,
}

impl Timing {
    /// `shown`: when the newest revision that anybody was shown rose, and to what.
    pub fn of(keyspace: &Keyspace, calls: &[Call], shown: &[(Moment, Revision)]) -> Timing {
        let mut asked = vec![Moment(0); keyspace.changes.len()];
        for call in calls {
            if let Some(place) = written_revision(call).and_then(|revision| place(revision, asked.len())) {
                asked[place] = call.asked_at;
            }
        }
        let (mut earliest, mut shown) = (Moment(0), shown.iter().peekable());
        let written = (2..).map(Revision).zip(asked).map(|(revision, asked)| {
            earliest = earliest.max(asked);
            while shown.next_if(|(_, newest)| *newest < revision).is_some() {}
            let latest = shown.peek().map_or(Moment(u64::MAX), |(at, _)| *at);
            When { earliest, latest }
        });
        Timing { written: written.collect() }
    }

    /// When a revision was written. What nobody was shown may have been written at any time.
    pub fn when(&self, revision: Revision) -> When {
        let never = When { earliest: Moment(0), latest: Moment(u64::MAX) };
        place(revision, self.written.len()).map_or(never, |place| self.written[place])
    }

    /// The highest revision that may have been written at a moment.
    pub fn asked_by(&self, at: Moment) -> Revision {
        let number = self.written.partition_point(|when| when.earliest <= at);
        Revision(number as i64 + 1)
    }
}

fn place(revision: Revision, length: usize) -> Option<usize> {
    usize::try_from(revision.0 - 2).ok().filter(|place| *place < length)
}

/// The revision that a call's answer says it wrote.
pub fn written_revision(call: &Call) -> Option<Revision> {
    match (&call.request, call.response()) {
        (Request::Operation(_), Some(Response::Operation(response))) if says_written(response) => {
            Some(response.revision())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_was_written_before_anybody_was_shown_it() {
        let keyspace = Keyspace { changes: vec![Vec::new(); 3] };
        let timing = Timing::of(&keyspace, &[], &[(Moment(5), Revision(2)), (Moment(9), Revision(4))]);
        let latest = |revision| timing.when(Revision(revision)).latest;
        assert_eq!((latest(2), latest(3), latest(4), latest(5)), (Moment(5), Moment(9), Moment(9), Moment(u64::MAX)));
        assert_eq!(timing.asked_by(Moment(0)), Revision(4));
    }
}
