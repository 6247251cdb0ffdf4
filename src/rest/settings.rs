//! A session's settings when they are changed: some say how the session works, and stay as they were when it was created.

use super::fields::{Fields, leave_out_nulls};
use super::find::Found;
use super::new_session::fixed;
use crate::json::{Json, Members};
use crate::records::Kept;

/// The settings a session has after an update to `given`: these, and the fixed ones as they were. To give a fixed one
/// another value is a fault of the body, to leave it out or give null for it is none.
pub fn changed(body: &mut Fields, mut given: Members, found: &Found) -> Option<Box<str>> {
    leave_out_nulls(&mut given);
    let text = match &found.kept {
        Kept::Record(record) => record.settings.as_deref().unwrap_or_default(),
        Kept::Fight(fight) => fight.settings.as_str(),
    };
    let current = Json::parse(text.as_bytes()).ok().and_then(Json::into_object).unwrap_or_default();
    for name in fixed(found.kind()) {
        match (given.get(*name), current.get(*name)) {
            // However it is written: 8.0 is 8.
            (Some(new), Some(old)) if new == old || new.as_u64().is_some_and(|new| old.as_u64() == Some(new)) => {
                given.insert((*name).to_owned(), old.clone());
            }
            (Some(_), _) => {
                body.fault(&format!("settings.{name}"), "is fixed when the session is created");
            }
            (None, Some(old)) => {
                given.insert((*name).to_owned(), old.clone());
            }
            (None, None) => {}
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
        assert_eq!(
            after(json!({"heartbeat_seconds": 9.0})),
            Some(json!({"heartbeat_seconds": 9})),
            "by another client"
        );
        assert_eq!(after(json!({"heartbeat_seconds": null, "a": null})), Some(json!({"heartbeat_seconds": 9})));
        assert_eq!(after(json!({"reconnect_seconds": null})), Some(json!({"heartbeat_seconds": 9})));
        assert_eq!(after(json!({"heartbeat_seconds": 10})), None);
        assert_eq!(after(json!({"reconnect_seconds": 10})), None, "nor can it be added later");
        assert_eq!(after(json!({"ttl_seconds": 1})), Some(json!({"heartbeat_seconds": 9, "ttl_seconds": 1})));
    }
}
