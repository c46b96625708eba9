//! What members say to each other, and its format on the wire. Pure; the server carries the bytes.
//!
//! ```text
//! u8 kind, then
//!   1 raft           u32 group, epoch, raft message
//!   2 ask ends       epoch
//!   3 ends           epoch, u32 count, (u32 group, u64 term, u64 index)...
//!   4 win for        u32 group, epoch
//!   5 ask visible    u64 question
//!   6 visible        u64 question, u8 known, i64 revision, u64 control index
//!   7 catch up       see `catch_up`
//!   8 announce       the sender's attributes: see `control::members`
//! epoch: u64 term, u32 attempt
//! ```

mod catch_up;

use crate::clock::Epoch;
use crate::codec::{Malformed, Reader, Write};
use crate::control::members::Attributes;
use crate::control::succession::Ends;
use crate::group::wire;
use bytes::Bytes;
use campanile_storage::ids::{GroupId, Index, Revision, Term};
pub use catch_up::{CatchUp, OfferId};

#[derive(Clone, Debug, PartialEq)]
pub enum PeerMessage {
    /// A group's own message. The epoch is the newest that the sender knows; votes for a data group are refused if it is
    /// older than the newest that the receiver knows.
    Raft {
        group: GroupId,
        epoch: Epoch,
        message: Box<raft::eraftpb::Message>,
    },
    /// A member that won the control group asks where this one's data logs end.
    AskEnds {
        epoch: Epoch,
    },
    Ends {
        epoch: Epoch,
        ends: Ends,
    },
    /// Win this group, catch the sender up, and hand it over.
    WinFor {
        group: GroupId,
        epoch: Epoch,
    },
    /// What may a linearizable read see?
    AskVisible {
        question: u64,
    },
    /// The primary's visible revision and applied control index, or nothing: it is not an open primary.
    Visible {
        question: u64,
        seen: Option<(Revision, Index)>,
    },
    /// A member that fell behind gets a checkpoint.
    CatchUp(CatchUp),
    /// What the sender wants to be told of it.
    Announce(Attributes),
}

const RAFT: u8 = 1;
const ASK_ENDS: u8 = 2;
const ENDS: u8 = 3;
const WIN_FOR: u8 = 4;
const ASK_VISIBLE: u8 = 5;
const VISIBLE: u8 = 6;
const CATCH_UP: u8 = 7;
const ANNOUNCE: u8 = 8;
const END_BYTES: usize = 4 + 8 + 8;

impl PeerMessage {
    /// The group whose executor is to get the message; the control group's for all that concerns the member.
    #[must_use]
    pub fn group(&self) -> GroupId {
        match self {
            PeerMessage::Raft { group, .. } | PeerMessage::WinFor { group, .. } => *group,
            _ => GroupId::CONTROL,
        }
    }

    /// Whether the message may be large, so that what is small goes ahead of it. Bulk keeps its order among itself: an append
    /// that overtakes the one before it is refused.
    #[must_use]
    pub fn is_bulk(&self) -> bool {
        match self {
            PeerMessage::Raft { message, .. } => message.get_msg_type() == raft::eraftpb::MessageType::MsgAppend,
            PeerMessage::CatchUp(CatchUp::Part { .. }) => true,
            _ => false,
        }
    }

    /// Appends the encoding; false if the message does not travel (a local one of raft-rs).
    #[must_use]
    pub fn encode(&self, buffer: &mut Vec<u8>) -> bool {
        match self {
            PeerMessage::Raft { group, epoch, message } => {
                let start = buffer.len();
                buffer.put_u8(RAFT);
                buffer.put_u32(group.0);
                put_epoch(buffer, *epoch);
                let travels = wire::encode(message, buffer);
                if !travels {
                    buffer.truncate(start);
                }
                return travels;
            }
            PeerMessage::AskEnds { epoch } => {
                buffer.put_u8(ASK_ENDS);
                put_epoch(buffer, *epoch);
            }
            PeerMessage::Ends { epoch, ends } => {
                buffer.put_u8(ENDS);
                put_epoch(buffer, *epoch);
                buffer.put_count(ends.len());
                for (group, (term, index)) in ends {
                    buffer.put_u32(group.0);
                    buffer.put_u64(term.0);
                    buffer.put_u64(index.0);
                }
            }
            PeerMessage::WinFor { group, epoch } => {
                buffer.put_u8(WIN_FOR);
                buffer.put_u32(group.0);
                put_epoch(buffer, *epoch);
            }
            PeerMessage::AskVisible { question } => {
                buffer.put_u8(ASK_VISIBLE);
                buffer.put_u64(*question);
            }
            PeerMessage::Visible { question, seen } => {
                buffer.put_u8(VISIBLE);
                buffer.put_u64(*question);
                buffer.put_u8(u8::from(seen.is_some()));
                let (revision, index) = seen.unwrap_or_default();
                buffer.put_i64(revision.0);
                buffer.put_u64(index.0);
            }
            PeerMessage::CatchUp(message) => {
                buffer.put_u8(CATCH_UP);
                message.encode(buffer);
            }
            PeerMessage::Announce(attributes) => {
                buffer.put_u8(ANNOUNCE);
                attributes.encode(buffer);
            }
        }
        true
    }

    pub fn decode(bytes: Bytes) -> Result<PeerMessage, Malformed> {
        let mut reader = Reader::new(bytes);
        let message = match reader.u8("peer message kind")? {
            RAFT => PeerMessage::Raft {
                group: GroupId(reader.u32("group")?),
                epoch: epoch(&mut reader)?,
                message: Box::new(wire::decode(&mut reader)?),
            },
            ASK_ENDS => PeerMessage::AskEnds { epoch: epoch(&mut reader)? },
            ENDS => PeerMessage::Ends { epoch: epoch(&mut reader)?, ends: ends(&mut reader)? },
            WIN_FOR => PeerMessage::WinFor { group: GroupId(reader.u32("group")?), epoch: epoch(&mut reader)? },
            ASK_VISIBLE => PeerMessage::AskVisible { question: reader.u64("question")? },
            VISIBLE => {
                let question = reader.u64("question")?;
                let known = reader.u8("known")? != 0;
                let seen = (Revision(reader.i64("revision")?), Index(reader.u64("control index")?));
                PeerMessage::Visible { question, seen: known.then_some(seen) }
            }
            CATCH_UP => PeerMessage::CatchUp(CatchUp::decode(&mut reader)?),
            ANNOUNCE => PeerMessage::Announce(Attributes::decode(&mut reader)?),
            _ => return Err(Malformed("peer message kind")),
        };
        reader.end("end of peer message")?;
        Ok(message)
    }
}

fn put_epoch(buffer: &mut Vec<u8>, epoch: Epoch) {
    buffer.put_u64(epoch.term.0);
    buffer.put_u32(epoch.attempt);
}

fn epoch(reader: &mut Reader) -> Result<Epoch, Malformed> {
    Ok(Epoch { term: Term(reader.u64("epoch term")?), attempt: reader.u32("epoch attempt")? })
}

fn ends(reader: &mut Reader) -> Result<Ends, Malformed> {
    let count = reader.count(END_BYTES, "number of ends")?;
    let mut ends = Ends::new();
    for _ in 0..count {
        let group = GroupId(reader.u32("group")?);
        ends.insert(group, (Term(reader.u64("term")?), Index(reader.u64("index")?)));
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_round_trip() {
        let epoch = Epoch { term: Term(2), attempt: 1 };
        let mut raft = raft::eraftpb::Message::default();
        raft.set_msg_type(raft::eraftpb::MessageType::MsgHeartbeat);
        (raft.to, raft.from, raft.term) = (1, 2, 3);
        let offer = OfferId { run: 9, number: 3 };
        let messages = [
            PeerMessage::Raft { group: GroupId(2), epoch, message: Box::new(raft) },
            PeerMessage::AskEnds { epoch },
            PeerMessage::Ends { epoch, ends: Ends::from([(GroupId(1), (Term(2), Index(9)))]) },
            PeerMessage::WinFor { group: GroupId(1), epoch },
            PeerMessage::AskVisible { question: 7 },
            PeerMessage::Visible { question: 7, seen: Some((Revision(4), Index(2))) },
            PeerMessage::Visible { question: 7, seen: None },
            PeerMessage::CatchUp(CatchUp::Behind),
            PeerMessage::CatchUp(CatchUp::Ask { revision: Revision(4), opened: Epoch::NONE, refused: None }),
            PeerMessage::CatchUp(CatchUp::Ask {
                revision: Revision(4),
                opened: Epoch { term: Term(3), attempt: 2 },
                refused: Some(offer),
            }),
            PeerMessage::CatchUp(CatchUp::AskPart { offer, offset: 4096 }),
            PeerMessage::CatchUp(CatchUp::Part { offer, file_bytes: 8192, offset: 4096, bytes: "part".into() }),
            PeerMessage::CatchUp(CatchUp::Withdrawn { offer }),
            PeerMessage::Announce(Attributes { name: "a".to_owned(), client_urls: vec!["http://c".to_owned()] }),
        ];
        for message in messages {
            let mut buffer = Vec::new();
            assert!(message.encode(&mut buffer));
            for length in 0..buffer.len() {
                assert!(PeerMessage::decode(Bytes::copy_from_slice(&buffer[..length])).is_err());
            }
            assert_eq!(PeerMessage::decode(buffer.into()), Ok(message));
        }
    }
}
