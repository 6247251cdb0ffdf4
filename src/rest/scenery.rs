//! `environment` of a fight's state: the arena, what still stands of it, and the enemies in it.

use serde::Serialize;
use tiltyard_combat::ruleset::CoverKind;
use tiltyard_combat::{ParticipantStatus, Point};
use uuid::Uuid;

use super::viewer::Viewer;
use crate::hub::{EnemyInfo, FightInfo};

/// `CombatEnvironment`. Lengths in centimetres.
#[derive(Debug, Serialize)]
pub struct CombatEnvironment {
    name: String,
    width_cm: u32,
    height_cm: u32,
    covers: Vec<Cover>,
    hazards: Vec<Hazard>,
    /// Names of effects that are on everybody this round.
    modifiers: Vec<String>,
    enemies: Vec<Enemy>,
    /// Rounds that are over.
    round: u8,
    wins: Vec<Wins>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn: Option<Uuid>,
}

#[derive(Debug, Serialize)]
struct Cover {
    name: String,
    kind: &'static str,
    position: Point,
    width_cm: u32,
    height_cm: u32,
    /// Health that is left; absent for one that cannot be destroyed.
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Hazard {
    name: String,
    position: Point,
    /// Absent for one that is everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    radius_cm: Option<u32>,
    /// What it still takes to set it off; absent for one that nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<u32>,
    gone: bool,
}

#[derive(Debug, Serialize)]
struct Wins {
    team: u8,
    rounds: u8,
}

#[derive(Debug, Serialize)]
struct Enemy {
    /// What an action names it by.
    id: Uuid,
    team: u8,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Point>,
}

impl CombatEnvironment {
    /// As `viewer` may see it; `None` for a fight that is not resident.
    pub fn of(fight: &FightInfo, viewer: Viewer) -> Option<Self> {
        let scene = fight.scene.as_ref()?;
        let (ruleset, environment) = (&scene.ruleset, &scene.ruleset.environment);
        let covers = environment.covers.iter().zip(&scene.covers).map(|(cover, &health)| Cover {
            name: cover.name.clone(),
            kind: match cover.kind {
                CoverKind::Soft => "soft",
                CoverKind::Hard => "hard",
                CoverKind::Wall => "wall",
            },
            position: cover.at,
            width_cm: cover.width_cm,
            height_cm: cover.height_cm,
            health: (cover.health > 0).then_some(health),
        });
        let hazards = environment.hazards.iter().zip(&scene.hazards).map(|(hazard, &(health, gone))| Hazard {
            name: hazard.name.clone(),
            position: hazard.at,
            radius_cm: (hazard.radius_cm > 0).then_some(hazard.radius_cm),
            health: (hazard.health > 0).then_some(health),
            gone,
        });
        let modifiers = scene.modifiers.iter().map(|&modifier| ruleset.effect(modifier).name.clone());
        let players = fight.participants.len();
        let enemies = fight.enemies.iter().enumerate();
        Some(Self {
            name: environment.name.clone(),
            width_cm: environment.width_cm,
            height_cm: environment.height_cm,
            covers: covers.collect(),
            hazards: hazards.collect(),
            modifiers: modifiers.collect(),
            enemies: enemies.map(|(place, enemy)| Enemy::of(fight, viewer, players + place, enemy)).collect(),
            round: fight.round,
            wins: scene.wins.iter().map(|&(team, rounds)| Wins { team, rounds }).collect(),
            turn: scene.turn,
        })
    }
}

impl Enemy {
    fn of(fight: &FightInfo, viewer: Viewer, slot: usize, enemy: &EnemyInfo) -> Self {
        let shown = viewer.shown(fight, slot, enemy.team, enemy.seen_by);
        let seen = shown.health || shown.place || shown.phase;
        Self {
            id: enemy.id,
            team: enemy.team,
            status: match enemy.status {
                ParticipantStatus::Active => "active",
                ParticipantStatus::Eliminated => "eliminated",
                ParticipantStatus::Disconnected => "disconnected",
            },
            name: seen.then(|| enemy.name.clone()),
            health: shown.health.then_some(enemy.hp),
            phase: shown.phase.then(|| enemy.phase.clone()),
            position: shown.place.then_some(enemy.at),
        }
    }
}
