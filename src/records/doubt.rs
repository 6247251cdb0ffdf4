//! What a commit of unknown outcome may have left in the store, until a later commit has taken it back.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

/// Nobody is shown what is in here.
#[derive(Debug, Default)]
pub struct Doubt {
    /// Sessions, and players who may stand with them.
    pub sessions: HashMap<Uuid, Vec<Uuid>>,
    /// Idempotency keys.
    pub keys: HashSet<[u8; 16]>,
}

impl Doubt {
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.keys.is_empty()
    }
}
