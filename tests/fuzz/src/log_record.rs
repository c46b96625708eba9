//! A record of the log whose checksum is right: another version may have written it, or chance.

use campanile_storage::log::record::{decode_header, decode_sections};

pub fn run(input: &[u8]) {
    let Some(header) = decode_header(input) else { return };
    let Some(record) = input.get(..header.length) else { return };
    let Ok(sections) = decode_sections(&header, record) else { return };
    let payload_bytes: usize =
        sections.iter().flat_map(|section| &section.entries).map(|entry| entry.payload.len()).sum();
    assert!(payload_bytes <= record.len(), "what a record holds is no longer than the record");
}
