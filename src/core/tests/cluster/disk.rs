//! What a simulated member keeps through a crash: for each group its hard state and entries, as recovery finds them.

use campanile_core::group::GroupStart;
use campanile_storage::ids::GroupId;
use campanile_storage::log::Update;
use std::collections::HashMap;

#[derive(Debug, Default)]
pub struct Disk {
    groups: HashMap<GroupId, GroupStart>,
}

impl Disk {
    /// One atomic record is durable.
    pub fn write(&mut self, updates: &[Update]) {
        for update in updates {
            let group = self.groups.entry(update.group).or_default();
            if let Some(hard_state) = update.hard_state {
                group.hard_state = hard_state;
            }
            if let Some(first) = update.entries.first() {
                group.entries.retain(|entry| entry.index < first.index);
                group.entries.extend(update.entries.iter().cloned());
            }
        }
    }

    pub fn recover(&self) -> HashMap<GroupId, GroupStart> {
        self.groups.clone()
    }
}
