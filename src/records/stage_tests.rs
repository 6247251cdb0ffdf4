//! What changes do, and what later changes of the same batch see of them.

use crate::session::{Kind, PerKind};
use std::sync::Arc;

use serde_json::{Value, json};
use smallvec::smallvec;
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::body::{Body, Login, Member, Presence, Room};
use super::change::{Change, NewRecord};
use super::record::Record;
use super::residents::Residents;
use super::rooms::Watches;
use super::stage::{Stage, Staged};
use crate::json::Json;
use crate::limits;
use crate::session::{Expected, Status, Update};

/// What a change led to.
type Done = Result<Option<Arc<Record>>, Reason>;

/// Residents, and a clock that a test moves.
#[derive(Default)]
struct World {
    residents: PerKind<Residents>,
    now: u64,
    watches: Watches,
}

impl World {
    /// Stages all of `changes` as one batch and shows what came of it.
    fn batch(&mut self, changes: Vec<Change>) -> (Vec<Done>, Staged) {
        let residents = PerKind::from_fn(|kind| &self.residents[kind]);
        let mut stage = Stage::new(residents, self.now, "a").watching(&self.watches);
        let done = changes
            .into_iter()
            .map(|change| stage.apply(change).map(|changed| changed.record).map_err(|refusal| refusal.reason));
        let answers = done.collect();
        let staged = stage.finish();
        for (record, _) in &staged.records {
            let residents = &mut self.residents[record.kind()];
            if record.status.is_end() {
                residents.remove(record.id);
            } else {
                residents.put(Arc::clone(record));
            }
        }
        (answers, staged)
    }

    fn one(&mut self, change: Change) -> Result<Arc<Record>, Reason> {
        self.batch(vec![change]).0.remove(0).map(|record| record.expect("changes of one session leave it"))
    }

    fn create(&mut self, owner: u128, body: Body) -> Arc<Record> {
        self.one(new(owner, body, false)).unwrap()
    }
}

fn new(owner: u128, body: Body, replace: bool) -> Change {
    let (id, player) = (Uuid::now_v7(), Uuid::from_u128(owner));
    Change::Create(Box::new(NewRecord { id, player, body, metadata: None, settings: None, replace, key: None }))
}

fn player() -> Body {
    Body::Player(Presence { heartbeat_ms: 10, reconnect_ms: 100 })
}

fn login() -> Body {
    Body::Auth(Box::new(Login { idle_ms: 50, absolute_at: 1_000, scope: "play".into(), generation: 0, seen_at: 0 }))
}

fn room(owner: u128, max_members: u32) -> Body {
    let members = smallvec![Member { player: Uuid::from_u128(owner), joined_at: 0 }];
    Body::Custom(Box::new(Room { ttl_ms: 60, max_members, members, state: "{}".into() }))
}

fn update(id: Uuid, status: Option<Status>, version: Option<u64>) -> Change {
    let update = Update { status, ..Update::default() };
    Change::Update { id, expected: Expected { version, ..Expected::default() }, update }
}

fn end(id: Uuid) -> Change {
    Change::End { id, expected: Expected::default(), reason: "done".into() }
}

fn patch(id: Uuid, patch: Value) -> Change {
    Change::Patch { id, expected: Expected::default(), patch: patch.into(), by: None }
}

#[test]
fn statuses_follow_the_transitions() {
    use Status::{Active, Completed, Paused, Terminated};
    for (script, versions) in [
        (&[Paused, Active, Completed][..], &[Ok(2), Ok(3), Ok(4)][..]),
        (&[Paused, Paused, Terminated, Active], &[Ok(2), Ok(2), Ok(3), Err(Reason::InvalidTransition)]),
        (&[Completed, Completed], &[Ok(2), Err(Reason::InvalidTransition)]),
        (&[Active], &[Ok(1)]),
    ] {
        let mut world = World::default();
        let id = world.create(1, room(1, 2)).id;
        let alone: Vec<_> =
            script.iter().map(|&status| world.one(update(id, Some(status), None)).map(|r| r.version)).collect();
        assert_eq!(alone, versions, "{script:?} one by one");
        let mut world = World::default();
        let id = world.create(1, room(1, 2)).id;
        let changes = script.iter().map(|&status| update(id, Some(status), None)).collect();
        let together: Vec<_> =
            world.batch(changes).0.into_iter().map(|done| done.map(|record| record.unwrap().version)).collect();
        assert_eq!(together, versions, "{script:?} in one batch");
    }
}

#[test]
fn of_many_that_expect_a_version_one_gets_it() {
    let mut world = World::default();
    let id = world.create(1, room(1, 2)).id;
    let tagged = |_| {
        let expected = Expected { tags: Some(vec![1]), ..Expected::default() };
        let update = Update { metadata: Some("{}".into()), ..Update::default() };
        Change::Update { id, expected, update }
    };
    let (answers, staged) = world.batch((0..32).map(tagged).collect());
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Err(Reason::PreconditionFailed))).count(), 31);
    assert_eq!((staged.batch.contents.len(), staged.batch.contents[0].version), (1, 2));
    assert_eq!(world.one(update(id, Some(Status::Paused), Some(1))).unwrap_err(), Reason::VersionConflict);
}

#[test]
fn a_player_has_one_session_unless_it_is_replaced() {
    let mut world = World::default();
    let (answers, _) = world.batch(vec![new(1, player(), false), new(1, player(), false), new(2, player(), false)]);
    assert!(answers[0].is_ok() && answers[2].is_ok());
    assert_eq!(answers[1].as_ref().unwrap_err(), &Reason::AlreadyActive);
    let first = answers[0].as_ref().unwrap().as_ref().unwrap().id;
    let (answers, staged) = world.batch(vec![new(1, player(), true), new(1, player(), true)]);
    assert!(answers.iter().all(Result::is_ok));
    let live: Vec<_> = world.residents[Kind::Player].owned(Uuid::from_u128(1)).map(|record| record.id).collect();
    assert_eq!(live, [answers[1].as_ref().unwrap().as_ref().unwrap().id], "the last one stays");
    let replaced = staged.records.iter().find(|(record, _)| record.id == first).unwrap();
    assert_eq!((replaced.0.status, replaced.0.end_reason.as_deref()), (Status::Terminated, Some("replaced")));
}

#[test]
fn quotas_count_what_the_batch_creates() {
    let mut world = World::default();
    let (answers, _) = world.batch((0..=limits::RECORDS_PER_PLAYER).map(|_| new(1, room(1, 1), false)).collect());
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), limits::RECORDS_PER_PLAYER);
    assert_eq!(answers.last().unwrap().as_ref().unwrap_err(), &Reason::QuotaExceeded);
    let one = world.residents[Kind::Custom].owned(Uuid::from_u128(1)).next().unwrap().id;
    assert!(world.batch(vec![end(one), new(1, room(1, 1), false)]).0.iter().all(Result::is_ok), "an end makes room");
}

#[test]
fn members_come_and_go() {
    let mut world = World::default();
    let id = world.create(1, room(1, 2)).id;
    let (bob, cy) = (Uuid::from_u128(2), Uuid::from_u128(3));
    assert_eq!(world.one(Change::Join { id, expected: Expected::default(), player: bob }).unwrap().version, 2);
    assert_eq!(
        world.one(Change::Join { id, expected: Expected::default(), player: bob }).unwrap().version,
        2,
        "is one already"
    );
    assert_eq!(
        world.one(Change::Join { id, expected: Expected::default(), player: cy }).unwrap_err(),
        Reason::SessionFull
    );
    let (answers, staged) = world.batch(vec![
        Change::Leave { id, expected: Expected::default(), player: bob },
        Change::Join { id, expected: Expected::default(), player: bob },
    ]);
    assert!(answers.iter().all(Result::is_ok));
    assert!(staged.batch.left.is_empty(), "who came back has not left");
    let (_, staged) = world.batch(vec![Change::Leave { id, expected: Expected::default(), player: bob }]);
    assert_eq!(staged.batch.left, [(id, bob)]);
    assert_eq!(
        world.one(Change::Leave { id, expected: Expected::default(), player: bob }).unwrap_err(),
        Reason::NotAParticipant
    );
    world.one(update(id, Some(Status::Paused), None)).unwrap();
    assert_eq!(world.one(Change::Join { id, expected: Expected::default(), player: cy }).unwrap_err(), Reason::Paused);
    let presence = world.create(1, player()).id;
    assert_eq!(
        world.one(Change::Join { id: presence, expected: Expected::default(), player: cy }).unwrap_err(),
        Reason::WrongType
    );
}

#[test]
fn patches_merge() {
    // The examples of RFC 7396's appendix that have an object as the target.
    for (target, patch, merged) in [
        (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
        (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
        (json!({"a":"b"}), json!({"a":null}), json!({})),
        (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
        (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
        (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
        (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
        (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
        (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
        (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
    ] {
        let mut value = Json::from(target.clone());
        value.merge(patch.clone().into());
        assert_eq!(value, merged.into(), "{target} with {patch}");
    }
    let mut world = World::default();
    let id = world.create(1, room(1, 2)).id;
    let record = world.one(patch(id, json!({"hp": 3}))).unwrap();
    assert!(matches!(&record.body, Body::Custom(room) if &*room.state == r#"{"hp":3}"#));
    let large = json!({"x": "y".repeat(limits::STATE_BYTES)});
    assert_eq!(world.one(patch(id, large)).unwrap_err(), Reason::BodyTooLarge);
}

#[test]
fn a_refresh_token_is_good_once_and_a_stolen_one_ends_the_login() {
    let mut world = World::default();
    let id = world.create(1, login()).id;
    let generation = |record: &Record| match &record.body {
        Body::Auth(login) => login.generation,
        _ => panic!(),
    };
    assert_eq!(
        generation(&world.one(Change::Refresh { id, expected: Expected::default(), generation: 0 }).unwrap()),
        1
    );
    assert_eq!(
        world.one(Change::Refresh { id, expected: Expected::default(), generation: 7 }).unwrap_err(),
        Reason::Unauthorized,
        "not yet given"
    );
    assert!(world.residents[Kind::Auth].get(id).is_some());
    assert_eq!(
        world.one(Change::Refresh { id, expected: Expected::default(), generation: 0 }).unwrap_err(),
        Reason::Unauthorized
    );
    assert!(world.residents[Kind::Auth].get(id).is_none(), "ended");
    let (a, b, c) = (world.create(1, login()).id, world.create(1, login()).id, world.create(2, login()).id);
    let (_, staged) = world.batch(vec![Change::Revoke { player: Uuid::from_u128(1) }]);
    assert_eq!(staged.records.len(), 2);
    let alive = [a, b, c].map(|id| world.residents[Kind::Auth].get(id).is_some());
    assert_eq!(alive, [false, false, true]);
}

#[test]
fn what_is_used_does_not_expire() {
    let mut world = World::default();
    let record = world.create(1, player());
    world.now = 119;
    assert_eq!(world.one(Change::Expire { id: record.id }).unwrap().status, Status::Active);
    record.see(20);
    world.now = 120;
    assert_eq!(world.one(Change::Expire { id: record.id }).unwrap().status, Status::Active, "a sign of life came");
    world.now = 140;
    let ended = world.one(Change::Expire { id: record.id }).unwrap();
    assert_eq!((ended.status, ended.end_reason.as_deref()), (Status::Terminated, Some("expired")));
    assert!(!record.see(139), "one that comes while that is being committed is not taken");
    assert_eq!(record.expires_at(), Some(140));
}

#[test]
fn every_change_is_in_the_log_and_the_log_is_bounded() {
    let mut world = World::default();
    let id = world.create(1, room(1, 2)).id;
    let keep = usize::try_from(limits::SESSION_LOGS).unwrap();
    let (_, staged) = world.batch((0..=keep).map(|n| patch(id, json!({ "n": n }))).collect());
    assert_eq!(staged.batch.logs.last().unwrap().no, limits::SESSION_LOGS + 2);
    assert_eq!(staged.batch.trims, [(id, 1), (id, 2)]);
    let (_, staged) = world.batch(vec![update(id, Some(Status::Completed), None)]);
    let entry = &staged.batch.logs[0];
    assert_eq!((entry.event.as_str(), entry.data.as_deref()), ("completed", Some(r#"{"reason":"completed"}"#)));
    assert_eq!(staged.batch.players.len(), 1, "lists by player show the new status");
}

#[test]
fn of_a_session_that_somebody_is_connected_to_every_version_is_noted() {
    let mut world = World::default();
    let (watched, other) = (world.create(1, room(1, 4)).id, world.create(1, room(1, 4)).id);
    world.watches.begin(watched);
    let member = Uuid::from_u128(2);
    let by = |patch: Value| Change::Patch {
        id: watched,
        expected: Expected::default(),
        patch: patch.into(),
        by: Some(member),
    };
    let join = Change::Join { id: watched, expected: Expected::default(), player: member };
    let conflict = Change::Patch {
        id: watched,
        expected: Expected { version: Some(1), ..Expected::default() },
        patch: json!({ "no": 1 }).into(),
        by: None,
    };
    let changes =
        vec![by(json!({ "a": 1, "b": null })), by(json!({ "a": 1 })), join, conflict, patch(other, json!({ "a": 1 }))];
    let (done, staged) = world.batch(changes);
    assert_eq!(done[3].as_ref().err(), Some(&Reason::VersionConflict));
    let steps: Vec<_> =
        staged.steps[&watched].iter().map(|step| (step.version, step.merge.as_deref(), step.by)).collect();
    let merge = r#"{"a":1,"b":null}"#;
    assert_eq!(steps, [(2, Some(merge), Some(member)), (3, None, None)], "what changes nothing is no version");
    assert_eq!(staged.steps.len(), 1, "nobody is connected to the other");
    world.watches.end(watched);
    assert!(world.batch(vec![patch(watched, json!({ "a": 2 }))]).1.steps.is_empty());
}

#[test]
fn a_member_who_is_connected_has_a_custom_session_go_on() {
    let mut world = World::default();
    let record = world.create(1, room(1, 4));
    world.now = 60;
    let touched = world.one(Change::Touch { id: record.id }).unwrap();
    assert_eq!((touched.version, touched.expires_at()), (record.version, Some(120)), "its time begins anew");
    assert_eq!(world.one(Change::Expire { id: record.id }).unwrap().status, Status::Active);
    world.now = 120;
    assert_eq!(world.one(Change::Expire { id: record.id }).unwrap().status, Status::Terminated);
}
