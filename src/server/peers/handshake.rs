//! Who is at the other end: what both sides of a connection say before the first frame. Pure format and judgement.
//!
//! ```text
//! hello, from who opens the connection:   8 bytes magic | u32 version | u64 cluster id | u64 sender | u64 receiver | u32 crc32c
//! reply, from who accepts it:             a hello of its own, in which the crc32c also covers: u32 verdict
//! ```
//!
//! A hello is the same in every version; a later version says more in what follows it. All numbers little-endian.

use campanile_core::codec::{Reader, Write};
use campanile_storage::ids::MemberId;

use super::Identity;

/// What a connection between members begins with.
pub const MAGIC: [u8; 8] = *b"campeer\n";
/// The version of handshake and frames.
pub const VERSION: u32 = 1;
pub const HELLO_BYTES: usize = 8 + 4 + 8 + 8 + 8 + 4;
pub const REPLY_BYTES: usize = HELLO_BYTES + 4;

/// Who speaks, and to whom it believes to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    pub version: u32,
    pub cluster_id: u64,
    pub sender: MemberId,
    pub receiver: MemberId,
}

/// Why a member is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It speaks another version of this protocol.
    Version = 1,
    /// It belongs to another cluster, by its --initial-cluster or its --initial-cluster-token.
    Cluster = 2,
    /// It looks for another member: a peer URL leads to the wrong place.
    Receiver = 3,
    /// It is no member of the cluster.
    Sender = 4,
}

/// Bytes that no member of any version sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no member: what it sent is no greeting of a member")]
pub struct NotAMember;

impl Refusal {
    /// What a log says of it.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Refusal::Version => "peer protocol version mismatch",
            Refusal::Cluster => "cluster ID mismatch",
            Refusal::Receiver => "the peer URL leads to another member",
            Refusal::Sender => "it is not a member of this cluster",
        }
    }

    fn from_verdict(verdict: u32) -> Option<Refusal> {
        [Refusal::Version, Refusal::Cluster, Refusal::Receiver, Refusal::Sender]
            .into_iter()
            .find(|refusal| *refusal as u32 == verdict)
    }
}

impl Hello {
    /// What this member says to another.
    #[must_use]
    pub fn new(identity: &Identity, receiver: MemberId) -> Hello {
        Hello { version: VERSION, cluster_id: identity.cluster_id, sender: identity.member, receiver }
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with(&[])
    }

    /// # Errors
    /// If these are not a member's first bytes.
    pub fn decode(bytes: &[u8; HELLO_BYTES]) -> Result<Hello, NotAMember> {
        Hello::decode_with(bytes).map(|(hello, _)| hello)
    }

    /// Whether this member talks to who said this hello.
    ///
    /// # Errors
    /// If not, why not.
    pub fn judge(&self, identity: &Identity, known: &[MemberId]) -> Result<(), Refusal> {
        if self.version != VERSION {
            Err(Refusal::Version)
        } else if self.cluster_id != identity.cluster_id {
            Err(Refusal::Cluster)
        } else if self.receiver != identity.member {
            Err(Refusal::Receiver)
        } else if self.sender == identity.member || !known.contains(&self.sender) {
            Err(Refusal::Sender)
        } else {
            Ok(())
        }
    }

    fn encode_with(&self, rest: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(REPLY_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.put_u32(self.version);
        bytes.put_u64(self.cluster_id);
        bytes.put_u64(self.sender.0);
        bytes.put_u64(self.receiver.0);
        bytes.extend_from_slice(rest);
        let checksum = crc32c::crc32c(&bytes);
        bytes.put_u32(checksum);
        bytes
    }

    /// The hello, and a reader of what stands between it and the checksum.
    fn decode_with(bytes: &[u8]) -> Result<(Hello, Reader), NotAMember> {
        let (said, checksum) = bytes.split_last_chunk::<4>().ok_or(NotAMember)?;
        let rest = said.strip_prefix(&MAGIC).ok_or(NotAMember)?;
        if crc32c::crc32c(said) != u32::from_le_bytes(*checksum) {
            return Err(NotAMember);
        }
        let mut reader = Reader::new(bytes::Bytes::copy_from_slice(rest));
        let mut read = || {
            Ok(Hello {
                version: reader.u32("version")?,
                cluster_id: reader.u64("cluster id")?,
                sender: MemberId(reader.u64("sender")?),
                receiver: MemberId(reader.u64("receiver")?),
            })
        };
        let hello = read().map_err(|_: campanile_core::codec::Malformed| NotAMember)?;
        Ok((hello, reader))
    }
}

/// What the accepting side answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Who answers.
    pub hello: Hello,
    /// None is a welcome.
    pub refusal: Option<Refusal>,
}

impl Reply {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.hello.encode_with(&self.refusal.map_or(0, |refusal| refusal as u32).to_le_bytes())
    }

    /// # Errors
    /// If this is no member's reply. A verdict that only a later version knows is taken for one about versions.
    pub fn decode(bytes: &[u8; REPLY_BYTES]) -> Result<Reply, NotAMember> {
        let (hello, mut reader) = Hello::decode_with(bytes)?;
        let refusal = match reader.u32("verdict").map_err(|_| NotAMember)? {
            0 => None,
            verdict => Some(Refusal::from_verdict(verdict).unwrap_or(Refusal::Version)),
        };
        Ok(Reply { hello, refusal })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Identity = Identity { cluster_id: 0xc1, member: MemberId(0xa) };
    const HELLO: Hello = Hello { version: 1, cluster_id: 0xc1, sender: MemberId(0xb), receiver: MemberId(0xa) };
    const KNOWN: [MemberId; 2] = [MemberId(0xa), MemberId(0xb)];

    fn golden(rest: &[u8]) -> Vec<u8> {
        let number = |low: u8| [low, 0, 0, 0, 0, 0, 0, 0];
        [&b"campeer\n"[..], &[1, 0, 0, 0], &number(0xc1), &number(0xb), &number(0xa), rest].concat()
    }

    #[test]
    fn golden_hello() {
        let bytes = golden(&[0x1a, 0xde, 0x16, 0x42]);
        assert_eq!(HELLO.encode(), bytes);
        assert_eq!(Hello::decode(&bytes.try_into().unwrap()), Ok(HELLO));
    }

    #[test]
    fn golden_reply() {
        let reply = Reply { hello: HELLO, refusal: Some(Refusal::Cluster) };
        let bytes = golden(&[2, 0, 0, 0, 0x26, 0x16, 0x0d, 0x74]);
        assert_eq!(reply.encode(), bytes);
        assert_eq!(Reply::decode(&bytes.try_into().unwrap()), Ok(reply));
        for refusal in [None, Some(Refusal::Version), Some(Refusal::Receiver), Some(Refusal::Sender)] {
            let reply = Reply { refusal, ..reply };
            assert_eq!(Reply::decode(&reply.encode().try_into().unwrap()), Ok(reply));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = HELLO.encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped: [u8; HELLO_BYTES] = bytes.clone().try_into().unwrap();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Hello::decode(&flipped), Err(NotAMember));
        }
        assert_eq!(Hello::decode(b"GET /raft/stream/message/a HTTP/1.1\r\nHos"), Err(NotAMember));
    }

    #[test]
    fn each_refusal_has_its_cause() {
        assert_eq!(HELLO.judge(&OURS, &KNOWN), Ok(()));
        for (hello, refusal) in [
            (Hello { version: 2, cluster_id: 9, ..HELLO }, Refusal::Version),
            (Hello { cluster_id: 9, receiver: MemberId(9), ..HELLO }, Refusal::Cluster),
            (Hello { receiver: MemberId(0xb), sender: MemberId(9), ..HELLO }, Refusal::Receiver),
            (Hello { sender: MemberId(0xc), ..HELLO }, Refusal::Sender),
            (Hello { sender: MemberId(0xa), ..HELLO }, Refusal::Sender),
        ] {
            assert_eq!(hello.judge(&OURS, &KNOWN), Err(refusal), "{hello:?}");
        }
    }

    #[test]
    fn a_verdict_of_a_later_version_is_about_versions() {
        let bytes = HELLO.encode_with(&77_u32.to_le_bytes());
        let reply = Reply::decode(&bytes.try_into().unwrap()).unwrap();
        assert_eq!(reply.refusal, Some(Refusal::Version));
    }
}
