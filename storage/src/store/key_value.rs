//! One version of one key: its key, value and numbers, immutable, in one allocation that whoever needs it shares.
//!
//! What is held is the encoded `mvccpb.KeyValue` itself. Answers and watch events copy these bytes, checkpoints write
//! them and HashKV hashes them, so a version is encoded once in its life; the numbers are read back out of the bytes.
//! Next to them stand only the sub-revision, which the message does not carry, and where the value begins.

use std::cmp::Ordering;
use std::fmt;

use triomphe::ThinArc;

use super::size::allocation_bytes;
use super::varint;
use crate::ids::{LeaseId, Position, Revision};

const KEY_TAG: u8 = 0x0a;
const CREATE_REVISION_TAG: u8 = 0x10;
const MOD_REVISION_TAG: u8 = 0x18;
const VERSION_TAG: u8 = 0x20;
const VALUE_TAG: u8 = 0x2a;
const LEASE_TAG: u8 = 0x30;

/// Tags, lengths and numbers of one message take at most this much beside key and value.
const ENCODING_OVERHEAD_BYTES_MAX: usize = 64;

/// Bytes in front of the encoded message: the reference count, its length, and [`Beside`].
const ALLOCATION_HEADER_BYTES: usize = 24;

const PRESENT: &str = "a version holds the fields that it was encoded with";

/// What the encoded message does not say, or not quickly.
#[derive(Clone, Copy)]
struct Beside {
    sub: u32,
    /// Offset of the value field, or of what follows where the value is empty. [`TOMBSTONE`] marks a deletion.
    value_field: u32,
}

const TOMBSTONE: u32 = u32::MAX;

/// One immutable version of one key; a clone costs one atomic increment.
///
/// A deletion is a version too, a tombstone: it has a key and a position, and no other number.
#[derive(Clone)]
pub struct KeyValue(ThinArc<Beside, u8>);

/// Bytes that claim to be a version and are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an encoded version of a key at revision {revision}, sub-revision {sub}", revision = .0.revision, sub = .0.sub)]
pub struct Malformed(pub Position);

impl KeyValue {
    /// A version that a put wrote. `version` counts the puts since the key was created, from 1.
    #[must_use]
    pub fn new(
        key: &[u8],
        value: &[u8],
        create_revision: Revision,
        position: Position,
        version: i64,
        lease: LeaseId,
    ) -> KeyValue {
        assert!(!key.is_empty(), "a key has at least one byte");
        assert!(0 < create_revision.0 && create_revision <= position.revision, "a key is created before it is changed");
        assert!(version > 0, "versions count from 1");
        let mut encoded = Vec::with_capacity(key.len() + value.len() + ENCODING_OVERHEAD_BYTES_MAX);
        varint::write_bytes_field(&mut encoded, KEY_TAG, key);
        varint::write_number_field(&mut encoded, CREATE_REVISION_TAG, create_revision.0);
        varint::write_number_field(&mut encoded, MOD_REVISION_TAG, position.revision.0);
        varint::write_number_field(&mut encoded, VERSION_TAG, version);
        let value_field = u32::try_from(encoded.len()).expect("a key is far below 4 GiB");
        assert!(value_field != TOMBSTONE, "a key is far below 4 GiB");
        varint::write_bytes_field(&mut encoded, VALUE_TAG, value);
        varint::write_number_field(&mut encoded, LEASE_TAG, lease.0);
        KeyValue(ThinArc::from_header_and_slice(Beside { sub: position.sub, value_field }, &encoded))
    }

    /// The version that a deletion writes.
    #[must_use]
    pub fn tombstone(key: &[u8], position: Position) -> KeyValue {
        assert!(!key.is_empty(), "a key has at least one byte");
        assert!(position.revision.0 > 0, "a deletion has a revision");
        let mut encoded = Vec::with_capacity(key.len() + ENCODING_OVERHEAD_BYTES_MAX);
        varint::write_bytes_field(&mut encoded, KEY_TAG, key);
        varint::write_number_field(&mut encoded, MOD_REVISION_TAG, position.revision.0);
        KeyValue(ThinArc::from_header_and_slice(Beside { sub: position.sub, value_field: TOMBSTONE }, &encoded))
    }

    /// Rebuilds a version from what [`encoded`](Self::encoded), [`position`](Self::position) and
    /// [`is_tombstone`](Self::is_tombstone) said of it.
    ///
    /// # Errors
    /// [`Malformed`] unless the bytes are exactly those that a version at this position has.
    pub fn from_encoded(position: Position, tombstone: bool, encoded: &[u8]) -> Result<KeyValue, Malformed> {
        decode(position, tombstone, encoded).filter(|version| version.encoded() == encoded).ok_or(Malformed(position))
    }

    /// The key; never empty.
    #[must_use]
    #[inline]
    pub fn key(&self) -> &[u8] {
        varint::take_bytes_field(&mut &self.0.slice[..], KEY_TAG).expect(PRESENT)
    }

    /// The value; empty for a tombstone.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        varint::take_bytes_field(&mut self.behind_version(), VALUE_TAG).expect(PRESENT)
    }

    /// The revision at which the key was last created; 0 for a tombstone.
    #[must_use]
    pub fn create_revision(&self) -> Revision {
        Revision(varint::take_number_field(&mut self.behind_key(), CREATE_REVISION_TAG).expect(PRESENT))
    }

    /// The revision that wrote this version.
    #[must_use]
    #[inline]
    pub fn mod_revision(&self) -> Revision {
        let mut input = self.behind_key();
        varint::take_number_field(&mut input, CREATE_REVISION_TAG).expect(PRESENT);
        Revision(varint::take_number_field(&mut input, MOD_REVISION_TAG).expect(PRESENT))
    }

    /// Where this version stands in the history of the whole keyspace.
    #[must_use]
    #[inline]
    pub fn position(&self) -> Position {
        Position { revision: self.mod_revision(), sub: self.0.header.header.sub }
    }

    /// How many puts the key has seen since it was created, this one included; 0 for a tombstone.
    #[must_use]
    pub fn version(&self) -> i64 {
        let mut input = self.behind_key();
        varint::take_number_field(&mut input, CREATE_REVISION_TAG).expect(PRESENT);
        varint::take_number_field(&mut input, MOD_REVISION_TAG).expect(PRESENT);
        varint::take_number_field(&mut input, VERSION_TAG).expect(PRESENT)
    }

    /// The lease that the key is attached to; [`LeaseId::NONE`] for a tombstone.
    #[must_use]
    pub fn lease(&self) -> LeaseId {
        let mut input = self.behind_version();
        varint::take_bytes_field(&mut input, VALUE_TAG).expect(PRESENT);
        LeaseId(varint::take_number_field(&mut input, LEASE_TAG).expect(PRESENT))
    }

    /// Whether this version is a deletion.
    #[must_use]
    #[inline]
    pub fn is_tombstone(&self) -> bool {
        self.0.header.header.value_field == TOMBSTONE
    }

    /// The `mvccpb.KeyValue` that etcd stores and hashes: of a tombstone, the key alone.
    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        if self.is_tombstone() {
            let (stored, _revision) = self.0.slice.split_at(self.0.slice.len() - self.behind_key().len());
            stored
        } else {
            &self.0.slice
        }
    }

    /// The `mvccpb.KeyValue` that a watch event carries: of a tombstone, the key and the revision that deleted it.
    #[must_use]
    #[inline]
    pub fn encoded_for_event(&self) -> &[u8] {
        &self.0.slice
    }

    /// Resident memory of this version's one allocation, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        allocation_bytes(ALLOCATION_HEADER_BYTES + self.0.slice.len())
    }

    fn behind_key(&self) -> &[u8] {
        let mut input = &self.0.slice[..];
        varint::take_bytes_field(&mut input, KEY_TAG).expect(PRESENT);
        input
    }

    fn behind_version(&self) -> &[u8] {
        self.0.slice.get(self.0.header.header.value_field as usize..).unwrap_or_default()
    }
}

/// Reads the fields of a version; whether they were encoded canonically is for the caller to compare.
fn decode(position: Position, tombstone: bool, mut input: &[u8]) -> Option<KeyValue> {
    let key = varint::take_bytes_field(&mut input, KEY_TAG).filter(|key| !key.is_empty())?;
    if position.revision.0 <= 0 {
        return None;
    }
    if tombstone {
        return Some(KeyValue::tombstone(key, position));
    }
    let create_revision = Revision(varint::take_number_field(&mut input, CREATE_REVISION_TAG)?);
    let mod_revision = Revision(varint::take_number_field(&mut input, MOD_REVISION_TAG)?);
    let version = varint::take_number_field(&mut input, VERSION_TAG)?;
    let value = varint::take_bytes_field(&mut input, VALUE_TAG)?;
    let lease = LeaseId(varint::take_number_field(&mut input, LEASE_TAG)?);
    let plausible =
        mod_revision == position.revision && (1..=mod_revision.0).contains(&create_revision.0) && version > 0;
    plausible.then(|| KeyValue::new(key, value, create_revision, position, version, lease))
}

impl PartialEq for KeyValue {
    fn eq(&self, other: &KeyValue) -> bool {
        self.cmp_parts(other) == Ordering::Equal
    }
}

impl Eq for KeyValue {}

impl KeyValue {
    fn cmp_parts(&self, other: &KeyValue) -> Ordering {
        let parts = |version: &KeyValue| (version.position(), version.is_tombstone());
        parts(self).cmp(&parts(other)).then_with(|| self.0.slice.cmp(&other.0.slice))
    }
}

impl fmt::Debug for KeyValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { revision, sub } = self.position();
        write!(formatter, "{}@{revision}.{sub}", self.key().escape_ascii())?;
        if self.is_tombstone() {
            return formatter.write_str(" deleted");
        }
        write!(
            formatter,
            " = {} bytes, created {}, version {}, lease {}",
            self.value().len(),
            self.create_revision(),
            self.version(),
            self.lease()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(revision: i64, sub: u32) -> Position {
        Position { revision: Revision(revision), sub }
    }

    #[test]
    fn a_version_is_the_message_that_etcd_stores() {
        let version = KeyValue::new(b"foo", b"bar", Revision(2), at(300, 7), 5, LeaseId(9));
        let expected =
            [&[0x0a, 3][..], b"foo", &[0x10, 2], &[0x18, 0xac, 0x02], &[0x20, 5], &[0x2a, 3], b"bar", &[0x30, 9]]
                .concat();
        assert_eq!(version.encoded(), expected);
        assert_eq!(version.encoded_for_event(), expected);
        assert_eq!((version.key(), version.value()), (&b"foo"[..], &b"bar"[..]));
        assert_eq!((version.create_revision(), version.position()), (Revision(2), at(300, 7)));
        assert_eq!((version.version(), version.lease(), version.is_tombstone()), (5, LeaseId(9), false));
    }

    #[test]
    fn an_empty_value_and_no_lease_are_left_out() {
        let version = KeyValue::new(b"k", b"", Revision(2), at(2, 0), 1, LeaseId::NONE);
        assert_eq!(version.encoded(), [0x0a, 1, b'k', 0x10, 2, 0x18, 2, 0x20, 1]);
        assert_eq!((version.value(), version.lease()), (&b""[..], LeaseId::NONE));
        let leased = KeyValue::new(b"k", b"", Revision(2), at(2, 0), 1, LeaseId(-1));
        assert_eq!((leased.value(), leased.lease()), (&b""[..], LeaseId(-1)));
    }

    #[test]
    fn a_tombstone_is_stored_as_its_key_and_sent_with_its_revision() {
        let tombstone = KeyValue::tombstone(b"foo", at(300, 1));
        assert_eq!(tombstone.encoded(), [0x0a, 3, b'f', b'o', b'o']);
        assert_eq!(tombstone.encoded_for_event(), [0x0a, 3, b'f', b'o', b'o', 0x18, 0xac, 0x02]);
        assert_eq!((tombstone.position(), tombstone.is_tombstone()), (at(300, 1), true));
        assert_eq!((tombstone.create_revision(), tombstone.version()), (Revision(0), 0));
        assert_eq!((tombstone.value(), tombstone.lease()), (&b""[..], LeaseId::NONE));
    }

    #[test]
    fn encoded_bytes_build_the_same_version_again_and_nothing_else() {
        let long = vec![7; 40_000];
        for version in [
            KeyValue::new(&[1; 200], &long, Revision(3), at(i64::MAX - 1, u32::MAX), i64::MAX, LeaseId(i64::MIN)),
            KeyValue::new(b"k", b"", Revision(2), at(2, 0), 1, LeaseId::NONE),
            KeyValue::tombstone(b"gone", at(77, 3)),
        ] {
            let bytes = version.encoded();
            assert_eq!(KeyValue::from_encoded(version.position(), version.is_tombstone(), bytes), Ok(version.clone()));
            for length in 0..bytes.len().min(300) {
                let cut = KeyValue::from_encoded(version.position(), version.is_tombstone(), &bytes[..length]);
                assert!(cut.is_err() || length > 8, "{length} bytes of {version:?} passed");
            }
            let other = Position { revision: Revision(1), sub: 0 };
            assert!(version.is_tombstone() || KeyValue::from_encoded(other, false, bytes).is_err());
        }
        let not_canonical = [0x0a, 0x81, 0x00, b'k', 0x10, 2, 0x18, 2, 0x20, 1];
        assert_eq!(KeyValue::from_encoded(at(2, 0), false, &not_canonical), Err(Malformed(at(2, 0))));
    }

    #[test]
    fn versions_cross_threads_and_cost_one_pointer() {
        fn shared<T: Send + Sync>() {}
        shared::<KeyValue>();
        assert_eq!(size_of::<Option<KeyValue>>(), size_of::<usize>());
    }
}
