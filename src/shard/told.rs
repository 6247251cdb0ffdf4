//! A session as REST tells of it: cut to the audience of whoever looks, as deltas are.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tiltyard_combat::audience::Named;
use tiltyard_combat::{Audience, Event, Fields, Participant, Slot};
use uuid::Uuid;

use super::fog::{NOBODY, Side};
use super::session::Session;
use crate::hub::world::{EventInfo, Numbered};
use crate::hub::{EnemyInfo, FightInfo, ParticipantInfo, Shown, Viewer, World};

/// Those who are on nobody's side and see through no fog.
pub const OUTSIDERS: Audience = Audience::Team(NOBODY);

impl Session {
    /// Those with whom `viewer` sees the same. What has ended has no secrets.
    pub fn audience(&self, viewer: Viewer) -> Audience {
        match viewer {
            _ if self.fight.lifecycle().is_ended() => Audience::All,
            Viewer::All => Audience::All,
            Viewer::Player(player) => self.fight.slot_of(player.as_u128()).map_or(OUTSIDERS, Audience::Own),
        }
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
            status: life.status(),
            phase: life.phase(),
            remaining_ms: life.remaining(time),
            seats: fight.seats(),
            participants: self.participants(audience),
            gone: self.gone().collect(),
            created_at: system_time(facts.created_at),
            started_at: facts.started_at.map(system_time),
            ended_at: facts.ended_at.map(system_time),
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
            ruleset: fight.ruleset().name.clone(),
            round: fight.rounds().over(),
            enemies: self.enemies(audience),
            fog: facts.fog.is_some(),
            open: Shown::of(fight.visible(OUTSIDERS, 0)),
            world: World::Numbered(self.world(audience)),
        }
    }

    /// Sums, sequence and time as an audience knows them: where there is fog those of its side, otherwise everybody's.
    fn known(&self, audience: Audience) -> Side {
        let (facts, totals) = (&*self.facts, self.fight.totals());
        if let (Some(fog), Some(team)) = (&facts.fog, self.team(audience)) {
            return *fog.side(team);
        }
        Side {
            team: NOBODY,
            seq: self.fight.seq(),
            deltas: self.fight.seq(),
            updated_at: facts.updated_at,
            actions: totals.actions,
            refused: totals.refused,
            damage: totals.damage,
        }
    }

    /// Whose side an audience is on; `None` for one that no fog hides anything from.
    fn team(&self, audience: Audience) -> Option<u8> {
        match audience {
            Audience::All | Audience::Spectator => None,
            Audience::Team(team) => Some(team),
            Audience::Own(slot) => Some(self.fight.participants().get(usize::from(slot))?.team()),
        }
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
            let shown = self.fight.visible(audience, slot);
            ParticipantInfo {
                player: Uuid::from_u128(participant.player()),
                joined_at: system_time(created + participant.joined_at()),
                status: participant.status(),
                score: participant.score(),
                team: participant.team(),
                hp: shown.has(Fields::HP).then(|| participant.hp()),
                at: shown.has(Fields::PLACE).then(|| participant.at()),
            }
        };
        (0..).zip(self.players()).map(told).collect()
    }

    fn enemies(&self, audience: Audience) -> Vec<EnemyInfo> {
        let told = |(slot, participant): (Slot, &Participant)| {
            let enemy = self.fight.ruleset().enemy(participant.enemy()?);
            let shown = self.fight.visible(audience, slot);
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
            ruleset: Arc::clone(fight.ruleset()),
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
        let facts = &*self.facts;
        let named = |place| match (&facts.fog, self.team(audience)) {
            (Some(fog), Some(team)) => fog.named(place, team),
            _ => Some(Named { by: true, to: true }),
        };
        let player = |slot: Slot| Some(Uuid::from_u128(self.fight.participants().get(usize::from(slot))?.player()));
        let told = |(place, &(at, event)): (usize, &(u64, Event))| {
            let (named, (by, to)) = (named(place)?, event.of());
            let by = by.filter(|_| named.by).and_then(player);
            Some(EventInfo { at: system_time(at), event, by, to: to.filter(|_| named.to).and_then(player) })
        };
        facts.recent.iter().enumerate().filter_map(told).collect()
    }
}

fn system_time(unix_ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(unix_ms)
}
