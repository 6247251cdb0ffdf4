//! What the client has of a session, and what it tells, as a case says it.

use serde_json::{Value, json};
use tiltyard_client::{Connection, Fight, Key, Kind, Told};
use tiltyard_protocol::View;
use tokio::time::Instant;

use crate::run::{Checked, Of};

/// Whether `value` has everything that `wanted` names.
pub fn fits(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Array(has), Value::Array(wanted)) => {
            has.len() == wanted.len() && has.iter().zip(wanted).all(|(value, wanted)| fits(value, wanted))
        }
        (Value::Object(has), Value::Object(wanted)) => {
            wanted.iter().all(|(name, wanted)| has.get(name).is_some_and(|value| fits(value, wanted)))
        }
        _ => value == wanted,
    }
}

/// Compares what the client has of a session with what a case says; `ms` is the client's local time.
pub fn check(wanted: &Value, of: Of, connection: &Connection, ms: f64) -> Checked {
    for (field, wanted) in wanted.as_object().unwrap() {
        let has = match of {
            Of::Fight(key) => one(field, connection, key, ms).or_else(|| of_fight(field, wanted, &connection[key])),
            Of::Room(key) => one(field, connection, key, ms).or_else(|| {
                let room = &connection[key];
                Some(match field.as_str() {
                    "state" => room.state().clone(),
                    "version" => json!(room.version()),
                    "members" => sorted(json!(room.members())),
                    "here" => sorted(json!(room.here())),
                    _ => return None,
                })
            }),
            Of::Pulse(key) => one(field, connection, key, ms),
        };
        let has = has.ok_or_else(|| format!("nothing is known of {field}"))?;
        let is_right = match field.as_str() {
            "latency_ms" | "offset_ms" | "now" => {
                let (least, most) = (wanted[0].as_f64().unwrap(), wanted[1].as_f64().unwrap());
                has.as_f64().is_some_and(|value| value >= least && value <= most)
            }
            "status" if wanted.is_array() => wanted.as_array().unwrap().contains(&has),
            "members" | "here" => has == sorted(wanted.clone()),
            // What is at rest may be spelled out.
            "view" if wanted.is_object() => has == json!(serde_json::from_value::<View>(wanted.clone()).unwrap()),
            _ => has == *wanted,
        };
        if !is_right {
            return Err(format!("{field} is {has}"));
        }
    }
    Ok(())
}

fn sorted(list: Value) -> Value {
    let mut items: Vec<String> = serde_json::from_value(list).unwrap();
    items.sort();
    json!(items)
}

/// Of a session of any type.
fn one<K: Kind>(field: &str, connection: &Connection, key: Key<K>, ms: f64) -> Option<Value> {
    let clock = connection.clock();
    Some(match field {
        "status" => json!(format!("{:?}", connection.status(key)).to_lowercase()),
        "code" => json!(connection.closing(key).map(|closing| closing.code)),
        "latency_ms" => json!(clock.latency().map(|latency| latency.as_secs_f64() * 1_000.0)),
        "offset_ms" => json!(clock.at(Instant::now()).map(|server| server - ms)),
        _ => return None,
    })
}

fn of_fight(field: &str, wanted: &Value, fight: &Fight) -> Option<Value> {
    Some(match field {
        "q" => json!(fight.seq()),
        "at" => json!(fight.at()),
        "epoch" => json!(fight.epoch()),
        "h" => json!(fight.view().map(View::digest)),
        "view" => json!(fight.view()),
        "slot" => json!(fight.slot()),
        "team" => json!(fight.team()),
        "rules" => json!(fight.rules().map(|rules| &rules.hash)),
        "pending" => json!(fight.pending().collect::<Vec<_>>()),
        "applied" => json!(fight.applied()),
        "now" => json!(fight.now()),
        "places" => wanted.as_array().unwrap().iter().map(|place| drawn(place, fight)).collect(),
        _ => return None,
    })
}

/// Where a participant is drawn, to the centimetre, as the case has it.
#[allow(clippy::cast_possible_truncation)]
fn drawn(wanted: &Value, fight: &Fight) -> Value {
    let slot = u8::try_from(wanted["slot"].as_u64().unwrap()).unwrap();
    let pose = match wanted["at"].as_f64() {
        Some(at) => fight.place_at(slot, at),
        None => fight.place(slot),
    };
    let mut drawn = wanted.clone();
    drawn["place"] = json!(pose.map(|pose| json!({ "x": pose.x.round() as i64, "y": pose.y.round() as i64 })));
    drawn
}

/// What the client tells, by the names of the kit.
pub fn spelled(told: Told) -> Vec<(&'static str, Value)> {
    let one = |t, d| vec![(t, d)];
    match told {
        Told::Joined(joined) => one("joined", json!(joined)),
        Told::Snapshot(missed) => {
            let missed = missed.map(|missed| ("missed", json!(missed)));
            missed.into_iter().chain([("snapshot", json!({}))]).collect()
        }
        Told::Delta(delta) => {
            let events: Vec<_> = delta.ev.iter().map(|event| ("event", json!(event))).collect();
            [vec![("delta", json!(delta))], events].concat()
        }
        Told::Drift(drift) => one("drift", json!({ "message": drift.to_string() })),
        Told::RolledBack(notice) => one("rolled_back", json!(notice)),
        Told::Result(outcome) => one("result", json!(outcome)),
        Told::Ack(ack) => one("ack", json!(ack)),
        Told::Refused(refused) => one("refused", json!(refused)),
        Told::Forgotten(forgotten) => one("forgotten", json!(forgotten)),
        Told::Unanswered(id) => one("unanswered", json!({ "id": id })),
        Told::State(state) => one("state", json!(state)),
        Told::Relayed(relayed) => one("relayed", json!(relayed)),
        Told::Missed(gap) => one("missed", json!(gap)),
        Told::Presence(presence) => one("presence", json!(presence)),
        Told::Beat(expires_at) => one("beat", json!({ "expires_at": expires_at })),
        Told::Left(why) => one("left", json!({ "why": why })),
        Told::Error(notice) => one("error", json!(notice)),
        Told::Renewed(left_ms) => one("renewed", json!({ "left_ms": left_ms })),
        Told::Closed(closing) => one("closed", json!({ "code": closing.code })),
        _ => Vec::new(),
    }
}
