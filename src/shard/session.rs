//! A resident session: the fight and what the hub knows around it.

use crate::session::TailHasher;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::num::NonZeroU64;
use std::sync::Arc;

use slotmap::new_key_type;
use smallvec::SmallVec;
use thiserror::Error;
use tiltyard_combat::replay::Loss;
use tiltyard_combat::{
    Answer, Bout, EndReason, Event, Fight, Input, PhaseName, Ruleset, SessionStatus, Setup, Slot, Step,
};
use tiltyard_protocol::view::player_word;
use uuid::Uuid;

use super::connection::ConnKey;
use super::fog::Fog;
use super::history::Chain;
use crate::book::holdings::{arena, weight};
use crate::book::{Holdings, Share};
use crate::clock;
use crate::limits;
use crate::log::Key;
use crate::replays::chunks::Unwritten;
use crate::replays::{ChunkWriter, Folder, Recorder, Recording};
use crate::session::hex;
use crate::shard::{Description, NewFight, SessionRecord};
use tiltyard_combat::Mode;

new_key_type! {
    /// A session's place in its shard.
    pub struct SessionKey;
}

/// Where each session of a shard is.
pub type SessionIndex = HashMap<Uuid, SessionKey, BuildHasherDefault<TailHasher>>;

/// A session in its shard.
#[derive(Debug)]
pub struct Session {
    pub id: Uuid,
    /// Its number in the current journal segment.
    pub no: u32,
    /// It is changing hands: nothing is done to it meanwhile.
    pub frozen: bool,
    /// Some of its seats may be without connections: `away.rs` knows which.
    pub has_away: bool,
    pub fight: Fight,
    /// That it is pinned to; shared by all sessions of it.
    pub ruleset: Arc<Ruleset>,
    /// Who is shown its deltas.
    pub members: SmallVec<[Member; 4]>,
    /// What is remembered of these, for those who come back.
    pub history: Chain,
    /// The shard's time when the host time of the fight was zero; negative for a session from before the start.
    pub base: i64,
    /// The shard's time of the earliest entry the wheel has for it.
    pub timer: u64,
    /// Its share of what its owner may have.
    pub shares: Vec<Share>,
    pub(super) facts: Box<Facts>,
}

/// Puts in the newest of so many as are remembered.
pub(super) fn remember<T>(recent: &mut VecDeque<T>, newest: T) {
    if recent.len() == limits::RECENT_EVENTS {
        recent.pop_front();
    }
    recent.push_back(newest);
}

/// What is rarely looked at. Times in Unix milliseconds.
#[derive(Debug)]
pub(super) struct Facts {
    pub mode: Mode,
    pub creator: Uuid,
    pub settings: Box<str>,
    pub metadata: Box<str>,
    pub created_at: u64,
    pub started_at: Option<NonZeroU64>,
    pub ended_at: Option<NonZeroU64>,
    pub updated_at: u64,
    pub paused_since: Option<NonZeroU64>,
    pub version: u64,
    /// How often it has changed hands: under which it is written to the log.
    epoch: u64,
    /// The number of its newest entry there: no fight lasts for anything near as many.
    entry: u32,
    pub recent: VecDeque<(u64, Event)>,
    /// What the sides know, where there is fog.
    pub fog: Option<Box<Fog>>,
    seed: u64,
    /// Participants it began with.
    founders: u8,
    recorder: Recorder,
}

/// A fight from the log is not put together with another ruleset than its own.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("session {session} is pinned to ruleset {pinned}, and not to {given}")]
pub struct OtherRuleset {
    pub session: Uuid,
    pinned: String,
    given: String,
}

/// A connection that joined a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    pub conn: ConnKey,
    pub slot: Slot,
}

impl Session {
    /// The host time of an input that cannot be stepped again.
    #[cfg(test)]
    pub const PANICS_AT: u64 = 123_456_789;

    /// A new session at the shard's time `now` and the wall time `wall`.
    pub fn new(asked: NewFight, seed: u64, now: u64, wall: u64) -> Self {
        let participants: Vec<u128> = asked.participants.iter().map(Uuid::as_u128).collect();
        let founders = u8::try_from(participants.len()).expect("a request names at most 100");
        let (mode, rules, seats) = (asked.mode, asked.rules, asked.seats);
        let setup = Setup { mode, rules, seats, participants, teams: asked.teams, seed };
        let fight = Fight::new(&asked.ruleset, setup);
        let created_at = clock::created_at(asked.id, wall);
        let wall = wall.max(created_at);
        let fog = Fog::of(&fight, wall);
        Self {
            id: asked.id,
            no: 0,
            frozen: false,
            has_away: false,
            fight,
            ruleset: asked.ruleset,
            members: SmallVec::new(),
            history: Chain::default(),
            base: now.cast_signed(),
            timer: u64::MAX,
            shares: Vec::new(),
            facts: Box::new(Facts {
                mode: asked.mode,
                creator: asked.creator,
                settings: asked.settings.into(),
                metadata: asked.metadata.into(),
                created_at,
                started_at: None,
                ended_at: None,
                updated_at: wall,
                paused_since: None,
                version: 1,
                epoch: SessionRecord::FIRST_EPOCH,
                entry: 0,
                recent: VecDeque::new(),
                fog,
                seed,
                founders,
                recorder: Recorder::default(),
            }),
        }
    }

    /// A session from the log, under the ruleset that its fight is pinned to and no other; [`Session::go_on`] sets its clock.
    pub fn from_record(record: SessionRecord, ruleset: Arc<Ruleset>, folder: &Folder) -> Result<Self, OtherRuleset> {
        if ruleset.hash != record.ruleset {
            return Err(OtherRuleset { session: record.id, pinned: hex(&record.ruleset), given: hex(&ruleset.hash) });
        }
        Ok(Self {
            id: record.id,
            no: 0,
            frozen: false,
            has_away: false,
            fight: record.fight,
            ruleset,
            members: SmallVec::new(),
            history: Chain::default(),
            base: 0,
            timer: u64::MAX,
            shares: Vec::new(),
            facts: Box::new(Facts {
                mode: record.mode,
                creator: record.creator,
                settings: record.settings.into(),
                metadata: record.metadata.into(),
                created_at: record.created_at,
                started_at: record.started_at.and_then(NonZeroU64::new),
                ended_at: record.ended_at.and_then(NonZeroU64::new),
                updated_at: record.updated_at,
                paused_since: record.paused_since.and_then(NonZeroU64::new),
                version: record.version,
                epoch: record.epoch,
                entry: u32::try_from(record.number).unwrap_or(u32::MAX),
                recent: record.recent.into(),
                fog: record.fog,
                seed: record.seed,
                founders: record.founders,
                recorder: Recorder::resume(record.recorder, folder),
            }),
        })
    }

    /// The fight under its ruleset, to look at.
    pub fn bout(&self) -> Bout<'_> {
        Bout { fight: &self.fight, ruleset: &self.ruleset }
    }

    /// Whether it has a result, or has ended without one.
    pub fn is_over(&self) -> bool {
        let life = self.fight.lifecycle();
        life.end().is_some() || life.is_ended()
    }

    /// Takes what it has of those who pay for it, after a restart.
    pub fn hold_again(&mut self, holdings: &Holdings) {
        self.shares = vec![holdings.hold(self.facts.creator, weight(self.fight.seats()))];
        if self.facts.creator == arena() {
            // What they share an address with is not known any more.
            let players = self.players().map(|participant| Uuid::from_u128(participant.player()));
            self.shares.extend(players.map(|player| holdings.hold_seat(player)).collect::<Vec<_>>());
        }
        if self.is_over() {
            self.shares.iter_mut().for_each(Share::end);
        }
    }

    /// The session as the log keeps it.
    pub fn record(&self) -> SessionRecord {
        SessionRecord {
            id: self.id,
            mode: self.facts.mode,
            creator: self.facts.creator,
            settings: self.facts.settings.to_string(),
            metadata: self.facts.metadata.to_string(),
            created_at: self.facts.created_at,
            started_at: self.facts.started_at.map(NonZeroU64::get),
            ended_at: self.facts.ended_at.map(NonZeroU64::get),
            updated_at: self.facts.updated_at,
            paused_since: self.facts.paused_since.map(NonZeroU64::get),
            version: self.facts.version,
            recent: self.facts.recent.iter().copied().collect(),
            fog: self.facts.fog.clone(),
            ruleset: self.ruleset.hash,
            seed: self.facts.seed,
            founders: self.facts.founders,
            recorder: self.facts.recorder.state(),
            fight: self.fight.clone(),
            epoch: self.facts.epoch,
            number: self.facts.entry.into(),
        }
    }

    /// As [`Session::record`], of a session that is not needed any more.
    pub fn into_record(self) -> SessionRecord {
        self.record()
    }

    /// Under which it is written.
    pub fn epoch(&self) -> u64 {
        self.facts.epoch
    }

    /// It is written under this epoch from now on, and its newest entry has this number.
    pub fn claim(&mut self, epoch: u64, number: u64) {
        self.facts.epoch = epoch;
        self.facts.entry = u32::try_from(number).unwrap_or(u32::MAX);
    }

    /// Takes it over: from now on it is written under a higher epoch than before, and than `known`. What the log calls the entry that
    /// says so.
    pub fn raise(&mut self, known: u64) -> Key {
        let key = Key { epoch: self.facts.epoch.max(known) + 1, ..self.next_key() };
        self.claim(key.epoch, key.number);
        key
    }

    /// What the log calls its newest entry.
    pub fn key(&self) -> Key {
        Key { session: self.id, epoch: self.facts.epoch, number: self.facts.entry.into() }
    }

    /// What the log calls the entry after it.
    pub fn next_key(&self) -> Key {
        let newest = self.key();
        Key { number: newest.number + 1, ..newest }
    }

    /// What every message calls the session: the low 32 bits of its id.
    pub fn handle(&self) -> u32 {
        player_word(self.id)
    }

    /// Sets the clock so that the fight goes on, at the shard's time `now`, from where it stood.
    pub fn go_on(&mut self, now: u64) {
        self.base = now.cast_signed() - self.fight.host_now().cast_signed();
    }

    /// The same where its time has gone on meanwhile: it is `host` now.
    pub fn go_on_at(&mut self, host: u64, now: u64) {
        self.base = now.cast_signed() - host.cast_signed();
    }

    /// The fight's host time at the shard's time `now`.
    pub fn host_time(&self, now: u64) -> u64 {
        (now.cast_signed() - self.base).max(0).cast_unsigned()
    }

    /// The shard's time at which the fight has to be given an input by itself, and which, at the shard's time `now` and the wall
    /// time `wall`. A pause is measured by the wall, so that it goes on while the node is away; it is looked at now and then, as
    /// that clock may be set.
    pub fn due(&self, now: u64, wall: u64) -> Option<(u64, Input)> {
        if let Some(since) = self.facts.paused_since {
            let left = (since.get() + limits::PAUSED_MS).saturating_sub(wall);
            return Some((now + left.min(limits::LOOK_MS), Input::PauseOver));
        }
        let deadline = self.fight.deadline()?;
        Some(((deadline.cast_signed() + self.base).max(0).cast_unsigned(), Input::Tick))
    }

    /// Gives the fight one input at host time `at` and notes what it changed around it. Everything that changes a session goes
    /// through here, live and from the log alike.
    pub fn handle_input(&mut self, at: u64, wall: u64, input: Input, step: &mut Step) -> Answer {
        let (before, course) = (*self.fight.totals(), self.course());
        let answer = self.fight.handle(&self.ruleset, at, input, step);
        let bout = Bout { fight: &self.fight, ruleset: &self.ruleset };
        self.facts.recorder.note(at, input, bout);
        let added = self.fight.totals().since(before);
        let paused = self.fight.lifecycle().is_paused();
        self.facts.paused_since = self.facts.paused_since.or(NonZeroU64::new(wall)).filter(|_| paused);
        if !step.is_empty() {
            self.note(wall, step);
        }
        if let (Some(fog), Input::Act { slot, .. }) = (&mut self.facts.fog, input) {
            fog.note_action(&self.fight, slot, added);
        }
        let control = matches!(input, Input::Pause | Input::Resume | Input::Complete | Input::Terminate { .. });
        if (control && answer.is_ok()) || self.course() != course {
            self.facts.version += 1;
        }
        if matches!(input, Input::Complete | Input::Terminate { .. }) && answer.is_ok() {
            // Its result is still shown for a while, but for whoever ended it this is the end.
            let ended_at = NonZeroU64::new(wall.max(self.facts.created_at));
            self.facts.ended_at = self.facts.ended_at.or(ended_at);
        }
        self.facts.entry += 1;
        answer
    }

    /// Steps an input from the log again.
    pub fn replay(&mut self, at: u64, wall: u64, input: Input) {
        #[cfg(test)]
        assert_ne!(at, Self::PANICS_AT, "asked to panic");
        let mut step = Step::default();
        let _answered_before = self.handle_input(at, wall, input, &mut step);
    }

    /// What records its inputs.
    pub fn recorder(&self) -> &Recorder {
        &self.facts.recorder
    }

    /// Hands over what it has recorded, once that is as much as it should hold. Where its tape has got too long, or has no room
    /// for so many bytes with those of its creator's others, that is where the tape ends: the fight goes on. Says if it has ended
    /// now.
    pub fn spill(&mut self, chunks: &mut ChunkWriter, has_room: impl FnOnce(Uuid, u64) -> bool) -> Option<Loss> {
        let bout = Bout { fight: &self.fight, ruleset: &self.ruleset };
        let recorder = &mut self.facts.recorder;
        if !recorder.is_full() {
            return None;
        }
        if recorder.tape_bytes() > chunks.most(self.fight.seats()) && recorder.cut(Loss::TooLong, bout) {
            return Some(Loss::TooLong);
        }
        // What was cut holds what it held, and is not asked for again.
        if recorder.end().is_none()
            && !has_room(self.facts.creator, recorder.held_bytes())
            && recorder.cut(Loss::Quota, bout)
        {
            return Some(Loss::Quota);
        }
        chunks.take(self.id, recorder);
        None
    }

    /// Takes back a part that could not be written, to try again later; once there is too much of that, the tape ends here. Says
    /// if it has ended now.
    pub fn put_back(&mut self, part: &Unwritten) -> Option<Loss> {
        let bout = Bout { fight: &self.fight, ruleset: &self.ruleset };
        let recorder = &mut self.facts.recorder;
        part.put_back(recorder);
        (recorder.is_overfull() && recorder.cut(Loss::Disk, bout)).then_some(Loss::Disk)
    }

    /// Tells the operator that its tape has ended before it.
    pub fn tell_of(&self, loss: Loss) {
        let (inputs, at_ms, bytes) = (self.recorder().inputs(), self.fight.now(), self.recorder().tape_bytes());
        let why = loss.about();
        tracing::warn!(session = %self.id, loss = loss.name(), inputs, at_ms, bytes, "a fight's replay ends before the fight: {why}");
    }

    /// The node was away until `wall`, and the fight stood still.
    pub fn was_away(&mut self, wall: u64) {
        let since = wall.saturating_sub(self.facts.created_at);
        self.facts.recorder.note_away(since, self.fight.host_now());
    }

    /// Where it has times from after `wall`, because the clock was set back while the node was away: they are now. Whether it had.
    pub fn set_back(&mut self, wall: u64) -> bool {
        let facts = &mut *self.facts;
        let times = [&mut facts.created_at, &mut facts.updated_at].into_iter();
        let mut late = times.filter(|time| **time > wall).map(|time| *time = wall).count();
        for time in [&mut facts.started_at, &mut facts.ended_at, &mut facts.paused_since] {
            if time.is_some_and(|time| time.get() > wall) {
                *time = NonZeroU64::new(wall);
                late += 1;
            }
        }
        late > 0
    }

    /// Everything that its replay is made of.
    pub fn recording(&self) -> Recording {
        let Facts { created_at, seed, founders, recorder, .. } = &*self.facts;
        Recording::of(self.id, *created_at, self.bout(), *seed, *founders, recorder)
    }

    /// Changes what is said about the session. Everything that does so goes through here, live and from the log alike.
    pub fn describe(&mut self, wall: u64, description: Description) {
        let facts = &mut *self.facts;
        let wall = wall.max(facts.created_at);
        let Description { metadata, settings, .. } = description;
        facts.metadata = metadata.map_or_else(|| std::mem::take(&mut facts.metadata), Into::into);
        facts.settings = settings.map_or_else(|| std::mem::take(&mut facts.settings), Into::into);
        facts.version += u64::from(description.own_version);
        facts.updated_at = wall;
        facts.entry += 1;
        if let Some(fog) = &mut facts.fog {
            fog.note_open(wall);
        }
    }

    /// What its version changes with besides what is changed by hand: where the fight is in its course, why it has ended, and
    /// how many take part. Hits, scores and who is connected are its sequence's affair.
    fn course(&self) -> (SessionStatus, PhaseName, Option<EndReason>, u8, usize, usize) {
        let (fight, life) = (&self.fight, self.fight.lifecycle());
        let seats = (fight.seats_taken(), fight.given_up().len());
        (life.status(), life.phase(), life.end(), fight.rounds().over(), seats.0, seats.1)
    }

    /// What the store has to be told of when it changes: version, status, how many take part, and how many seats have changed
    /// hands.
    pub fn outline(&self) -> (u64, SessionStatus, usize, usize) {
        let fight = &self.fight;
        (self.facts.version, fight.lifecycle().status(), fight.seats_taken(), fight.given_up().len())
    }

    /// Gives back what it has of those who have given up their seats.
    pub fn release_seats(&mut self) {
        let fight = &self.fight;
        let sits = |player: Uuid| fight.slot_of(player.as_u128()).is_some_and(|slot| !fight.is_vacant(slot));
        self.shares.retain(|share| share.seat().is_none_or(sits));
    }

    fn note(&mut self, wall: u64, step: &Step) {
        let facts = &mut *self.facts;
        let wall = wall.max(facts.created_at);
        facts.updated_at = wall;
        if let Some(fog) = &mut facts.fog {
            fog.note(Bout { fight: &self.fight, ruleset: &self.ruleset }, step, wall);
        }
        for &event in step.events() {
            remember(&mut facts.recent, (wall, event));
        }
        if step.phase_changed() {
            let life = self.fight.lifecycle();
            if life.status() != SessionStatus::Initializing && !life.is_ended() {
                facts.started_at = facts.started_at.or(NonZeroU64::new(wall));
            }
            if life.is_ended() {
                facts.ended_at = facts.ended_at.or(NonZeroU64::new(wall));
            }
        }
    }

    /// Session time at the shard's time `now`: it goes on between inputs, and stands still while the fight is paused.
    pub fn session_time(&self, now: u64) -> u64 {
        if self.fight.lifecycle().is_paused() {
            return self.fight.now();
        }
        self.fight.now() + self.host_time(now).saturating_sub(self.fight.host_now())
    }

    /// The id of who is in `slot`, which must be taken.
    pub fn player(&self, slot: Slot) -> Uuid {
        Uuid::from_u128(self.fight.participants()[usize::from(slot)].player())
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use tiltyard_combat::answers::REMEMBERED;
    use tiltyard_combat::{Action, BodyPart, Difficulty, Input, Mode, Rules, Step};
    use uuid::Uuid;

    use super::Session;
    use crate::replays::{Folder, Recorder};
    use crate::rules::Library;
    use crate::session::hex;
    use crate::shard::NewFight;

    /// Memory of a live session with four players, all that belongs to it alone. The ruleset is shared by all sessions.
    const BOUND_BYTES: i64 = 4_096;

    /// What the log has of a fight is nothing without its ruleset, and another is not taken for it.
    #[test]
    fn a_fight_from_the_log_goes_on_under_its_own_ruleset_alone() {
        let (library, data) = (Library::built_in(), TempDir::new().unwrap());
        let (own, other) = (library.by_name("default").unwrap(), library.by_name("duel").unwrap());
        let new = NewFight {
            id: Uuid::now_v7(),
            mode: Mode::Pvp,
            creator: Uuid::nil(),
            participants: (1..=2).map(Uuid::from_u128).collect(),
            seats: 2,
            ruleset: own.clone(),
            rules: own.rules_of(Mode::Pvp, Difficulty::Normal).unwrap(),
            teams: Vec::new(),
            settings: String::new(),
            metadata: String::new(),
        };
        let (session, folder) = (Session::new(new, 7, 0, 0), Folder::open(data.path()).unwrap());
        let refused = Session::from_record(session.record(), other.clone(), &folder).unwrap_err();
        assert_eq!(refused.session, session.id);
        let said = refused.to_string();
        assert!(said.contains(&hex(&own.hash)) && said.contains(&hex(&other.hash)), "{said}");
        let again = Session::from_record(session.record(), own.clone(), &folder).unwrap();
        assert_eq!(again.record(), session.record());
    }

    #[test]
    fn a_live_session_of_four_is_small() {
        let library = Library::built_in();
        let ruleset = library.by_name("default").unwrap();
        let mut step = Step::default();
        let mut full = || {
            let new = NewFight {
                id: Uuid::now_v7(),
                mode: Mode::Pvp,
                creator: Uuid::nil(),
                participants: (1..=4).map(Uuid::from_u128).collect(),
                seats: 4,
                ruleset: ruleset.clone(),
                rules: Rules { health: 1_000_000, ..ruleset.rules_of(Mode::Pvp, Difficulty::Normal).unwrap() },
                teams: Vec::new(),
                settings: r#"{"max_duration":900}"#.to_owned(),
                metadata: String::new(),
            };
            let mut session = Session::new(new, 7, 0, 0);
            for slot in 0..4 {
                step.clear();
                session.handle_input(0, 0, Input::Ready { slot }, &mut step).unwrap();
            }
            // Each hits the next, until all is full that is remembered of events and answers, and the recorder, too.
            for round in 0_u64..1_000 {
                if round == 4 * REMEMBERED as u64 {
                    session.facts.recorder = Recorder::default();
                } else if round > 4 * REMEMBERED as u64 && session.facts.recorder.is_full() {
                    break;
                }
                let slot = u8::try_from(round % 4).unwrap();
                let action = Action::Attack { target: Some((slot + 1) % 4), part: BodyPart::Limb };
                step.clear();
                session.handle_input(round * 150, 0, Input::Act { slot, id: round + 1, action }, &mut step).unwrap();
            }
            session
        };
        // Another first: what the process needs once is none of a session's.
        drop(full());
        let mut session = None;
        let measured = allocation_counter::measure(|| session = Some(full()));
        let bytes = measured.bytes_current + i64::try_from(size_of::<Session>()).unwrap();
        println!("a live session of four takes {bytes} bytes");
        assert!(bytes <= BOUND_BYTES, "{bytes} bytes");
        let session = session.unwrap();
        assert!(session.facts.recorder.is_full(), "it is as large as it gets");
        for participant in session.fight.participants() {
            let last = participant.last_action_id();
            let slot = u8::try_from(participant.player() - 1).unwrap();
            let remembered = (1..=last).filter(|&id| matches!(session.fight.remembered(slot, id), Some(Ok(_))));
            assert_eq!(remembered.count(), REMEMBERED, "and has all its answers");
        }
    }
}
