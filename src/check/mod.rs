//! `tiltyard check`: reads everything of a data folder that no server is using - the node's key, the store, the log, the parts of replays -
//! and tells what is damaged. What a start would stop for is found by what the start looks with. Nothing is changed.

mod journals;
#[cfg(test)]
mod journals_tests;
#[cfg(test)]
mod key_and_store_tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use uuid::Uuid;

use crate::auth::TokenKey;
use crate::config::RedisUrl;
use crate::replays::chunks;
use crate::rules::Library;
use crate::rules::archive::{self, Inspected};
use crate::session::hex;
use crate::shard::recovery;
use crate::store::{self, Inspection};
use journals::Fight;

/// What is told of one thing.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    what: String,
    /// What is wrong with it.
    damage: Vec<String>,
    /// What a start says of it, and goes on.
    notes: Vec<String>,
    /// No start needs it: what took its place is whole.
    superseded: bool,
}

impl Finding {
    fn new(what: String, damage: Vec<String>) -> Self {
        Self { what, damage, notes: Vec::new(), superseded: false }
    }

    fn is_sound(&self) -> bool {
        self.superseded || self.damage.is_empty()
    }
}

/// Tells `out` of everything below `data`, in the database, and in the Redis that has the log, where there is one, of this node's; whether all
/// of it is whole.
pub async fn check(
    data: &Path,
    database: Option<&str>,
    redis: Option<(&RedisUrl, &str)>,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    anyhow::ensure!(data.is_dir(), "{}: there is no such folder", data.display());
    let embedded = match database {
        None => Some(data.join("tiltyard.db")),
        Some(url) => url.strip_prefix("sqlite://").map(PathBuf::from),
    };
    // Held until the end: no server starts meanwhile.
    let mut locks = vec![lock(&data.join("log/lock"))?];
    let mut all = Vec::new();
    of_key(&data.join("token.key"), data, &mut all);
    let mut live = Vec::new();
    if let Some(path) = embedded {
        locks.push(lock(&path.with_extension("lock"))?);
        // SQLite throws the log of an empty file away: it is not asked.
        if let Some(commits) = store::gone(&path)? {
            let damage = vec![format!("it is gone, and {commits} or more commits were acknowledged")];
            all.push(Finding::new(path.display().to_string(), damage));
        } else if path.exists() {
            all.push(of_store(&path, &mut live).await);
        }
    }
    let fights = match (redis, recovery::in_redis(data)) {
        (None, Some(what)) => {
            let mut log =
                Finding::new(format!("{}, in Redis as `{what}`", data.join("log/redis").display()), Vec::new());
            log.notes.push("its fights are not looked at: give --redis-log and --node to have them read".to_owned());
            all.push(log);
            Vec::new()
        }
        (None, None) => {
            let fights = journals::of_log(data, &mut all)?;
            of_fights(&data.join("log"), &fights, live, &mut all);
            fights
        }
        (Some(log), _) => {
            all.push(of_redis(log, data)?);
            // What its sessions are pinned to was needed to read them.
            Vec::new()
        }
    };
    of_rules(&data.join("rules"), &fights, &mut all)?;
    of_replays(&data.join("replays"), &mut all)?;
    if all.is_empty() {
        writeln!(out, "{}: nothing of a server is in it", data.display())?;
        return Ok(false);
    }
    for Finding { what, damage, notes, superseded } in &all {
        let told = match (superseded, damage.is_empty()) {
            (true, _) => "superseded: a later one is whole, with which a start goes on, and removes this one",
            (false, true) => "whole",
            (false, false) => "DAMAGED",
        };
        writeln!(out, "{what}: {told}")?;
        for told in damage.iter().chain(notes) {
            writeln!(out, "    {told}")?;
        }
    }
    if database.is_some_and(|url| !url.starts_with("sqlite://")) {
        writeln!(
            out,
            "the database: PostgreSQL checks its own pages, where it was made with --data-checksums; see pg_amcheck"
        )?;
    }
    drop(locks);
    Ok(all.iter().all(Finding::is_sound))
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

/// Puts the fights that it has live into `live`.
async fn of_store(path: &Path, live: &mut Vec<Uuid>) -> Finding {
    let file = path.display();
    match store::inspect(path).await {
        Ok(Inspection { found, fights }) => {
            *live = fights;
            let mut damage: Vec<String> = [found.structure, found.counts, found.named].concat();
            let unnamed = found.damaged.saturating_sub(damage.len() as u64);
            damage.extend((unnamed > 0).then(|| format!("{unnamed} damaged rows more")));
            Finding::new(format!("{file}, {} rows", found.rows), damage)
        }
        Err(error) => Finding::new(file.to_string(), vec![error.to_string()]),
    }
}

/// The node's sessions in Redis, each stepped again as a start does it.
fn of_redis((url, node): (&RedisUrl, &str), data: &Path) -> anyhow::Result<Finding> {
    let (rules, mut library) = (data.join("rules"), Library::built_in());
    if rules.exists() {
        library.recall(&rules)?;
    }
    Ok(match recovery::inspect_redis((url, node), data, &library) {
        Ok((sessions, promise, damaged)) => {
            let warning = promise.warning().map(|warning| format!("; {warning}")).unwrap_or_default();
            let s = if sessions == 1 { "" } else { "s" };
            let what = format!("{url}, {sessions} session{s} of the node {node}{warning}");
            Finding::new(what, damaged.iter().map(ToString::to_string).collect())
        }
        Err(error) => Finding::new(url.to_string(), vec![error.to_string()]),
    })
}

/// Where there is none a start makes it: nothing of one of before is good then.
fn of_key(path: &Path, data: &Path, all: &mut Vec<Finding>) {
    let damage = match TokenKey::look(data) {
        Ok(Some(key)) => key.known(data).damage(false),
        Ok(None) => TokenKey::was_known(data)
            .then_some("there is no token key any more; a start makes a new one, and every token of before is void"),
        Err(error) => return all.push(Finding::new(path.display().to_string(), vec![error.to_string()])),
    };
    if damage.is_some() || path.exists() {
        all.push(Finding::new(path.display().to_string(), damage.map(str::to_owned).into_iter().collect()));
    }
}

/// What the store has live is in the log: a start ends what is not.
fn of_fights(folder: &Path, fights: &[Arc<Fight>], mut live: Vec<Uuid>, all: &mut Vec<Finding>) {
    let there: BTreeSet<Uuid> = fights.iter().map(|fight| fight.id).collect();
    live.retain(|fight| !there.contains(fight));
    if let Some(first) = live.first() {
        let damage =
            format!("fights that live as far as the store knows are not in it: {}, the first {first}", live.len());
        all.push(Finding::new(format!("{}, beside the store", folder.display()), vec![damage]));
    }
}

/// The rulesets that are kept, and that all are there which sessions of the log are pinned to.
fn of_rules(folder: &Path, fights: &[Arc<Fight>], all: &mut Vec<Finding>) -> anyhow::Result<()> {
    let mut pinned: BTreeMap<[u8; 32], usize> = BTreeMap::new();
    for fight in fights {
        *pinned.entry(fight.ruleset).or_insert(0) += 1;
    }
    for Inspected { path, found } in archive::inspect(folder)? {
        let damage = found.map(|hash| pinned.remove(&hash)).err();
        all.push(Finding::new(path.display().to_string(), damage.into_iter().collect()));
    }
    let built_in = Library::built_in();
    for (hash, sessions) in pinned.into_iter().filter(|(hash, _)| built_in.by_hash(hash).is_none()) {
        let path = folder.join(format!("{}.toml", hex(&hash)));
        let damage =
            format!("a ruleset that sessions are pinned to ({sessions}) is not there; a start needs it from --rules");
        all.push(Finding::new(path.display().to_string(), vec![damage]));
    }
    Ok(())
}

fn of_replays(folder: &Path, all: &mut Vec<Finding>) -> anyhow::Result<()> {
    for path in entries(folder)?.into_iter().filter(|path| path.extension().is_some_and(|name| name == "chunks")) {
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        let (parts, damage) = chunks::inspect(&bytes);
        let damage = damage.map(|(offset, behind)| format!("at byte {offset}; {behind} parts behind it are whole"));
        all.push(Finding::new(format!("{}, {parts} parts", path.display()), damage.into_iter().collect()));
    }
    Ok(())
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
