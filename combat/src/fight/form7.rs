//! A fight as the journal's form 7 has it: read by the start after an upgrade, and never written.

use rand_pcg::Pcg32;
use serde::Deserialize;
use smallvec::SmallVec;

use super::participants::Participants;
use super::{Clock, Fight, GivenUp, Rounds, Totals, Turn, Waves};
use crate::answers::Remembered;
use crate::budget::Budget;
use crate::fair_play::Conduct;
use crate::field::Field;
use crate::motion::Motion;
use crate::participant::{Link, Participant, ParticipantStatus, Played, Pool};
use crate::status::{Active, Cast, Used};
use crate::{Lifecycle, Millis, Mode, PlayerId, Point, Rules};

/// As [`Fight`].
#[derive(Debug, Deserialize)]
pub struct Fight7 {
    rules: Rules,
    mode: Mode,
    lifecycle: Lifecycle,
    clock: Clock,
    seq: u64,
    seed: u64,
    rng: Pcg32,
    seats: u8,
    gathered: bool,
    participants: Vec<Participant7>,
    given_up: Option<Box<GivenUp>>,
    teams: Box<[u8]>,
    due: Millis,
    totals: Totals,
    field: Field,
    rounds: Rounds,
    turn: Option<Turn>,
    waves: Waves,
}

/// As [`Participant`]: it had neither facing nor velocity, and may have had no time at which its seat is forfeited.
#[derive(Debug, Deserialize)]
struct Participant7 {
    player: PlayerId,
    status: ParticipantStatus,
    ready: bool,
    link: Link,
    forfeited: bool,
    team: u8,
    activity: u8,
    enemy: Option<Played>,
    hp: u32,
    armor: u32,
    shield: u32,
    stamina: Pool,
    energy: Pool,
    charge: u32,
    ammo: u32,
    reload_at: Millis,
    guard_until: Millis,
    defend_ready_at: Millis,
    attack_ready_at: Millis,
    at: Point,
    moved_at: Millis,
    effects: SmallVec<[Active; 0]>,
    cast: Option<Cast>,
    used: SmallVec<[Used; 0]>,
    seen_by: u128,
    conduct: Conduct,
    deeds: u16,
    forfeit_at: Option<Millis>,
    joined_at: Millis,
    score: u32,
    score_before: u32,
    eliminations: u32,
    damage: u64,
    actions: Budget,
    connects: Budget,
    answers: Remembered,
}

impl From<Fight7> for Fight {
    fn from(fight: Fight7) -> Self {
        let mut participants = Participants::with_capacity(fight.participants.len());
        for participant in fight.participants {
            participants.push(participant.into());
        }
        Self {
            rules: fight.rules,
            mode: fight.mode,
            lifecycle: fight.lifecycle,
            clock: fight.clock,
            seq: fight.seq,
            seed: fight.seed,
            rng: fight.rng,
            seats: fight.seats,
            gathered: fight.gathered,
            participants,
            given_up: fight.given_up,
            teams: fight.teams,
            due: fight.due,
            totals: fight.totals,
            field: fight.field,
            rounds: fight.rounds,
            turn: fight.turn,
            waves: fight.waves,
            fallen: None,
        }
    }
}

impl From<Participant7> for Participant {
    fn from(of: Participant7) -> Self {
        Self {
            player: of.player,
            status: of.status,
            ready: of.ready,
            link: of.link,
            forfeited: of.forfeited,
            team: of.team,
            activity: of.activity,
            enemy: of.enemy,
            hp: of.hp,
            armor: of.armor,
            shield: of.shield,
            stamina: of.stamina,
            energy: of.energy,
            charge: of.charge,
            ammo: of.ammo,
            reload_at: of.reload_at,
            guard_until: of.guard_until,
            defend_ready_at: of.defend_ready_at,
            attack_ready_at: of.attack_ready_at,
            at: of.at,
            motion: Motion::default(),
            moved_at: of.moved_at,
            effects: of.effects,
            cast: of.cast,
            used: of.used,
            seen_by: of.seen_by,
            conduct: of.conduct,
            deeds: of.deeds,
            forfeit_at: of.forfeit_at.unwrap_or(Millis::MAX),
            joined_at: of.joined_at,
            score: of.score,
            score_before: of.score_before,
            eliminations: of.eliminations,
            damage: of.damage,
            actions: of.actions,
            connects: of.connects,
            answers: of.answers,
        }
    }
}
