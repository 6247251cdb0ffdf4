//! The log of inputs: what is in it has happened, what is not has not. Nothing a turn produced is shown before its
//! batch is appended. It takes bytes and knows no session: [`journal`] is the writing, [`trim`] going on from one segment to the next, [`segment`] a file's name and heading, [`frame`] one
//! turn in it, [`marks`] what tells that a journal lacks what it had, [`reserve`] room for when the disk has no other. What
//! is written and how it is read at start is the shards' ([`crate::shard::entry`], [`crate::shard::recovery`]).
//!
//! On disk, below the data folder:
//!
//! ```text
//! log/lock                     held by the running node
//! log/reserve                  room that is given up when the disk has no other
//! log/in-use                   the generation that turns are appended to
//! log/marks                    how far each shard's journal of it is known to be whole
//! log/<generation>/            made complete under another name, then renamed
//! log/<generation>/<shard>-<segment>.journal
//! log/<generation>/<shard>-<segment>.begun     the same while the disk may not have all of its checkpoint
//! ```
//!
//! A segment has a checkpoint: a snapshot of every session of its shard. The first of a generation begins with it, so does every one of
//! form 6; later ones get it between their turns. The newest one whose checkpoint is complete, and what is behind it, is enough to
//! recover. A new generation is written at every start, which is also when the number of shards may change.

pub mod disk;
pub mod frame;
pub mod journal;
pub mod marks;
pub mod reserve;
pub mod segment;
mod trim;

pub use journal::{Append, Journal};
