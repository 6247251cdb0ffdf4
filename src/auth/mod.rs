//! Who is calling and what they may do. Credentials are checked here and nowhere else.
//!
//! In reading order: [`key`] the node's secret, [`token`] bearer tokens to principals, [`dialect`] how others write them, [`flaw`] what
//! is wrong with the bad ones, [`keyring`] all keys that make a
//! token good, [`jwks`] those of others, [`source`] where they come from, [`refresh`] how they stay fresh, [`ticket`]
//! single-use admission over the WebSocket, [`outstanding`] those not yet used, [`hop`] one node's word to another, [`refresh_token`] the way to new tokens of an auth session, [`table`] which role
//! may do what.

pub mod dialect;
pub mod flaw;
pub mod hop;
pub mod jwks;
pub mod key;
pub mod keyring;
pub mod outstanding;
pub mod refresh;
pub mod refresh_token;
pub mod source;
pub mod table;
pub mod ticket;
pub mod token;

#[cfg(test)]
#[path = "../../tests/signer/mod.rs"]
pub(crate) mod signer;

use std::str::FromStr;
use std::time::SystemTime;

use aws_lc_rs::digest;
use uuid::{Builder, Uuid};

pub use dialect::Dialect;
pub use hop::Hop;
pub use key::TokenKey;
pub use keyring::KeyRing;
pub use outstanding::Sponsor;
pub use refresh_token::RefreshToken;
pub use table::{Denial, Operation, Relation};
pub use ticket::{Admission, Tickets};
pub use token::{Audience, Grantee};

use crate::clock;

/// A caller whose token was good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub role: Role,
    pub scopes: Vec<Scope>,
    /// A player without an account: what it may do is in its scopes, this is for the log.
    pub guest: bool,
    /// The auth session the token is good as long as; whether it still lives is not known here.
    pub sid: Option<Uuid>,
    /// When the token ends: milliseconds since the epoch, by the system's clock.
    pub expires_at: u64,
}

/// What kind of caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    Player(Uuid),
    /// Another service, by its name.
    Service(String),
    Admin(String),
}

/// What a token may be used for. Administrators need none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything a player does.
    Play,
    /// What a guest does: the arena and the sessions it leads to.
    PlayArena,
    SessionsRead,
    SessionsWrite,
    OpsRead,
    AnalyticsRead,
}

impl Principal {
    /// The player, if it is one.
    pub fn player(&self) -> Option<Uuid> {
        match self.role {
            Role::Player(id) => Some(id),
            Role::Service(_) | Role::Admin(_) => None,
        }
    }

    /// When the token ends, in Unix milliseconds of this server's own clock, which nobody sets.
    pub fn ends_at(&self) -> u64 {
        clock::now_ms().saturating_add(self.expires_at.saturating_sub(clock::unix_ms(SystemTime::now())))
    }

    /// Who a session this caller creates belongs to: the player, or an id derived from the name, the same every time.
    pub fn owner(&self) -> Uuid {
        match &self.role {
            Role::Player(id) => *id,
            Role::Service(name) => named(&format!("service:{name}")),
            Role::Admin(name) => named(&format!("admin:{name}")),
        }
    }
}

/// A uuid (version 8) that stands for a name. No player has it.
pub fn named(name: &str) -> Uuid {
    let hash = digest::digest(&digest::SHA256, name.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// Whether it stands for a name: of a service, an administrator, or the server itself.
pub fn is_named(id: Uuid) -> bool {
    id.get_version_num() == 8
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] =
        [Self::Play, Self::PlayArena, Self::SessionsRead, Self::SessionsWrite, Self::OpsRead, Self::AnalyticsRead];

    /// Its name in a token.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Play => "play",
            Self::PlayArena => "play:arena",
            Self::SessionsRead => "sessions:read",
            Self::SessionsWrite => "sessions:write",
            Self::OpsRead => "ops:read",
            Self::AnalyticsRead => "analytics:read",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.name() == name)
            .ok_or_else(|| format!("the scopes are {}", Self::ALL.map(Self::name).join(", ")))
    }
}
