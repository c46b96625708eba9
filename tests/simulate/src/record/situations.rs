//! The situations of the traces that broke an early text of "One clock, many logs", by the number of the trace, and of bugs. A campaign
//! that never comes into one of them proves nothing about the rule that shuts it.

pub const WRITES_BEHIND_A_LATER_FENCE: &str = "trace 1: a deposed primary writes behind the fence of a later reign";
pub const ELECTED_WITH_AN_UNSETTLED_OPEN: &str = "trace 2: elected with an open in its log that may not be committed";
pub const READ_BEFORE_OPEN: &str = "trace 3: a read reaches a leader that has not opened and lacks what was shown";
pub const BEGAN_AGAIN: &str = "trace 4: a primary opens with a later epoch of its term";
pub const WHOLE_AND_VOID: &str = "trace 5: a revision is whole and void";
pub const KEPT_ITS_LOG: &str = "trace 6: a group that holds the cut of an installed checkpoint keeps its log";
pub const STARTED_BEHIND_A_CUT: &str = "trace 7: a start from a checkpoint with committed entries behind the cut";
pub const CHECKPOINT_BELOW_A_BASE: &str = "trace 7: a checkpoint is live whose revision is below the newest base";
pub const COMMITTED_BUT_NOT_VISIBLE: &str = "trace 8: a reign ends with fragments that are committed and not visible";
pub const REVOKE_CUT_SHORT: &str = "trace 9: a revoke with keys is void";
pub const KEYS_ON_THEIR_WAY: &str = "trace 9: a revoke finds no keys, and what took the last off is not visible";
pub const RECORD_BEFORE_OLDER_WRITES: &str = "trace 10: a record is in force before older writes are visible";
pub const FOLLOWED_THE_DEAD: &str = "trace 11: a primary follows one that is down";
pub const COMMITTED_BY_ANOTHER: &str = "trace 14: a fragment is committed by a later leader of its group";
pub const COMMITTED_WITHOUT_ITS_OWN_DISK: &str = "trace 14: a leader commits what its own disk does not have yet";
pub const ASKED_TO_WIN_TOO_LATE: &str = "trace 14: a member is asked to win a group for a reign that is open already";
pub const TRANSACTION_CUT_SHORT: &str = "trace 15: a reign ends while its shards pause for a transaction";
pub const TRANSACTION_OF_A_STALE_PRIMARY: &str = "trace 16: a transaction reaches a primary that another has followed";
pub const BACK_BEHIND_ANOTHER: &str = "trace 16: a primary opens again behind the reign of another, in the same life";
pub const GAVE_UP: &str = "trace 19: a leader of the control group gives it up";
pub const KEEPALIVE_OF_A_STALE_PRIMARY: &str = "trace 20: a keepalive reaches a primary that another has followed";
pub const FOLLOWER_LACKS_A_RECORD: &str = "trace 21: a follower has the revision of a read and not the control index";
pub const COMPACTION_ABOVE_VISIBLE: &str = "trace 22: a compaction is asked for above the visible revision";
pub const LED_BY_ANOTHER: &str = "a reign lasts on a member that leads one of its groups no more";
pub const COMPACTED_UNDER_A_CHECKPOINT: &str = "a compaction takes effect while a checkpoint is written";
pub const WON_TWICE: &str = "a single voter wins the control group in one term twice";

pub const ALL: &[&str] = &[
    WRITES_BEHIND_A_LATER_FENCE,
    ELECTED_WITH_AN_UNSETTLED_OPEN,
    READ_BEFORE_OPEN,
    BEGAN_AGAIN,
    WHOLE_AND_VOID,
    KEPT_ITS_LOG,
    STARTED_BEHIND_A_CUT,
    CHECKPOINT_BELOW_A_BASE,
    COMMITTED_BUT_NOT_VISIBLE,
    REVOKE_CUT_SHORT,
    KEYS_ON_THEIR_WAY,
    RECORD_BEFORE_OLDER_WRITES,
    FOLLOWED_THE_DEAD,
    COMMITTED_BY_ANOTHER,
    COMMITTED_WITHOUT_ITS_OWN_DISK,
    ASKED_TO_WIN_TOO_LATE,
    TRANSACTION_CUT_SHORT,
    TRANSACTION_OF_A_STALE_PRIMARY,
    BACK_BEHIND_ANOTHER,
    GAVE_UP,
    KEEPALIVE_OF_A_STALE_PRIMARY,
    FOLLOWER_LACKS_A_RECORD,
    COMPACTION_ABOVE_VISIBLE,
    LED_BY_ANOTHER,
    COMPACTED_UNDER_A_CHECKPOINT,
    WON_TWICE,
];
