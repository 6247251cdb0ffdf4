//! The words that all parts of the server share about a session: its [`id`], its type and status ([`kind`]), how a fight is told
//! ([`fight`], with the [`world`] around it and the [`words`] for what happens), what is changed by hand ([`update`]) and why something
//! is refused ([`refusal`]); and where the few are that do not live at home ([`moved`]).

pub mod fight;
mod id;
mod kind;
mod moved;
mod refusal;
mod update;
pub mod words;
pub mod world;

pub use fight::{EnemyInfo, FightInfo, Known, ParticipantInfo, Shown, Viewer};
pub use id::{TailHasher, hex, parse_uuid, shard_of};
pub use kind::{FightStatus, Kind, PerKind, Status};
pub use moved::Moved;
pub use refusal::{Exceeded, Quota, Refusal};
pub use update::{Expected, Update};
pub use words::NOBODY;
pub use world::{Named, Numbered, World};
