//! Performs what the core decides: pinned executors, their logs, their timers, the messages between them.
//!
//! One thread an executor. Everything that happens on it (a request, a message, a durable write, a tick) goes through its
//! [`Driver`] into the core at once; what the core then wants done is taken once for all that happened in a round of the
//! executor's tasks, and performed in order. There is no branch on protocol state here.
//!
//! | file | what |
//! | --- | --- |
//! | `driver` | inputs into the core, effects out of it, one arm each |
//! | `serving`, `incoming` | the services' view of an executor, and other members' |
//! | `gauges`, `tallies` | what is looked up once a tick, and counted with each answer |
//! | `journal` | makes batches durable |
//! | `checkpoints` | the files of checkpoints, and the manifest |
//! | `offers` | the checkpoint that other members are sent |
//! | `mesh` | messages between executors |
//! | `executor` | one thread: puts the parts together, and takes them down |
//! | `front` | its connections |
//! | `tasks`, `ending` | what ends with it; why it ends |
//! | `recovery` | what the disk holds, as the core's start |
//! | `sockets`, `listener` | connections, spread over the executors |
//! | `signal` | wakes one task of the same executor |
//! | `time` | the core's clock |

pub mod checkpoints;
pub mod driver;
pub mod ending;
pub mod executor;
mod front;
mod gauges;
mod incoming;
pub mod journal;
pub mod listener;
pub mod mesh;
mod offers;
pub mod recovery;
mod serving;
pub mod signal;
pub mod sockets;
mod tallies;
mod tasks;
pub mod time;
