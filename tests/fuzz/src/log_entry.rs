//! The payload of an entry, of a data group's log and of the control group's.

use bytes::Bytes;
use campanile_core::checkpoint::Meta;
use campanile_core::clock::fragment;
use campanile_core::control::record::ControlEntry;

pub fn run(input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    if let Ok(entry) = fragment::decode(bytes.clone()) {
        assert_eq!(fragment::decode(bytes.clone()).as_ref(), Ok(&entry), "an entry is decoded the same twice");
    }
    if let Ok(entry) = ControlEntry::decode(bytes.clone()) {
        assert_eq!(ControlEntry::decode(entry.encode().into()), Ok(entry), "an entry of the control group survives");
    }
    if let Ok(meta) = Meta::decode(bytes) {
        assert_eq!(Meta::decode(meta.encode().into()), Ok(meta), "the meta part of a checkpoint survives");
    }
}
