//! From which status a session can go to which, and that an end is final.

use serde_json::{Value, json};
use uuid::Uuid;

use super::case::{Case, TYPES};
use super::reply::Reply;

async fn go(case: &Case, session: &Reply, status: &str) -> Reply {
    case.put(&session.path(""), &json!({ "status": status })).await
}

async fn every_way_there_is(case: Case) {
    let ways: [&[&str]; 6] = [
        &["paused", "active", "paused", "completed"],
        &["completed"],
        &["terminated"],
        &["paused", "terminated"],
        &["active", "active", "completed"],
        &["paused", "paused", "active", "terminated"],
    ];
    for kind in TYPES {
        for way in ways {
            let session = case.create(kind, Uuid::new_v4()).await;
            let mut version = session.version();
            let mut before = "active";
            for &status in way {
                let reply = go(&case, &session, status).await;
                assert_eq!((reply.status, reply.status_of_session()), (200, status), "{kind} {way:?}: {}", reply.body);
                assert_eq!(reply.version() > version, status != before, "{kind} {way:?}: a version is a change");
                (version, before) = (reply.version(), status);
            }
            ended(&case, &session, before, version).await;
        }
    }
}

/// That `session`, which is in a final status, stays as it is.
async fn ended(case: &Case, session: &Reply, status: &str, version: u64) {
    let kind = session.text("type").to_owned();
    for wanted in ["active", "paused", "completed", "terminated"] {
        let refused = go(case, session, wanted).await;
        assert_eq!((refused.status, refused.reason()), (409, "invalid_transition"), "{kind} {status} -> {wanted}");
    }
    case.put(&session.path(""), &json!({ "metadata": { "late": true } })).expect(409).await;
    let now = case.read(session).await;
    assert_eq!((now.status_of_session(), now.version()), (status, version), "{kind}");
    assert!(now.body["ended_at"].is_string() && now.body["end_reason"].is_string(), "{kind}: {}", now.body);
    assert_ne!(now.body["metadata"]["late"], Value::Bool(true));
}

async fn delete_is_the_same_again(mut case: Case) {
    for kind in TYPES {
        for body in [None, Some(json!({})), Some(json!({ "reason": "enough", "force": true }))] {
            let session = case.create(kind, Uuid::new_v4()).await;
            let delete = || match &body {
                Some(body) => case.delete(&session.path("")).json(body),
                // Strict clients say what a body would be and send none.
                None => case.delete(&session.path("")).header("content-type", "application/json"),
            };
            let first = delete().expect(200).await;
            assert_eq!(first.status_of_session(), "terminated", "{kind}");
            let again = delete().expect(200).await;
            assert_eq!((again.status_of_session(), again.version()), ("terminated", first.version()), "{kind}");
        }
        let completed = case.create(kind, Uuid::new_v4()).await;
        go(&case, &completed, "completed").await;
        case.delete(&completed.path("")).await;
        assert_eq!(case.read(&completed).await.status_of_session(), "completed", "{kind}: an end is final");
    }
    let session = case.create("custom", Uuid::new_v4()).await;
    let first = case.delete(&session.path("")).expect(200).await;
    case.node.crash_and_restart();
    assert_eq!(case.delete(&session.path("")).expect(200).await.version(), first.version());
}

async fn many_who_delete_at_once_end_it_once(case: Case) {
    for kind in TYPES {
        let session = case.create(kind, Uuid::new_v4()).await;
        let delete = |_| std::future::IntoFuture::into_future(case.delete(&session.path("")));
        let replies = super::case::all((0..16).map(delete)).await;
        assert!(replies.iter().all(|reply| reply.status == 200), "{kind}: {replies:?}");
        let version = case.read(&session).await.version();
        assert!(replies.iter().all(|reply| reply.version() == version), "{kind}");
    }
}

on_both_stores!(every_way_there_is, delete_is_the_same_again, many_who_delete_at_once_end_it_once);
