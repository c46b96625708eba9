//! Watches on this executor: the streams of its clients, and the watchers of its shards, wherever their streams are.

use super::Executor;
use super::effect::{Effect, ExecutorId};
use super::message::Message;
use crate::shard::Shard;
use crate::time::Instant;
use crate::watch::{CreateWatch, FromShard, StreamEffect, StreamId, Streams, ToShard, WatchResponse};
use campanile_storage::ids::{Revision, ShardId};
use std::time::Duration;

/// What a client says on a watch stream.
#[derive(Clone, Debug)]
pub enum WatchCommand {
    /// Opens the stream. The interval is that of progress notices.
    Open {
        notice_interval: Duration,
    },
    Create(CreateWatch),
    Cancel {
        watch_id: i64,
    },
    /// Asks how far the stream is.
    Progress,
    Close,
}

/// The streams, or what was said on them before the number of shards was known.
#[derive(Debug)]
pub enum Watching {
    Early(Vec<(StreamId, WatchCommand)>),
    Streams(Streams),
}

impl Executor {
    /// The next response on a stream of this executor, after [`Effect::WatchReady`]; `None` if its client has all.
    pub fn next_watch_response(&mut self, stream: StreamId) -> Option<WatchResponse> {
        let Watching::Streams(streams) = &mut self.watching else { return None };
        let mut effects = Vec::new();
        let response = streams.take(stream, &mut effects);
        self.perform_watching(effects);
        response
    }

    /// Whether the stream takes another command; if not, its client has to read first.
    #[must_use]
    pub fn accepts_watch_commands(&self, stream: StreamId) -> bool {
        matches!(&self.watching, Watching::Streams(streams) if streams.is_accepting(stream))
    }

    pub(super) fn watch(&mut self, stream: StreamId, command: WatchCommand, now: Instant) {
        let streams = match &mut self.watching {
            Watching::Early(early) => return early.push((stream, command)),
            Watching::Streams(streams) => streams,
        };
        let visible = self.visible;
        let mut effects = Vec::new();
        match command {
            WatchCommand::Open { notice_interval } => streams.open(stream, now, notice_interval),
            WatchCommand::Create(wish) => streams.create(stream, wish, visible, &mut effects),
            WatchCommand::Cancel { watch_id } => streams.cancel(stream, watch_id, visible, &mut effects),
            WatchCommand::Progress => streams.request_progress(stream, visible, &mut effects),
            WatchCommand::Close => streams.close(stream, &mut effects),
        }
        self.perform_watching(effects);
    }

    /// The number of shards is known: streams can be served.
    pub(super) fn open_streams(&mut self, shards: u32, now: Instant) {
        let streams = Streams::new(self.config.executor, shards, super::write::owner, self.config.bounds.streams);
        if let Watching::Early(early) = std::mem::replace(&mut self.watching, Watching::Streams(streams)) {
            for (stream, command) in early {
                self.watch(stream, command, now);
            }
        }
    }

    /// A stream half speaks to a shard here.
    pub(super) fn tell_watchers(&mut self, shard: ShardId, message: ToShard) {
        let mut said = Vec::new();
        let shard = self.shards.get_mut(&shard).expect("watches go to the executor that hosts their shard");
        shard.watches.receive(message, &mut said);
        self.tell_streams(said);
    }

    /// A shard half speaks to the streams here.
    pub(super) fn tell_stream(&mut self, message: FromShard) {
        if let Watching::Streams(streams) = &mut self.watching {
            let mut effects = Vec::new();
            streams.receive(message, &mut effects);
            self.perform_watching(effects);
        }
    }

    /// Hands on what became visible. Says whether more is left for the next poll.
    pub(super) fn hand_on_events(&mut self) -> bool {
        let mut said = Vec::new();
        let mut more = false;
        for shard in self.shards.values_mut() {
            more |= shard.watches.step(&shard.store, self.visible, self.config.bounds.watched_changes_max, &mut said);
        }
        self.tell_streams(said);
        more
    }

    /// Everything up to here was handed on to those who watch.
    pub(super) fn handed_on(&self) -> Revision {
        self.shards.values().map(|shard| shard.watches.handed()).min().unwrap_or(Revision::NEWEST)
    }

    pub(super) fn has_watchers(&self) -> bool {
        let watched = |shard: &Shard| shard.watches.watchers() != (0, 0);
        self.shards.values().any(watched)
    }

    pub(super) fn notify_streams(&mut self, now: Instant) {
        if let Watching::Streams(streams) = &mut self.watching {
            let mut effects = Vec::new();
            streams.tick(now, &mut effects);
            self.perform_watching(effects);
        }
    }

    fn tell_streams(&mut self, said: Vec<(ExecutorId, FromShard)>) {
        for (executor, message) in said {
            self.out.tell(executor, Message::FromShard(message));
        }
    }

    fn perform_watching(&mut self, effects: Vec<StreamEffect>) {
        for effect in effects {
            match effect {
                StreamEffect::ToShard { shard, message } => {
                    self.out.tell(self.config.host(shard), Message::ToShard { shard, message });
                }
                StreamEffect::Ready(stream) => self.out.push(Effect::WatchReady(stream)),
            }
        }
    }
}
