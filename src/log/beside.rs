//! Waiting for the disk beside the shard: a thread does, for all turns that are written by then, while the shard goes on with others. The
//! next ones wait until it has done.

use std::io;
use std::thread;
use std::time::Duration;

use flume::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};

use super::TurnNo;
use super::journal::Waiting;
use crate::ops::watch;

/// Which turn was the last, and where the frames ended then.
#[derive(Debug, Clone, Copy)]
struct UpTo {
    turn: TurnNo,
    end: u64,
}

type Asked = (UpTo, Waiting);

/// What the thread says: up to where the disk has the frames, or why nobody knows.
#[derive(Debug)]
pub struct Answer {
    pub turn: TurnNo,
    pub end: u64,
    pub waited: io::Result<()>,
}

/// The shard's end of the thread.
#[derive(Debug)]
pub struct Beside {
    asks: Sender<Asked>,
    answers: Receiver<Answer>,
    /// What it waits for.
    asked: Option<UpTo>,
    /// What it has said, while that has not been taken.
    said: Option<Answer>,
}

impl Beside {
    /// Starts the thread of a shard; it calls `wake` with every answer.
    pub fn start(shard: usize, wake: impl Fn() + Send + 'static) -> io::Result<Self> {
        let (asks, asked) = bounded::<Asked>(1);
        let (says, answers) = bounded(1);
        thread::Builder::new().name(format!("sync-{shard}")).spawn(move || {
            // Without it each turn would be refused once before the shard waits for the disk itself.
            watch::working("waiting for the disk", || {
                for (UpTo { turn, end }, waiting) in asked {
                    if says.send(Answer { turn, end, waited: waiting.wait() }).is_err() {
                        break;
                    }
                    wake();
                }
            });
        })?;
        Ok(Self { asks, answers, asked: None, said: None })
    }

    /// Whether it waits for the disk.
    pub const fn is_busy(&self) -> bool {
        self.asked.is_some()
    }

    /// Asks it to wait for all turns up to this one; it must not be waiting.
    pub fn ask(&mut self, turn: TurnNo, waiting: Waiting) {
        debug_assert!(!self.is_busy(), "one at a time");
        let up_to = UpTo { turn, end: waiting.end };
        self.asked = Some(up_to);
        // One that has gone is noticed where its answer is taken.
        let _ = self.asks.try_send((up_to, waiting));
    }

    /// Its answer, if there is one by now.
    pub fn take(&mut self) -> Option<Answer> {
        let said = self.said.take().or_else(|| match self.answers.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => self.gone(),
        })?;
        self.asked = None;
        Some(said)
    }

    /// Waits for its answer, no longer than that; whether there is one.
    pub fn wait(&mut self, most: Duration) -> bool {
        if self.is_busy() && self.said.is_none() {
            self.said = match self.answers.recv_timeout(most) {
                Ok(answer) => Some(answer),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => self.gone(),
            };
        }
        self.said.is_some()
    }

    /// Waits for its answer, if it waits for the disk.
    pub fn finish(&mut self) {
        if self.is_busy() && self.said.is_none() {
            self.said = self.answers.recv().ok().or_else(|| self.gone());
        }
    }

    /// What is said for a thread that has gone: the shard then waits for the disk itself.
    fn gone(&self) -> Option<Answer> {
        let UpTo { turn, end } = self.asked?;
        Some(Answer { turn, end, waited: Err(io::Error::other("the thread that waits for the disk has gone")) })
    }
}
