//! A fight as the store keeps it: by name, so that an answer is the same whether the fight is in its shard, in the cache or
//! read after a restart, and needs no ruleset that may be gone.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tiltyard_combat::{EndReason, Event, Mode, PhaseName, Ruleset, SessionStatus};
use uuid::Uuid;

use super::stored_parts::{StoredEnemy, StoredEnvironment, StoredKnown, StoredSeat, StoredShown, StoredWords, all};
use crate::session::world::EventWords;
use crate::session::{FightInfo, Named, World};

/// The form that this version writes. It reads every form up to this one: 1 had events by the ruleset's numbers, and no
/// environment, 2 neither facing nor velocity. A test has the bytes of it: where they change, this is raised, and the form before is still read.
const FORM: u8 = 3;

/// The body of a fight's row.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredFight {
    #[serde(default = "first_form")]
    form: u8,
    id: Uuid,
    mode: Mode,
    creator: Uuid,
    status: SessionStatus,
    phase: PhaseName,
    remaining_ms: u64,
    seats: u8,
    participants: Vec<StoredSeat>,
    created_at: SystemTime,
    started_at: Option<SystemTime>,
    ended_at: Option<SystemTime>,
    updated_at: SystemTime,
    settings: String,
    metadata: String,
    seq: u64,
    version: u64,
    active_ms: u64,
    actions: u64,
    refused: u64,
    damage: u64,
    eliminations: u32,
    winner: Option<Uuid>,
    #[serde(default)]
    winning_team: Option<u8>,
    end_reason: Option<EndReason>,
    #[serde(default)]
    ruleset: String,
    #[serde(default)]
    round: u8,
    #[serde(default)]
    enemies: Vec<StoredEnemy>,
    #[serde(default)]
    sight: StoredSight,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    environment: Option<StoredEnvironment>,
    events: Vec<StoredEvent>,
}

/// What those see who are on nobody's side.
#[derive(Debug, Default, Serialize, Deserialize)]
struct StoredSight {
    fog: bool,
    /// Where there is fog; rows of before that was kept do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    known: Option<StoredKnown>,
    all: StoredShown,
}

/// An event by name, or, up to form 1, by the ruleset's numbers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum StoredEvent {
    Told(StoredWords),
    Numbered { at: SystemTime, event: Event },
}

const fn first_form() -> u8 {
    1
}

impl From<&FightInfo> for StoredFight {
    fn from(fight: &FightInfo) -> Self {
        let Named { environment, events } = fight.world.named().into_owned();
        Self {
            form: FORM,
            id: fight.id,
            mode: fight.mode,
            creator: fight.creator,
            status: fight.status,
            phase: fight.phase,
            remaining_ms: fight.remaining_ms,
            seats: fight.seats,
            participants: all(fight.participants.clone()),
            created_at: fight.created_at,
            started_at: fight.started_at,
            ended_at: fight.ended_at,
            updated_at: fight.updated_at,
            settings: fight.settings.clone(),
            metadata: fight.metadata.clone(),
            seq: fight.seq,
            version: fight.version,
            active_ms: fight.active_ms,
            actions: fight.actions,
            refused: fight.refused,
            damage: fight.damage,
            eliminations: fight.eliminations,
            winner: fight.winner,
            winning_team: fight.winning_team,
            end_reason: fight.end_reason,
            ruleset: fight.ruleset.clone(),
            round: fight.round,
            enemies: all(fight.enemies.clone()),
            sight: StoredSight { fog: fight.fog.is_some(), known: fight.fog.map(Into::into), all: fight.open.into() },
            environment: environment.map(Into::into),
            events: events.into_iter().map(|told| StoredEvent::Told(told.into())).collect(),
        }
    }
}

impl StoredFight {
    /// Its JSON text.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("a fight has no value that JSON refuses")
    }

    /// The fight that a row's text is of.
    pub fn read(text: &str) -> Result<FightInfo, String> {
        let stored: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if stored.form > FORM {
            return Err(format!("a fight in form {}, of which this version knows {FORM}", stored.form));
        }
        Ok(stored.into())
    }
}

impl From<StoredFight> for FightInfo {
    fn from(stored: StoredFight) -> Self {
        let seats: Vec<Uuid> = stored.participants.iter().map(|seat| seat.player).collect();
        let ids: Vec<Uuid> = seats.into_iter().chain(stored.enemies.iter().map(|enemy| enemy.id)).collect();
        let events = stored.events.into_iter().map(|event| event.told(&ids)).collect();
        Self {
            id: stored.id,
            mode: stored.mode,
            creator: stored.creator,
            // The row says it.
            epoch: 0,
            status: stored.status,
            phase: stored.phase,
            remaining_ms: stored.remaining_ms,
            seats: stored.seats,
            participants: all(stored.participants),
            gone: Vec::new(),
            created_at: stored.created_at,
            started_at: stored.started_at,
            ended_at: stored.ended_at,
            updated_at: stored.updated_at,
            settings: stored.settings,
            metadata: stored.metadata,
            seq: stored.seq,
            deltas: stored.seq,
            version: stored.version,
            active_ms: stored.active_ms,
            actions: stored.actions,
            refused: stored.refused,
            damage: stored.damage,
            eliminations: stored.eliminations,
            winner: stored.winner,
            winning_team: stored.winning_team,
            end_reason: stored.end_reason,
            ruleset: stored.ruleset,
            round: stored.round,
            enemies: all(stored.enemies),
            fog: stored.sight.fog.then(|| stored.sight.known.unwrap_or_default().into()),
            open: stored.sight.all.into(),
            world: World::Named(Named { environment: stored.environment.map(Into::into), events }),
        }
    }
}

impl StoredEvent {
    /// In words; of form 1 without those that only the ruleset knows.
    fn told(self, ids: &[Uuid]) -> EventWords {
        match self {
            Self::Told(told) => told.into(),
            Self::Numbered { at, event } => {
                let id = |slot: Option<u8>| ids.get(usize::from(slot?)).copied();
                let (by, to) = event.of();
                EventWords::of(at, event, (id(by), id(to)), &Ruleset::plain())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::StoredFight;
    use serde_json::{Value, json};

    /// What the version before environments were kept has written.
    const FORM_1: &str = r#"{"id":"019f0000-0000-7000-8000-000000000001","mode":"pvp","creator":"019f0000-0000-7000-8000-0000000000aa",
        "status":"Completed","phase":"Finished","remaining_ms":0,"seats":2,"participants":[
        {"player":"019f0000-0000-7000-8000-0000000000bb","joined_at":{"secs_since_epoch":1790000000,"nanos_since_epoch":5000000},
        "status":"Active","score":100,"hp":80,"team":0,"at":{"x":100,"y":200}},
        {"player":"019f0000-0000-7000-8000-0000000000cc","joined_at":{"secs_since_epoch":1790000000,"nanos_since_epoch":5000000},
        "status":"Eliminated","score":0,"hp":0,"team":1,"at":{"x":900,"y":200},"seen_by":3}],
        "created_at":{"secs_since_epoch":1790000000,"nanos_since_epoch":5000000},"started_at":null,"ended_at":null,
        "updated_at":{"secs_since_epoch":1790000009,"nanos_since_epoch":0},"settings":"","metadata":"","seq":9,"version":2,
        "active_ms":9000,"actions":4,"refused":1,"damage":40,"eliminations":1,"winner":null,"winning_team":null,"end_reason":"LastStanding",
        "ruleset":"default","round":1,"enemies":[],"sight":{"fog":true,"all":{"health":true,"place":true,"phase":true},
        "team":{"health":true,"place":true,"phase":true}},"events":[
        {"at":{"secs_since_epoch":1790000008,"nanos_since_epoch":0},"event":{"Hit":{"by":0,"to":1,"damage":40,"absorbed":0,
        "critical":false,"guarded":true,"reaction":false,"ability":null}}},
        {"at":{"secs_since_epoch":1790000009,"nanos_since_epoch":0},"event":"Phase"}]}"#;

    /// What this version writes, to the byte, with everything that it may have.
    const FORM_3: &str = concat!(
        r#"{"form":3,"id":"019f0000-0000-7000-8000-000000000001","mode":"pvp","creator":"019f0000-0000-7000-8000-0000000000aa","#,
        r#""status":"Completed","phase":"Finished","remaining_ms":3,"seats":2,"participants":["#,
        r#"{"player":"019f0000-0000-7000-8000-0000000000bb","joined_at":{"secs_since_epoch":1790000000,"nanos_since_epoch":5000000},"#,
        r#""status":"Active","score":100,"team":1,"hp":80,"at":{"x":100,"y":200},"facing":270,"velocity":{"x":3,"y":-4}},"#,
        r#"{"player":"019f0000-0000-7000-8000-0000000000cc","joined_at":{"secs_since_epoch":1790000001,"nanos_since_epoch":0},"#,
        r#""status":"Disconnected","score":0,"team":0}],"#,
        r#""created_at":{"secs_since_epoch":1790000000,"nanos_since_epoch":5000000},"#,
        r#""started_at":{"secs_since_epoch":1790000002,"nanos_since_epoch":0},"#,
        r#""ended_at":{"secs_since_epoch":1790000009,"nanos_since_epoch":0},"#,
        r#""updated_at":{"secs_since_epoch":1790000010,"nanos_since_epoch":0},"settings":"{\"seats\":2}","metadata":"{\"a\":1.50}","#,
        r#""seq":9,"version":2,"active_ms":9000,"actions":4,"refused":1,"damage":40,"eliminations":1,"#,
        r#""winner":"019f0000-0000-7000-8000-0000000000bb","winning_team":1,"end_reason":"LastStanding","ruleset":"default","round":1,"#,
        r#""enemies":[{"id":"019f0000-0000-7000-8000-0000000000dd","team":2,"status":"Active","name":"wolf","hp":7,"phase":"calm","#,
        r#""at":{"x":1,"y":-2}},{"id":"019f0000-0000-7000-8000-0000000000ee","team":2,"status":"Eliminated"}],"#,
        r#""sight":{"fog":true,"known":{"seq":8,"deltas":7,"updated_at":1790000000005,"actions":3,"refused":1,"damage":20},"#,
        r#""all":{"health":true,"place":false,"phase":true}},"#,
        r#""environment":{"name":"pit","width_cm":2000,"height_cm":1000,"covers":["#,
        r#"{"name":"crate","kind":"soft","at":{"x":10,"y":20},"width_cm":30,"height_cm":40,"health":5},"#,
        r#"{"name":"rock","kind":"wall","at":{"x":50,"y":60},"width_cm":70,"height_cm":80}],"#,
        r#""hazards":[{"name":"barrel","at":{"x":1,"y":2},"radius_cm":3,"health":4,"gone":true},"#,
        r#"{"name":"rain","at":{"x":0,"y":0},"gone":false}],"modifiers":["haste"],"wins":[[0,1],[1,0]],"#,
        r#""turn":"019f0000-0000-7000-8000-0000000000bb"},"#,
        r#""events":[{"at":{"secs_since_epoch":1790000008,"nanos_since_epoch":0},"kind":"hit","#,
        r#""by":"019f0000-0000-7000-8000-0000000000bb","to":"019f0000-0000-7000-8000-0000000000cc","details":{"damage":40}},"#,
        r#"{"at":{"secs_since_epoch":1790000009,"nanos_since_epoch":0},"kind":"phase"}]}"#
    );

    #[test]
    fn what_is_kept_of_a_fight_is_the_same_bytes_as_long_as_its_form_has_the_same_number() {
        let fight = StoredFight::read(FORM_3).unwrap();
        let text = StoredFight::from(&fight).text();
        assert_eq!(text, FORM_3, "another form: raise FORM, read this one too, and write the new one down here");
        assert_eq!((fight.deltas, fight.epoch, fight.gone.len()), (fight.seq, 0, 0), "what it has not");
    }

    #[test]
    fn fights_of_the_form_before_are_read() {
        let fight = StoredFight::read(FORM_1).unwrap();
        assert_eq!((fight.participants[0].hp, fight.participants[1].at.map(|at| at.x)), (Some(80), Some(900)));
        assert!(fight.fog.is_some());
        let named = fight.world.named();
        assert_eq!(named.environment, None);
        let hit = &named.events[0];
        assert_eq!(
            (&*hit.kind, hit.by, hit.to),
            ("hit", Some(fight.participants[0].player), Some(fight.participants[1].player))
        );
        assert_eq!(Value::Object(hit.details.clone()), json!({ "damage": 40, "critical": false, "guarded": true }));
        let again = StoredFight::read(&StoredFight::from(&fight).text()).unwrap();
        assert_eq!(again, fight, "and written in this one it stays the same");
    }

    /// Form 2 is this one without what it had not.
    #[test]
    fn fights_of_form_2_are_read() {
        let form_2 =
            FORM_3.replace(r#""form":3"#, r#""form":2"#).replace(r#","facing":270,"velocity":{"x":3,"y":-4}"#, "");
        let (fight, today) = (StoredFight::read(&form_2).unwrap(), StoredFight::read(FORM_3).unwrap());
        let seats = |fight: &crate::session::FightInfo| {
            fight.participants.iter().map(|seat| (seat.at, seat.facing, seat.velocity)).collect::<Vec<_>>()
        };
        assert_eq!(seats(&fight)[0], (seats(&today)[0].0, None, None));
        assert_eq!(seats(&today)[0].1, Some(270));
        assert!(StoredFight::from(&fight).text().contains(r#""form":3"#));
    }

    #[test]
    fn a_form_of_a_later_version_is_refused() {
        let later = FORM_1.replacen('{', r#"{"form":4,"#, 1);
        assert!(StoredFight::read(&later).unwrap_err().contains("form 4"));
    }
}
