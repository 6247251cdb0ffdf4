//! `tiltyard check`: reads everything of a data folder that no server is using - the store, the log, the parts of replays - and tells
//! what is damaged. Nothing is changed.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::log::frame::{self, Behind};
use crate::log::segment::{self, Heading};
use crate::log::{Entry, entry};
use crate::replays::chunks;
use crate::store;

/// What is told of one thing.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    what: String,
    /// What is wrong with it.
    damage: Vec<String>,
}

/// Tells `out` of everything below `data` and in the database; whether all of it is whole.
pub async fn check(data: &Path, database: Option<&str>, out: &mut impl Write) -> anyhow::Result<bool> {
    anyhow::ensure!(data.is_dir(), "{}: there is no such folder", data.display());
    let embedded = match database {
        None => Some(data.join("tiltyard.db")),
        Some(url) => url.strip_prefix("sqlite://").map(PathBuf::from),
    };
    // Held until the end: no server starts meanwhile.
    let mut locks = vec![lock(&data.join("log/lock"))?];
    let mut all = Vec::new();
    if let Some(path) = embedded {
        locks.push(lock(&path.with_extension("lock"))?);
        // SQLite throws the log of an empty file away: it is not asked.
        if let Some(commits) = store::gone(&path)? {
            let damage = vec![format!("it is gone, and {commits} or more commits were acknowledged")];
            all.push(Told { what: path.display().to_string(), damage });
        } else if path.exists() {
            all.push(of_store(&path).await);
        }
    }
    of_log(&data.join("log"), &mut all)?;
    of_replays(&data.join("replays"), &mut all)?;
    for Told { what, damage } in &all {
        writeln!(out, "{what}: {}", if damage.is_empty() { "whole" } else { "DAMAGED" })?;
        for damage in damage {
            writeln!(out, "    {damage}")?;
        }
    }
    if database.is_some_and(|url| !url.starts_with("sqlite://")) {
        writeln!(
            out,
            "the database: PostgreSQL checks its own pages, where it was made with --data-checksums; see pg_amcheck"
        )?;
    }
    drop(locks);
    Ok(all.iter().all(|told| told.damage.is_empty()))
}

fn lock(path: &Path) -> anyhow::Result<Option<File>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => anyhow::bail!("{}: a server is using it", path.display()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| path.display().to_string()),
    }
}

async fn of_store(path: &Path) -> Told {
    let file = path.display();
    match store::inspect(path).await {
        Ok(found) => {
            let mut damage: Vec<String> = [found.structure, found.counts, found.named].concat();
            let unnamed = found.damaged.saturating_sub(damage.len() as u64);
            damage.extend((unnamed > 0).then(|| format!("{unnamed} damaged rows more")));
            Told { what: format!("{file}, {} rows", found.rows), damage }
        }
        Err(error) => Told { what: file.to_string(), damage: vec![error.to_string()] },
    }
}

/// Every segment of every generation. A start needs the newest whole ones only, and says so when it takes another.
fn of_log(root: &Path, all: &mut Vec<Told>) -> anyhow::Result<()> {
    for folder in numbered(root)? {
        let segments = segment::all(&folder).with_context(|| folder.display().to_string())?;
        let mut shards = None;
        for path in segments.values().flat_map(|of_shard| of_shard.values()) {
            let bytes = fs::read(path).with_context(|| path.display().to_string())?;
            let (frames, damage, heading) = of_segment(&bytes);
            shards = shards.or(heading.map(|heading| heading.shards));
            all.push(Told { what: format!("{}, {frames} turns", path.display()), damage });
        }
        let missing = |shards: u32| (0..shards as usize).filter(|shard| !segments.contains_key(shard));
        let missing: Vec<String> = shards
            .into_iter()
            .flat_map(missing)
            .map(|shard| format!("the journal of shard {shard} is not there"))
            .collect();
        if segments.is_empty() || !missing.is_empty() {
            let damage = if missing.is_empty() { vec!["no journal is in it".to_owned()] } else { missing };
            all.push(Told { what: folder.display().to_string(), damage });
        }
    }
    Ok(())
}

/// Whole turns of a segment, what is wrong with it, and its heading. A torn end is nothing wrong: the start cuts it off.
fn of_segment(bytes: &[u8]) -> (u64, Vec<String>, Option<Heading>) {
    let (heading, mut rest) = match Heading::read(bytes) {
        Ok(read) => read,
        Err(why) => return (0, vec![why.to_string()], None),
    };
    let (mut frames, mut complete, mut damaged) = (0, false, Vec::new());
    loop {
        let before = rest;
        let payload = frame::next(&mut rest, heading.salt);
        // The mark of an end, which the next turn is written over.
        if matches!(payload, Ok(Some([]))) {
            continue;
        }
        match payload.and_then(|payload| payload.map(entry::entries).transpose()) {
            Ok(None) => break,
            Ok(Some((_wall, entries))) => {
                frames += 1;
                complete |= entries.iter().any(|entry| matches!(entry, Entry::CheckpointEnd));
            }
            Err(damage) => {
                let offset = bytes.len() - before.len();
                let Behind { frames: behind, .. } = frame::behind(before, heading.salt, entry::is_turn);
                if behind > 0 || !complete || damage == frame::Damage::Entry {
                    damaged.push(format!("at byte {offset}: {damage}; {behind} turns behind it are whole"));
                }
                break;
            }
        }
    }
    if !complete && damaged.is_empty() {
        damaged.push("its checkpoint is cut short".to_owned());
    }
    (frames, damaged, Some(heading))
}

fn of_replays(folder: &Path, all: &mut Vec<Told>) -> anyhow::Result<()> {
    for path in entries(folder)?.into_iter().filter(|path| path.extension().is_some_and(|name| name == "chunks")) {
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        let (parts, damage) = chunks::inspect(&bytes);
        let damage = damage.map(|(offset, behind)| format!("at byte {offset}; {behind} parts behind it are whole"));
        all.push(Told { what: format!("{}, {parts} parts", path.display()), damage: damage.into_iter().collect() });
    }
    Ok(())
}

/// The folders below `root` whose name is a number.
fn numbered(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let is_number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u64>().ok()).is_some();
    Ok(entries(root)?.into_iter().filter(is_number).collect())
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let read = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = read.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
