//! Response headers, filled in at this one place.

use std::cell::Cell;

use bytes::{Buf, Bytes, BytesMut};
use campanile_api::etcdserverpb::ResponseHeader;
use campanile_storage::ids::{MemberId, Revision, Term};
use prost::encoding::{WireType, decode_varint, encode_key, encode_varint};
use prost::{DecodeError, Message};

/// The field of the header, in every response.
const HEADER_FIELD: u32 = 1;
/// Its key on the wire: the field, and that a length follows.
const HEADER_KEY: u8 = 0x0a;

/// What the headers of a member's answers have in common. The runtime keeps the term up to date.
#[derive(Debug)]
pub struct Headers {
    cluster: u64,
    member: MemberId,
    term: Cell<Term>,
}

impl Headers {
    #[must_use]
    pub fn new(cluster: u64, member: MemberId) -> Headers {
        Headers { cluster, member, term: Cell::default() }
    }

    /// The control group's term.
    pub fn set_term(&self, term: Term) {
        self.term.set(term);
    }

    pub(super) fn term(&self) -> Term {
        self.term.get()
    }

    /// The header of an answer.
    pub(super) fn at(&self, revision: Revision) -> Option<ResponseHeader> {
        Some(ResponseHeader {
            cluster_id: self.cluster,
            member_id: self.member.0,
            revision: revision.0,
            raft_term: self.term.get().0,
        })
    }

    /// The header of an answer that does not ask the keyspace.
    pub(super) fn without_revision(&self) -> Option<ResponseHeader> {
        self.at(Revision(0))
    }

    /// The header of an answer inside a transaction: etcd fills in the revision alone.
    pub(super) fn nested(revision: Revision) -> Option<ResponseHeader> {
        Some(ResponseHeader { revision: revision.0, ..ResponseHeader::default() })
    }

    /// An answer that another member gave on this one's behalf, as pieces: its own header, with its revision, in the place
    /// of the other's.
    ///
    /// # Errors
    /// If the answer does not begin with a header, as all of ours do.
    pub(super) fn adopt(&self, mut answer: Bytes) -> Result<Vec<Bytes>, DecodeError> {
        let other = if answer.first() == Some(&HEADER_KEY) {
            answer.advance(1);
            let length = usize::try_from(decode_varint(&mut answer)?).unwrap_or(usize::MAX);
            ResponseHeader::decode(answer.split_to(length.min(answer.len())))?
        } else {
            // A message that is empty but for its header has none if that is empty too.
            ResponseHeader::default()
        };
        let header = self.at(Revision(other.revision)).expect("an answer has a header");
        let mut first = BytesMut::new();
        encode_key(HEADER_FIELD, WireType::LengthDelimited, &mut first);
        encode_varint(header.encoded_len() as u64, &mut first);
        header.encode(&mut first).expect("the buffer grows");
        Ok(vec![first.freeze(), answer])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use campanile_api::etcdserverpb::{LeaseGrantResponse, PutResponse};

    #[test]
    fn an_answer_of_another_member_gets_our_header() {
        let (ours, theirs) = (Headers::new(7, MemberId(1)), Headers::new(7, MemberId(2)));
        ours.set_term(Term(4));
        let answer = LeaseGrantResponse { header: theirs.at(Revision(300)), id: 5, ttl: 6, error: String::new() };
        let adopted = ours.adopt(answer.encode_to_vec().into()).unwrap().concat();
        let expected = LeaseGrantResponse { header: ours.at(Revision(300)), ..answer };
        assert_eq!(LeaseGrantResponse::decode(&adopted[..]), Ok(expected));
        let adopted = ours.adopt(Bytes::new()).unwrap().concat();
        assert_eq!(PutResponse::decode(&adopted[..]), Ok(PutResponse { header: ours.at(Revision(0)), prev_kv: None }));
        assert!(ours.adopt(Bytes::from_static(b"\x0a\x7f\x08")).is_err());
    }
}
