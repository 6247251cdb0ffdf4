//! `environment` of a fight's state: the arena, what still stands of it, and the enemies in it.

use std::borrow::Cow;

use serde::Serialize;
use tiltyard_combat::Point;
use uuid::Uuid;

use super::shapes::participant_status;
use crate::session::world::{self, Environment};
use crate::session::{EnemyInfo, FightInfo};

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
    kind: Cow<'static, str>,
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
    /// The surroundings of a fight and the enemies in it, as far as they were told.
    pub fn of(environment: &Environment, fight: &FightInfo) -> Self {
        let cover = |cover: &world::Cover| Cover {
            name: cover.name.clone(),
            kind: cover.kind.clone(),
            position: cover.at,
            width_cm: cover.width_cm,
            height_cm: cover.height_cm,
            health: cover.health,
        };
        let hazard = |hazard: &world::Hazard| Hazard {
            name: hazard.name.clone(),
            position: hazard.at,
            radius_cm: hazard.radius_cm,
            health: hazard.health,
            gone: hazard.gone,
        };
        Self {
            name: environment.name.clone(),
            width_cm: environment.width_cm,
            height_cm: environment.height_cm,
            covers: environment.covers.iter().map(cover).collect(),
            hazards: environment.hazards.iter().map(hazard).collect(),
            modifiers: environment.modifiers.clone(),
            enemies: fight.enemies.iter().map(Enemy::of).collect(),
            round: fight.round,
            wins: environment.wins.iter().map(|&(team, rounds)| Wins { team, rounds }).collect(),
            turn: environment.turn,
        }
    }
}

impl Enemy {
    fn of(enemy: &EnemyInfo) -> Self {
        Self {
            id: enemy.id,
            team: enemy.team,
            status: participant_status(enemy.status),
            name: enemy.name.clone(),
            health: enemy.hp,
            phase: enemy.phase.clone(),
            position: enemy.at,
        }
    }
}
