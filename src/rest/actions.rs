//! `POST /combat/sessions/{session_id}/actions`: an action by REST takes the same way as one by socket, and the answer is
//! what it did.

use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tiltyard_protocol::{ActionKind, Reason};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::App;
use super::error::ApiError;
use super::extract::{Base, Body, Caller, SessionId};
use super::fields::Fields;
use super::find::Found;
use super::idempotency::{self, Key};
use super::sessions::counted;
use super::shapes::{CombatSessionState, Timestamp};
use crate::auth::Operation;
use crate::hub::{ActionApplied, RestAction};
use crate::records::Kept;
use crate::store::KeyAnswer;

/// `CombatActionResult`.
#[derive(Debug, Serialize)]
pub struct CombatActionResult {
    action_id: Uuid,
    success: bool,
    timestamp: Timestamp,
    damage_dealt: u64,
    effects: Vec<ActionEffect>,
    new_state: CombatSessionState,
}

#[derive(Debug, Serialize)]
struct ActionEffect {
    #[serde(rename = "type")]
    kind: &'static str,
    value: u32,
    /// Seconds, rounded up.
    duration: u32,
}

/// Acts for a player.
pub async fn act(
    State(app): State<App>,
    Caller(caller): Caller,
    SessionId(session): SessionId,
    Base(base): Base,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, ApiError> {
    caller.may(Operation::Act)?;
    let fingerprint = body.fingerprint();
    let (player, action) = request(body)?;
    let Kept::Fight(fight) = app.find(&caller, Operation::Act, session).await?.kept else {
        return Err(Reason::WrongType.into());
    };
    if caller.player().is_some_and(|own| own != player) {
        return Err(ApiError::new(Reason::Forbidden).message("A player acts only as itself."));
    }
    if !fight.participants.iter().any(|seat| seat.player == player) {
        return Err(Reason::NotAParticipant.into());
    }
    // The same key in another session is another key.
    let operation = format!("executeCombatAction {session}");
    let key = Key::begin(&app, &caller, &operation, &headers, fingerprint).await?;
    let act = async {
        let applied = app.hub.act(session, player, action).await.map_err(|refusal| match refusal.reason {
            // It was there a moment ago.
            Reason::NoSession => Reason::SessionEnded.into(),
            _ => refusal,
        });
        applied.map(CombatActionResult::from).map_err(ApiError::from)
    };
    let found = Found { kept: Kept::Fight(fight), resident: true };
    let Some(Key(begun)) = key else { return Ok(counted(&found, Json(act.await?).into_response())) };
    if let Some(answer) = begun.row.answer {
        return idempotency::replayed(base, answer);
    }
    if begun.repeated {
        return Err(Reason::OutcomeUnknown.into());
    }
    begun.reserve(&app.records).await?;
    let (status, body) = match act.await {
        Ok(result) => (StatusCode::OK, serde_json::to_string(&result)),
        Err(error) if error.is_final() => (error.code(), serde_json::to_string(&error.body())),
        // Whether it takes effect yet is not known: the key says so.
        Err(error) if error.reason() == Reason::Timeout => return Err(error),
        Err(error) => {
            begun.abandon(&app.records).await;
            return Err(error);
        }
    };
    let answer = KeyAnswer { status: status.as_u16(), body: body.map_err(|_| Reason::Internal)? };
    begun.complete(&app.records, answer.clone()).await;
    let response = (status, [(header::CONTENT_TYPE, "application/json")], answer.body).into_response();
    Ok(counted(&found, response))
}

/// `CombatActionRequest`, validated.
fn request(mut body: Fields) -> Result<(Uuid, RestAction), ApiError> {
    let kind = body.text("action_type", "attack, defend, ability, move or item_use", kind);
    let kind = body.need("action_type", kind);
    let player = body.uuid("player_id");
    let player = body.need("player_id", player);
    let target = body.uuid("target_id");
    body.object("parameters");
    body.text("timestamp", "an RFC 3339 time", |text| OffsetDateTime::parse(text, &Rfc3339).ok());
    body.finish()?;
    match (kind, player) {
        (Some(kind), Some(player)) => Ok((player, RestAction { kind, target })),
        _ => unreachable!("a missing one is a fault, and faults have been returned"),
    }
}

fn kind(name: &str) -> Option<ActionKind> {
    Some(match name {
        "attack" => ActionKind::Attack,
        "defend" => ActionKind::Defend,
        "ability" => ActionKind::Ability,
        "move" => ActionKind::Move,
        "item_use" => ActionKind::ItemUse,
        _ => return None,
    })
}

impl From<ActionApplied> for CombatActionResult {
    fn from(applied: ActionApplied) -> Self {
        let effect = |effect: &crate::hub::Effect| ActionEffect {
            kind: effect.name,
            value: effect.value,
            duration: effect.duration_ms.div_ceil(1000),
        };
        Self {
            action_id: Uuid::now_v7(),
            success: true,
            timestamp: Timestamp(SystemTime::now()),
            damage_dealt: applied.damage,
            effects: applied.effects.iter().map(effect).collect(),
            new_state: CombatSessionState::from(&applied.fight),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::request;
    use crate::rest::fields::Fields;
    use serde_json::json;
    use tiltyard_protocol::ActionKind;
    use uuid::Uuid;

    #[test]
    fn takes_what_the_contract_has_and_names_what_is_wrong() {
        let player = Uuid::from_u128(1);
        let parse = |body| request(Fields::of(body).unwrap());
        let (who, action) = parse(json!({
            "action_type": "attack", "player_id": player, "target_id": Uuid::from_u128(2), "parameters": {"x": null},
            "timestamp": "2024-01-02T03:04:05.678+01:00"
        }))
        .unwrap();
        assert_eq!((who, action.kind, action.target), (player, ActionKind::Attack, Some(Uuid::from_u128(2))));
        for (bad, field) in [
            (json!({"player_id": player}), "action_type"),
            (json!({"action_type": "dance", "player_id": player}), "action_type"),
            (json!({"action_type": "move"}), "player_id"),
            (json!({"action_type": "move", "player_id": player, "target_id": 3}), "target_id"),
            (json!({"action_type": "move", "player_id": player, "target_id": null}), "target_id"),
            (json!({"action_type": "move", "player_id": player, "parameters": []}), "parameters"),
            (json!({"action_type": "move", "player_id": player, "timestamp": "now"}), "timestamp"),
        ] {
            let error = format!("{:?}", parse(bad).unwrap_err());
            assert!(error.contains(&format!("String(\"{field}\")")), "{error}");
        }
    }
}
