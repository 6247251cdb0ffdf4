//! What is answered, and how things stand, in fights of two shards.

use std::io::Write;

use serde_json::Value;
use uuid::Uuid;

use super::super::held::{Client, attack_of, count, handle_of};
use super::super::text;
use super::{NEAR, OWNER, Pair, acks, concede_of, leave_of, messages, newest, refusals};

/// An action with these fields.
fn action_of(session: Uuid, fields: &str) -> String {
    format!(r#"{{"t":"action","d":{{"s":{},{fields}}}}}"#, handle_of(session))
}

#[test]
fn every_action_whose_id_can_be_read_is_answered_by_it_wherever_its_session_is() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    for session in [here, there] {
        for fields in [
            r#""id":1,"kind":"fly""#,
            r#""id":2,"kind":"attack","to":"him""#,
            r#""id":3,"kind":"attack","to":1,"c":0"#,
            r#""id":4,"kind":"move","x":1000000,"y":0"#,
            r#""id":9007199254740993,"kind":"fly""#,
            // Its id is still free, and then it is not.
            r#""id":1,"kind":"attack","to":1"#,
            r#""id":1,"kind":7"#,
        ] {
            client.say(&action_of(session, fields));
        }
        pair.heard(&mut client, "the last answer", |seen| acks(seen, session, 1) == 2);
        let refused = |id: u64, rest: &str| {
            let begin = format!(r#""t":"refused","d":{{"s":{},"id":{id},"reason":"{rest}"#, handle_of(session));
            assert_eq!(client.seen.matches(&begin).count(), 1, "{begin} in {}", client.seen);
        };
        refused(1, r#"bad_fields","message":"kind: must be one of attack, defend, ability, move and item_use"}"#);
        refused(2, r#"bad_fields","message":"to: must be a whole number from 0 to 255"}"#);
        refused(3, r#"bad_fields","message":"to, c, z: only one of them can be attacked"}"#);
        let at = pair.read(session).participants[0].at.unwrap();
        refused(4, &format!(r#"too_fast","x":{},"y":{},"allowed_cm":"#, at.x, at.y));
        refused(9_007_199_254_740_993, "bad_action_id");
    }
    assert_eq!(count(&client.seen, "error"), 0);
    assert_eq!((pair.workers[NEAR].stats.bad_messages, pair.workers[OWNER].stats.bad_messages), (8, 0));
}

#[test]
fn an_action_that_is_too_old_is_answered_with_what_is_known_of_it() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    for session in [here, there] {
        let forgotten =
            |id: u64, rest: &str| format!(r#""t":"forgotten","d":{{"s":{},"id":{id},{rest}}}"#, handle_of(session));
        for id in 1..=70 {
            client.say(&action_of(session, &format!(r#""id":{id},"kind":"attack","to":0"#)));
        }
        client.say(&attack_of(session, 1));
        let never = forgotten(1, r#""applied":false,"last_id":70"#);
        pair.heard(&mut client, "what was never applied", |seen| seen.contains(&never));
        for id in 71..=140 {
            client.say(&attack_of(session, id));
        }
        client.say(&attack_of(session, 71));
        let perhaps = forgotten(71, r#""last_id":140"#);
        pair.heard(&mut client, "what may have been", |seen| seen.contains(&perhaps));
        assert_eq!(pair.read(session).actions, 70, "nothing is applied twice");
    }
}

#[test]
fn who_concedes_has_lost_at_once_wherever_the_session_is_and_is_refused_by_name_after_that() {
    let mut pair = Pair::start();
    let (here, there, nowhere) = (pair.create(NEAR), pair.create(OWNER), Uuid::from_u128(77));
    let mut client = pair.join(&[here, there]);
    for session in [here, there] {
        client.say(&concede_of(session));
        pair.heard(&mut client, "its delta", |seen| {
            seen.split(r#""t":"delta""#).any(|delta| {
                delta.contains(&format!(r#""s":{},"#, handle_of(session)))
                    && delta.contains(r#"{"k":"forfeited","by":0}"#)
            })
        });
        let info = pair.read(session);
        assert_eq!(info.end_reason, Some(tiltyard_combat::EndReason::Forfeit));
        assert_eq!(info.winner, Some(Uuid::from_u128(2)));
        client.say(&concede_of(session));
        pair.heard(&mut client, "a refusal", |seen| refusals(seen, session, r#""id":0,"reason":"wrong_phase""#) == 1);
    }
    client.say(&concede_of(nowhere));
    pair.heard(&mut client, "a refusal", |seen| refusals(seen, nowhere, r#""id":0,"reason":"not_joined""#) == 1);
}

fn ping_of(n: u64, s: u32) -> String {
    format!(r#"{{"t":"ping","d":{{"n":{n},"s":{s}}}}}"#)
}

#[test]
fn the_time_of_a_session_is_told_with_the_servers_wherever_it_is() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    pair.skip_to(5_000);
    for (n, session) in [(1, here), (2, there)] {
        client.say(&ping_of(n, handle_of(session)));
        pair.heard(&mut client, "a pong", |seen| messages(seen, "pong").iter().any(|pong| pong["n"] == n));
        let pong = newest(&client.seen, "pong", session);
        for t in ["joined", "snapshot"] {
            let before = newest(&client.seen, t, session);
            let since = |of: &str| pong[of].as_u64().unwrap() - before[of].as_u64().unwrap();
            assert!(since("time").abs_diff(since("at")) <= 2, "{t}: {before} {pong}");
            assert!(since("at") >= 5_000);
        }
    }
    client.say(&ping_of(3, 77));
    pair.heard(&mut client, "a pong", |seen| count(seen, "pong") == 3);
    let pong = messages(&client.seen, "pong").pop().unwrap();
    assert_eq!((&pong["n"], &pong["s"], &pong["at"]), (&3.into(), &Value::Null, &Value::Null), "it is not in that one");
    // Nor in this one any more.
    let at_once = [&leave_of(there), &ping_of(4, handle_of(there))];
    client.stream.write_all(&at_once.map(|message| text(message)).concat()).unwrap();
    pair.heard(&mut client, "a pong", |seen| count(seen, "pong") == 4);
    let pong = messages(&client.seen, "pong").pop().unwrap();
    assert_eq!((&pong["n"], &pong["at"]), (&4.into(), &Value::Null));
}

#[test]
fn joined_says_how_things_stand_and_the_rules_to_who_does_not_have_them() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    for session in [here, there] {
        let first = newest(&client.seen, "joined", session);
        assert_eq!((&first["applied"], &first["last_id"], &first["team"]), (&0.into(), &0.into(), &0.into()));
        assert_eq!((&first["timers"]["seat_ms"], &first["timers"]["idle_ms"]), (&30_000.into(), &60_000.into()));
        client.say(&attack_of(session, 7));
        client.say(&action_of(session, r#""id":8,"kind":"attack","to":0"#));
        pair.heard(&mut client, "a refusal", |seen| refusals(seen, session, "invalid_target") == 1);
        let joined = count(&client.seen, "joined");
        let (epoch, hash) = (first["epoch"].as_u64().unwrap(), first["rules"]["hash"].as_str().unwrap());
        let join = |epoch: u64| {
            format!(r#"{{"t":"join","d":{{"session":"{session}","seq":1,"epoch":{epoch},"rules":"{hash}"}}}}"#)
        };
        client.say(&join(epoch));
        pair.heard(&mut client, "a second welcome", |seen| count(seen, "joined") > joined);
        let again = newest(&client.seen, "joined", session);
        assert_eq!((&again["applied"], &again["last_id"]), (&7.into(), &8.into()));
        assert_eq!((&again["rules"], &again["timers"]), (&Value::Null, &first["timers"]));
        assert!(again["time"].as_u64() >= first["time"].as_u64() && again["at"].as_u64() >= first["at"].as_u64());
    }
    // One that the server knows nothing of: it was put back to before that.
    pair.skip_to(2_000);
    client.say(&format!(r#"{{"t":"join","d":{{"session":"{there}","seq":1,"epoch":9}}}}"#));
    pair.heard(&mut client, "an answer", |seen| seen.contains(r#""reason":"rolled_back""#));
}

#[test]
fn each_is_told_what_of_its_own_is_applied() {
    let mut pair = Pair::start();
    for shard in [NEAR, OWNER] {
        let session = pair.create(shard);
        let mut clients = [pair.attach(NEAR, 1), pair.attach(NEAR, 2)];
        for client in &mut clients {
            pair.join_too(client, session);
            assert_eq!(newest(&client.seen, "snapshot", session)["id"], 0);
        }
        let [one, two] = &mut clients;
        let attack = |id: u64, to: u8| action_of(session, &format!(r#""id":{id},"kind":"attack","to":{to}"#));
        let told = |client: &Client, id: u64| newest(&client.seen, "delta", session)["id"] == id;
        one.say(&attack(5, 1));
        pair.heard(one, "an answer", |seen| acks(seen, session, 5) == 1);
        two.say(&attack(70_000, 0));
        pair.heard(two, "an answer", |seen| acks(seen, session, 70_000) == 1);
        pair.settle();
        one.news();
        two.news();
        assert!(told(one, 5) && told(two, 70_000));
        // What is refused, and what is asked for over REST, is none of them.
        one.say(&attack(6, 0));
        pair.heard(one, "a refusal", |seen| refusals(seen, session, "invalid_target") == 1);
        pair.attack_often(session, 1);
        one.news();
        two.news();
        assert!(told(one, 5) && told(two, 70_000));
        pair.join_too(one, session);
        assert_eq!(newest(&one.seen, "snapshot", session)["id"], 5);
    }
}
