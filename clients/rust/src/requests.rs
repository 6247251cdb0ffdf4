//! Requests of a session that is no fight, and their answers. They are sent once: where the connection is lost before there is an answer
//! it is not known whether they were done.

use std::collections::{BTreeSet, VecDeque};

use tiltyard_protocol::ClientMessage;

use crate::Told;
use crate::actions::{Unsent, WINDOW};

#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// The session's handle while it is joined.
    pub handle: Option<u32>,
    /// What is to be sent.
    pub said: VecDeque<ClientMessage>,
    /// Ids rise for as long as there is the session, so that no connection has one twice.
    last: u64,
    pending: BTreeSet<u64>,
}

impl Requests {
    /// Has `request` sent, which is made of the session's handle and a new id; answers with the id.
    pub fn ask(&mut self, request: impl FnOnce(u32, u64) -> ClientMessage) -> Result<u64, Unsent> {
        let s = self.handle.ok_or(Unsent::Offline)?;
        if self.pending.len() >= WINDOW {
            return Err(Unsent::WindowFull);
        }
        self.last += 1;
        self.pending.insert(self.last);
        self.said.push_back(request(s, self.last));
        Ok(self.last)
    }

    /// Those that have no answer yet.
    pub fn pending(&self) -> impl Iterator<Item = u64> {
        self.pending.iter().copied()
    }

    /// Whether this is the first answer to `id`.
    pub fn answered(&mut self, id: u64) -> bool {
        self.pending.remove(&id)
    }

    /// No answer can come any more.
    pub fn end(&mut self) -> Vec<Told> {
        self.said.clear();
        std::mem::take(&mut self.pending).into_iter().map(Told::Unanswered).collect()
    }
}
