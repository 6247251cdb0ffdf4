//! `POST /combat/sessions/{session_id}/actions`: an action by REST takes the same way as one by socket, and the answer is
//! what it did.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tiltyard_combat::Ruleset;
use tiltyard_combat::ruleset::AbilityKind;
use tiltyard_protocol::client::Degrees;
use tiltyard_protocol::{Act, ActionKind, BodyPart, Reason};
use uuid::Uuid;

use super::App;
use super::conditions::expected;
use super::error::ApiError;
use super::extract::{Base, Caller, NamedId, Unread};
use super::fields::Fields;
use super::find::Found;
use super::idempotency::{self, Key};
use super::sessions::counted_as;
use super::shapes::{CombatSessionState, Timestamp};
use crate::auth::Operation;
use crate::clock;
use crate::records::Kept;
use crate::shard::{ActionApplied, RestAction};

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
    kind: String,
    value: u32,
    /// Seconds, rounded up.
    duration: u32,
}

/// Acts for a player.
pub async fn act(
    State(app): State<App>,
    Caller(caller): Caller,
    session: NamedId,
    Base(base): Base,
    headers: HeaderMap,
    body: Unread,
) -> Result<Response, ApiError> {
    caller.may(Operation::Act)?;
    let mut body = body.object().await;
    let found = app.find_named(&caller, Operation::Act, session).await?;
    // The same key in another session is another key.
    let operation = format!("executeCombatAction {}", session.given().unwrap_or_default());
    let key = Key::begin(&app, &caller, &operation, &headers, &mut body).await?;
    let mut body = body?;
    let session = session.beside(&mut body);
    let mut asked = request(&mut body);
    if let Some(Found { kept: Kept::Fight(fight), .. }) = &found
        && let Some(ruleset) = fight.world.ruleset()
    {
        asked.name(ruleset, &mut body);
    }
    body.finish()?;
    let Some(Found { kept: Kept::Fight(fight), .. }) = found else { return Err(Reason::WrongType.into()) };
    let player = asked.player;
    if caller.player().is_some_and(|own| own != player) {
        return Err(ApiError::new(Reason::Forbidden).message("A player acts only as itself."));
    }
    if !fight.participants.iter().any(|seat| seat.player == player) {
        return Err(Reason::NotAParticipant.into());
    }
    let begun = key.map(|key| key.go_on(&app)).transpose()?;
    let expected = expected(&headers, None);
    let (series, viewer) = (fight.mode.into(), caller.viewer());
    let action: Result<_, ApiError> = match fight.world.ruleset() {
        Some(_) => Ok(RestAction { act: asked.act, target: asked.target, expected }),
        // One that is not resident has ended.
        None => Err(expected.check(fight.version).err().unwrap_or_else(|| app.gone(Reason::NoSession.into())).into()),
    };
    let Some(begun) = begun else {
        let applied = app.hub.act(viewer, session, player, action?).await.map_err(|refusal| app.gone(refusal))?;
        return Ok(counted_as(series, Json(CombatActionResult::of(applied)).into_response()));
    };
    if let Some(answer) = begun.row.answer {
        return idempotency::replayed(base, "/sessions", answer);
    }
    if begun.repeated {
        return Err(Reason::OutcomeUnknown.into());
    }
    let to_the_end = Arc::clone(&app);
    let work = idempotency::kept(Arc::clone(&app), begun, async move {
        let applied = to_the_end.hub.act_to_the_end(viewer, session, player, action?).await;
        let applied = applied.map_err(|refusal| to_the_end.gone(refusal))?;
        Ok(CombatActionResult::of(applied))
    });
    Ok(counted_as(series, idempotency::finished(&app, work).await?))
}

/// `CombatActionRequest`, as far as it can be validated without the fight.
#[derive(Debug)]
struct Asked {
    player: Uuid,
    act: Act,
    target: Option<Uuid>,
    /// The name of what is used.
    used: Option<String>,
}

/// What a body asks for. It is of use where the body has no fault.
fn request(body: &mut Fields) -> Asked {
    let kind = body.text("action_type", "attack, defend, ability, move or item_use", kind);
    let kind = body.need("action_type", kind);
    let player = body.uuid("player_id");
    let player = body.need("player_id", player);
    let target = body.uuid("target_id");
    let mut parameters = Fields::inside("parameters", body.object("parameters").unwrap_or_default());
    let mut act = Act::new(0, 0, kind.unwrap_or(ActionKind::Attack));
    let used = read(&mut parameters, &mut act, kind, target.is_some());
    body.absorb(parameters);
    body.text("timestamp", "an RFC 3339 time", clock::rfc3339);
    Asked { player: player.unwrap_or_default(), act, target, used }
}

/// Reads the parameters that an action of `kind` has, and returns the name of what it uses.
fn read(parameters: &mut Fields, act: &mut Act, kind: Option<ActionKind>, has_target: bool) -> Option<String> {
    act.part = parameters.text("body_part", "head, torso or limb", part);
    let mut place = parameters.object("position").map(|members| Fields::inside("parameters.position", members));
    if let Some(place) = &mut place {
        (act.x, act.y) = (place.coordinate("x"), place.coordinate("y"));
        (act.x, act.y) = (place.need("x", act.x), place.need("y", act.y));
    }
    let facing = parameters.whole("facing", 0, 359).and_then(|degrees| u16::try_from(degrees).ok());
    act.f = facing.and_then(Degrees::new);
    if let Some(members) = parameters.object("velocity") {
        let mut velocity = Fields::inside("parameters.velocity", members);
        (act.vx, act.vy) = (velocity.coordinate("x"), velocity.coordinate("y"));
        (act.vx, act.vy) = (velocity.need("x", act.vx), velocity.need("y", act.vy));
        parameters.absorb(velocity);
    }
    let thing = |parameters: &mut Fields, name| {
        let number = parameters.whole(name, 0, 255).and_then(|number| u8::try_from(number).ok());
        if number.is_some() && has_target {
            parameters.fault(name, "must not be given with target_id");
        }
        number
    };
    (act.c, act.z) = (thing(parameters, "cover"), thing(parameters, "hazard"));
    if act.c.is_some() && act.z.is_some() {
        parameters.fault("hazard", "must not be given with cover");
    }
    let has_place = place.is_some();
    if let Some(place) = place {
        parameters.absorb(place);
    }
    let name = |text: &str| Some(text.to_owned());
    match kind {
        Some(ActionKind::Ability) => {
            let used = parameters.text("ability", "the name of an ability", name);
            parameters.need("ability", used)
        }
        Some(ActionKind::ItemUse) => {
            let used = parameters.text("item", "the name of an item", name);
            parameters.need("item", used)
        }
        Some(ActionKind::Move) if !has_place => parameters.need("position", None),
        _ => None,
    }
}

impl Asked {
    /// Puts the ruleset's numbers in for what the request names; what the ruleset does not have is a fault of the body.
    fn name(&mut self, ruleset: &Ruleset, body: &mut Fields) {
        let act = &mut self.act;
        if let Some(name) = &self.used {
            let (field, kind) = match act.kind {
                ActionKind::ItemUse => ("parameters.item", AbilityKind::Item),
                _ => ("parameters.ability", AbilityKind::Ability),
            };
            let kit = || ruleset.abilities.iter().take(usize::from(ruleset.kit));
            let used = kit().position(|ability| ability.kind == kind && ability.name == *name);
            act.a = used.and_then(|used| u8::try_from(used).ok());
            if act.a.is_none() {
                let known: Vec<&str> =
                    kit().filter(|ability| ability.kind == kind).map(|ability| ability.name.as_str()).collect();
                body.fault(field, format!("must be one of {}", known.join(", ")));
            }
        }
        let (covers, hazards) = (ruleset.environment.covers.len(), ruleset.environment.hazards.len());
        for (field, thing, count) in [("parameters.cover", act.c, covers), ("parameters.hazard", act.z, hazards)] {
            if thing.is_some_and(|thing| usize::from(thing) >= count) {
                body.fault(field, format!("is not there: the arena has {count} of them"));
            }
        }
    }
}

fn part(name: &str) -> Option<BodyPart> {
    Some(match name {
        "head" => BodyPart::Head,
        "torso" => BodyPart::Torso,
        "limb" => BodyPart::Limb,
        _ => return None,
    })
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

impl CombatActionResult {
    /// An action that was applied just now.
    pub fn of(applied: ActionApplied) -> Self {
        let new_state = CombatSessionState::of(&applied.fight);
        let effect = |effect: crate::shard::Effect| ActionEffect {
            kind: effect.name,
            value: effect.value,
            duration: effect.duration_ms.div_ceil(1000),
        };
        Self {
            action_id: Uuid::now_v7(),
            success: true,
            timestamp: Timestamp(clock::now()),
            damage_dealt: applied.damage,
            effects: applied.effects.into_iter().map(effect).collect(),
            new_state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AbilityKind, Degrees, request};
    use crate::rest::fields::Fields;
    use crate::rules::Library;
    use serde_json::{Value, json};
    use tiltyard_protocol::{ActionKind, BodyPart, Reason};
    use uuid::Uuid;

    #[test]
    fn takes_what_the_contract_has_and_names_what_is_wrong() {
        let player = Uuid::from_u128(1);
        let parse = |body| {
            let mut body = Fields::of(body).unwrap();
            let asked = request(&mut body);
            body.finish().map(|()| asked)
        };
        let asked = parse(json!({
            "action_type": "attack", "player_id": player, "target_id": Uuid::from_u128(2),
            "parameters": {"x": null, "body_part": "head"}, "timestamp": "2024-01-02T03:04:05.678+01:00"
        }))
        .unwrap();
        assert_eq!(
            (asked.player, asked.act.kind, asked.target),
            (player, ActionKind::Attack, Some(Uuid::from_u128(2)))
        );
        assert_eq!(asked.act.part, Some(BodyPart::Head));
        let used = parse(json!({
            "action_type": "ability", "player_id": player,
            "parameters": {"ability": "berserk", "position": {"x": -3, "y": 40}}
        }));
        let asked = used.unwrap();
        assert_eq!((asked.act.x, asked.act.y, asked.used.as_deref()), (Some(-3), Some(40), Some("berserk")));
        let moved = parse(json!({
            "action_type": "move", "player_id": player,
            "parameters": {"position": {"x": 1, "y": 2}, "facing": 359, "velocity": {"x": -30, "y": 40}}
        }));
        let act = moved.unwrap().act;
        assert_eq!((act.f.map(Degrees::get), act.vx, act.vy), (Some(359), Some(-30), Some(40)));
        let with = |parameters: Value| json!({"action_type": "attack", "player_id": player, "parameters": parameters});
        for (bad, field) in [
            (json!({"player_id": player}), "action_type"),
            (json!({"action_type": "dance", "player_id": player}), "action_type"),
            (json!({"action_type": "move"}), "player_id"),
            (json!({"action_type": "move", "player_id": player, "target_id": 3}), "target_id"),
            (json!({"action_type": "move", "player_id": player, "target_id": null}), "target_id"),
            (json!({"action_type": "move", "player_id": player, "parameters": []}), "parameters"),
            (json!({"action_type": "move", "player_id": player, "timestamp": "now"}), "timestamp"),
            (json!({"action_type": "move", "player_id": player}), "parameters.position"),
            (json!({"action_type": "ability", "player_id": player}), "parameters.ability"),
            (json!({"action_type": "item_use", "player_id": player, "parameters": {"item": 7}}), "parameters.item"),
            (with(json!({"body_part": "nose"})), "parameters.body_part"),
            (with(json!({"position": 7})), "parameters.position"),
            (with(json!({"position": {"x": 1}})), "parameters.position.y"),
            (with(json!({"position": {"x": 1, "y": 2.5}})), "parameters.position.y"),
            (with(json!({"facing": 360})), "parameters.facing"),
            (with(json!({"facing": -1})), "parameters.facing"),
            (with(json!({"velocity": 3})), "parameters.velocity"),
            (with(json!({"velocity": {"x": 1}})), "parameters.velocity.y"),
            (with(json!({"velocity": {"x": 1, "y": 0.5}})), "parameters.velocity.y"),
            (with(json!({"cover": -1})), "parameters.cover"),
            (with(json!({"cover": 1, "hazard": 2})), "parameters.hazard"),
        ] {
            let error = format!("{:?}", parse(bad).unwrap_err());
            assert!(error.contains(&format!("String(\"{field}\")")), "{error}");
        }
    }

    #[test]
    fn names_are_the_rulesets() {
        let player = Uuid::from_u128(1);
        let library = Library::built_in();
        let ruleset = library.by_name("default").unwrap();
        let of = |kind: &str, parameters: Value| {
            let body = json!({"action_type": kind, "player_id": player, "parameters": parameters});
            let mut body = Fields::of(body).unwrap();
            let mut asked = request(&mut body);
            asked.name(ruleset, &mut body);
            body.finish().map(|()| asked)
        };
        let kit = usize::from(ruleset.kit);
        for (place, ability) in ruleset.abilities.iter().take(kit).enumerate() {
            let (kind, field) = match ability.kind {
                AbilityKind::Ability => ("ability", "ability"),
                AbilityKind::Item => ("item_use", "item"),
                AbilityKind::Passive => continue,
            };
            let action = of(kind, json!({field: ability.name})).unwrap();
            assert_eq!(action.act.a.map(usize::from), Some(place), "{}", ability.name);
        }
        let foreign = ruleset.abilities.iter().skip(kit).find(|ability| ability.kind == AbilityKind::Ability);
        let foreign = foreign.map_or("none such", |ability| ability.name.as_str());
        for (kind, parameters, field) in [
            ("ability", json!({"ability": "none such"}), "parameters.ability"),
            ("ability", json!({"ability": foreign}), "parameters.ability"),
            ("item_use", json!({"item": "none such"}), "parameters.item"),
            ("attack", json!({"cover": 255}), "parameters.cover"),
            ("attack", json!({"hazard": 255}), "parameters.hazard"),
        ] {
            let error = of(kind, parameters).unwrap_err();
            assert_eq!(error.reason(), Reason::ValidationFailed);
            assert!(format!("{error:?}").contains(&format!("String(\"{field}\")")), "{error:?}");
        }
        let error = of("ability", json!({"ability": "none such", "cover": 255, "body_part": "nose"})).unwrap_err();
        for field in ["parameters.ability", "parameters.cover", "parameters.body_part"] {
            assert!(format!("{error:?}").contains(&format!("String(\"{field}\")")), "{field}: {error:?}");
        }
    }
}
