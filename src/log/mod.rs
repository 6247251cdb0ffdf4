//! The log of inputs: what is in it has happened, what is not has not. Nothing a turn produced is shown before its
//! batch is appended. [`entry`] is what is written, [`journal`] the writing, [`recovery`] the reading at start.
//!
//! On disk, below the data folder:
//!
//! ```text
//! log/lock                     held by the running node
//! log/<generation>/            made complete under another name, then renamed; the highest counts
//! log/<generation>/<shard>-<segment>.journal
//! ```
//!
//! A segment begins with a checkpoint of every session of its shard, so the newest complete one of a shard is enough
//! to recover. A new generation is written at every start, which is also when the number of shards may change.

pub mod entry;
pub mod frame;
pub mod journal;
pub mod recovery;
pub mod segment;

pub use entry::{Description, Entry, SessionRecord};
pub use journal::Journal;
pub use recovery::{Found, Recovered};
