//! A Raft message between members, in a format of our own: the parser of raft-rs's protobuf never sees a byte that came
//! over the network, but for configuration changes that we wrote ourselves. Pure format; snapshots do not travel in it.
//!
//! ```text
//! u8 type | u64 to, from, term, log term, index, commit, commit term, reject hint | u8 reject | bytes context
//! | u32 count | entry: u64 index, u64 term, u8 kind (0 normal, 2 configuration), bytes payload
//! ```

use crate::codec::{Malformed, Reader, Write};
use crate::planted::planted;
use raft::eraftpb::{Entry, EntryType, Message, MessageType};

const ENTRY_BYTES_MIN: usize = 8 + 8 + 1 + 4;
const KIND_NORMAL: u8 = 0;
const KIND_CONFIGURATION: u8 = 2;

/// The types that travel, each with its number on the wire.
const TYPES: [(u8, MessageType); 11] = [
    (1, MessageType::MsgAppend),
    (2, MessageType::MsgAppendResponse),
    (3, MessageType::MsgRequestVote),
    (4, MessageType::MsgRequestVoteResponse),
    (5, MessageType::MsgRequestPreVote),
    (6, MessageType::MsgRequestPreVoteResponse),
    (7, MessageType::MsgHeartbeat),
    (8, MessageType::MsgHeartbeatResponse),
    (9, MessageType::MsgTimeoutNow),
    (10, MessageType::MsgReadIndex),
    (11, MessageType::MsgReadIndexResp),
];

fn types() -> impl Iterator<Item = (u8, MessageType)> {
    let proposals = planted!(ForwardedCounts).then_some((12, MessageType::MsgPropose));
    TYPES.into_iter().chain(proposals)
}

/// Encodes a message; false if its type does not travel (the buffer is unchanged then).
#[must_use]
pub fn encode(message: &Message, buffer: &mut Vec<u8>) -> bool {
    let Some((kind, _)) = types().find(|(_, kind)| *kind == message.get_msg_type()) else {
        return false;
    };
    buffer.put_u8(kind);
    for number in [
        message.to,
        message.from,
        message.term,
        message.log_term,
        message.index,
        message.commit,
        message.commit_term,
        message.reject_hint,
    ] {
        buffer.put_u64(number);
    }
    buffer.put_u8(u8::from(message.reject));
    buffer.put_bytes(&message.context);
    buffer.put_count(message.entries.len());
    for entry in message.entries.iter() {
        buffer.put_u64(entry.index);
        buffer.put_u64(entry.term);
        let is_normal = entry.get_entry_type() == EntryType::EntryNormal;
        buffer.put_u8(if is_normal { KIND_NORMAL } else { KIND_CONFIGURATION });
        buffer.put_bytes(&entry.data);
    }
    true
}

/// Decodes a message; payloads share its bytes.
pub fn decode(reader: &mut Reader) -> Result<Message, Malformed> {
    let number = reader.u8("message type")?;
    let kind = types().find(|(known, _)| *known == number).ok_or(Malformed("message type"))?.1;
    let mut message = Message::default();
    message.set_msg_type(kind);
    message.to = reader.u64("to")?;
    message.from = reader.u64("from")?;
    message.term = reader.u64("term")?;
    message.log_term = reader.u64("log term")?;
    message.index = reader.u64("index")?;
    message.commit = reader.u64("commit")?;
    message.commit_term = reader.u64("commit term")?;
    message.reject_hint = reader.u64("reject hint")?;
    message.reject = reader.u8("reject")? != 0;
    message.context = reader.bytes("context")?;
    let count = reader.count(ENTRY_BYTES_MIN, "number of entries")?;
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let (index, term) = (reader.u64("entry index")?, reader.u64("entry term")?);
        let mut entry = Entry { index, term, ..Entry::default() };
        match reader.u8("entry kind")? {
            KIND_NORMAL => {}
            KIND_CONFIGURATION => entry.set_entry_type(EntryType::EntryConfChangeV2),
            _ => return Err(Malformed("entry kind")),
        }
        entry.data = reader.bytes("entry payload")?;
        entries.push(entry);
    }
    message.entries = entries.into();
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message() -> Message {
        let mut entry = Entry::default();
        (entry.index, entry.term, entry.data) = (9, 3, Bytes::from_static(b"payload"));
        let mut message = Message::default();
        message.set_msg_type(MessageType::MsgAppend);
        (message.to, message.from, message.term, message.log_term) = (1, 2, 3, 3);
        (message.index, message.commit, message.commit_term) = (8, 7, 3);
        message.entries = vec![entry].into();
        message
    }

    #[test]
    fn messages_round_trip() {
        let mut buffer = Vec::new();
        assert!(encode(&message(), &mut buffer));
        let mut reader = Reader::new(buffer.into());
        assert_eq!(decode(&mut reader), Ok(message()));
        assert!(reader.is_empty());
    }

    #[test]
    fn proposals_do_not_travel() {
        let mut proposal = message();
        proposal.set_msg_type(MessageType::MsgPropose);
        assert!(!encode(&proposal, &mut Vec::new()));
    }

    #[test]
    fn every_truncation_is_malformed() {
        let mut buffer = Vec::new();
        assert!(encode(&message(), &mut buffer));
        for length in 0..buffer.len() {
            assert!(decode(&mut Reader::new(Bytes::copy_from_slice(&buffer[..length]))).is_err());
        }
    }
}
