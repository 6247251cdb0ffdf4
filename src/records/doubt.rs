//! What a commit of unknown outcome may have left in the store, until a later commit has taken it back.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::limits;

/// Nobody is shown what is in here.
#[derive(Debug)]
pub struct Doubt {
    /// Sessions, and players who may stand with them.
    pub sessions: HashMap<Uuid, Vec<Uuid>>,
    /// Idempotency keys.
    pub keys: HashSet<[u8; 16]>,
    /// As many of both as there may be before nothing more is tried.
    pub most: usize,
}

impl Default for Doubt {
    fn default() -> Self {
        Self { sessions: HashMap::new(), keys: HashSet::new(), most: limits::DOUBTFUL }
    }
}

impl Doubt {
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.keys.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.sessions.len() + self.keys.len() >= self.most
    }

    /// A commit has taken all of it back.
    pub fn clear(&mut self) {
        *self = Self { most: self.most, ..Self::default() };
    }
}
