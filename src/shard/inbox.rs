//! The way into a shard from other threads: a bounded queue and one wake-up per drain.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::Waker;
use tiltyard_protocol::Reason;

use super::stats::{Published, Stats};
use crate::session::Refusal;
use crate::shard::Command;

/// A shard, seen from outside. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ShardHandle {
    sender: flume::Sender<Command>,
    wake: Arc<Wake>,
    stats: Arc<Published>,
}

/// The shard's end.
#[derive(Debug)]
pub struct Inbox {
    pub commands: flume::Receiver<Command>,
    wake: Arc<Wake>,
    pub stats: Arc<Published>,
}

#[derive(Debug)]
struct Wake {
    waker: Waker,
    /// Set while a wake-up is on its way.
    pending: AtomicBool,
}

/// Both ends of an inbox of `depth` commands.
pub fn inbox(depth: usize, waker: Waker) -> (ShardHandle, Inbox) {
    let (sender, commands) = flume::bounded(depth);
    let wake = Arc::new(Wake { waker, pending: AtomicBool::new(false) });
    let stats = Arc::<Published>::default();
    (ShardHandle { sender, wake: wake.clone(), stats: stats.clone() }, Inbox { commands, wake, stats })
}

impl ShardHandle {
    /// Queues `command`, or says that the queue is full.
    pub fn send(&self, command: Command) -> Result<(), Refusal> {
        self.offer(command).map_err(|(_, reason)| reason.into())
    }

    /// Queues `command`, or gives it back.
    #[allow(clippy::result_large_err)] // It is given back for what is in it.
    pub fn offer(&self, command: Command) -> Result<(), (Command, Reason)> {
        self.sender.try_send(command).map_err(|error| match error {
            flume::TrySendError::Full(command) => (command, Reason::Overloaded),
            flume::TrySendError::Disconnected(command) => (command, Reason::Draining),
        })?;
        self.wake();
        Ok(())
    }

    /// Queues `command`, waiting for room. Not to be dropped before its end: the command may be lost then.
    pub async fn send_waiting(&self, command: Command) {
        // An error means that the shard has stopped, and its sockets are closed.
        if self.sender.send_async(command).await.is_ok() {
            self.wake();
        }
    }

    /// Asks the shard to stop, waiting for room in the queue.
    pub fn drain(&self) {
        // An error means that it has stopped already.
        if self.sender.send(Command::Drain).is_ok() {
            self.wake();
        }
    }

    /// The figures as of its last turn.
    pub fn stats(&self) -> Stats {
        self.stats.load()
    }

    /// As if the shard had taken no turn for long.
    #[cfg(test)]
    pub fn hang(&self) {
        self.stats.hang();
    }

    /// What wakes the shard without a command.
    pub fn waker(&self) -> impl Fn() + Send + Sync + 'static {
        let wake = Arc::clone(&self.wake);
        move || wake.wake()
    }

    /// Has the shard take a turn.
    pub fn wake(&self) {
        // After the send: whoever clears the flag drains afterwards and sees the command.
        self.wake.wake();
    }
}

impl Wake {
    fn wake(&self) {
        if !self.pending.swap(true, Ordering::AcqRel)
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "cannot wake a shard");
        }
    }
}

impl Inbox {
    /// To be called before draining: from now on a send wakes again.
    pub fn woken(&self) {
        // A swap, not a store: it takes its place in the order of the flag's changes, so a send that did not wake is seen.
        self.wake.pending.swap(false, Ordering::AcqRel);
    }
}
