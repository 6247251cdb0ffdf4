//! A resident session: the fight and what the hub knows around it.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use slotmap::new_key_type;
use smallvec::SmallVec;
use tiltyard_combat::{Answer, Event, Fight, Input, Participant, SessionStatus, Setup, Slot, Step};
use tiltyard_protocol::view::player_word;
use uuid::Uuid;

use super::connection::ConnKey;
use crate::hub::{EnemyInfo, EventInfo, FightInfo, Mode, NewFight, ParticipantInfo, Scene, Sight};
use crate::limits;
use crate::log::{Description, SessionRecord};
use crate::replays::{ChunkWriter, Folder, Recorder, Recording};

new_key_type! {
    /// A session's place in its shard's arena.
    pub struct SessionKey;
}

/// Where each session of a shard is.
pub type SessionIndex = HashMap<Uuid, SessionKey, BuildHasherDefault<TailHasher>>;

/// Takes the random tail of a session's id for its hash: the server draws the ids, so nobody can choose them to collide.
#[derive(Debug, Clone, Copy, Default)]
pub struct TailHasher(u64);

impl Hasher for TailHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(tail) = bytes.last_chunk::<8>() {
            self.0 = u64::from_le_bytes(*tail);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

/// A session in the arena.
#[derive(Debug)]
pub struct Session {
    pub id: Uuid,
    /// Its number in the current journal segment.
    pub no: u32,
    pub fight: Fight,
    /// Who is shown its deltas.
    pub members: SmallVec<[Member; 4]>,
    /// The shard's time when the host time of the fight was zero; negative for a session from before the start.
    pub base: i64,
    /// The shard's time of the earliest entry the wheel has for it.
    pub timer: u64,
    facts: Box<Facts>,
}

/// What is rarely looked at. Times in Unix milliseconds.
#[derive(Debug)]
struct Facts {
    mode: Mode,
    creator: Uuid,
    settings: String,
    metadata: String,
    created_at: u64,
    started_at: Option<u64>,
    ended_at: Option<u64>,
    updated_at: u64,
    version: u64,
    recent: VecDeque<(u64, Event)>,
    seed: u64,
    /// Participants it began with.
    founders: u8,
    recorder: Recorder,
}

/// A connection that joined a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    pub conn: ConnKey,
    pub slot: Slot,
}

impl Session {
    /// A new session at the shard's time `now` and the wall time `wall`.
    pub fn new(asked: NewFight, seed: u64, now: u64, wall: u64) -> Self {
        let participants: Vec<u128> = asked.participants.iter().map(Uuid::as_u128).collect();
        let founders = u8::try_from(participants.len()).expect("a request names at most 100");
        let (mode, rules, seats) = (asked.mode, asked.rules, asked.seats);
        let setup = Setup { mode, rules, seats, participants, teams: asked.teams, seed };
        let fight = Fight::new(asked.ruleset, setup);
        Self {
            id: asked.id,
            no: 0,
            fight,
            members: SmallVec::new(),
            base: now.cast_signed(),
            timer: u64::MAX,
            facts: Box::new(Facts {
                mode: asked.mode,
                creator: asked.creator,
                settings: asked.settings,
                metadata: asked.metadata,
                created_at: wall,
                started_at: None,
                ended_at: None,
                updated_at: wall,
                version: 1,
                recent: VecDeque::new(),
                seed,
                founders,
                recorder: Recorder::default(),
            }),
        }
    }

    /// A session from the log, whose fight has been given its ruleset; [`Session::go_on`] sets its clock.
    pub fn from_record(record: SessionRecord, folder: &Folder) -> Self {
        Self {
            id: record.id,
            no: 0,
            fight: record.fight,
            members: SmallVec::new(),
            base: 0,
            timer: u64::MAX,
            facts: Box::new(Facts {
                mode: record.mode,
                creator: record.creator,
                settings: record.settings,
                metadata: record.metadata,
                created_at: record.created_at,
                started_at: record.started_at,
                ended_at: record.ended_at,
                updated_at: record.updated_at,
                version: record.version,
                recent: record.recent.into(),
                seed: record.seed,
                founders: record.founders,
                recorder: Recorder::resume(record.recorder, folder),
            }),
        }
    }

    /// The session as the log keeps it.
    pub fn record(&self) -> SessionRecord {
        SessionRecord {
            id: self.id,
            mode: self.facts.mode,
            creator: self.facts.creator,
            settings: self.facts.settings.clone(),
            metadata: self.facts.metadata.clone(),
            created_at: self.facts.created_at,
            started_at: self.facts.started_at,
            ended_at: self.facts.ended_at,
            updated_at: self.facts.updated_at,
            version: self.facts.version,
            recent: self.facts.recent.iter().copied().collect(),
            ruleset: self.fight.ruleset().hash,
            seed: self.facts.seed,
            founders: self.facts.founders,
            recorder: self.facts.recorder.state(),
            fight: self.fight.clone(),
        }
    }

    /// As [`Session::record`], of a session that is not needed any more.
    pub fn into_record(self) -> SessionRecord {
        self.record()
    }

    /// What every message calls the session: the low 32 bits of its id.
    pub fn handle(&self) -> u32 {
        player_word(self.id)
    }

    /// Sets the clock so that the fight goes on, at the shard's time `now`, from where it stood.
    pub fn go_on(&mut self, now: u64) {
        self.base = now.cast_signed() - self.fight.host_now().cast_signed();
    }

    /// The fight's host time at the shard's time `now`.
    pub fn host_time(&self, now: u64) -> u64 {
        (now.cast_signed() - self.base).max(0).cast_unsigned()
    }

    /// The shard's time at which the fight has to be ticked.
    pub fn due(&self) -> Option<u64> {
        self.fight.deadline().map(|deadline| (deadline.cast_signed() + self.base).max(0).cast_unsigned())
    }

    /// Gives the fight one input at host time `at` and notes what it changed around it. Everything that changes a session goes
    /// through here, live and from the log alike.
    pub fn handle_input(&mut self, at: u64, wall: u64, input: Input, step: &mut Step) -> Answer {
        let answer = self.fight.handle(at, input, step);
        self.facts.recorder.note(at, input, &self.fight);
        if !step.is_empty() {
            self.note(wall, step);
        }
        let control = matches!(input, Input::Pause | Input::Resume | Input::Complete | Input::Terminate { .. });
        if control && answer.is_ok() {
            self.facts.version += 1;
        }
        if matches!(input, Input::Complete | Input::Terminate { .. }) && answer.is_ok() {
            // Its result is still shown for a while, but for whoever ended it this is the end.
            self.facts.ended_at.get_or_insert(wall);
        }
        answer
    }

    /// Steps an input from the log again.
    pub fn replay(&mut self, at: u64, wall: u64, input: Input) {
        let mut step = Step::default();
        let _answered_before = self.handle_input(at, wall, input, &mut step);
    }

    /// What records its inputs.
    pub fn recorder(&mut self) -> &mut Recorder {
        &mut self.facts.recorder
    }

    /// Hands over what it has recorded, once that is as much as it may hold.
    pub fn spill(&mut self, chunks: &mut ChunkWriter) {
        if self.facts.recorder.is_full() {
            chunks.take(self.id, &mut self.facts.recorder);
        }
    }

    /// The node was away until `wall`, and the fight stood still.
    pub fn was_away(&mut self, wall: u64) {
        let since = wall.saturating_sub(self.facts.created_at);
        self.facts.recorder.note_away(since, self.fight.host_now());
    }

    /// Everything that its replay is made of; `None` where some of it was lost.
    pub fn recording(&self) -> Option<Recording> {
        let Facts { created_at, seed, founders, recorder, .. } = &*self.facts;
        Recording::of(self.id, *created_at, &self.fight, *seed, *founders, recorder)
    }

    /// Changes what is said about the session. Everything that does so goes through here, live and from the log alike.
    pub fn describe(&mut self, wall: u64, description: Description) {
        let facts = &mut *self.facts;
        facts.metadata = description.metadata.unwrap_or_else(|| std::mem::take(&mut facts.metadata));
        facts.settings = description.settings.unwrap_or_else(|| std::mem::take(&mut facts.settings));
        facts.version += u64::from(description.own_version);
        facts.updated_at = wall;
    }

    /// What the store has to be told of when it changes: version, status, how many take part.
    pub fn outline(&self) -> (u64, SessionStatus, usize) {
        (self.facts.version, self.fight.lifecycle().status(), self.players().count())
    }

    fn note(&mut self, wall: u64, step: &Step) {
        let facts = &mut *self.facts;
        facts.updated_at = wall;
        for &event in step.events() {
            if facts.recent.len() == limits::RECENT_EVENTS {
                facts.recent.pop_front();
            }
            facts.recent.push_back((wall, event));
        }
        if step.phase_changed() {
            let life = self.fight.lifecycle();
            if life.status() != SessionStatus::Initializing && !life.is_ended() {
                facts.started_at.get_or_insert(wall);
            }
            if life.is_ended() {
                facts.ended_at.get_or_insert(wall);
            }
        }
    }

    /// The session as REST tells of it at the shard's time `now`.
    pub fn info(&self, now: u64) -> FightInfo {
        let (life, facts) = (self.fight.lifecycle(), &*self.facts);
        let time = self.session_time(now);
        FightInfo {
            id: self.id,
            mode: facts.mode,
            creator: facts.creator,
            status: life.status(),
            phase: life.phase(),
            remaining_ms: life.remaining(time),
            seats: self.fight.seats(),
            participants: self.participants(),
            created_at: system_time(facts.created_at),
            started_at: facts.started_at.map(system_time),
            ended_at: facts.ended_at.map(system_time),
            updated_at: system_time(facts.updated_at),
            settings: facts.settings.clone(),
            metadata: facts.metadata.clone(),
            seq: self.fight.seq(),
            version: facts.version,
            active_ms: life.active_ms(time),
            actions: self.fight.totals().actions,
            refused: self.fight.totals().refused,
            damage: self.fight.totals().damage,
            eliminations: self.fight.totals().eliminations,
            winner: life.winner().map(|slot| self.player(slot)),
            winning_team: life.winning_team(),
            end_reason: life.end(),
            ruleset: self.fight.ruleset().name.clone(),
            round: self.fight.rounds().over(),
            enemies: self.enemies(),
            sight: Sight::of(&self.fight),
            scene: Some(self.scene()),
            events: facts.recent.iter().map(|&(at, event)| EventInfo { at: system_time(at), event }).collect(),
        }
    }

    /// Session time at the shard's time `now`: it goes on between inputs, and stands still while the fight is paused.
    pub fn session_time(&self, now: u64) -> u64 {
        if self.fight.lifecycle().is_paused() {
            return self.fight.now();
        }
        self.fight.now() + self.host_time(now).saturating_sub(self.fight.host_now())
    }

    /// Those that the server does not play, which come first.
    fn players(&self) -> impl Iterator<Item = &Participant> {
        self.fight.participants().iter().take_while(|participant| participant.enemy().is_none())
    }

    fn participants(&self) -> Vec<ParticipantInfo> {
        let created = self.facts.created_at;
        let told = |participant: &Participant| ParticipantInfo {
            player: Uuid::from_u128(participant.player()),
            joined_at: system_time(created + participant.joined_at()),
            status: participant.status(),
            score: participant.score(),
            hp: participant.hp(),
            team: participant.team(),
            at: participant.at(),
            seen_by: participant.seen_by(),
        };
        self.players().map(told).collect()
    }

    fn enemies(&self) -> Vec<EnemyInfo> {
        let told = |participant: &Participant| {
            let enemy = self.fight.ruleset().enemy(participant.enemy()?);
            let phase = enemy.phases.get(usize::from(participant.enemy_phase()));
            Some(EnemyInfo {
                id: Uuid::from_u128(participant.player()),
                name: enemy.name.clone(),
                team: participant.team(),
                status: participant.status(),
                hp: participant.hp(),
                phase: phase.map(|phase| phase.name.clone()).unwrap_or_default(),
                at: participant.at(),
                seen_by: participant.seen_by(),
            })
        };
        self.fight.participants().iter().filter_map(told).collect()
    }

    fn scene(&self) -> Scene {
        let (fight, field) = (&self.fight, self.fight.field());
        Scene {
            ruleset: Arc::clone(fight.ruleset()),
            covers: field.covers().to_vec(),
            hazards: field.hazards().iter().map(|hazard| (hazard.health(), hazard.is_gone())).collect(),
            modifiers: field.modifiers().to_vec(),
            wins: fight.rounds().wins().to_vec(),
            turn: fight.turn().map(|turn| self.player(turn.slot())),
        }
    }

    /// The id of who is in `slot`, which must be taken.
    pub fn player(&self, slot: Slot) -> Uuid {
        Uuid::from_u128(self.fight.participants()[usize::from(slot)].player())
    }
}

fn system_time(unix_ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(unix_ms)
}

#[cfg(test)]
mod tests {
    use tiltyard_combat::answers::REMEMBERED;
    use tiltyard_combat::{Action, BodyPart, Difficulty, Input, Mode, Rules, Step};
    use uuid::Uuid;

    use super::Session;
    use crate::hub::NewFight;
    use crate::replays::Recorder;
    use crate::rules::Library;

    /// Memory of a live session with four players, all that belongs to it alone. The ruleset is shared by all sessions.
    const BOUND_BYTES: i64 = 4_096;

    #[test]
    fn a_live_session_of_four_is_small() {
        let library = Library::built_in();
        let ruleset = library.by_name("default").unwrap();
        let mut session = None;
        let mut step = Step::default();
        let measured = allocation_counter::measure(|| {
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
            let session = session.insert(Session::new(new, 7, 0, 0));
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
        });
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
