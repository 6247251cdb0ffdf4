//! Bots: players of real fights, over real sockets, who attack, guard, use what they have, walk, and check that what they
//! are shown is what the server has.
//!
//! [`Mind`] decides what to do by what a [`Scene`] shows; [`Bot`] plays one connection with it; a [`Team`] is all bots of one fight.

mod bot;
mod mind;
mod scene;
mod team;

pub use bot::{Bot, Played};
pub use mind::{Deed, Mind};
pub use scene::Scene;
pub use team::{Kind, Report, Team, fill};
