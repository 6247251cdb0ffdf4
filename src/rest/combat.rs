//! `/combat/sessions`: fights in their own view - created, listed, read.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use tiltyard_combat::{RuleError, Rules};
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::conditions::etag;
use super::error::ApiError;
use super::extract::{Base, Body, Caller, Parameters, SessionId};
use super::fields::Fields;
use super::find::Found;
use super::idempotency::{self, Key};
use super::sessions::counted;
use super::shapes::{CombatSession, CombatSessionState};
use super::{App, AppState, cursor};
use crate::auth::{Operation, Principal};
use crate::hub::{FightInfo, Mode, NewFight, Refusal};
use crate::limits;
use crate::records::{Kept, fights};
use crate::store::{CombatFilter, FightStatus, KeyAnswer};

/// What a creation led to.
#[derive(Debug)]
pub enum Created {
    Now(Box<FightInfo>),
    /// This is the first answer to a request that is a repetition.
    Before(KeyAnswer),
}

/// Creates a fight.
pub async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    Base(base): Base,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, ApiError> {
    caller.may(Operation::CreateSession)?;
    let fingerprint = body.fingerprint();
    let asked = new_fight(body, &caller)?;
    let key = Key::begin(&app, &caller, "createCombatSession", &headers, fingerprint).await?;
    let answer = |fight: &FightInfo, _node: &str| {
        serde_json::to_string(&CombatSession::from(fight)).expect("a fight has no value that JSON refuses")
    };
    match create_once(&app, asked, key, answer).await? {
        Created::Now(fight) => {
            let location = format!("{base}/sessions/{}", fight.id);
            let headers = [(header::LOCATION, location), (header::ETAG, etag(fight.version))];
            let response = (StatusCode::CREATED, headers, Json(CombatSession::from(&*fight))).into_response();
            Ok(counted(&Found::from(*fight), response))
        }
        Created::Before(answer) => idempotency::replayed(base, answer),
    }
}

/// Creates a fight, unless its key says that it has been created. With a key the store is told first which session it will
/// be: whenever the server stops, the repetition finds that session, or creates it.
pub async fn create_once(
    app: &AppState,
    mut asked: NewFight,
    key: Option<Key>,
    answer: impl Fn(&FightInfo, &str) -> String,
) -> Result<Created, ApiError> {
    let Some(Key(begun)) = key else { return Ok(Created::Now(Box::new(created(app, asked).await?))) };
    if let Some(answer) = begun.row.answer {
        return Ok(Created::Before(answer));
    }
    let mut before = None;
    if begun.repeated {
        before = match app.look_up(begun.row.session).await {
            Ok(found) => match found.kept {
                Kept::Fight(fight) => Some(fight),
                Kept::Record(_) => None,
            },
            Err(error) if error.reason() == Reason::NoSession => None,
            Err(error) => return Err(error),
        };
    }
    if before.is_none() {
        // Of a repeat too: that the store had the key may have been undone since.
        begun.reserve(&app.records).await?;
    }
    asked.id = begun.row.session;
    let repeated = before.is_some();
    let fight = match before {
        Some(fight) => (*fight).clone(),
        None => created(app, asked).await?,
    };
    let answer = KeyAnswer { status: StatusCode::CREATED.as_u16(), body: answer(&fight, app.records.node()) };
    begun.complete(&app.records, answer.clone()).await;
    Ok(if repeated { Created::Before(answer) } else { Created::Now(Box::new(fight)) })
}

async fn created(app: &AppState, asked: NewFight) -> Result<FightInfo, ApiError> {
    let fight = app.hub.create(asked).await?;
    // Whoever lists fights next finds it.
    app.records.book().settled(fight.id).await;
    Ok(fight)
}

/// Reads a fight.
pub async fn read(
    State(app): State<App>,
    Caller(caller): Caller,
    SessionId(id): SessionId,
) -> Result<Response, ApiError> {
    let fight = app.fight(&caller, Operation::ReadSession, id).await?;
    let tag = etag(fight.version);
    let response = ([(header::ETAG, tag)], Json(CombatSession::from(&*fight))).into_response();
    Ok(counted(&Found { kept: Kept::Fight(fight), resident: true }, response))
}

/// Reads a fight's state.
pub async fn state(
    State(app): State<App>,
    Caller(caller): Caller,
    SessionId(session): SessionId,
) -> Result<Response, ApiError> {
    let fight = app.fight(&caller, Operation::ReadSession, session).await?;
    let response = Json(CombatSessionState::from(&*fight)).into_response();
    Ok(counted(&Found { kept: Kept::Fight(fight), resident: true }, response))
}

/// `CombatSessionListResponse`.
#[derive(Debug, Serialize)]
struct CombatSessionListResponse {
    sessions: Vec<CombatSession>,
    total_count: i64,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Lists fights, newest first. A player lists those it takes part in.
pub async fn list(State(app): State<App>, Caller(caller): Caller, mut query: Parameters) -> Result<Response, ApiError> {
    caller.may(Operation::ListSessions)?;
    let statuses = "active, initializing, paused, completed or terminated";
    let status = query.named("status", statuses, FightStatus::named);
    // A fight is never `custom`, so a list of such is empty.
    let known = |name: &str| if name == "custom" { Some(None) } else { mode(name).map(Some) };
    let asked_mode = query.named("mode", "pvp, pve, arena, tournament or custom", known);
    let filter = CombatFilter {
        status: status.unwrap_or(FightStatus::Active),
        mode: asked_mode.flatten(),
        player: caller.player(),
        before: query.named("cursor", "a cursor that a list has returned", cursor::read),
        limit: query.limit(50, 10),
    };
    query.finish()?;
    if asked_mode == Some(None) {
        let empty = CombatSessionListResponse { sessions: vec![], total_count: 0, has_more: false, next_cursor: None };
        return Ok(Json(empty).into_response());
    }
    let page = app.records.store().list_combat(&filter).await.map_err(Refusal::from)?;
    let next_cursor = page.sessions.last().filter(|_| page.more).map(|row| cursor::write(row.id));
    let mut sessions = Vec::with_capacity(page.sessions.len());
    for row in page.sessions {
        // The shard knows more than the store: who is hurt, how much time is left.
        let fight = match app.hub.read(row.id).await {
            Ok(fight) => fight,
            Err(refusal) if refusal.reason == Reason::NoSession => fights::of(&row).map_err(Refusal::from)?,
            Err(refusal) => return Err(refusal.into()),
        };
        if fights::fight_status(fight.status) == filter.status {
            sessions.push(CombatSession::from(&fight));
        }
    }
    let answer = CombatSessionListResponse { sessions, total_count: page.total, has_more: page.more, next_cursor };
    Ok(Json(answer).into_response())
}

/// `CreateCombatSessionRequest`, validated.
fn new_fight(mut body: Fields, caller: &Principal) -> Result<NewFight, ApiError> {
    let given_mode = body.text("mode", "pvp, pve, arena or tournament", mode);
    let given_mode = body.need("mode", given_mode);
    let participants = body.uuids("participants", 1, limits::PARTICIPANTS);
    let participants = body.need("participants", participants);
    let given = body.object("settings");
    let settings = given.clone().and_then(|members| body.kept("settings", members));
    let mut read = Fields::inside("settings", given.unwrap_or_default());
    let rules = rules(&mut read, given_mode);
    body.absorb(read);
    check_own(&mut body, caller.player(), participants.as_deref());
    body.finish()?;
    let (Some(mode), Some(participants)) = (given_mode, participants) else {
        return Err(Reason::ValidationFailed.into());
    };
    let fight = fight(mode, participants, rules);
    Ok(NewFight { creator: caller.owner(), settings: settings.map(Into::into).unwrap_or_default(), ..fight })
}

/// A fight asked for in the generic view: everything is in the settings. `None` where these have a fault.
pub fn from_settings(read: &mut Fields, own: Option<Uuid>, player: Uuid) -> Option<NewFight> {
    let given = read.has("mode");
    let mode = read.text("mode", "pvp, pve, arena or tournament", mode).or((!given).then_some(Mode::Pvp));
    let participants =
        if read.has("participants") { read.uuids("participants", 1, limits::PARTICIPANTS) } else { Some(vec![player]) };
    let rules = rules(read, mode);
    check_own(read, own, participants.as_deref());
    Some(fight(mode?, participants?, rules))
}

fn fight(mode: Mode, participants: Vec<Uuid>, rules: Rules) -> NewFight {
    let seats = u8::try_from(participants.len()).expect("the limit fits");
    let (creator, settings, metadata) = (Uuid::nil(), String::new(), String::new());
    NewFight { id: Uuid::now_v7(), mode, creator, participants, seats, rules, settings, metadata }
}

fn check_own(body: &mut Fields, own: Option<Uuid>, participants: Option<&[Uuid]>) {
    if let (Some(player), Some(all)) = (own, participants)
        && !all.contains(&player)
    {
        body.fault("participants", "must have the player who creates the session among them");
    }
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

/// The rules that a mode and a fight's settings make.
fn rules(settings: &mut Fields, mode: Option<Mode>) -> Rules {
    let mut rules = mode.map_or_else(Rules::default, defaults_of);
    if let Some(seconds) = settings.whole("max_duration", 60, 3600) {
        rules.max_duration_ms = u32::try_from(seconds).expect("within range") * 1000;
    }
    let difficulty = |name: &str| matches!(name, "easy" | "normal" | "hard" | "expert").then_some(());
    settings.text("difficulty", "easy, normal, hard or expert", difficulty);
    if let Some(named) = settings.object("rules") {
        apply(settings, &mut rules, &named);
    }
    rules
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
