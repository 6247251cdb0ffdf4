//! Reading a segment: what is whole of it is stepped again, and what is not is told apart.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use uuid::Uuid;

use crate::log::frame::{self, Damage, HEADER};
use crate::log::marks::Marked;
use crate::log::segment::{self, FORM, FORM_BEFORE, HEADING, Heading, NoSegment};
use crate::session::hex;
use crate::shard::entry::{self, Entry};
use crate::shard::recovery::chain::Gap;
use crate::shard::recovery::{Fights, Found, RecoveryError, Replay, at};
use crate::shard::{Session, SessionRecord};

/// What a segment has.
#[derive(Debug)]
pub struct Read {
    /// If it can be read.
    pub heading: Option<Heading>,
    /// Where its whole frames end.
    pub end: u64,
    /// Whether something else than the mark of an end is behind them, or nothing.
    pub torn: bool,
}

/// What the frames of a segment are read with.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    pub salt: u32,
    pub form: u8,
}

/// Sessions of a segment by their number; `None` where one could not be stepped again.
type Sessions = BTreeMap<u32, Option<Session>>;

/// The sessions of a shard, as its segments put them back, one after the other.
#[derive(Debug, Default)]
pub struct PutBack {
    sessions: Sessions,
    pub found: Found,
    /// Who had entries in a segment that needs no other, before its snapshot there, which has what they did.
    awaited: BTreeSet<u32>,
    /// Where turns were left out, who had a snapshot since: entries of others are left out, too, as they are of fights that went on
    /// otherwise.
    since: Option<BTreeSet<u32>>,
}

impl PutBack {
    /// What they are now, after the node was away until `wall`.
    pub fn into_records(self, wall: u64) -> Vec<SessionRecord> {
        let sessions = self.sessions.into_values().flatten().map(|mut session| {
            session.was_away(wall);
            session.into_record()
        });
        sessions.collect()
    }

    /// Whether an entry of that session is to be stepped; `None` where it is not known, and `awaits` does not say that its snapshot is to
    /// come.
    fn steps(&mut self, no: u32, awaits: bool) -> Option<bool> {
        if self.since.as_ref().is_some_and(|since| !since.contains(&no)) {
            return None;
        }
        if self.sessions.contains_key(&no) {
            return Some(true);
        }
        awaits.then(|| {
            self.awaited.insert(no);
            false
        })
    }
}

impl Replay<'_> {
    /// What a segment has, which goes on from what was read `before`; where it is cut short, what can be read of it, whatever its heading
    /// says.
    pub(super) fn segment(
        &mut self,
        path: &Path,
        cut_short: bool,
        before: Option<&Read>,
        back: &mut PutBack,
    ) -> Result<Read, RecoveryError> {
        let bytes = fs::read(path).map_err(at(path))?;
        let (heading, head, mut rest) = self.open(path, &bytes, cut_short)?;
        let Head { salt, form } = head;
        let (mut complete, mut ended, mut follows, mut gap) = (false, false, false, None);
        let (mut end, mut torn, mut turns) = (0, true, 0);
        loop {
            let offset = bytes.len() - rest.len();
            let from_here = rest;
            let payload = frame::next(&mut rest, salt);
            let has_ended = std::mem::replace(&mut ended, matches!(payload, Ok(Some([]))));
            if ended {
                continue;
            }
            let is_turn = matches!(payload, Ok(Some(payload)) if entry::is_turn(payload));
            match payload.and_then(|payload| payload.map(|payload| entry::entries(payload, form)).transpose()) {
                Ok(None) if complete || before.is_some() || cut_short => {
                    torn = !has_ended;
                    if torn {
                        // Of the turn that was being written nothing is there, or of more.
                        tracing::warn!(path = %path.display(), offset, "the end of a log is cut off");
                        back.found.torn_bytes += HEADER as u64;
                    }
                    break;
                }
                // But not where a turn follows.
                Ok(Some(_)) if is_turn && gap.is_some() && !cut_short => {
                    return Err(broken(path, from_here, head, back, gap.unwrap_or(Gap::Missing)));
                }
                Ok(Some((wall, entries))) => {
                    let mut left_out = false;
                    for entry in entries {
                        if let Entry::Follows { salt: of, end } = entry {
                            follows = true;
                            gap = before.and_then(|before| gap_to(before, of, end));
                            // A torn end of the one before may be all.
                            let may_be = before.is_some_and(|before| before.torn) && gap != Some(Gap::Another);
                            if let Some(gap) = gap
                                && !cut_short
                                && !may_be
                            {
                                return Err(broken(path, from_here, head, back, gap));
                            }
                            if gap.is_some() {
                                back.since = Some(BTreeSet::new());
                            }
                            continue;
                        }
                        complete |= matches!(entry, Entry::CheckpointEnd);
                        // Before the end of a checkpoint that needs no other.
                        let awaits = follows && before.is_none() && !complete;
                        match self.step(path, back, wall, entry, awaits) {
                            Err(RecoveryError::UnknownSession { .. }) if cut_short => left_out = true,
                            stepped => stepped?,
                        }
                    }
                    back.found.lost_frames += u64::from(left_out);
                    turns += u64::from(is_turn);
                    end = (bytes.len() - rest.len()) as u64;
                    self.write_chunks(&mut back.sessions);
                }
                // Sessions in other frames of a checkpoint do not need this one.
                _ if cut_short && !complete && !from_here.is_empty() => {
                    rest = &from_here[frame::skip(from_here, salt)..];
                    back.found.torn_bytes += (from_here.len() - rest.len()) as u64;
                    if follows {
                        back.since = Some(BTreeSet::new());
                    }
                }
                _ if cut_short => {
                    back.found.lost_frames += whole_turns(from_here, head, &back.sessions, false).0;
                    back.found.torn_bytes += from_here.len() as u64;
                    break;
                }
                read => {
                    let damage = read.err().unwrap_or(Damage::Torn);
                    let path = path.to_owned();
                    let (frames, fights) = whole_turns(from_here, head, &back.sessions, !complete);
                    if follows && before.is_none() && !complete {
                        return Err(RecoveryError::Broken { path, gap: Gap::Missing, turns: turns + frames, fights });
                    }
                    // Between the turns of a checkpoint that was being written everything is as behind one that is complete.
                    let may_end_here = complete || (before.is_some() && segment::is_begun(&path));
                    if !may_end_here || (!complete && frames > 0) {
                        return Err(RecoveryError::Incomplete { path, offset, damage, turns: frames, fights });
                    }
                    if frames > 0 || damage == Damage::Entry {
                        return Err(RecoveryError::Damaged { path, offset, damage, frames, fights });
                    }
                    // The last turn was being written when the process died or the power went: nothing of it had been shown.
                    let bytes = from_here.len();
                    tracing::warn!(path = %path.display(), offset, bytes, %damage, "the end of a log is torn; it is cut off");
                    back.found.torn_bytes += bytes as u64;
                    break;
                }
            }
        }
        Ok(Read { heading, end, torn })
    }

    /// The heading of a segment, the salt of its frames, and these; where it is cut short also without the heading.
    fn open<'a>(
        &self,
        path: &Path,
        bytes: &'a [u8],
        cut_short: bool,
    ) -> Result<(Option<Heading>, Head, &'a [u8]), RecoveryError> {
        Ok(match Heading::read_at(path, bytes) {
            Ok((heading, rest)) if !self.marked.is_another(&heading) => {
                (Some(heading), Head { salt: heading.salt, form: heading.form }, rest)
            }
            Err(NoSegment::Version(found)) => return Err(RecoveryError::Version { path: path.to_owned(), found }),
            read => {
                let why = read.err().unwrap_or(NoSegment::Another);
                let of_other = matches!(why, NoSegment::Elsewhere { .. } | NoSegment::Another);
                match head_without_heading(bytes) {
                    Some(head) if cut_short && !of_other => (None, head, &bytes[HEADING..]),
                    head => {
                        let whole = head.map(|head| whole_turns(&bytes[HEADING..], head, &Sessions::new(), true));
                        let (turns, fights) = whole.unwrap_or_default();
                        let empty = bytes.len() < HEADING || bytes.iter().all(|&byte| byte == 0);
                        return Err(RecoveryError::NoSegment { path: path.to_owned(), why, turns, fights, empty });
                    }
                }
            }
        })
    }

    /// What cannot be written is held by its session a while longer.
    fn write_chunks(&mut self, sessions: &mut Sessions) {
        let Err((error, unwritten)) = self.chunks.write() else { return };
        for part in unwritten {
            for session in sessions.values_mut().flatten().filter(|session| session.id == part.session) {
                if let Some(loss) = session.put_back(&part) {
                    tracing::warn!(%error, "parts of replays cannot be written");
                    session.tell_of(loss);
                }
            }
        }
    }

    fn step(
        &mut self,
        path: &Path,
        back: &mut PutBack,
        wall: u64,
        entry: Entry<'static>,
        awaits: bool,
    ) -> Result<(), RecoveryError> {
        let unknown = |no| RecoveryError::UnknownSession { path: path.to_owned(), no };
        match entry {
            Entry::Session { no, record } => {
                let record = record.into_owned();
                let ruleset = self.library.by_hash(&record.ruleset).ok_or_else(|| RecoveryError::Ruleset {
                    path: path.to_owned(),
                    session: record.id,
                    hash: hex(&record.ruleset),
                    kept: self.kept.clone(),
                })?;
                let session = Session::from_record(record, ruleset, self.folder);
                let session =
                    Some(session.map_err(|other| RecoveryError::OtherRuleset { path: path.to_owned(), other })?);
                if let Some(None) = back.sessions.insert(no, session) {
                    // What it is was snapshot later than what could not be stepped.
                    back.found.failed -= 1;
                }
                back.awaited.remove(&no);
                if let Some(since) = &mut back.since {
                    since.insert(no);
                }
            }
            Entry::Input { no, at, input } => {
                if !back.steps(no, awaits).ok_or_else(|| unknown(no))? {
                    return Ok(());
                }
                // One that has failed takes no more inputs.
                let Some(place) = back.sessions.get_mut(&no) else { return Ok(()) };
                let Some(session) = place else { return Ok(()) };
                back.found.inputs += 1;
                let id = session.id;
                // After a panic the session is dropped as it is, so nobody sees it broken.
                let stepped = catch_unwind(AssertUnwindSafe(|| session.replay(at, wall, input)));
                if stepped.is_err() {
                    tracing::error!(session = %id, "stepping a session again panicked; it is ended");
                    back.found.failed += 1;
                    *place = None;
                    return Ok(());
                }
                // What has become too long now had become so before, and that has been told.
                let _ = session.spill(&mut self.chunks, |_, _| true);
            }
            Entry::Claim { no, epoch, number } => {
                let is_stepped = back.steps(no, awaits).ok_or_else(|| unknown(no))?;
                if is_stepped && let Some(Some(session)) = back.sessions.get_mut(&no) {
                    session.claim(epoch, number);
                }
            }
            Entry::Describe { no, description } => {
                let is_stepped = back.steps(no, awaits).ok_or_else(|| unknown(no))?;
                if is_stepped && let Some(Some(session)) = back.sessions.get_mut(&no) {
                    session.describe(wall, description.into_owned());
                }
            }
            Entry::Forget { no } => {
                back.awaited.remove(&no);
                if back.sessions.remove(&no).is_none() && !awaits {
                    return Err(unknown(no));
                }
            }
            Entry::CheckpointEnd => {
                // Who is still awaited has no snapshot in a checkpoint that is complete.
                if let Some(no) = std::mem::take(&mut back.awaited).pop_first() {
                    return Err(unknown(no));
                }
            }
            Entry::Follows { .. } => {}
        }
        Ok(())
    }
}

/// How a segment that goes on from one with this salt and this end is cut off from what was read before it, if it is.
fn gap_to(before: &Read, salt: u32, said: u64) -> Option<Gap> {
    let there = before.end;
    if there > said || before.heading.is_some_and(|heading| heading.salt != salt) {
        return Some(Gap::Another);
    }
    (there < said).then_some(Gap::Ends { there, said })
}

/// That a segment, with these bytes from the frame at hand on, is cut off from the one before.
fn broken(path: &Path, from_here: &[u8], head: Head, back: &PutBack, gap: Gap) -> RecoveryError {
    let (behind, fights) = whole_turns(from_here, head, &back.sessions, true);
    let here = frame::next(&mut &from_here[..], head.salt).is_ok_and(|payload| payload.is_some_and(entry::is_turn));
    RecoveryError::Broken { path: path.to_owned(), gap, turns: behind + u64::from(here), fights }
}

/// Whole turns behind damage that `bytes` begin with, and what fights they are of, of `sessions` and those that are introduced there. Where
/// `all`, those of no turn are named, too: what is at stake is not only turns.
fn whole_turns(bytes: &[u8], head: Head, sessions: &Sessions, all: bool) -> (u64, Fights) {
    let before = sessions.iter().filter_map(|(&no, session)| Some((no, session.as_ref()?.id)));
    let mut known: BTreeMap<u32, Uuid> = before.collect();
    let mut fights: BTreeSet<Uuid> = if all { known.values().copied().collect() } else { BTreeSet::new() };
    let turns = frame::behind(bytes, head.salt, |payload| {
        let is_turn = entry::is_turn(payload);
        for entry in entry::entries(payload, head.form).map_or_else(|_| Vec::new(), |(_, entries)| entries) {
            let no = match entry {
                Entry::Session { no, record } => {
                    known.insert(no, record.id);
                    no
                }
                Entry::Input { no, .. }
                | Entry::Describe { no, .. }
                | Entry::Forget { no }
                | Entry::Claim { no, .. } => no,
                Entry::CheckpointEnd | Entry::Follows { .. } => continue,
            };
            fights.extend(known.get(&no).filter(|_| is_turn || all));
        }
        is_turn
    });
    (turns.frames, fights.into_iter().collect())
}

/// The frames of a segment, to look for what is whole of them; nothing where it is another than its name or its mark says.
pub fn frames_of<'a>(path: &Path, bytes: &'a [u8], marked: &Marked) -> Option<(Head, &'a [u8])> {
    match Heading::read_at(path, bytes) {
        Ok((heading, _)) if marked.is_another(&heading) => None,
        Ok((Heading { salt, form, .. }, rest)) => Some((Head { salt, form }, rest)),
        Err(NoSegment::Elsewhere { .. } | NoSegment::Version(_)) => None,
        Err(_) => head_without_heading(bytes).map(|head| (head, &bytes[HEADING..])),
    }
}

/// What of a segment whose heading cannot be read is needed to read its frames: its salt is what the first frame tells, or what the heading
/// says if there are such frames, and its form the one in which that one can be read.
fn head_without_heading(bytes: &[u8]) -> Option<Head> {
    let (heading, rest) = bytes.split_first_chunk::<HEADING>()?;
    let salt = frame::salt_of(rest).or_else(|| {
        let said = Heading::salt_said(heading);
        (frame::skip(rest, said) < rest.len()).then_some(said)
    })?;
    let is_whole = |form: &u8| {
        let mut frames = rest;
        std::iter::from_fn(|| frame::next(&mut frames, salt).ok().flatten().filter(|payload| !payload.is_empty()))
            .all(|payload| entry::entries(payload, *form).is_ok())
    };
    let form = [FORM, FORM_BEFORE].into_iter().find(is_whole).unwrap_or(FORM);
    Some(Head { salt, form })
}
