//! Why a log cannot be recovered, and which fights that concerns.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use uuid::Uuid;

use crate::limits;
use crate::log::frame::Damage;
use crate::log::marks::Missing;
use crate::log::redis::start::RedisError;
use crate::log::segment::{self, FORM, FORM_BEFORE, NoSegment};
use crate::shard::recovery::chain::Gap;
use crate::shard::recovery::whereabouts::Whereabouts;
use crate::shard::session::OtherRuleset;

/// Why a log cannot be recovered. Nothing has been changed on disk.
#[derive(Debug, Error)]
pub enum RecoveryError {
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error("{0}: in use by another process")]
    Locked(PathBuf),
    #[error(
        "{path}: damaged at byte {offset}: {damage}; {frames} turns behind it are whole, of {fights}. Restore the file from a backup, or start once with --accept-loss, which goes on from what is before the damage and keeps the damaged files aside"
    )]
    Damaged { path: PathBuf, offset: usize, damage: Damage, frames: u64, fights: Fights },
    #[error(
        "{path}: damaged at byte {offset}, inside the checkpoint that a segment begins with: {damage}; {turns} turns behind it are whole, of {fights}. Restore the file from a backup, or start once with --accept-loss, which goes on with the sessions that can be read and keeps the damaged files aside"
    )]
    Incomplete { path: PathBuf, offset: usize, damage: Damage, turns: u64, fights: Fights },
    #[error(
        "{path}: {why}; {turns} turns in it are whole, of {fights}. Restore the file from a backup, or start once with --accept-loss, which goes on with what can be read and keeps the damaged files aside"
    )]
    NoSegment {
        path: PathBuf,
        why: NoSegment,
        turns: u64,
        fights: Fights,
        /// Zeros, or less than a heading.
        empty: bool,
    },
    #[error(
        "{path}: an older copy: {missing}. It has {fights}, of which any may be set back. Restore the newer file, or start once with --accept-loss, which goes on from what is there and keeps it aside"
    )]
    Behind { path: PathBuf, missing: Missing, fights: Fights },
    #[error(
        "{path}: the segment goes on from the one before it, {gap}; {turns} turns in it are whole, of {fights}. Restore that one from a backup, or start once with --accept-loss, which goes on with what can be read and keeps the damaged files aside"
    )]
    Broken { path: PathBuf, gap: Gap, turns: u64, fights: Fights },
    #[error(
        "{path}: a journal of form {found}; this version reads forms {FORM_BEFORE} and {FORM}. Let the version that wrote it end its sessions, or move the folder `log` away and start once with --accept-loss to start without them"
    )]
    Version { path: PathBuf, found: u8 },
    #[error(
        "{folder}: the journal of shard {shard} of {shards} is not there. Restore it from a backup, or start once with --accept-loss, which goes on without its sessions"
    )]
    Missing { folder: PathBuf, shard: u32, shards: u32 },
    #[error(
        "{0}: no journal is in it. Restore it from a backup, or start once with --accept-loss, which goes on without its sessions"
    )]
    Empty(PathBuf),
    #[error(
        "{folder}: the log in use is not there. Restore it from a backup, or start once with --accept-loss, which goes on with an older one, or without any"
    )]
    Gone { folder: PathBuf },
    #[error(
        "{0}: does not say which generation of the log is in use. Restore it from a backup, or start once with --accept-loss, which takes the newest"
    )]
    InUse(PathBuf),
    #[error("{0}: not a folder, as the log has under such a name; move it away")]
    NoFolder(PathBuf),
    #[error("{0}: the log has no number for the next; give it a smaller one")]
    Number(PathBuf),
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error(
        "{path}: the log is in Redis, as `{what}` says, and {why}. Start with --redis-log, let its fights end, and then start without; or start once with --accept-loss, which goes on without them"
    )]
    InRedis { path: PathBuf, what: String, why: String },
    #[error(
        "{folder}: not all fights of the log in files are over ({fights}). Let them end without --redis-log first, or start once with --accept-loss, which goes on without them"
    )]
    InFiles { folder: PathBuf, fights: Fights },
    #[error(
        "{url}: {why}. Give the Redis and the name of before, or start once with --accept-loss, which goes on with the sessions that are there"
    )]
    OtherRedis { url: String, why: String },
    #[error(
        "{url}: session {session} cannot be read: {why}. Restore Redis from a backup, or start once with --accept-loss, which goes on without it and keeps it in Redis for a day"
    )]
    Stream { url: String, session: Uuid, why: String },
    #[error(
        "{path}: session {session} is pinned to the ruleset with the hash {hash}, which no ruleset of this server has; they are looked for among those it was built with, in its folder of rules, and as {hash}.toml in {kept}"
    )]
    Ruleset { path: PathBuf, session: Uuid, hash: String, kept: PathBuf },
    #[error("{path}: {other}")]
    OtherRuleset { path: PathBuf, other: OtherRuleset },
    #[error(
        "{path}: entry for session number {no}, which the segment has not introduced. Restore the file from a backup, or start once with --accept-loss, which leaves such entries out"
    )]
    UnknownSession { path: PathBuf, no: u32 },
}

impl RecoveryError {
    /// Whether it may be accepted as lost.
    pub fn is_loss(&self) -> bool {
        match self {
            Self::Io { .. }
            | Self::Locked(_)
            | Self::Ruleset { .. }
            | Self::OtherRuleset { .. }
            | Self::Version { .. }
            | Self::NoFolder(_)
            | Self::Redis(_)
            | Self::Number(_) => false,
            Self::Damaged { .. }
            | Self::Incomplete { .. }
            | Self::NoSegment { .. }
            | Self::Behind { .. }
            | Self::Broken { .. }
            | Self::Missing { .. }
            | Self::Empty(_)
            | Self::Gone { .. }
            | Self::InUse(_)
            | Self::InRedis { .. }
            | Self::InFiles { .. }
            | Self::OtherRedis { .. }
            | Self::Stream { .. }
            | Self::UnknownSession { .. } => true,
        }
    }

    /// The folder and the shard of the journal that it is about; nothing where it is about all of them, or it is not known about which.
    pub(super) fn journal(&self) -> Option<(&Path, usize)> {
        match self {
            Self::Missing { folder, shard, .. } => Some((folder, *shard as usize)),
            Self::Damaged { path, .. }
            | Self::Incomplete { path, .. }
            | Self::NoSegment { path, .. }
            | Self::Broken { path, .. }
            | Self::Behind { path, .. }
            | Self::UnknownSession { path, .. } => path.parent().zip(segment::shard(path)),
            _ => None,
        }
    }

    /// Without the fights that are not at stake, as the journal of another shard has what was done to them last.
    pub(super) fn of_those_at(mut self, whereabouts: &Whereabouts, shard: usize) -> Self {
        if let Self::Damaged { fights, .. }
        | Self::Incomplete { fights, .. }
        | Self::NoSegment { fights, .. }
        | Self::Broken { fights, .. }
        | Self::Behind { fights, .. } = &mut self
        {
            *fights = fights.0.iter().copied().filter(|&id| whereabouts.may_be_at(id, shard)).collect();
        }
        self
    }

    /// The segment of which it may be that the disk never had all, and that has no turn that anybody could know.
    pub(super) fn unfinished(&self) -> Option<&Path> {
        match self {
            Self::Incomplete { turns: 0, path, .. } | Self::NoSegment { empty: true, path, .. } => Some(path),
            _ => None,
        }
    }
}

/// Fights that something concerns, each once: as many as limits say by name, all by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fights(Box<[Uuid]>);

impl Fights {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl FromIterator<Uuid> for Fights {
    fn from_iter<I: IntoIterator<Item = Uuid>>(all: I) -> Self {
        // One that was handed over has been in several journals, or in one several times.
        let mut known = HashSet::new();
        Self(all.into_iter().filter(|&id| known.insert(id)).collect())
    }
}

impl fmt::Display for Fights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count() {
            0 => return f.write_str("no known fight"),
            1 => f.write_str("1 fight: ")?,
            count => write!(f, "{count} fights: ")?,
        }
        for (place, id) in self.0.iter().take(limits::LOST_FIGHTS_NAMED).enumerate() {
            write!(f, "{}{id}", if place > 0 { ", " } else { "" })?;
        }
        match self.count().saturating_sub(limits::LOST_FIGHTS_NAMED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::RecoveryError;
    use crate::server::ServerError;
    use crate::shard::StartError;

    #[test]
    fn why_there_is_no_start_is_said_once() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let recovery = RecoveryError::Io { path: PathBuf::from("log"), error: full() };
        for (error, said) in [(StartError::from(recovery), "log: "), (full().into(), "cannot start a shard: ")] {
            // As it is printed: with its causes.
            let printed = format!("{:#}", anyhow::Error::from(ServerError::from(error)));
            assert_eq!(printed, format!("{said}{}", full()));
        }
    }
}
