//! Optimistic locking: of many who change a session at the version they saw, one does.

use std::future::IntoFuture;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::case::{Case, TYPES, all};
use super::reply::Reply;
use crate::support::soon;

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

async fn members_come_and_go_at_the_version_that_is_asked_for(case: Case) {
    let player = |id: Uuid| json!({ "player_id": id });
    let (custom, fight) = (case.create("custom", Uuid::new_v4()).await, case.create("combat", Uuid::new_v4()).await);
    let bob = Uuid::new_v4();
    for session in [&custom, &fight] {
        let path = session.path("/members");
        case.post(&path, &player(bob)).header("if-match", "\"99\"").refused(412, "precondition_failed").await;
        assert_eq!(case.read(session).await.version(), session.version());
    }
    let joined = case.post(&custom.path("/members"), &player(bob)).header("if-match", &custom.etag()).expect(200).await;
    assert!(joined.version() > custom.version());
    let path = custom.path(&format!("/members/{bob}"));
    case.delete(&path).header("if-match", &custom.etag()).refused(412, "precondition_failed").await;
    case.delete(&path).header("if-none-match", &joined.etag()).refused(412, "precondition_failed").await;
    case.delete(&path).header("if-match", &joined.etag()).expect(200).await;
    let change = json!({ "metadata": { "n": 1 } });
    let put = case.put(&custom.path(""), &change).header("if-none-match", "*");
    put.refused(412, "precondition_failed").await;
    case.put(&custom.path(""), &change).header("if-none-match", &custom.etag()).expect(200).await;
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

/// A fight whose course a test leads: it begins when all are ready, and one hit decides it.
async fn led_fight(case: &Case, players: &[Uuid]) -> Reply {
    let rules = json!({
        "preparation_ms": 600_000, "cooldown_ms": 600_000, "health": 10, "attack_damage_min": 10, "attack_damage_max": 10,
        "armor": 0, "attack_interval_ms": 0, "actions_per_second": 0, "arrival_ms": 0,
    });
    let settings = json!({ "rules": rules, "seats": players.len() + 1 });
    let body = json!({ "mode": "pvp", "participants": players, "settings": settings });
    case.post("/combat/sessions", &body).expect(201).await
}

async fn whatever_changes_a_session_does_so_at_the_version_that_is_asked_for(case: Case) {
    let [one, two, three] = [(); 3].map(|()| Uuid::new_v4());
    let fight = led_fight(&case, &[one, two]).await;
    let (custom, login) = (case.create("custom", one).await, case.create("auth", two).await);
    let (online, own) = (case.create("player", one).await, format!("/combat{}", fight.path("")));
    let refresh = json!({ "refresh_token": login.body["tokens"]["refresh_token"] });
    let hit = json!({ "action_type": "attack", "player_id": one, "target_id": two });
    let player = |id: Uuid| json!({ "player_id": id });
    let (none, change) = (json!({}), json!({ "metadata": { "n": 1 } }));
    // In an order in which each changes something.
    let steps = [
        (&fight, Method::POST, fight.path("/members"), &player(three)),
        (&fight, Method::POST, format!("{own}/ready"), &player(one)),
        (&fight, Method::POST, format!("{own}/ready"), &player(two)),
        (&fight, Method::POST, format!("{own}/ready"), &player(three)),
        (&fight, Method::POST, format!("{own}/actions"), &hit),
        (&fight, Method::PUT, fight.path(""), &change),
        (&fight, Method::DELETE, fight.path(""), &json!({ "force": true })),
        (&custom, Method::POST, custom.path("/members"), &player(two)),
        (&custom, Method::PATCH, custom.path("/state"), &change),
        (&custom, Method::PUT, custom.path(""), &change),
        (&custom, Method::DELETE, custom.path(&format!("/members/{two}")), &none),
        (&custom, Method::DELETE, custom.path(""), &none),
        (&login, Method::POST, login.path("/heartbeat"), &none),
        (&login, Method::POST, login.path("/refresh"), &refresh),
        (&login, Method::PUT, login.path(""), &change),
        (&login, Method::DELETE, login.path(""), &none),
        (&online, Method::POST, online.path("/heartbeat"), &none),
        (&online, Method::PUT, online.path(""), &change),
        (&online, Method::DELETE, online.path(""), &none),
    ];
    for (session, method, path, body) in steps {
        let before = case.read(session).await;
        let media_type = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let ask = |name: &str, tag: &str| {
            let ask = case.ask(method.clone(), &path).text(media_type, &body.to_string());
            ask.header(name, tag)
        };
        let weak = format!("W/{}", before.etag());
        for (name, stale) in [("if-match", "\"99\""), ("if-match", "\"\""), ("if-match", &weak), ("if-none-match", "*")]
        {
            let refused = ask(name, stale).refused(412, "precondition_failed").await;
            assert_eq!(refused.body["details"]["version"], before.version(), "{}: {name}: {stale}", refused.line);
        }
        assert_eq!(case.read(session).await.version(), before.version(), "{method} {path}");
        ask("if-match", &before.etag()).expect(200).await;
    }
    let ended = case.read(&fight).await;
    for (path, body) in [(format!("{own}/actions"), &hit), (format!("{own}/ready"), &player(one))] {
        case.post(&path, body).header("if-match", "\"99\"").refused(412, "precondition_failed").await;
        case.post(&path, body).header("if-match", &ended.etag()).refused(409, "session_ended").await;
    }
}

async fn what_changes_nothing_has_no_version_of_its_own(case: Case) {
    for kind in TYPES {
        let settings = json!({ "theme": { "b": 1, "a": [1, null] } });
        let made = case.create_with(kind, Uuid::new_v4(), settings).await;
        let path = made.path("");
        // Of a fight nothing changes by itself then.
        let paused = case.put(&path, &json!({ "status": "paused" })).expect(200).await;
        let (metadata, settings) = (&paused.body["metadata"], &paused.body["settings"]);
        let mut with_null = metadata.clone();
        with_null["none"] = Value::Null;
        for nothing in [
            json!({}),
            json!({ "status": "paused" }),
            json!({ "metadata": metadata }),
            json!({ "metadata": with_null }),
            json!({ "settings": settings }),
            json!({ "status": "paused", "metadata": metadata, "settings": settings, "version": paused.version() }),
        ] {
            let put = case.put(&path, &nothing).header("if-match", &paused.etag()).expect(200).await;
            let now = case.read(&made).await;
            for reply in [put, now] {
                assert_eq!((reply.version(), reply.etag()), (paused.version(), paused.etag()), "{kind}: {nothing}");
                assert_eq!(reply.body["updated_at"], paused.body["updated_at"], "{kind}: {nothing}");
            }
        }
        if kind != "combat" {
            let logs = case.get(&made.path("/logs")).expect(200).await;
            assert_eq!(logs.list("logs").len(), 2, "{kind}: {}", logs.body);
        }
        let changed = case.put(&path, &json!({ "metadata": with_null, "status": "active" })).expect(200).await;
        assert_eq!(changed.version(), paused.version() + 1, "{kind}");
    }
    let room = case.create("custom", Uuid::new_v4()).await;
    let first = case.patch(&room, &json!({ "n": { "a": 1 } })).expect(200).await;
    for nothing in [json!({}), json!({ "m": null }), json!({ "n": {} }), json!({ "n": { "a": 1, "b": null } })] {
        let patched = case.patch(&room, &nothing).header("if-match", &first.etag()).expect(200).await;
        assert_eq!((patched.etag(), &patched.body), (first.etag(), &first.body), "{nothing}");
    }
    assert_ne!(case.patch(&room, &json!({ "n": { "a": 2 } })).expect(200).await.etag(), first.etag());
}

async fn a_fight_s_tag_changes_with_its_course(mut case: Case) {
    let [one, two, three] = [(); 3].map(|()| Uuid::new_v4());
    let fight = led_fight(&case, &[one, two]).await;
    let path = fight.path("");
    let mut known = vec![("created", fight.version())];
    let note = async |case: &Case, known: &mut Vec<(&'static str, u64)>, what: &'static str| {
        let now = case.read(&fight).await;
        let own = case.get(&format!("/combat{path}")).expect(200).await;
        assert_eq!((own.version(), own.etag()), (now.version(), now.etag()), "{what}");
        assert!(now.version() > known.last().unwrap().1, "{what} after {known:?}");
        for (_, version) in &*known {
            case.get(&path).header("if-none-match", &format!("\"{version}\"")).expect(200).await;
        }
        let listed = case.get(&format!("/sessions?player_id={one}")).expect(200).await;
        assert_eq!(listed.list("sessions")[0]["version"], now.version(), "{what}");
        known.push((what, now.version()));
        now
    };
    case.post(&fight.path("/members"), &json!({ "player_id": three })).expect(200).await;
    note(&case, &mut known, "a seat was taken").await;
    for player in [one, two, three] {
        case.post(&format!("/combat{path}/ready"), &json!({ "player_id": player })).expect(200).await;
    }
    note(&case, &mut known, "it began").await;
    for status in ["paused", "active"] {
        case.put(&path, &json!({ "status": status })).expect(200).await;
        note(&case, &mut known, status).await;
    }
    for target in [two, three] {
        let hit = json!({ "action_type": "attack", "player_id": one, "target_id": target });
        case.post(&format!("/combat{path}/actions"), &hit).expect(200).await;
    }
    let decided = note(&case, &mut known, "it is decided").await;
    assert_eq!(decided.text("end_reason"), "last_standing");
    case.delete(&path).json(&json!({ "force": true })).expect(200).await;
    let ended = note(&case, &mut known, "it ended").await;
    case.get(&path).header("if-none-match", &ended.etag()).expect(304).await;
    case.node.crash_and_restart();
    assert_eq!(case.read(&fight).await.version(), ended.version());
}

async fn a_fight_has_one_status_wherever_it_is_asked_for(mut case: Case) {
    for (end, status) in [
        (None, "terminated"),
        (Some(json!({ "status": "completed" })), "completed"),
        (Some(json!({ "status": "paused" })), "paused"),
    ] {
        let [one, two] = [(); 2].map(|()| Uuid::new_v4());
        let fight = led_fight(&case, &[one, two]).await;
        let path = fight.path("");
        match &end {
            // Its result is shown for a while yet.
            None => case.delete(&path).expect(200).await,
            Some(end) => case.put(&path, end).expect(200).await,
        };
        for _ in 0..2 {
            let (generic, own) = (case.read(&fight).await, case.get(&format!("/combat{path}")).expect(200).await);
            let state = case.get(&format!("/combat{path}/state")).expect(200).await;
            let all = [generic.status_of_session(), own.status_of_session(), state.status_of_session()];
            assert_eq!(all, [status; 3]);
            assert_eq!(generic.body["end_reason"], own.body["end_reason"], "{status}");
            let of_player = case.node.player(one);
            for listed in ["active", "paused", "completed", "terminated"] {
                for list in ["/sessions", "/combat/sessions"] {
                    let list = case.get(&format!("{list}?status={listed}")).by(&of_player).expect(200).await;
                    let found = list.list("sessions");
                    assert_eq!(found.len(), usize::from(listed == status), "{}: {}", list.line, list.body);
                    assert!(found.iter().all(|found| found["status"] == status), "{}", list.body);
                    assert!(found.iter().all(|found| found["version"] == own.version()), "{}", list.body);
                }
            }
            case.node.crash_and_restart();
        }
    }
}

/// A GET by the service, of which this crate's other client would unpack nothing.
async fn packed(case: &Case, path: &str, heads: &[(&str, &str)]) -> (u16, Option<String>, String) {
    let mut ask = reqwest::Client::new().get(format!("{}{path}", case.node.url)).bearer_auth(&case.service);
    for (name, value) in heads {
        ask = ask.header(*name, *value);
    }
    let answer = soon(ask.send()).await.unwrap();
    let text = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), text("content-encoding"), text("etag").unwrap())
}

async fn each_coding_has_a_tag_of_its_own(case: Case) {
    let session = case.create("custom", Uuid::new_v4()).await;
    case.patch(&session, &json!({ "text": "x".repeat(4_000) })).expect(200).await;
    let metadata = json!({ "metadata": { "text": "x".repeat(4_000) } });
    case.put(&session.path(""), &metadata).expect(200).await;
    for path in [session.path(""), session.path("/state")] {
        let plain = case.get(&path).expect(200).await.etag();
        let mut tags = vec![plain.clone()];
        for coding in ["gzip", "br", "zstd"] {
            let (status, used, tag) = packed(&case, &path, &[("accept-encoding", coding)]).await;
            assert_eq!((status, used.as_deref()), (200, Some(coding)));
            assert!(
                tag.starts_with('"') && !tags.contains(&tag),
                "{coding}: {tag} is the tag of other bytes: {tags:?}"
            );
            tags.push(tag);
        }
        for tag in &tags {
            for coding in ["identity", "gzip", "br", "zstd"] {
                let weak = format!("W/{tag}");
                for known in [tag, &weak] {
                    let heads = [("accept-encoding", coding), ("if-none-match", known.as_str())];
                    let (status, _, same) = packed(&case, &path, &heads).await;
                    assert_eq!((status, &same), (304, tag), "{coding}");
                }
            }
        }
        for (round, tag) in tags.iter().enumerate().skip(1) {
            // Who has read it packed changes it as others do, once.
            let (_, coding) = tag.trim_matches('"').split_once('-').unwrap();
            let (_, _, tag) = packed(&case, &path, &[("accept-encoding", coding)]).await;
            let change = |n: u8| json!({ "metadata": { "n": [round, n], "text": "x".repeat(4_000), "of": path } });
            case.put(&session.path(""), &change(1)).header("if-match", &tag).expect(200).await;
            let stale = case.put(&session.path(""), &change(2)).header("if-match", &tag);
            stale.refused(412, "precondition_failed").await;
            let (status, _, _) = packed(&case, &path, &[("if-none-match", &tag)]).await;
            assert_eq!(status, 200);
        }
    }
}

on_both_stores!(
    members_come_and_go_at_the_version_that_is_asked_for,
    whatever_changes_a_session_does_so_at_the_version_that_is_asked_for,
    what_changes_nothing_has_no_version_of_its_own,
    a_fight_s_tag_changes_with_its_course,
    a_fight_has_one_status_wherever_it_is_asked_for,
    each_coding_has_a_tag_of_its_own,
    a_stale_precondition_changes_nothing,
    what_has_not_changed_is_not_sent_again,
    one_of_32_at_the_same_version_changes_a_fight,
    one_of_32_at_the_same_version_changes_any_other_session,
);
