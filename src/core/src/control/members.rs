//! What each member announces of itself: its name, and where clients reach it. It goes through the control group's log, so
//! every member can tell it, of members that are down too.
//!
//! A member tells whoever leads, time and again, until it finds in the log what it wants to be told of it.

use super::Control;
use super::record::Record;
use super::records::Then;
use crate::codec::{Malformed, Reader, Write};
use crate::executor::outbox::Outbox;
use crate::peer::PeerMessage;
use crate::planted::planted;
use crate::response::Member;
use bytes::Bytes;
use campanile_storage::ids::MemberId;
use std::collections::BTreeMap;

/// Ticks between two announcements of the same.
const RETRY_TICKS: u32 = 10;
/// A byte string without bytes.
const URL_BYTES_MIN: usize = 4;

/// What a member announces of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub name: String,
    /// Where clients reach it. One that is to be reached by none announces nothing.
    pub client_urls: Vec<String>,
}

impl Attributes {
    /// `bytes name, u32 count, bytes url...`
    pub fn encode(&self, buffer: &mut Vec<u8>) {
        buffer.put_bytes(self.name.as_bytes());
        buffer.put_count(self.client_urls.len());
        self.client_urls.iter().for_each(|url| buffer.put_bytes(url.as_bytes()));
    }

    /// # Errors
    /// If the bytes are not what [`Attributes::encode`] writes.
    pub fn decode(reader: &mut Reader) -> Result<Attributes, Malformed> {
        let text = |bytes: Bytes, field| String::from_utf8(bytes.into()).map_err(|_| Malformed(field));
        let name = text(reader.bytes("name of a member")?, "name of a member")?;
        let count = reader.count(URL_BYTES_MIN, "number of URLs")?;
        let client_urls = (0..count).map(|_| text(reader.bytes("URL")?, "URL")).collect::<Result<_, _>>()?;
        Ok(Attributes { name, client_urls })
    }
}

/// What is announced, by member.
pub type Announced = BTreeMap<MemberId, Attributes>;

#[derive(Debug)]
pub struct Members {
    own: Attributes,
    announced: Announced,
    /// Until this member announces itself again.
    retry_in_ticks: u32,
}

impl Members {
    #[must_use]
    pub fn new(member: MemberId, members: &[Member], announced: Announced) -> Members {
        let own = members.iter().find(|one| one.id == member);
        let own = own.map(|one| Attributes { name: one.name.clone(), client_urls: one.client_urls.clone() });
        Members { own: own.unwrap_or_default(), announced, retry_in_ticks: 0 }
    }

    /// A record of the log takes effect.
    pub fn adopt(&mut self, member: MemberId, attributes: &Attributes) {
        self.announced.insert(member, attributes.clone());
    }

    /// What has been announced.
    #[must_use]
    pub fn announced(&self) -> &Announced {
        &self.announced
    }

    fn is_announced(&self, member: MemberId) -> bool {
        self.own.client_urls.is_empty() || self.announced.get(&member) == Some(&self.own)
    }
}

impl Control {
    /// The members of the cluster, each as it has announced itself. This one knows best what it is.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let announced = |member: &Member| {
            let attributes = self.members.announced.get(&member.id).filter(|_| member.id != self.config.member);
            let Attributes { name, client_urls } = attributes.cloned()?;
            Some(Member { name, client_urls, ..member.clone() })
        };
        self.config.members.iter().map(|member| announced(member).unwrap_or_else(|| member.clone())).collect()
    }

    /// What has been announced, by the log up to what has taken effect.
    #[must_use]
    pub fn announced(&self) -> &Announced {
        self.members.announced()
    }

    /// Time goes on: this member announces itself if the log does not say what it is.
    pub(super) fn tick_members(&mut self, out: &mut Outbox) {
        self.members.retry_in_ticks = self.members.retry_in_ticks.saturating_sub(1);
        if self.members.retry_in_ticks > 0 || self.members.is_announced(self.config.member) {
            return;
        }
        let attributes = self.members.own.clone();
        match self.leader {
            _ if self.reign.is_some() => self.take_announcement(self.config.member, attributes, out),
            Some(leader) if leader != self.config.member => out.send(leader, PeerMessage::Announce(attributes)),
            _ => return,
        }
        self.members.retry_in_ticks = if planted!(AnnouncedOnce) { u32::MAX } else { RETRY_TICKS };
    }

    /// A member announces itself. Only an open primary writes it down; to any other it will be said again.
    pub(super) fn take_announcement(&mut self, member: MemberId, attributes: Attributes, out: &mut Outbox) {
        let is_new = self.members.announced.get(&member) != Some(&attributes);
        if self.reign.is_some() && self.config.voters.contains(&member) && is_new {
            self.propose_record(Record::Announce { member, attributes }, Then::Nothing, out);
        }
    }
}
