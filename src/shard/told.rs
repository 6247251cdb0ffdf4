//! A session as REST tells of it: cut to the audience of whoever looks, as deltas are.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tiltyard_combat::audience::Named;
use tiltyard_combat::{Audience, Bout, Event, Fields, Input, Participant, Slot, Step};
use tiltyard_protocol::{Act, Reason};
use uuid::Uuid;

use super::fog::Side;
use super::session::Session;
use crate::session::world::{EventInfo, Numbered};
use crate::session::{EnemyInfo, FightInfo, Known, NOBODY, ParticipantInfo, Refusal, Shown, Viewer, World};
use crate::shard::{ActionApplied, Effect, RestAction, Seats, command};

/// Those who are on nobody's side and see through no fog.
const OUTSIDERS: Audience = Audience::Team(NOBODY);

impl Session {
    /// Those with whom `viewer` sees the same. What has ended has no secrets.
    pub fn audience(&self, viewer: Viewer) -> Audience {
        match viewer {
            _ if self.fight.lifecycle().is_ended() => Audience::All,
            Viewer::All => Audience::All,
            Viewer::Player(player) => self.fight.slot_of(player.as_u128()).map_or(OUTSIDERS, Audience::Own),
        }
    }

    /// Whether more of its time has passed, at the shard's time `now`, than its last input says.
    pub fn is_behind(&self, now: u64) -> bool {
        !self.frozen && !self.fight.lifecycle().is_ended() && self.session_time(now) > self.fight.now()
    }

    /// When it ended, in Unix milliseconds.
    pub fn ended_ms(&self) -> Option<u64> {
        self.facts.ended_at.map(std::num::NonZeroU64::get)
    }

    /// The session as `viewer` may see it at the shard's time `now`.
    pub fn info(&self, now: u64, viewer: Viewer) -> FightInfo {
        let (fight, life, facts) = (&self.fight, self.fight.lifecycle(), &*self.facts);
        let (time, audience) = (self.session_time(now), self.audience(viewer));
        let known = self.known(audience);
        FightInfo {
            id: self.id,
            mode: facts.mode,
            creator: facts.creator,
            epoch: self.epoch(),
            status: life.status(),
            phase: life.phase(),
            remaining_ms: life.remaining(time),
            seats: fight.seats(),
            participants: self.participants(audience),
            gone: self.gone().collect(),
            created_at: system_time(facts.created_at),
            started_at: facts.started_at.map(|at| system_time(at.get())),
            ended_at: facts.ended_at.map(|at| system_time(at.get())),
            updated_at: system_time(known.updated_at),
            settings: facts.settings.to_string(),
            metadata: facts.metadata.to_string(),
            seq: known.seq,
            deltas: known.deltas,
            version: facts.version,
            active_ms: life.active_ms(time),
            actions: known.actions,
            refused: known.refused,
            damage: known.damage,
            eliminations: fight.totals().eliminations,
            winner: life.winner().map(|slot| self.player(slot)),
            winning_team: life.winning_team(),
            end_reason: life.end(),
            ruleset: self.ruleset.name.clone(),
            round: fight.rounds().over(),
            enemies: self.enemies(audience),
            fog: facts.fog.as_ref().map(|fog| fog.side(NOBODY).known),
            open: Shown::of(self.bout().visible(OUTSIDERS, 0)),
            world: World::Numbered(self.world(audience)),
        }
    }

    /// What `player` asks for over REST, in numbers.
    pub fn asked(&self, player: Uuid, action: &RestAction) -> Result<(Slot, Input), Refusal> {
        let slot = self.fight.slot_of(player.as_u128()).ok_or(Reason::NotAParticipant)?;
        let target = match action.target {
            Some(target) => Some(self.fight.slot_of(target.as_u128()).ok_or(Reason::NoSuchTarget)?),
            None => None,
        };
        let act = Act { to: target, ..action.act.clone() };
        Ok((slot, Input::Act { slot, id: 0, action: command::action(&act)? }))
    }

    /// What the step that has just been taken tells `slot`, whose deed it was, and how the fight stands to `viewer`. It is what
    /// the delta tells: of one in the fog not even that it was hit.
    pub fn applied(&self, now: u64, viewer: Viewer, slot: Slot, step: &Step) -> ActionApplied {
        let fight = &self.fight;
        let told = |event: &&Event| fight.named(step, Audience::Own(slot), event).is_some();
        let damage = step.events().iter().filter(told).map(|event| match event {
            Event::Hit { by, damage, .. } if *by == slot => u64::from(*damage),
            _ => 0,
        });
        let effects = step.events().iter().filter(told).filter_map(|event| effect_of(self.bout(), slot, event));
        let (damage, effects) = (damage.sum(), effects.collect());
        ActionApplied { seq: fight.seq(), damage, effects, fight: self.info(now, viewer) }
    }

    /// Sums, sequence and time as an audience knows them: where there is fog those of its side, otherwise everybody's.
    pub(crate) fn known(&self, audience: Audience) -> Known {
        if let Some(side) = self.side(audience) {
            return side.known;
        }
        let (seq, totals) = (self.fight.seq(), self.fight.totals());
        Known {
            seq,
            deltas: seq,
            updated_at: self.facts.updated_at,
            actions: totals.actions,
            refused: totals.refused,
            damage: totals.damage,
        }
    }

    /// What the side of an audience knows; `None` where no fog hides anything from it.
    fn side(&self, audience: Audience) -> Option<&Side> {
        let fog = self.facts.fog.as_ref()?;
        self.team(audience).map(|team| fog.side(team))
    }

    /// Whose side an audience is on; `None` for one that no fog hides anything from.
    fn team(&self, audience: Audience) -> Option<u8> {
        match audience {
            Audience::All | Audience::Spectator => None,
            Audience::Team(team) => Some(team),
            Audience::Own(slot) => Some(self.fight.participants().get(usize::from(slot))?.team()),
        }
    }

    /// Who of `players` has a seat here.
    pub fn seats_of(&self, players: [Uuid; 2]) -> Seats {
        let has_seat = |player: Uuid| self.players().any(|seat| seat.player() == player.as_u128());
        let (creator, has_ended) = (self.facts.creator, self.fight.lifecycle().is_ended());
        Seats { creator, has_seat: players.map(has_seat), has_ended }
    }

    /// Those that the server does not play, which come first.
    pub(super) fn players(&self) -> impl Iterator<Item = &Participant> {
        self.fight.participants().iter().take_while(|participant| participant.enemy().is_none())
    }

    /// Who had a seat and has none: somebody else took it after they had given it up.
    pub(super) fn gone(&self) -> impl Iterator<Item = Uuid> {
        let gone = self.fight.given_up().iter().map(|&(_, player)| player);
        gone.filter(|&player| self.fight.slot_of(player).is_none()).map(Uuid::from_u128)
    }

    fn participants(&self, audience: Audience) -> Vec<ParticipantInfo> {
        let created = self.facts.created_at;
        let told = |(slot, participant): (Slot, &Participant)| {
            let shown = self.bout().visible(audience, slot);
            ParticipantInfo {
                player: Uuid::from_u128(participant.player()),
                joined_at: system_time(created + participant.joined_at()),
                status: participant.status(),
                score: participant.score(),
                team: participant.team(),
                hp: shown.has(Fields::HP).then(|| participant.hp()),
                at: shown.has(Fields::PLACE).then(|| participant.at()),
                facing: Some(participant.facing()).filter(|&facing| facing > 0 && shown.has(Fields::FACING)),
                velocity: Some(participant.velocity()).filter(|of| !of.is_zero() && shown.has(Fields::VELOCITY)),
            }
        };
        (0..).zip(self.players()).map(told).collect()
    }

    fn enemies(&self, audience: Audience) -> Vec<EnemyInfo> {
        let told = |(slot, participant): (Slot, &Participant)| {
            let enemy = self.ruleset.enemy(participant.enemy()?);
            let shown = self.bout().visible(audience, slot);
            let phase = || Some(enemy.phases.get(usize::from(participant.enemy_phase()))?.name.clone());
            Some(EnemyInfo {
                id: Uuid::from_u128(participant.player()),
                team: participant.team(),
                status: participant.status(),
                name: self.fight.sees(audience, slot).then(|| enemy.name.clone()),
                hp: shown.has(Fields::HP).then(|| participant.hp()),
                phase: shown.has(Fields::RAGE).then(|| phase().unwrap_or_default()),
                at: shown.has(Fields::PLACE).then(|| participant.at()),
            })
        };
        (0..=u8::MAX).zip(self.fight.participants()).filter_map(told).collect()
    }

    fn world(&self, audience: Audience) -> Numbered {
        let (fight, field) = (&self.fight, self.fight.field());
        Numbered {
            ruleset: Arc::clone(&self.ruleset),
            covers: field.covers().to_vec(),
            hazards: field.hazards().iter().map(|hazard| (hazard.health(), hazard.is_gone())).collect(),
            modifiers: field.modifiers().to_vec(),
            wins: fight.rounds().wins().to_vec(),
            turn: fight.turn().map(|turn| self.player(turn.slot())),
            events: self.events(audience),
        }
    }

    /// The newest events that the audience was told of, as it was told of them when they happened.
    fn events(&self, audience: Audience) -> Vec<EventInfo> {
        let player = |slot: Slot| Some(Uuid::from_u128(self.fight.participants().get(usize::from(slot))?.player()));
        let info = |at, event: Event, named: Named| {
            let (by, to) = event.of();
            let (by, to) = (by.filter(|_| named.by).and_then(player), to.filter(|_| named.to).and_then(player));
            EventInfo { at: system_time(at), event, by, to }
        };
        let all = Named { by: true, to: true };
        match self.side(audience) {
            Some(side) => side.recent.iter().map(|told| info(told.at, told.event, told.named)).collect(),
            None => self.facts.recent.iter().map(|&(at, event)| info(at, event, all)).collect(),
        }
    }
}

fn system_time(unix_ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(unix_ms)
}

/// What an event says that `slot` has brought about, beside damage.
fn effect_of(fight: Bout<'_>, slot: Slot, event: &Event) -> Option<Effect> {
    let (rules, ruleset) = (fight.rules(), fight.ruleset);
    let effect = |name: &str, value, duration_ms| Effect { name: name.to_owned(), value, duration_ms };
    match *event {
        Event::Guard { by } if by == slot => Some(effect("guard", rules.defend_percent, rules.defend_ms)),
        Event::Healed { by, points, .. } if by == slot => Some(effect("heal", points, 0)),
        Event::Casting { by, ability, .. } if by == slot => {
            Some(effect("cast", 0, ruleset.ability(ability).map_or(0, |ability| ability.cast_ms)))
        }
        Event::Affected { by, to, effect: id, stacks } if by == slot => {
            let bearer = fight.participants().get(usize::from(to));
            let active = bearer.and_then(|bearer| bearer.effects().iter().rfind(|active| active.effect() == id));
            let left = active.map_or(0, |active| active.until().saturating_sub(fight.now()));
            // One that lasts as long as the round has no end that could be told.
            Some(effect(&ruleset.effect(id).name, u32::from(stacks), u32::try_from(left).unwrap_or(0)))
        }
        _ => None,
    }
}
