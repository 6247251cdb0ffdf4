//! The journals of the log: what of them is damaged, and what is superseded, so that nobody needs it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use uuid::Uuid;

use super::{Finding, entries};
use crate::limits;
use crate::log::frame::{self, Behind};
use crate::log::marks::Marked;
use crate::log::segment::{self, Heading, NoSegment};
use crate::replays::RecorderState;
use crate::replays::chunks::FileId;
use crate::shard::{Entry, entry, recovery};

/// A fight of the log.
#[derive(Debug)]
pub(super) struct Fight {
    pub(super) id: Uuid,
    /// The one that it is pinned to.
    pub(super) ruleset: [u8; 32],
    recorder: RecorderState,
}

/// What a start stops for, and every segment of every generation. A start needs the newest whole ones only, and says so when it takes
/// another.
///
/// Returns the fights of the newest.
pub(super) fn of_log(data: &Path, all: &mut Vec<Finding>) -> anyhow::Result<Vec<Arc<Fight>>> {
    let root = data.join("log");
    let (marked, why) = recovery::look(data);
    if root.exists() || why.is_some() {
        let damage = why.map(|why| why.to_string()).into_iter();
        // A start goes on without them, and may miss what it could have told.
        let marks = marked.damage.iter().map(|damage| format!("how far it was whole cannot be read: {damage}"));
        all.push(Finding::new(root.display().to_string(), damage.chain(marks).collect()));
    }
    let mut folders = numbered(&root)?;
    // A file of such a name is what a start stops for, and told above.
    folders.retain(|folder| folder.is_dir());
    let (mut found, mut newest): (Vec<Vec<Finding>>, _) = (Vec::new(), Vec::new());
    for (place, folder) in folders.iter().enumerate().rev() {
        let is_newest = place + 1 == folders.len();
        let Generation { mut findings, fights } = of_generation(folder, &marked, is_newest)?;
        // What a start takes the place of goes last, and it may have been broken off before that.
        if !is_newest && found.first().is_some_and(|newest| newest.iter().all(Finding::is_sound)) {
            supersede(&mut findings);
        }
        if is_newest {
            newest = fights;
        }
        found.push(findings);
    }
    all.extend(found.into_iter().rev().flatten());
    of_parts(&data.join("replays"), &newest, all);
    Ok(newest)
}

/// Whether the parts of the fights' replays are there that a start goes on from: read as they are when a fight ends.
fn of_parts(folder: &Path, fights: &[Arc<Fight>], all: &mut Vec<Finding>) {
    let mut missing: BTreeMap<FileId, usize> = BTreeMap::new();
    let (mut damage, mut more) = (Vec::new(), 0);
    for fight in fights {
        let gone: Vec<FileId> =
            fight.recorder.files().iter().copied().filter(|file| !folder.join(file.name()).exists()).collect();
        for &file in &gone {
            *missing.entry(file).or_insert(0) += 1;
        }
        if gone.is_empty()
            && let Err(error) = fight.recorder.look(fight.id, folder)
        {
            if damage.len() < limits::DAMAGE_NAMED {
                damage.push(format!("fight {}: {error}", fight.id));
            } else {
                more += 1;
            }
        }
    }
    for (file, fights) in missing {
        let damage = vec![format!("it is not there; fights with parts of their replays in it: {fights}")];
        all.push(Finding::new(folder.join(file.name()).display().to_string(), damage));
    }
    damage.extend((more > 0).then(|| format!("{more} fights more")));
    if !damage.is_empty() {
        all.push(Finding::new(format!("{}, parts of the replays of live fights", folder.display()), damage));
    }
}

fn supersede(findings: &mut [Finding]) {
    for finding in findings {
        finding.superseded = true;
    }
}

/// What there is of a generation.
struct Generation {
    findings: Vec<Finding>,
    fights: Vec<Arc<Fight>>,
}

fn of_generation(folder: &Path, marked: &Marked, is_newest: bool) -> anyhow::Result<Generation> {
    let (mut findings, mut fights, mut shards) = (Vec::new(), Vec::new(), None);
    let segments = segment::all(folder).with_context(|| folder.display().to_string())?;
    if segments.is_empty() && !is_newest {
        // What the log has left of it is somebody else's.
        return Ok(Generation { findings, fights });
    }
    for of_shard in segments.values() {
        let (newest, mut before, mut of_segments) = (of_shard.keys().next_back(), Segment::default(), Vec::new());
        for (number, path) in of_shard {
            let bytes = fs::read(path).with_context(|| path.display().to_string())?;
            let marked = (Some(number) == newest).then_some(marked);
            let mut segment = of_segment(path, &bytes, marked, &before);
            shards = shards.or(segment.shards);
            let damage = std::mem::take(&mut segment.damage);
            let finding = Finding::new(format!("{}, {} turns", path.display(), segment.turns), damage);
            of_segments.push(Finding { notes: std::mem::take(&mut segment.notes), ..finding });
            before = segment;
        }
        fights.extend(before.sessions.into_values());
        let paths: Vec<&PathBuf> = of_shard.values().collect();
        let needed = recovery::needed(&paths).with_context(|| folder.display().to_string())?;
        let (of_before, of_needed) = of_segments.split_at_mut(paths.len() - needed);
        if of_needed.iter().all(Finding::is_sound) {
            supersede(of_before);
        }
        findings.append(&mut of_segments);
    }
    let missing = |shards: u32| (0..shards as usize).filter(|shard| !segments.contains_key(shard));
    let missing: Vec<String> = shards
        .into_iter()
        .flat_map(missing)
        .map(|shard| format!("the journal of shard {shard} is not there"))
        .collect();
    if segments.is_empty() || !missing.is_empty() {
        let damage = if missing.is_empty() { vec!["no journal is in it".to_owned()] } else { missing };
        findings.push(Finding::new(folder.display().to_string(), damage));
    }
    Ok(Generation { findings, fights })
}

/// What is in a segment.
#[derive(Debug, Default)]
struct Segment {
    /// Whole ones.
    turns: u64,
    damage: Vec<String>,
    /// What a start says of it, and goes on.
    notes: Vec<String>,
    /// How many there are, if its heading can be read.
    shards: Option<u32>,
    /// Its salt, and where its whole frames end.
    end: Option<(u32, u64)>,
    /// By their numbers.
    sessions: BTreeMap<u32, Arc<Fight>>,
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
                            let record = record.into_owned();
                            let fight = Fight { id: record.id, ruleset: record.ruleset, recorder: record.recorder };
                            segment.sessions.insert(no, Arc::new(fight));
                        }
                        Entry::Forget { no } => {
                            segment.sessions.remove(&no);
                        }
                        Entry::CheckpointEnd => complete = true,
                        Entry::Follows { salt, end } => {
                            follows = Some((salt, end));
                            segment.sessions.clone_from(&before.sessions);
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
                } else {
                    let torn = from_here.len();
                    segment
                        .notes
                        .push(format!("its end is torn at byte {offset}: {torn} bytes, which a start cuts off"));
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
    if let Some(missing) = marked.and_then(|marked| marked.missing(&heading, end)) {
        if missing.by_power {
            segment.notes.push(format!("a loss of power has taken turns of it: {missing}"));
        } else {
            segment.damage.push(missing.to_string());
        }
    }
    segment
}

/// The folders below `root` whose name is a number, the highest last.
fn numbered(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u64>().ok());
    let mut folders: Vec<PathBuf> = entries(root)?.into_iter().filter(|path| number(path).is_some()).collect();
    folders.sort_by_key(number);
    Ok(folders)
}
