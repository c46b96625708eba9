//! How a member that fell behind gets a checkpoint of another, and the format of what they say on the wire. Pure format.
//!
//! Whoever leads a group in which a member lacks entries that are in memory no more tells it so. The member asks for a
//! checkpoint, and for one part after the other. It asks again when no answer comes: every message may be lost, repeated,
//! or come out of order.
//!
//! ```text
//! u8 kind, then
//!   1 behind
//!   2 ask         i64 revision, u64 epoch's term, u32 attempt, u8 refused one, offer
//!   3 ask part    offer, u64 offset
//!   4 part        offer, u64 bytes of the file, u64 offset, bytes
//!   5 withdrawn   offer
//! offer: u64 run, u64 number
//! ```

use super::{epoch, put_epoch};
use crate::clock::Epoch;
use crate::codec::{Malformed, Reader, Write};
use bytes::Bytes;
use campanile_storage::ids::Revision;

/// Names one checkpoint that a member offers. Never used twice: a run is one start of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfferId {
    pub run: u64,
    pub number: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// You lack entries that I hold no more: ask me for a checkpoint. Also the answer while it is being taken.
    Behind,
    /// A checkpoint at this revision or above, and not the one that was refused, nor an earlier one. The member shows the
    /// revision, and the epoch is the newest that it knows to be opened.
    Ask {
        revision: Revision,
        opened: Epoch,
        refused: Option<OfferId>,
    },
    /// The bytes of its file from here on.
    AskPart {
        offer: OfferId,
        offset: u64,
    },
    Part {
        offer: OfferId,
        file_bytes: u64,
        offset: u64,
        bytes: Bytes,
    },
    /// This one is offered no more: ask for another.
    Withdrawn {
        offer: OfferId,
    },
}

const BEHIND: u8 = 1;
const ASK: u8 = 2;
const ASK_PART: u8 = 3;
const PART: u8 = 4;
const WITHDRAWN: u8 = 5;

impl CatchUp {
    pub(super) fn encode(&self, buffer: &mut Vec<u8>) {
        match self {
            CatchUp::Behind => buffer.put_u8(BEHIND),
            CatchUp::Ask { revision, opened, refused } => {
                buffer.put_u8(ASK);
                buffer.put_i64(revision.0);
                put_epoch(buffer, *opened);
                buffer.put_u8(u8::from(refused.is_some()));
                put_offer(buffer, refused.unwrap_or_default());
            }
            CatchUp::AskPart { offer, offset } => {
                buffer.put_u8(ASK_PART);
                put_offer(buffer, *offer);
                buffer.put_u64(*offset);
            }
            CatchUp::Part { offer, file_bytes, offset, bytes } => {
                buffer.put_u8(PART);
                put_offer(buffer, *offer);
                buffer.put_u64(*file_bytes);
                buffer.put_u64(*offset);
                buffer.put_bytes(bytes);
            }
            CatchUp::Withdrawn { offer } => {
                buffer.put_u8(WITHDRAWN);
                put_offer(buffer, *offer);
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader) -> Result<CatchUp, Malformed> {
        Ok(match reader.u8("kind of a message about a checkpoint")? {
            BEHIND => CatchUp::Behind,
            ASK => {
                let revision = Revision(reader.i64("revision")?);
                let opened = epoch(reader)?;
                let has_refused = reader.u8("refused")? != 0;
                let refused = offer(reader)?;
                CatchUp::Ask { revision, opened, refused: has_refused.then_some(refused) }
            }
            ASK_PART => CatchUp::AskPart { offer: offer(reader)?, offset: reader.u64("offset")? },
            PART => CatchUp::Part {
                offer: offer(reader)?,
                file_bytes: reader.u64("bytes of the file")?,
                offset: reader.u64("offset")?,
                bytes: reader.bytes("part of a checkpoint")?,
            },
            WITHDRAWN => CatchUp::Withdrawn { offer: offer(reader)? },
            _ => return Err(Malformed("kind of a message about a checkpoint")),
        })
    }
}

fn put_offer(buffer: &mut Vec<u8>, offer: OfferId) {
    buffer.put_u64(offer.run);
    buffer.put_u64(offer.number);
}

fn offer(reader: &mut Reader) -> Result<OfferId, Malformed> {
    Ok(OfferId { run: reader.u64("run")?, number: reader.u64("number of an offer")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_fixed() {
        let mut buffer = Vec::new();
        let offer = OfferId { run: 7, number: 2 };
        CatchUp::Part { offer, file_bytes: 0x2000, offset: 0x1000, bytes: Bytes::from_static(b"ab") }
            .encode(&mut buffer);
        let hexadecimal: String = buffer.iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = concat!(
            "04",
            "0700000000000000",
            "0200000000000000",
            "0020000000000000",
            "0010000000000000",
            "02000000",
            "6162",
        );
        assert_eq!(hexadecimal, expected);
    }
}
