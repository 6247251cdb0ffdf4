//! Replays of fights: recorded while they are fought, kept with them, fought again to read what happened in them.
//!
//! A session's [`recorder`] keeps its last inputs; what it has no room for goes into its shard's [`chunks`]. A [`recording`]
//! is both, put together off the shard: for whoever asks, and at the end of the fight for the store, on the [`replay_queue`] until
//! that has it. [`story`] is the fight told again, event by event: [`stories`] to readers of logs, in their [`turns`], from what is
//! remembered of it on its [`trail`]; [`report`] prints it for `tiltyard replay`.

pub mod chunks;
pub mod queue;
pub mod recorder;
pub mod recording;
pub mod report;
pub mod stories;
pub mod story;
pub mod trail;
pub mod turns;

pub use chunks::{ChunkWriter, Folder};
pub use queue::ReplayQueue;
pub use recorder::{Recorder, RecorderState};
pub use recording::Recording;
pub use stories::Stories;
