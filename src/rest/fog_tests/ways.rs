//! What REST says of a fight in the fog, by the code that answers requests: to players of the sides that compare, and to the
//! one who has made the fight and does not take part in it.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use tiltyard_combat::{Action, BodyPart, Slot, Thing};
use tiltyard_protocol::client::Degrees;
use tiltyard_protocol::{Act, ActionKind};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::auth::{Principal, Role};
use crate::records::fights;
use crate::replays::Stories;
use crate::replays::stories::{Question, Source};
use crate::rest::actions::CombatActionResult;
use crate::rest::conditions::etag;
use crate::rest::cursor;
use crate::rest::error::ApiError;
use crate::rest::find::Found;
use crate::rest::logs::LogPage;
use crate::rest::replays::reader;
use crate::rest::shapes::{CombatSession, CombatSessionState, SessionLogEntry, SessionStats};
use crate::session::{Expected, FightInfo, Refusal, Viewer};
use crate::shard::fog_ground::CREATOR;
use crate::shard::session::Session;
use crate::shard::{ActionApplied, RestAction};

/// What is said of a session when it is asked for, at the shard's time.
type Way = (&'static str, fn(&Session, u64, &Principal) -> Value);

pub(super) const WAYS: [Way; 5] = [
    ("the state", |session, now, caller| state(&session.info(now, caller.viewer()))),
    ("the fight", |session, now, caller| combat(&session.info(now, caller.viewer()))),
    ("the session", |session, now, caller| generic(session.info(now, caller.viewer()), caller)),
    ("the newest events", |session, now, caller| newest(&session.info(now, caller.viewer()))),
    // As lists and other nodes read it.
    ("what the store has", |session, now, caller| {
        let row = fights::row(&session.info(now, Viewer::All), "here");
        let fight = fights::of(&row).unwrap().from_afar(caller.viewer());
        json!([state(&fight), combat(&fight), newest(&fight), generic(fight, caller)])
    }),
];

/// Those who read: `players` of the fight, and its creator.
pub(super) fn readers(players: std::ops::Range<Slot>) -> impl Iterator<Item = Principal> {
    players.map(|slot| Uuid::from_u128(u128::from(slot) + 1)).chain([CREATOR]).map(caller)
}

pub(super) fn caller(player: Uuid) -> Principal {
    Principal { role: Role::Player(player), scopes: Vec::new(), guest: false, sid: None, expires_at: u64::MAX }
}

pub(super) fn service() -> Principal {
    Principal {
        role: Role::Service("backend".to_owned()),
        scopes: Vec::new(),
        guest: false,
        sid: None,
        expires_at: u64::MAX,
    }
}

/// The whole log, page by page, with every cursor.
pub(super) fn pages(stories: &Stories, session: &Session, now: u64, caller: &Principal, limit: usize) -> Vec<Value> {
    let fight = session.info(now, caller.viewer());
    let (mut pages, mut before) = (Vec::new(), u64::MAX);
    loop {
        let question = Question { session: session.id, reader: reader(caller, &fight), before, limit };
        let source = (Source::Recording(Box::new(session.recording())), Arc::clone(&session.ruleset));
        let path = stories.path(session.id);
        let page = stories.page(&path, Some(source), question, &CancellationToken::new()).unwrap();
        let page = said(&LogPage::of_story(page));
        let next = page.get("next_cursor").map(|next| cursor::read_no(next.as_str().unwrap()).unwrap().cast_unsigned());
        pages.push(page);
        match next {
            Some(next) => before = next,
            None => return pages,
        }
    }
}

/// The answer to an action.
pub(super) fn answer(applied: Result<ActionApplied, Refusal>) -> Value {
    let applied = match applied {
        Ok(applied) => applied,
        Err(refusal) => return ApiError::from(refusal).body(),
    };
    let mut answer = said(&CombatActionResult::of(applied));
    answer.as_object_mut().unwrap().retain(|name, _| name != "action_id" && name != "timestamp");
    leave_out_sequence(&mut answer["new_state"]);
    answer
}

/// An action as it is asked for over REST.
pub(super) fn asked(session: &Session, action: Action) -> RestAction {
    let player = |slot: Slot| {
        let seat = session.fight.participants().get(usize::from(slot));
        Uuid::from_u128(seat.map_or(u128::MAX, tiltyard_combat::Participant::player))
    };
    let (mut act, mut target) = (Act::new(0, 0, ActionKind::Defend), None);
    match action {
        Action::Defend | Action::Unavailable => {}
        Action::Attack { target: at, part } => {
            (act.kind, target) = (ActionKind::Attack, at.map(player));
            act.part = Some(match part {
                BodyPart::Head => tiltyard_protocol::BodyPart::Head,
                BodyPart::Torso => tiltyard_protocol::BodyPart::Torso,
                BodyPart::Limb => tiltyard_protocol::BodyPart::Limb,
            });
        }
        Action::Break { thing } => {
            act.kind = ActionKind::Attack;
            match thing {
                Thing::Cover(cover) => act.c = Some(cover),
                Thing::Hazard(hazard) => act.z = Some(hazard),
            }
        }
        Action::Use { ability, item, aim } => {
            act.kind = if item { ActionKind::ItemUse } else { ActionKind::Ability };
            (act.a, target) = (Some(ability), aim.slot.map(player));
            (act.x, act.y) = (aim.at.map(|at| at.x), aim.at.map(|at| at.y));
        }
        Action::Move { to } => {
            act.kind = ActionKind::Move;
            (act.x, act.y) = (Some(to.x), Some(to.y));
        }
        Action::Walk { to, facing, velocity } => {
            act.kind = ActionKind::Move;
            (act.x, act.y) = (Some(to.x), Some(to.y));
            (act.f, act.vx, act.vy) = (facing.and_then(Degrees::new), Some(velocity.x), Some(velocity.y));
        }
    }
    RestAction { act, target, expected: Expected::default() }
}

fn state(fight: &FightInfo) -> Value {
    let mut state = said(&CombatSessionState::of(fight));
    leave_out_sequence(&mut state);
    state
}

fn combat(fight: &FightInfo) -> Value {
    json!([said(&CombatSession::of(fight)), etag(fight.version)])
}

fn generic(fight: FightInfo, caller: &Principal) -> Value {
    let mut stats = said(&SessionStats::of_fight(&fight));
    // Of a live one that is the wall's affair.
    stats.as_object_mut().unwrap().remove("duration_seconds");
    let logs = said(&SessionLogEntry::of_fight(&fight));
    let found = Found::from(fight);
    let (tag, relation) = (etag(found.version()), format!("{:?}", found.relation(caller)));
    json!([said(&found.session("here")), tag, relation, found.has_ended(), stats, logs])
}

/// The log of a fight without a replay, page by page.
fn newest(fight: &FightInfo) -> Value {
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let page = said(&LogPage::of_newest(fight, before, 3));
        before = page.get("next_cursor").and_then(|next| cursor::read_no(next.as_str()?));
        pages.push(page);
        if before.is_none() {
            return pages.into();
        }
    }
}

/// That a step happened is told, by its number: what is hidden moves it only together with something that is seen.
fn leave_out_sequence(state: &mut Value) {
    assert!(state.as_object_mut().unwrap().remove("seq").is_some());
}

fn said(answer: &impl Serialize) -> Value {
    serde_json::to_value(answer).unwrap()
}
