//! Messages between the executors of one member: in order between any two, never lost.
//!
//! What an executor says to another in one round travels as one batch. A full channel holds batches back on the sender's
//! side; what the executors say to each other is bounded by the requests and log entries under way.

use super::signal::Signal;
use super::tasks::Tasks;
use campanile_core::executor::effect::ExecutorId;
use campanile_core::executor::message::Message;
use glommio::channels::shared_channel::{ConnectedSender, SharedReceiver, SharedSender, new_bounded};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

/// Batches under way between two executors before the sender holds them back.
const CHANNEL_BATCHES: usize = 1024;

type Batch = Vec<Message>;

/// One executor's ends of the channels, before it runs.
pub struct Ends {
    senders: Vec<(ExecutorId, SharedSender<Batch>)>,
    receivers: Vec<(ExecutorId, SharedReceiver<Batch>)>,
}

/// Channels between every two of so many executors.
#[must_use]
pub fn connect(executors: u16) -> Vec<Ends> {
    let mut ends: Vec<Ends> = (0..executors).map(|_| Ends { senders: Vec::new(), receivers: Vec::new() }).collect();
    for from in 0..executors {
        for to in (0..executors).filter(|&to| to != from) {
            let (sender, receiver) = new_bounded(CHANNEL_BATCHES);
            ends[usize::from(from)].senders.push((to, sender));
            ends[usize::from(to)].receivers.push((from, receiver));
        }
    }
    ends
}

/// The way to one other executor.
struct Lane {
    to: ExecutorId,
    /// Said in this round.
    saying: RefCell<Batch>,
    held_back: RefCell<VecDeque<Batch>>,
    /// A batch that was held back is on its way: later ones must not overtake it.
    is_sending: Cell<bool>,
    sender: ConnectedSender<Batch>,
    wake: Signal,
}

/// One executor's ways to all others.
pub struct Mesh {
    lanes: Vec<Rc<Lane>>,
}

impl Mesh {
    /// Joins the channels, and hands every message that comes to `take`.
    pub async fn join(ends: Ends, tasks: &Tasks, take: impl Fn(ExecutorId, Message) + Clone + 'static) -> Mesh {
        // Both ends wait for each other, so receivers are served before any sender is waited for.
        for (from, receiver) in ends.receivers {
            let take = take.clone();
            tasks.spawn(async move {
                let receiver = receiver.connect().await;
                while let Some(batch) = receiver.recv().await {
                    batch.into_iter().for_each(|message| take(from, message));
                }
            });
        }
        let mut lanes = Vec::new();
        for (to, sender) in ends.senders {
            let sender = sender.connect().await;
            let lane = Rc::new(Lane {
                to,
                saying: RefCell::default(),
                held_back: RefCell::default(),
                is_sending: Cell::new(false),
                sender,
                wake: Signal::default(),
            });
            tasks.spawn(Rc::clone(&lane).send_held_back());
            lanes.push(lane);
        }
        Mesh { lanes }
    }

    /// Adds a message to what is said in this round.
    pub fn tell(&self, to: ExecutorId, message: Message) {
        let lane = self.lanes.iter().find(|lane| lane.to == to).expect("there is a way to every other executor");
        lane.saying.borrow_mut().push(message);
    }

    /// Sends what was said in this round.
    pub fn flush(&self) {
        for lane in &self.lanes {
            let batch = lane.saying.take();
            if batch.is_empty() {
                continue;
            }
            let mut held_back = lane.held_back.borrow_mut();
            if lane.is_sending.get() || !held_back.is_empty() {
                held_back.push_back(batch);
            } else if let Err(glommio::GlommioError::WouldBlock(glommio::ResourceType::Channel(batch))) =
                lane.sender.try_send(batch)
            {
                held_back.push_back(batch);
                lane.wake.set();
            }
        }
    }
}

impl Lane {
    async fn send_held_back(self: Rc<Lane>) {
        loop {
            self.wake.wait().await;
            self.is_sending.set(true);
            while let Some(batch) = self.next_held_back() {
                if self.sender.send(batch).await.is_err() {
                    // The other executor is gone: the member stops.
                    return;
                }
            }
            self.is_sending.set(false);
        }
    }

    fn next_held_back(&self) -> Option<Batch> {
        self.held_back.borrow_mut().pop_front()
    }
}
