//! `POST /combat/sessions` and `GET /combat/sessions/{session_id}/state`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use tiltyard_combat::{RuleError, Rules};
use uuid::Uuid;

use super::App;
use super::error::ApiError;
use super::extract::{Base, Body, Caller, SessionId};
use super::fields::{Fields, without_nulls};
use super::id::parse_uuid;
use super::sessions::etag;
use super::shapes::{CombatSession, CombatSessionState};
use crate::auth::{Operation, Principal};
use crate::hub::{Mode, NewFight};
use crate::limits;

/// Creates a fight.
pub async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    Base(base): Base,
    Body(body): Body,
) -> Result<Response, ApiError> {
    caller.may(Operation::CreateFight)?;
    let fight = app.hub.create(new_fight(body, &caller)?).await?;
    let location = format!("{base}/sessions/{}", fight.id);
    let headers = [(header::LOCATION, location), (header::ETAG, etag(fight.version))];
    Ok((StatusCode::CREATED, headers, Json(CombatSession::from(&fight))).into_response())
}

/// Reads a fight's state.
pub async fn state(
    State(app): State<App>,
    Caller(caller): Caller,
    SessionId(session): SessionId,
) -> Result<Json<CombatSessionState>, ApiError> {
    let fight = app.fight(&caller, Operation::ReadSession, session).await?;
    Ok(Json(CombatSessionState::from(&fight)))
}

/// `CreateCombatSessionRequest`, validated.
fn new_fight(mut body: Fields, caller: &Principal) -> Result<NewFight, ApiError> {
    let mode = body.text("mode", "pvp, pve, arena or tournament", mode);
    let mode = body.need("mode", mode);
    let participants = participants(&mut body);
    let participants = body.need("participants", participants);
    if let (Some(player), Some(all)) = (caller.player(), &participants)
        && !all.contains(&player)
    {
        body.fault("participants", "must have the player who creates the session among them");
    }
    let mut rules = mode.map_or_else(Rules::default, defaults_of);
    let settings = settings(&mut body, &mut rules);
    body.finish()?;
    let (Some(mode), Some(participants)) = (mode, participants) else {
        unreachable!("a missing one is a fault, and faults have been returned");
    };
    let seats = u8::try_from(participants.len()).expect("the limit fits");
    Ok(NewFight { id: Uuid::now_v7(), mode, creator: caller.owner(), participants, seats, rules, settings })
}

/// What a mode changes about the rules before the request's own settings do.
fn defaults_of(mode: Mode) -> Rules {
    let rules = Rules::default();
    match mode {
        Mode::Pvp => rules,
        Mode::Pve => Rules { armor: 0, ..rules },
        Mode::Arena | Mode::Tournament => Rules { preparation_ms: 30_000, ..rules },
    }
}

fn mode(name: &str) -> Option<Mode> {
    Some(match name {
        "pvp" => Mode::Pvp,
        "pve" => Mode::Pve,
        "arena" => Mode::Arena,
        "tournament" => Mode::Tournament,
        _ => return None,
    })
}

fn participants(body: &mut Fields) -> Option<Vec<Uuid>> {
    let items = body.array("participants")?;
    if !(1..=limits::PARTICIPANTS).contains(&items.len()) {
        return body.bad("participants", format!("must have from 1 to {} items", limits::PARTICIPANTS));
    }
    let mut players = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let name = format!("participants[{index}]");
        match item.as_str().and_then(parse_uuid) {
            None => body.fault(&name, "must be a uuid"),
            Some(player) if players.contains(&player) => body.fault(&name, "is in the list already"),
            Some(player) => players.push(player),
        }
    }
    // Faults of items are faults of the body: what is returned here is then never used.
    Some(players)
}

/// Reads `settings` into the rules and returns its text, empty where there were none.
fn settings(body: &mut Fields, rules: &mut Rules) -> String {
    let Some(given) = body.object("settings") else { return String::new() };
    let mut kept = Value::Object(given.clone());
    without_nulls(&mut kept);
    let mut fields = Fields::inside("settings", given);
    if let Some(seconds) = fields.whole("max_duration", 60, 3600) {
        rules.max_duration_ms = u32::try_from(seconds).expect("within range") * 1000;
    }
    let difficulty = |name: &str| matches!(name, "easy" | "normal" | "hard" | "expert").then_some(());
    fields.text("difficulty", "easy, normal, hard or expert", difficulty);
    if let Some(named) = fields.object("rules") {
        apply(&mut fields, rules, &named);
    }
    body.absorb(fields);
    kept.to_string()
}

fn apply(fields: &mut Fields, rules: &mut Rules, named: &Map<String, Value>) {
    for (name, value) in named {
        match rules.set(name, value.as_u64()) {
            Ok(()) => {}
            Err(RuleError::Unknown(_)) => {
                fields.fault(&format!("rules.{name}"), "is no setting of the ruleset");
            }
            Err(error) => {
                fields.fault(&format!("rules.{name}"), error.to_string());
            }
        }
    }
    if let Err(error) = rules.check() {
        fields.fault("rules", error.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::new_fight;
    use crate::auth::{Principal, Role, Scope};
    use crate::hub::{Mode, NewFight};
    use crate::rest::ApiError;
    use crate::rest::fields::Fields;
    use serde_json::{Value, json};
    use uuid::Uuid;

    const PLAYER: Uuid = Uuid::from_u128(1);

    fn parse(body: Value) -> Result<NewFight, ApiError> {
        let caller = Principal { role: Role::Player(PLAYER), scopes: vec![Scope::Play], guest: false, sid: None };
        new_fight(Fields::of(body).unwrap(), &caller)
    }

    fn faults(body: Value) -> Vec<String> {
        let error = format!("{:?}", parse(body).unwrap_err());
        let mut fields: Vec<String> = error
            .split("\"field\": String(\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect();
        fields.sort();
        fields
    }

    #[test]
    fn takes_what_the_contract_has() {
        let fight = parse(json!({
            "mode": "arena",
            "participants": [PLAYER, Uuid::from_u128(2)],
            "settings": {
                "max_duration": 60, "difficulty": "expert", "map": {"name": "dock", "note": null},
                "rules": {"health": 200, "attack_interval_ms": 0}
            }
        }))
        .unwrap();
        assert_eq!((fight.mode, fight.creator, fight.seats), (Mode::Arena, PLAYER, 2));
        assert_eq!((fight.rules.health, fight.rules.attack_interval_ms, fight.rules.max_duration_ms), (200, 0, 60_000));
        let kept: Value = serde_json::from_str(&fight.settings).unwrap();
        assert_eq!(kept["map"], json!({"name": "dock"}));
        assert_eq!(parse(json!({"mode": "pvp", "participants": [PLAYER]})).unwrap().settings, "");
    }

    #[test]
    fn names_every_fault() {
        assert_eq!(faults(json!({})), ["mode", "participants"]);
        assert_eq!(faults(json!({"mode": "custom", "participants": "all"})), ["mode", "participants"]);
        let good = json!([PLAYER]);
        assert_eq!(faults(json!({"mode": 7, "participants": []})), ["mode", "participants"]);
        assert_eq!(
            faults(json!({"mode": "pvp", "participants": [PLAYER, PLAYER, "bob", 3]})),
            ["participants[1]", "participants[2]", "participants[3]"]
        );
        let many: Vec<Uuid> = (1..=101).map(Uuid::from_u128).collect();
        assert_eq!(faults(json!({"mode": "pvp", "participants": many})), ["participants"]);
        assert_eq!(faults(json!({"mode": "pvp", "participants": [Uuid::from_u128(9)]})), ["participants"]);
        for (settings, field) in [
            (json!([]), "settings"),
            (json!(null), "settings"),
            (json!({"max_duration": 59}), "settings.max_duration"),
            (json!({"max_duration": 60.5}), "settings.max_duration"),
            (json!({"max_duration": "60"}), "settings.max_duration"),
            (json!({"difficulty": "insane"}), "settings.difficulty"),
            (json!({"rules": 1}), "settings.rules"),
            (json!({"rules": {"helth": 1}}), "settings.rules.helth"),
            (json!({"rules": {"health": 0}}), "settings.rules.health"),
            (json!({"rules": {"health": -1}}), "settings.rules.health"),
            (json!({"rules": {"health": 1e30}}), "settings.rules.health"),
            (json!({"rules": {"attack_damage_min": 31}}), "settings.rules"),
        ] {
            assert_eq!(
                faults(json!({"mode": "pvp", "participants": good, "settings": settings})),
                [field],
                "{settings}"
            );
        }
        assert_eq!(faults(json!({"mode": "pvp", "participants": good, "session_id": PLAYER})), ["session_id"]);
    }
}
