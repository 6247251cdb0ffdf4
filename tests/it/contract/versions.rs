//! Optimistic locking: of many who change a session at the version they saw, one does.

use std::future::IntoFuture;

use serde_json::{Value, json};
use uuid::Uuid;

use super::case::{Case, TYPES, all};

/// How many try at once.
const RIVALS: usize = 32;

async fn a_stale_precondition_changes_nothing(case: Case) {
    for kind in TYPES {
        let first = case.create(kind, Uuid::new_v4()).await;
        let path = first.path("");
        let change = |level: u64| json!({ "metadata": { "level": level } });
        let second = case.put(&path, &change(2)).header("if-match", &first.etag()).expect(200).await;
        assert_ne!(first.etag(), second.etag(), "{kind}");

        for stale in [first.etag(), "\"\"".to_owned(), format!("W/{}", second.etag())] {
            let refused =
                case.put(&path, &change(3)).header("if-match", &stale).refused(412, "precondition_failed").await;
            assert_eq!(refused.body["details"]["version"], second.version(), "{kind}: {stale}");
            let refused = case.delete(&path).header("if-match", &stale).refused(412, "precondition_failed").await;
            assert_eq!(refused.body["details"]["version"], second.version(), "{kind}: {stale}");
        }
        let mut stale = change(3);
        stale["version"] = json!(first.version());
        let refused = case.put(&path, &stale).refused(409, "version_conflict").await;
        assert_eq!(refused.body["details"]["version"], second.version(), "{kind}");

        let now = case.read(&first).await;
        assert_eq!((now.version(), &now.body["metadata"]["level"]), (second.version(), &json!(2)), "{kind}");
        let several = format!("{}, {}", first.etag(), second.etag());
        let third = case.put(&path, &change(4)).header("if-match", &several).expect(200).await;
        let mut body = change(5);
        body["version"] = json!(third.version());
        let fourth = case.put(&path, &body).header("if-match", "*").expect(200).await;
        assert!(fourth.version() > third.version(), "{kind}");
        case.delete(&path).header("if-match", &fourth.etag()).expect(200).await;
    }
}

async fn what_has_not_changed_is_not_sent_again(case: Case) {
    // Of the other types more changes than the version says while they live: presence, expiry, what a fight does by itself.
    for kind in ["combat", "player", "auth"] {
        let made = case.create(kind, Uuid::new_v4()).await;
        case.get(&made.path("")).header("if-none-match", &made.etag()).expect(200).await;
        let ended = case.delete(&made.path("")).json(&json!({ "force": true })).expect(200).await;
        case.get(&made.path("")).header("if-none-match", &made.etag()).expect(200).await;
        if kind != "combat" {
            case.get(&made.path("")).header("if-none-match", &ended.etag()).expect(304).await;
        }
    }
    let made = case.create("custom", Uuid::new_v4()).await;
    let path = made.path("");
    let same = case.get(&path).header("if-none-match", &made.etag()).expect(304).await;
    assert_eq!(same.etag(), made.etag());
    case.get(&path).header("if-none-match", &format!("\"other\", W/{}", made.etag())).expect(304).await;
    case.put(&path, &json!({ "metadata": { "n": 1 } })).expect(200).await;
    case.get(&path).header("if-none-match", &made.etag()).expect(200).await;
}

async fn one_of_32_at_the_same_version_changes_a_fight(case: Case) {
    let fight = case.fight(&[Uuid::new_v4(), Uuid::new_v4()]).await;
    let session = case.read(&fight).await;
    rivals(&case, &session.path(""), &session.etag(), |_| json!({ "status": "paused" })).await;
    assert_eq!(case.read(&fight).await.status_of_session(), "paused");
}

async fn one_of_32_at_the_same_version_changes_any_other_session(case: Case) {
    for kind in ["custom", "player", "auth"] {
        let session = case.create(kind, Uuid::new_v4()).await;
        let change = |rival| json!({ "metadata": { "rival": rival } });
        let winner = rivals(&case, &session.path(""), &session.etag(), change).await;
        let now = case.read(&session).await;
        assert_eq!(
            (&now.body["metadata"]["rival"], now.version()),
            (&winner["metadata"]["rival"], session.version() + 1)
        );
    }
}

/// Everybody changes `path` at the version of `etag`, and one does: what that one was answered.
async fn rivals(case: &Case, path: &str, etag: &str, change: impl Fn(usize) -> Value) -> Value {
    let ask = |rival| case.put(path, &change(rival)).header("if-match", etag).into_future();
    let replies = all((0..RIVALS).map(ask)).await;
    let (changed, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert_eq!((changed.len(), refused.len()), (1, RIVALS - 1));
    for reply in refused {
        assert_eq!((reply.status, reply.reason()), (412, "precondition_failed"), "{}", reply.body);
        assert_eq!(reply.body["details"]["version"], changed[0].version());
    }
    changed[0].body.clone()
}

on_both_stores!(
    a_stale_precondition_changes_nothing,
    what_has_not_changed_is_not_sent_again,
    one_of_32_at_the_same_version_changes_a_fight,
    one_of_32_at_the_same_version_changes_any_other_session,
);
