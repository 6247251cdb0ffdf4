//! Custom sessions: a state of the callers' own, changed by merge patches, and members.

use std::future::IntoFuture;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::case::{Case, all};
use super::reply::Reply;

async fn state(case: &Case, session: &Reply) -> Reply {
    case.get(&session.path("/state")).expect(200).await
}

/// The examples of RFC 7396, each tried on a member of the state.
async fn patches_merge_as_the_rfc_says(mut case: Case) {
    let session = case.create("custom", Uuid::new_v4()).await;
    assert_eq!(state(&case, &session).await.body, json!({}));
    let table = [
        (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
        (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
        (json!({"a":"b"}), json!({"a":null}), json!({})),
        (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
        (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
        (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
        (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
        (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
        (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
        (json!({"a":"b"}), json!(["c"]), json!(["c"])),
        (json!({"a":"foo"}), json!("bar"), json!("bar")),
        (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
        (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
    ];
    let mut expected = json!({});
    for (index, (original, patch, result)) in table.into_iter().enumerate() {
        let name = format!("case {index}");
        let one = |value: Value| json!({ name.clone(): value });
        case.patch(&session, &one(original)).expect(200).await;
        let patched = case.patch(&session, &one(patch.clone())).expect(200).await;
        expected[&name] = result;
        assert_eq!(patched.body, expected, "{name}: {patch}");
    }
    let before = state(&case, &session).await;
    assert_eq!(before.body, expected);
    case.node.crash_and_restart();
    let after = state(&case, &session).await;
    assert_eq!((after.body.clone(), after.etag()), (before.body.clone(), before.etag()));
    let removed = case.patch(&session, &json!({ "case 0": null })).expect(200).await;
    assert!(removed.body.get("case 0").is_none() && removed.body.get("case 1").is_some());
    for bad in [json!([]), json!("x"), json!(7), json!(null)] {
        case.patch(&session, &bad).expect(400).await;
    }
}

async fn a_patch_of_a_stale_state_is_refused(case: Case) {
    let session = case.create("custom", Uuid::new_v4()).await;
    let before = state(&case, &session).await;
    let first = case.patch(&session, &json!({ "n": 1 })).header("if-match", &before.etag()).expect(200).await;
    assert_ne!(first.etag(), before.etag());
    let stale = case.patch(&session, &json!({ "n": 2 })).header("if-match", &before.etag());
    let refused = stale.refused(412, "precondition_failed").await;
    assert!(refused.body["details"]["version"].is_u64());
    assert_eq!(state(&case, &session).await.body, json!({ "n": 1 }));
    let read = case.get(&session.path("/state")).header("if-none-match", &first.etag());
    read.expect(304).await;

    let ask = |n: usize| case.patch(&session, &json!({ "rival": n })).header("if-match", &first.etag()).into_future();
    let replies = all((0..32).map(ask)).await;
    let changed: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(replies.iter().filter(|reply| reply.status == 412).count(), 31);
    assert_eq!(state(&case, &session).await.body["rival"], changed[0].body["rival"]);
}

async fn patches_at_once_all_count(case: Case) {
    let session = case.create("custom", Uuid::new_v4()).await;
    let patches: Vec<Value> = (0..32).map(|n| json!({ format!("n{n}"): n })).collect();
    let replies = all(patches.iter().map(|patch| case.patch(&session, patch).into_future())).await;
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    let now = state(&case, &session).await;
    assert_eq!(now.body.as_object().unwrap().len(), 32);
}

async fn a_state_has_a_bound(case: Case) {
    let session = case.create("custom", Uuid::new_v4()).await;
    let part = |name: &str| json!({ name: "x".repeat(20 * 1024) });
    for name in ["a", "b", "c"] {
        case.patch(&session, &part(name)).expect(200).await;
    }
    let before = state(&case, &session).await;
    case.patch(&session, &part("d")).refused(413, "body_too_large").await;
    case.patch(&session, &json!({ "huge": "x".repeat(300 * 1024) })).refused(413, "body_too_large").await;
    assert_eq!(state(&case, &session).await.etag(), before.etag());
    case.patch(&session, &json!({ "a": null })).expect(200).await;
    case.patch(&session, &part("d")).expect(200).await;
}

async fn what_has_ended_or_is_of_another_type_has_no_state_to_change(case: Case) {
    let session = case.create("custom", Uuid::new_v4()).await;
    case.patch(&session, &json!({ "n": 1 })).expect(200).await;
    case.delete(&session.path("")).expect(200).await;
    case.patch(&session, &json!({ "n": 2 })).expect(409).await;
    let other = case.create("player", Uuid::new_v4()).await;
    case.patch(&other, &json!({ "n": 1 })).expect(409).await;
    case.get(&other.path("/state")).expect(409).await;
}

async fn members_come_and_go(case: Case) {
    let [owner, ann, bob, cy] = [(); 4].map(|()| Uuid::new_v4());
    let session = case.create_with("custom", owner, json!({ "max_members": 3, "members": [ann] })).await;
    let members = |reply: &Reply| {
        let mut all: Vec<Uuid> =
            reply.list("members").iter().map(|member| member["player_id"].as_str().unwrap().parse().unwrap()).collect();
        all.retain(|member| *member != owner);
        all
    };
    assert_eq!(members(&session), [ann]);
    let (of_ann, of_bob) = (case.node.player(ann), case.node.player(bob));
    let join = |player: Uuid| case.post(&session.path("/members"), &json!({ "player_id": player }));
    case.get(&session.path("/state")).by(&of_bob).expect(404).await;
    case.get(&session.path("/state")).by(&of_ann).expect(200).await;

    let joined = case.ask(Method::POST, &session.path("/members")).by(&of_bob).expect(200).await;
    assert!(members(&joined).contains(&bob) && joined.version() > session.version());
    case.get(&session.path("/state")).by(&of_bob).expect(200).await;
    assert_eq!(join(ann).expect(200).await.version(), joined.version(), "who is in is in");
    join(cy).by(&of_bob).expect(403).await;
    let taken = case.read(&session).await.list("members").len();
    if taken < 3 {
        join(cy).expect(200).await;
    }
    join(Uuid::new_v4()).refused(409, "session_full").await;

    let leave = |player: Uuid| case.delete(&session.path(&format!("/members/{player}")));
    leave(ann).by(&of_bob).expect(403).await;
    let left = leave(bob).by(&of_bob).expect(200).await;
    assert!(!members(&left).contains(&bob));
    case.get(&session.path("/state")).by(&of_bob).expect(404).await;
    leave(bob).refused(409, "not_a_participant").await;
    leave(ann).expect(200).await;
    let listed = case.get(&format!("/sessions?player_id={ann}")).expect(200).await;
    assert_eq!(listed.body["total_count"], 0, "who has left takes part no more");
}

async fn a_pause_holds_nobody_and_the_owner_stays(case: Case) {
    let [owner, ann, bob] = [(); 3].map(|()| Uuid::new_v4());
    let session = case.create_with("custom", owner, json!({ "members": [ann] })).await;
    case.put(&session.path(""), &json!({ "status": "paused" })).expect(200).await;
    let leave = |player: Uuid| case.delete(&session.path(&format!("/members/{player}")));
    case.post(&session.path("/members"), &json!({ "player_id": bob })).refused(409, "paused").await;
    case.patch(&session, &json!({ "n": 1 })).refused(409, "paused").await;
    let left = leave(ann).by(&case.node.player(ann)).expect(200).await;
    assert_eq!((left.status_of_session(), left.list("members").len()), ("paused", 1));
    for token in [case.node.player(owner), case.service.clone()] {
        leave(owner).by(&token).refused(409, "invalid_transition").await;
    }
    let listed = case.get("/sessions").by(&case.node.player(owner)).expect(200).await;
    assert_eq!(listed.list("sessions")[0]["members"][0]["player_id"], owner.to_string());
    let faults = case.delete("/sessions/a/members/b").refused(400, "validation_failed").await;
    assert_eq!(faults.fields(), ["session_id", "player_id"]);
}

async fn of_32_who_join_at_once_no_more_than_fit_get_in(case: Case) {
    let session = case.create_with("custom", Uuid::new_v4(), json!({ "max_members": 9 })).await;
    let before = session.body["members"].as_array().map_or(0, Vec::len);
    let join = |_| case.post(&session.path("/members"), &json!({ "player_id": Uuid::new_v4() })).into_future();
    let replies = all((0..32).map(join)).await;
    let joined = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(joined, 9 - before);
    assert!(replies.iter().all(|reply| reply.status == 200 || reply.reason() == "session_full"));
    assert_eq!(case.read(&session).await.list("members").len(), 9);
}

on_both_stores!(
    patches_merge_as_the_rfc_says,
    a_patch_of_a_stale_state_is_refused,
    patches_at_once_all_count,
    a_state_has_a_bound,
    what_has_ended_or_is_of_another_type_has_no_state_to_change,
    members_come_and_go,
    a_pause_holds_nobody_and_the_owner_stays,
    of_32_who_join_at_once_no_more_than_fit_get_in,
);
