//! Free objects - metadata, settings, state - come out as they were put in, every number to its last digit.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::case::{Case, TYPES};
use super::reply::Reply;

/// Draws the same things in every run.
struct Dice(u64);

impl Dice {
    fn draw(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    fn one_of<T: Copy, const N: usize>(&mut self, all: [T; N]) -> T {
        all[usize::try_from(self.draw() % N as u64).unwrap()]
    }

    fn digits(&mut self, most: u64) -> String {
        let length = 1 + self.below(most);
        (0..length).map(|_| char::from(b'0' + u8::try_from(self.below(10)).unwrap())).collect()
    }

    fn number(&mut self) -> String {
        let sign = if self.below(3) == 0 { "-" } else { "" };
        let whole = |digits: String| match digits.trim_start_matches('0') {
            "" => "0".to_owned(),
            digits => digits.to_owned(),
        };
        match self.below(6) {
            0 => format!("{sign}{}", whole(self.digits(40))),
            1 => format!("{sign}{}.{}", whole(self.digits(20)), self.digits(20)),
            2 => {
                let (letter, exponent) = (self.one_of(["e", "E", "e-", "E+"]), self.below(260));
                format!("{sign}{}.{}{letter}{exponent}", whole(self.digits(3)), self.digits(18))
            }
            3 => {
                // What other programs write of a double: as few digits as say which.
                let double = f64::from_bits(self.draw());
                if double.is_finite() { format!("{double:e}") } else { "-0".to_owned() }
            }
            4 => format!("{sign}0.{}", self.digits(17)),
            _ => format!("{sign}{}", self.below(10)),
        }
    }

    fn text(&mut self) -> String {
        let length = self.below(8);
        let letter = |dice: &mut Self| match dice.below(4) {
            0 => char::from_u32(u32::try_from(dice.below(0x11_0000)).unwrap()).unwrap_or('\u{fffd}'),
            1 => dice.one_of(['"', '\\', '\n', '\0', '\u{7f}', '\u{2028}', '/', '\u{1b}']),
            _ => char::from(b' ' + u8::try_from(dice.below(95)).unwrap()),
        };
        (0..length).map(|_| letter(self)).collect()
    }

    /// A JSON value in the one way that it is answered: without blanks, members in the order of their names.
    fn value(&mut self, levels: u64, in_list: bool) -> String {
        let kinds = if levels == 0 { 6 } else { 9 };
        match self.below(kinds) {
            0 => self.one_of(["true", "false"]).to_owned(),
            1 => json!(self.text()).to_string(),
            2 if in_list => "null".to_owned(),
            6 | 7 => {
                let count = self.below(5);
                format!("[{}]", (0..count).map(|_| self.value(levels - 1, true)).collect::<Vec<_>>().join(","))
            }
            8 => {
                let count = self.below(5);
                let members: BTreeMap<String, String> =
                    (0..count).map(|_| (self.text(), self.value(levels - 1, in_list))).collect();
                object(&members)
            }
            _ => self.number(),
        }
    }

    /// An object of many values, of about so many bytes.
    fn object(&mut self, bytes: usize) -> (String, usize) {
        let (mut members, mut length) = (BTreeMap::new(), 0);
        while length < bytes {
            let (name, value) = (format!("{}{}", members.len(), self.text()), self.value(3, false));
            length += name.len() * 2 + value.len() + 6;
            members.insert(name, value);
        }
        (object(&members), members.len())
    }
}

fn object(members: &BTreeMap<String, String>) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    format!("{{{}}}", members.join(","))
}

fn has(reply: &Reply, name: &str, text: &str) {
    let body = std::str::from_utf8(&reply.file).unwrap();
    let wanted = format!("\"{name}\":{text}");
    assert!(body.contains(&wanted), "{}: not given back as it was put in: {wanted}\nin {body}", reply.line);
}

async fn what_goes_in_comes_out(mut case: Case) {
    let mut dice = Dice(7);
    let mut tried = 0;
    let mut kept: Vec<(Reply, [String; 3])> = Vec::new();
    for round in 0..24 {
        let kind = TYPES[round % TYPES.len()];
        let (metadata, of_metadata) = dice.object(4_000);
        let (settings, of_settings) = dice.object(4_000);
        let body = format!(
            r#"{{"type":"{kind}","player_id":"{}","metadata":{metadata},"settings":{settings}}}"#,
            Uuid::new_v4()
        );
        let create = || {
            let ask = case.ask(Method::POST, "/sessions").text("application/json", &body);
            ask.header("idempotency-key", &format!("round-{round}")).expect(201)
        };
        let made = create().await;
        let again = create().await;
        assert_eq!(again.id(), made.id());
        for reply in [&made, &again] {
            has(reply, "metadata", &metadata);
            has(reply, "settings", &settings);
        }
        let (changed, of_changed) = dice.object(4_000);
        let update = format!(r#"{{"metadata":{changed}}}"#);
        let put = case.ask(Method::PUT, &made.path("")).text("application/json", &update).expect(200).await;
        has(&put, "metadata", &changed);
        has(&put, "settings", &settings);
        let mut state = String::new();
        if kind == "custom" {
            let of_state;
            (state, of_state) = dice.object(40_000);
            let patch = |text: &str| {
                let ask = case.ask(Method::PATCH, &made.path("/state"));
                ask.text("application/merge-patch+json", text).expect(200)
            };
            let patched = patch(&state).await;
            assert_eq!(std::str::from_utf8(&patched.file).unwrap(), state);
            // A patch changes what it names, and nothing else.
            patch(r#"{"other":0.1}"#).await;
            let patched = patch(r#"{"other":null}"#).await;
            assert_eq!(std::str::from_utf8(&patched.file).unwrap(), state);
            tried += of_state;
        }
        tried += of_metadata + of_settings + of_changed;
        kept.push((made, [changed, settings, state]));
    }
    assert!(tried >= 10_000, "{tried}");
    for _ in 0..2 {
        let list = case.get("/sessions?limit=100").expect(200).await;
        for (made, [metadata, settings, state]) in &kept {
            let read = case.read(made).await;
            for reply in [&read, &list] {
                has(reply, "metadata", metadata);
                has(reply, "settings", settings);
            }
            match made.text("type") {
                "combat" => {
                    let fight = case.get(&format!("/combat{}", made.path(""))).expect(200).await;
                    has(&fight, "settings", settings);
                }
                "custom" => {
                    let read = case.get(&made.path("/state")).expect(200).await;
                    assert_eq!(std::str::from_utf8(&read.file).unwrap(), state);
                }
                _ => {}
            }
        }
        case.node.crash_and_restart();
    }
}

async fn a_number_that_no_client_could_read_is_named(case: Case) {
    let player = Uuid::new_v4();
    let body = |metadata: &str| format!(r#"{{"type":"custom","player_id":"{player}","metadata":{metadata}}}"#);
    let create = |metadata: &str| case.ask(Method::POST, "/sessions").text("application/json", &body(metadata));
    let refused = create(r#"{"deep":[1,{"n":1e400}]}"#).refused(400, "validation_failed").await;
    assert_eq!(refused.fields(), ["metadata.deep[1].n"]);
    let made = create(r#"{"n":1e308}"#).expect(201).await;
    let ask = case.ask(Method::PATCH, &made.path("/state"));
    let refused =
        ask.text("application/merge-patch+json", r#"{"a":{"b":-2e308}}"#).refused(400, "validation_failed").await;
    assert_eq!(refused.fields(), ["a.b"]);
}

async fn of_nulls_only_members_are_left_out(case: Case) {
    let given = json!({ "a": null, "b": { "c": null, "d": [null, 1, { "e": null }] } });
    let kept = json!({ "b": { "d": [null, 1, { "e": null }] } });
    for kind in TYPES {
        let body =
            json!({ "type": kind, "player_id": Uuid::new_v4(), "metadata": given, "settings": { "own": given } });
        let made = case.post("/sessions", &body).expect(201).await;
        assert_eq!((&made.body["metadata"], &made.body["settings"]["own"]), (&kept, &kept), "{kind}");
        let put = case.put(&made.path(""), &json!({ "metadata": given })).expect(200).await;
        assert_eq!(put.body["metadata"], kept, "{kind}");
        if kind == "custom" {
            assert_eq!(case.patch(&made, &given).expect(200).await.body, kept);
        }
    }
}

/// The names of settings that the server knows.
const KNOWN: [(&str, &[&str]); 4] = [
    ("combat", &["mode", "participants", "ruleset", "max_duration", "difficulty", "rules", "seats", "teams"]),
    ("player", &["replace", "heartbeat_seconds", "reconnect_seconds"]),
    ("auth", &["idle_seconds", "absolute_seconds", "scope"]),
    ("custom", &["ttl_seconds", "max_members", "members"]),
];

async fn a_null_in_a_free_object_is_nothing_whether_its_name_is_known_or_not(case: Case) {
    let nulls = |names: &[&str]| {
        let mut nulls = json!({ "unheard of": null });
        for name in names {
            nulls[*name] = Value::Null;
        }
        nulls
    };
    for (kind, names) in KNOWN {
        let made = case.create_with(kind, Uuid::new_v4(), nulls(names)).await;
        assert_eq!(made.body["settings"], json!({}), "{kind}");
        let put = case.put(&made.path(""), &json!({ "settings": nulls(names) })).expect(200).await;
        assert_eq!(put.body["settings"], json!({}), "{kind}");
    }
    let player = Uuid::new_v4();
    let mut settings = nulls(&KNOWN[0].1[2..]);
    let body = |settings: &Value| json!({ "mode": "pvp", "participants": [player], "settings": settings });
    case.post("/combat/sessions", &body(&settings)).expect(201).await;
    settings["rules"] = json!({ "health": null, "no such rule": null, "armor": 7 });
    let fight = case.post("/combat/sessions", &body(&settings)).expect(201).await;
    assert_eq!(fight.body["settings"], json!({ "rules": { "armor": 7 } }));
    let parameters = nulls(&["ability", "item", "body_part", "position", "cover", "hazard"]);
    let action = json!({ "action_type": "defend", "player_id": player, "parameters": parameters });
    case.post(&format!("/combat/sessions/{}/actions", fight.id()), &action).expect(409).await;

    // A field of the body itself is left out where there is nothing to say.
    let made = case.create("custom", player).await;
    for (method, path, field) in [
        (Method::POST, "/sessions".to_owned(), "metadata"),
        (Method::POST, "/sessions".to_owned(), "settings"),
        (Method::POST, "/combat/sessions".to_owned(), "settings"),
        (Method::PUT, made.path(""), "status"),
        (Method::PUT, made.path(""), "settings"),
        (Method::DELETE, made.path(""), "reason"),
        (Method::POST, made.path("/members"), "player_id"),
        (Method::POST, format!("/combat/sessions/{}/actions", fight.id()), "target_id"),
    ] {
        let refused = case.ask(method, &path).json(&json!({ field: null })).expect(400).await;
        assert!(refused.fields().contains(&field), "{path}: {}", refused.body);
    }
}

async fn settings_are_replaced_but_for_what_was_fixed_at_the_creation(case: Case) {
    for (kind, fixed) in [
        ("combat", json!({ "max_duration": 600, "seats": 2 })),
        ("player", json!({ "heartbeat_seconds": 9 })),
        ("auth", json!({ "idle_seconds": 600, "scope": "play" })),
        ("custom", json!({ "max_members": 8, "ttl_seconds": 600 })),
    ] {
        let with = |name: &str, value: Value| {
            let mut settings = fixed.clone();
            settings[name] = value;
            settings
        };
        let double = |value: &Value| value.as_f64().map_or_else(|| value.clone(), |number| json!(number));
        let doubles: Value =
            fixed.as_object().unwrap().iter().map(|(name, value)| (name.clone(), double(value))).collect();
        let made = case.create_with(kind, Uuid::new_v4(), with("theme", json!("dark"))).await;
        for (given, expected) in [
            (json!({ "map": "dock" }), with("map", json!("dock"))),
            (with("theme", json!("light")), with("theme", json!("light"))),
            // Sent back by a client that writes every number as a double.
            (doubles, fixed.clone()),
            (json!({}), fixed.clone()),
        ] {
            let put = case.put(&made.path(""), &json!({ "settings": given })).expect(200).await;
            assert_eq!(put.body["settings"], expected, "{kind}: {given}");
        }
    }
}

on_both_stores!(
    a_null_in_a_free_object_is_nothing_whether_its_name_is_known_or_not,
    settings_are_replaced_but_for_what_was_fixed_at_the_creation,
    what_goes_in_comes_out,
    a_number_that_no_client_could_read_is_named,
    of_nulls_only_members_are_left_out,
);
