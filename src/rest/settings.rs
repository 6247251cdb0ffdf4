//! A session's settings when they are changed: some say how the session works, and stay as they were when it was created.

use super::fields::Fields;
use super::find::Found;
use crate::json::{Json, Members};
use crate::records::Kept;
use crate::store::Kind;

/// The names that a type reads when a session is created.
const fn fixed(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Combat => &["mode", "participants", "ruleset", "max_duration", "difficulty", "rules", "seats", "teams"],
        Kind::Player => &["replace", "heartbeat_seconds", "reconnect_seconds"],
        Kind::Auth => &["idle_seconds", "absolute_seconds", "scope"],
        Kind::Custom => &["ttl_seconds", "max_members", "members"],
    }
}

/// The settings a session has after an update to `given`: these, and the fixed ones as they were. To give a fixed one
/// another value is a fault of the body.
pub fn changed(body: &mut Fields, mut given: Members, found: &Found) -> Option<Box<str>> {
    let text = match &found.kept {
        Kept::Record(record) => record.settings.as_deref().unwrap_or_default(),
        Kept::Fight(fight) => fight.settings.as_str(),
    };
    let current = Json::parse(text.as_bytes()).ok().and_then(Json::into_object).unwrap_or_default();
    for name in fixed(found.kind()) {
        match (given.get(*name), current.get(*name)) {
            (Some(new), old) if Some(new) != old => {
                body.fault(&format!("settings.{name}"), "is fixed when the session is created");
            }
            (None, Some(old)) => {
                given.insert((*name).to_owned(), old.clone());
            }
            _ => {}
        }
    }
    body.kept("settings", given)
}

#[cfg(test)]
mod tests {
    use super::changed;
    use crate::json::Json;
    use crate::records::{Body, Presence, Record};
    use crate::rest::fields::Fields;
    use crate::rest::find::Found;
    use serde_json::{Value, json};
    use std::sync::Arc;
    use uuid::Uuid;

    fn after(given: Value) -> Option<Value> {
        let body = Body::Player(Presence { heartbeat_ms: 1, reconnect_ms: 1 });
        let mut record = Record::new(Uuid::now_v7(), Uuid::nil(), body, 0);
        record.settings = Some(r#"{"heartbeat_seconds":9,"theme":"dark"}"#.into());
        let mut fields = Fields::of(json!({})).unwrap();
        let text = changed(&mut fields, Json::from(given).into_object().unwrap(), &Found::from(Arc::new(record)));
        fields.finish().ok()?;
        serde_json::from_str(&text?).ok()
    }

    #[test]
    fn what_is_fixed_stays() {
        assert_eq!(after(json!({"theme": "light"})), Some(json!({"theme": "light", "heartbeat_seconds": 9})));
        assert_eq!(after(json!({})), Some(json!({"heartbeat_seconds": 9})));
        assert_eq!(after(json!({"heartbeat_seconds": 9})), Some(json!({"heartbeat_seconds": 9})), "read and sent back");
        assert_eq!(after(json!({"heartbeat_seconds": 10})), None);
        assert_eq!(after(json!({"reconnect_seconds": 10})), None, "nor can it be added later");
        assert_eq!(after(json!({"ttl_seconds": 1})), Some(json!({"heartbeat_seconds": 9, "ttl_seconds": 1})));
    }
}
