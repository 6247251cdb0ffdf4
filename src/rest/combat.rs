//! `/combat/sessions`: fights in their own view - created, listed, read.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tiltyard_protocol::Reason;

use super::conditions::etag;
use super::error::ApiError;
use super::extract::{Base, Caller, NamedId, Parameters, Unread};
use super::find::Found;
use super::idempotency::{self, Key};
use super::new_fight::{mode, new_fight};
use super::sessions::{counted, counted_as};
use super::shapes::{CombatSession, CombatSessionState};
use super::{App, AppState, cursor};
use crate::auth::{Operation, Principal};
use crate::book::{Bounds, holdings};
use crate::records::keys::Begun;
use crate::records::{Kept, fights};
use crate::session::{FightInfo, FightStatus, Kind, Refusal};
use crate::shard::NewFight;
use crate::store::{CombatFilter, KeyAnswer};

/// Where fights are in their own view.
const PATH: &str = "/combat/sessions";

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
    body: Unread,
) -> Result<Response, ApiError> {
    caller.may(Operation::CreateSession)?;
    let mut body = body.object().await;
    let key = Key::begin(&app, &caller, "createCombatSession", &headers, &mut body).await?;
    let asked = new_fight(body?, &caller, &app.library)?;
    let begun = key.map(|key| key.go_on(&app)).transpose()?;
    let answer = |fight: &FightInfo, _node: &str| {
        serde_json::to_string(&CombatSession::of(fight)).expect("a fight has no value that JSON refuses")
    };
    match create_once(&app, &caller, asked, begun, answer).await? {
        Created::Now(fight) => {
            let location = format!("{base}{PATH}/{}", fight.id);
            let headers = [(header::LOCATION, location), (header::ETAG, etag(fight.version))];
            let response = (StatusCode::CREATED, headers, Json(CombatSession::of(&fight))).into_response();
            Ok(counted(&Found::from(*fight), response))
        }
        Created::Before(answer) => idempotency::replayed(base, PATH, answer),
    }
}

/// Creates a fight, unless its key says that it has been created.
pub async fn create_once(
    app: &App,
    caller: &Arc<Principal>,
    asked: NewFight,
    begun: Option<Begun>,
    answer: AnswerOf,
) -> Result<Created, ApiError> {
    match begun {
        None => Ok(Created::Now(Box::new(created(app, caller, asked).await?))),
        Some(begun) => {
            let work = create_with_key(Arc::clone(app), Arc::clone(caller), asked, begun, answer);
            idempotency::finished(app, work).await
        }
    }
}

/// Makes the answer to a creation on a node.
pub type AnswerOf = fn(fight: &FightInfo, node: &str) -> String;

/// With a key the store is told first which session it will be: whenever the server stops, the repetition finds that session, or
/// creates it.
async fn create_with_key(
    app: App,
    caller: Arc<Principal>,
    mut asked: NewFight,
    begun: Begun,
    answer: AnswerOf,
) -> Result<Created, ApiError> {
    if let Some(answer) = begun.row.answer {
        return Ok(Created::Before(answer));
    }
    let mut before = None;
    if begun.repeated {
        before = match app.look_up(caller.viewer(), begun.row.session).await {
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
        None => created(&app, &caller, asked).await?,
    };
    let answer = KeyAnswer { status: StatusCode::CREATED.as_u16(), body: answer(&fight, app.records.node()) };
    begun.complete(&app.records, answer.clone()).await;
    Ok(if repeated { Created::Before(answer) } else { Created::Now(Box::new(fight)) })
}

async fn created(app: &AppState, caller: &Principal, asked: NewFight) -> Result<FightInfo, ApiError> {
    // A fight that a service makes for a player is the player's.
    let own_service = caller.player().is_none() && asked.creator == caller.owner();
    let bounds = if own_service { Bounds::SERVICE } else { Bounds::PLAYER };
    let weight = holdings::weight(asked.seats);
    let share = app.records.book().holdings().take(asked.creator, weight, &bounds)?;
    let book = app.records.book();
    if let Some(player) = caller.player() {
        book.spend_session(Kind::Combat, player)?;
    }
    let fight = match app.hub.create_for(caller.viewer(), asked, vec![share]).await {
        Ok(fight) => fight,
        Err(refusal) => {
            // Otherwise there may be one.
            if let Some(player) = caller.player().filter(|_| !refusal.is_unknown) {
                book.daily().sessions(Kind::Combat).give_back(player, 1);
            }
            return Err(refusal.into());
        }
    };
    // Whoever lists fights next finds it.
    book.settled(fight.id).await;
    Ok(fight)
}

/// Reads a fight.
pub async fn read(
    State(app): State<App>,
    Caller(caller): Caller,
    id: NamedId,
    query: Parameters,
) -> Result<Response, ApiError> {
    let fight = app.fight(&caller, Operation::ReadSession, id, query).await?;
    let tag = etag(fight.version);
    let response = ([(header::ETAG, tag)], Json(CombatSession::of(&fight))).into_response();
    Ok(counted_as(fight.mode.into(), response))
}

/// Reads a fight's state.
pub async fn state(
    State(app): State<App>,
    Caller(caller): Caller,
    id: NamedId,
    query: Parameters,
) -> Result<Response, ApiError> {
    let fight = app.fight(&caller, Operation::ReadSession, id, query).await?;
    let response = Json(CombatSessionState::of(&fight)).into_response();
    Ok(counted_as(fight.mode.into(), response))
}

/// `CombatSessionListResponse`.
#[derive(Debug, Serialize)]
struct CombatSessionListResponse {
    sessions: Vec<CombatSession>,
    total_count: i64,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Fights of this page that the store has only in damaged rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged_count: Option<u32>,
    /// Redis does not say at the moment which nodes live; absent where it does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    nodes_unknown: bool,
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
        let empty = CombatSessionListResponse {
            sessions: vec![],
            total_count: 0,
            has_more: false,
            next_cursor: None,
            damaged_count: None,
            nodes_unknown: false,
        };
        return Ok(Json(empty).into_response());
    }
    let page = app.records.store().list_combat(&filter).await.map_err(Refusal::from)?;
    let next_cursor = page.last.filter(|_| page.more).map(cursor::write);
    let fights = page.sessions.iter().map(fights::of).collect::<Result<Vec<_>, _>>().map_err(Refusal::from)?;
    let fights = app.as_they_are(caller.viewer(), fights.into_iter().map(Arc::new)).await;
    let shown = fights.iter().zip(&page.sessions).filter(|(fight, _)| fight.own_status() == filter.status);
    let sessions = shown.map(|(fight, row)| {
        let mut session = CombatSession::of(fight);
        session.node_unavailable = !fight.has_ended() && app.is_lost(&row.node);
        session
    });
    let sessions = sessions.collect();
    let damaged_count = Some(page.damaged).filter(|damaged| *damaged > 0);
    let (total_count, has_more) = (page.total, page.more);
    let nodes_unknown = app.are_nodes_unknown();
    let answer =
        CombatSessionListResponse { sessions, total_count, has_more, next_cursor, damaged_count, nodes_unknown };
    Ok(Json(answer).into_response())
}
