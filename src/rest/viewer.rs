//! Who looks at a fight over REST. What that one may see of it, the fight's shard says, by the engine's audiences.

use crate::auth::{Principal, Role};
use crate::session::Viewer;

impl Principal {
    /// As whom the caller looks at fights.
    pub fn viewer(&self) -> Viewer {
        match self.role {
            Role::Player(player) => Viewer::Player(player),
            Role::Service(_) | Role::Admin(_) => Viewer::All,
        }
    }
}
