//! `tiltyard check`: reads everything of a data folder that no server is using - the node's key, the store, the log, the parts of replays -
//! and tells what is damaged. What a start would stop for is found by what the start looks with. Nothing is changed.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::auth::TokenKey;
use crate::log::frame::{self, Behind};
use crate::log::marks::Marked;
use crate::log::segment::{self, Heading, NoSegment};
use crate::replays::chunks::{self, FileId};
use crate::shard::{Entry, entry, recovery};
use crate::store;

/// What is told of one thing.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
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
    of_key(&data.join("token.key"), data, &mut all);
    if let Some(path) = embedded {
        locks.push(lock(&path.with_extension("lock"))?);
        // SQLite throws the log of an empty file away: it is not asked.
        if let Some(commits) = store::gone(&path)? {
            let damage = vec![format!("it is gone, and {commits} or more commits were acknowledged")];
            all.push(Finding { what: path.display().to_string(), damage });
        } else if path.exists() {
            all.push(of_store(&path).await);
        }
    }
    of_log(data, &mut all)?;
    of_replays(&data.join("replays"), &mut all)?;
    for Finding { what, damage } in &all {
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

async fn of_store(path: &Path) -> Finding {
    let file = path.display();
    match store::inspect(path).await {
        Ok(found) => {
            let mut damage: Vec<String> = [found.structure, found.counts, found.named].concat();
            let unnamed = found.damaged.saturating_sub(damage.len() as u64);
            damage.extend((unnamed > 0).then(|| format!("{unnamed} damaged rows more")));
            Finding { what: format!("{file}, {} rows", found.rows), damage }
        }
        Err(error) => Finding { what: file.to_string(), damage: vec![error.to_string()] },
    }
}

/// Where there is none, or an empty one, a start makes it.
fn of_key(path: &Path, data: &Path, all: &mut Vec<Finding>) {
    if fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        let damage = TokenKey::open(data).err().map(|error| error.to_string());
        all.push(Finding { what: path.display().to_string(), damage: damage.into_iter().collect() });
    }
}

/// What a start stops for, and every segment of every generation. A start needs the newest whole ones only, and says so when it takes
/// another.
fn of_log(data: &Path, all: &mut Vec<Finding>) -> anyhow::Result<()> {
    let root = data.join("log");
    let (marked, why) = recovery::look(data);
    if root.exists() || why.is_some() {
        let damage = why.map(|why| why.to_string()).into_iter();
        // A start goes on without them, and may miss what it could have told.
        let marks = marked.damage.iter().map(|damage| format!("how far it was whole cannot be read: {damage}"));
        all.push(Finding { what: root.display().to_string(), damage: damage.chain(marks).collect() });
    }
    let (mut folders, mut recorded) = (numbered(&root)?, BTreeMap::new());
    // A file of such a name is what a start stops for, and told above.
    folders.retain(|folder| folder.is_dir());
    let in_use = folders.last().cloned();
    for folder in folders {
        let segments = segment::all(&folder).with_context(|| folder.display().to_string())?;
        if segments.is_empty() && in_use.as_ref() != Some(&folder) {
            // What the log has left of it is somebody else's.
            continue;
        }
        let mut shards = None;
        for of_shard in segments.values() {
            let (newest, mut before) = (of_shard.keys().next_back(), Segment::default());
            for (number, path) in of_shard {
                let bytes = fs::read(path).with_context(|| path.display().to_string())?;
                let marked = (Some(number) == newest).then_some(&marked);
                let mut segment = of_segment(path, &bytes, marked, &before);
                shards = shards.or(segment.shards);
                let damage = std::mem::take(&mut segment.damage);
                all.push(Finding { what: format!("{}, {} turns", path.display(), segment.turns), damage });
                before = segment;
            }
            if in_use.as_ref() == Some(&folder) {
                for file in before.recorded.into_values().flatten() {
                    *recorded.entry(file).or_insert(0) += 1;
                }
            }
        }
        let missing = |shards: u32| (0..shards as usize).filter(|shard| !segments.contains_key(shard));
        let missing: Vec<String> = shards
            .into_iter()
            .flat_map(missing)
            .map(|shard| format!("the journal of shard {shard} is not there"))
            .collect();
        if segments.is_empty() || !missing.is_empty() {
            let damage = if missing.is_empty() { vec!["no journal is in it".to_owned()] } else { missing };
            all.push(Finding { what: folder.display().to_string(), damage });
        }
    }
    for (file, fights) in recorded {
        let path = data.join("replays").join(file.name());
        if !path.exists() {
            let damage = vec![format!("it is not there; fights with parts of their replays in it: {fights}")];
            all.push(Finding { what: path.display().to_string(), damage });
        }
    }
    Ok(())
}

/// What is in a segment.
#[derive(Debug, Default)]
struct Segment {
    /// Whole ones.
    turns: u64,
    damage: Vec<String>,
    /// How many there are, if its heading can be read.
    shards: Option<u32>,
    /// Its salt, and where its whole frames end.
    end: Option<(u32, u64)>,
    /// The files with parts of fights' replays, by the fights' numbers.
    recorded: BTreeMap<u32, Vec<FileId>>,
}

/// What is in a segment, and what is wrong with it, after the one `before` it. A torn end is nothing wrong: the start cuts it off. Where
/// it is the newest of its shard, it has to have what was marked of it.
fn of_segment(path: &Path, bytes: &[u8], marked: Option<&Marked>, before: &Segment) -> Segment {
    let read = match Heading::read_at(path, bytes) {
        Ok((heading, _)) if marked.is_some_and(|marked| marked.is_another(&heading)) => Err(NoSegment::Another),
        read => read,
    };
    let (heading, mut rest) = match read {
        Ok(read) => read,
        Err(why) => return Segment { damage: vec![why.to_string()], ..Segment::default() },
    };
    let mut segment = Segment { shards: Some(heading.shards), ..Segment::default() };
    let (mut complete, mut end, mut follows) = (false, 0, None);
    loop {
        let from_here = rest;
        let payload = frame::next(&mut rest, heading.salt);
        // The mark of an end, which the next turn is written over.
        if matches!(payload, Ok(Some([]))) {
            continue;
        }
        match payload.and_then(|payload| payload.map(|payload| entry::entries(payload, heading.form)).transpose()) {
            Ok(None) => break,
            Ok(Some((_wall, entries))) => {
                segment.turns += 1;
                end = (bytes.len() - rest.len()) as u64;
                for entry in entries {
                    match entry {
                        Entry::Session { no, record } => {
                            segment.recorded.insert(no, record.recorder.files().to_vec());
                        }
                        Entry::Forget { no } => {
                            segment.recorded.remove(&no);
                        }
                        Entry::CheckpointEnd => complete = true,
                        Entry::Follows { salt, end } => {
                            follows = Some((salt, end));
                            segment.recorded.clone_from(&before.recorded);
                        }
                        Entry::Input { .. } | Entry::Describe { .. } | Entry::Claim { .. } => {}
                    }
                }
            }
            Err(damage) => {
                let offset = bytes.len() - from_here.len();
                let Behind { frames: behind, .. } = frame::behind(from_here, heading.salt, entry::is_turn);
                if behind > 0 || !(complete || follows.is_some()) || damage == frame::Damage::Entry {
                    segment.damage.push(format!("at byte {offset}: {damage}; {behind} turns behind it are whole"));
                }
                break;
            }
        }
    }
    match follows {
        // It is written between the turns of a segment, and the one before is there as long.
        Some(end) if !complete && before.end != Some(end) => {
            segment.damage.push("the segment before it, which it goes on from, is not there as it was".to_owned());
        }
        None if !complete && segment.damage.is_empty() => {
            segment.damage.push("its checkpoint is cut short".to_owned());
        }
        _ => {}
    }
    segment.end = Some((heading.salt, end));
    // What a loss of power has taken a start goes on without.
    let missing = marked.and_then(|marked| marked.missing(&heading, end)).filter(|missing| !missing.by_power);
    segment.damage.extend(missing.map(|missing| missing.to_string()));
    segment
}

fn of_replays(folder: &Path, all: &mut Vec<Finding>) -> anyhow::Result<()> {
    for path in entries(folder)?.into_iter().filter(|path| path.extension().is_some_and(|name| name == "chunks")) {
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        let (parts, damage) = chunks::inspect(&bytes);
        let damage = damage.map(|(offset, behind)| format!("at byte {offset}; {behind} parts behind it are whole"));
        all.push(Finding { what: format!("{}, {parts} parts", path.display()), damage: damage.into_iter().collect() });
    }
    Ok(())
}

/// The folders below `root` whose name is a number, the highest last.
fn numbered(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u64>().ok());
    let mut folders: Vec<PathBuf> = entries(root)?.into_iter().filter(|path| number(path).is_some()).collect();
    folders.sort_by_key(number);
    Ok(folders)
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
