//! Known mistakes, one of which a thread may have the planted copies of core and storage make. The server's build has none
//! of this: there `planted!` is the constant `false`, and no feature can change it.

use std::cell::Cell;
use std::fmt;

macro_rules! mistakes {
    ($($name:ident: $trace:literal, $what:literal;)*) => {
        /// A mistake, in the order of one-clock-traces.md, and then others.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mistake {
            $(#[doc = $what] $name,)*
        }

        impl Mistake {
            pub const ALL: &[Mistake] = &[$(Mistake::$name,)*];

            /// The trace that it is the mistake of, or the scenario that comes into it; empty if any run may.
            #[must_use]
            pub fn trace(self) -> &'static str {
                match self {
                    $(Mistake::$name => $trace,)*
                }
            }

            #[must_use]
            pub fn what(self) -> &'static str {
                match self {
                    $(Mistake::$name => $what,)*
                }
            }

            /// The mistake of this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Mistake> {
                Mistake::ALL.iter().copied().find(|mistake| mistake.to_string() == name)
            }
        }
    };
}

mistakes! {
    ForwardedCounts: "1", "what a deposed primary proposes is sent on to who leads now, and counts behind the newer fence";
    BaseBeforeControlFence: "2", "the base is taken before the control group's own fence is in place";
    AnswerBeforeOpen: "3", "a primary that has not opened tells others what they may read";
    EpochAgain: "4", "a reign that begins again in its term takes the same epoch";
    VoidCounts: "5", "what an open declared void is counted all the same";
    VoidRevokes: "5", "a revoke that an open made void takes effect with what another epoch writes at its revision";
    InstallReplacesAll: "6", "an installed checkpoint replaces logs that hold its cut and more";
    CutAtApplied: "7", "a checkpoint cuts a group's log at the last applied entry";
    CutWithoutFence: "7", "a checkpoint forgets the fence before its cuts";
    NewestOpenAlone: "7", "a checkpoint keeps the newest open alone, though that is above its revision";
    WithdrawCommitted: "8", "the end of a reign drops what is committed and not visible";
    LeaseOutlivesRevoke: "9", "a lease is attached after its last revision was taken";
    KeylessRevokeAtOnce: "9", "a revoke that found no keys is proposed before what detached them is visible";
    RecordAnsweredAtOnce: "10", "a record is acknowledged before older writes are visible";
    QuorumCheckedInData: "11", "data groups check their quorum, and refuse every vote";
    CountByApplied: "14", "the window is filled by what was handed out, after messages have left";
    LaterLeaderCounts: "14", "what a later leader of a group commits counts at once, and an old candidate may still become one";
    HoleFilled: "15", "a revision whose proposal was refused is taken for committed";
    UnwrittenUnconfirmed: "16", "a transaction that wrote nothing is answered without a confirmation";
    UnwrittenOutlivesReign: "16", "an answer that wrote nothing outlives the reign in which it was found";
    RefusedUnconfirmed: "16", "a compaction is refused as one of the future without a confirmation";
    NeverGivesUp: "19", "a member that cannot win every group keeps the control group";
    KeepaliveUnconfirmed: "20", "a keepalive is answered without a confirmation";
    LeasesNotRenewed: "20", "an open leaves leases the time that they had";
    RevisionAlone: "21", "a follower's read waits for the revision and not for the control index";
    CompactAboveVisible: "22", "a compaction is proposed before its revision is visible";
    RecordsOvertake: "22b", "control records overtake a fragment that is not visible";
    GrantForgotten: "25", "a fragment does not name the grant of its lease";
    ReadBeforeStaged: "28", "a shard answers a read at a revision that it has not moved into the index";
    AnswerBeforeVisible: "", "a write is answered before it and all below are durable";
    SendBeforeDurable: "", "messages leave before what they attest is durable";
    VoteForgotten: "", "the vote is not written";
    AnnouncedOnce: "", "a member announces itself once, whatever becomes of that";
    AnnouncementsForgotten: "", "a checkpoint forgets what members announced of themselves";
    ContextReused: "", "the context of a read index is used again";
    LateQuestionsJoin: "", "a question joins a confirmation that began before it came";
    FollowerReadsLocally: "", "a follower answers linearizable reads from what it has";
    AppendsBatched: "", "raft-rs may put entries into an unsent empty append";
    NobodyPauses: "", "shards go on evaluating in the middle of a transaction over several";
    VersionsStay: "", "the end of a reign leaves its versions in the index";
    ReportedTwice: "blind", "the end of a reign reports what the next one has written, and was reported already";
    EpochBeforeTerm: "single-voter", "an epoch is named before its term is durable";
    FillAsFollower: "blind", "the window is filled by a group that this member does not lead any more";
    LeaseEndsEarly: "", "leases run out half a second early";
    ProgressTooEarly: "", "a watch's progress is told before its events";
    WatchBeginsEarly: "", "a watch of what comes brings what was there";
    FilterIgnored: "", "a watch brings what its client filters out";
    PlacesRenumbered: "", "each shard counts the changes of a transaction for itself";
    SlowWatcherForgets: "", "a leg that is given up forgets what waited for the others";
    AbandonedUnanswered: "", "transactions over several shards that wait when a reign ends are not answered";
    LogStaysInMemory: "", "entries of the log stay in memory for good";
    LogStaysOnDisk: "", "the log on disk is not given back when a checkpoint is live";
    CompactUnderCheckpoint: "checkpoint", "compaction removes versions that a checkpoint is writing";
    ReleaseBeforeManifest: "", "the log is cut before the manifest names the checkpoint";
    WriteErrorIgnored: "", "a write of the log that failed or was short is taken for done";
    CheckpointNotSynced: "", "a checkpoint gets its name before it is durable";
    ManifestNotSynced: "", "the manifest is replaced before it is durable";
    DamageTakenForTear: "", "damage before what was durable is cut off like a torn tail";
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{self:?}"))
    }
}

thread_local! {
    static PLANTED: Cell<Option<Mistake>> = const { Cell::new(None) };
}

/// Which mistake is made on this thread from now on.
pub fn plant(mistake: Option<Mistake>) {
    PLANTED.set(mistake);
}

/// Whether this mistake is to be made.
#[must_use]
pub fn is_planted(mistake: Mistake) -> bool {
    PLANTED.get() == Some(mistake)
}

/// Does something without the mistake: what checks a run must not make it itself.
pub fn honestly<T>(act: impl FnOnce() -> T) -> T {
    let planted = PLANTED.take();
    let answer = act();
    PLANTED.set(planted);
    answer
}
