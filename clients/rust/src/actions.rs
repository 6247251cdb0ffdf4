//! Actions and their answers, exactly once: ids rise, what has no answer is sent again after a reconnect under the same id, and an answer
//! that comes twice counts once.

use std::collections::BTreeMap;

use thiserror::Error;
use tiltyard_protocol::Act;

/// The server remembers the answers of a player's 64 highest ids: more at once could not be repeated.
pub const WINDOW: usize = 64;
/// The highest id there is.
const ID_MAX: u64 = 1 << 53;

/// Why something was not sent at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unsent {
    #[error("the session is not live at the moment")]
    Offline,
    #[error("{WINDOW} have no answer yet")]
    WindowFull,
    #[error("there are no more ids, or this one may not be used again")]
    BadId,
}

#[derive(Debug)]
pub(crate) struct Actions {
    next: u64,
    pending: BTreeMap<u64, Act>,
}

impl Actions {
    pub fn new() -> Self {
        Self { next: 1, pending: BTreeMap::new() }
    }

    /// Sent and not answered, in order of their ids.
    pub fn pending(&self) -> impl Iterator<Item = (u64, &Act)> {
        self.pending.iter().map(|(&id, act)| (id, act))
    }

    /// The server knows ids up to `last_id`: the next one is higher.
    pub fn joined(&mut self, last_id: u64) {
        self.next = self.next.max(last_id.saturating_add(1));
    }

    /// The id to send a new action under.
    pub fn begin(&mut self, act: &Act) -> Result<u64, Unsent> {
        let id = self.next;
        if self.pending.len() >= WINDOW {
            return Err(Unsent::WindowFull);
        }
        if id > ID_MAX {
            return Err(Unsent::BadId);
        }
        self.next += 1;
        self.pending.insert(id, act.clone());
        Ok(id)
    }

    /// Takes up an action again that was refused for the moment, under its own id.
    pub fn again(&mut self, id: u64, act: &Act) -> Result<(), Unsent> {
        if id == 0 || id >= self.next || self.pending.contains_key(&id) {
            return Err(Unsent::BadId);
        }
        if self.pending.len() >= WINDOW {
            return Err(Unsent::WindowFull);
        }
        self.pending.insert(id, act.clone());
        Ok(())
    }

    /// Whether this is the first answer to `id`.
    pub fn answered(&mut self, id: u64) -> bool {
        self.pending.remove(&id).is_some()
    }

    /// Those that get no answer any more.
    pub fn end(&mut self) -> impl Iterator<Item = u64> + use<> {
        std::mem::take(&mut self.pending).into_keys()
    }
}
