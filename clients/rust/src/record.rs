//! What is known of a session that is no fight.

use serde_json::Value;
use tiltyard_protocol::room::{Presence, PresenceWhy, State};
use tiltyard_protocol::server::Joined;
use uuid::Uuid;

/// What a client knows of a session that is no fight.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The state of a custom session; `Null` of the player's own.
    pub state: Value,
    pub version: u64,
    pub members: Vec<Uuid>,
    /// Who of them is connected.
    pub here: Vec<Uuid>,
}

impl Record {
    /// As `joined` tells it.
    #[must_use]
    pub fn of(joined: &Joined) -> Self {
        Self {
            state: joined.state.clone().unwrap_or_default(),
            version: joined.version.unwrap_or_default(),
            members: joined.members.clone().unwrap_or_default(),
            here: joined.here.clone().unwrap_or_default(),
        }
    }

    /// Takes a change; `false` where one before it is missing.
    pub fn change(&mut self, change: &State) -> bool {
        if let Some(members) = &change.members {
            self.members.clone_from(members);
            self.here.retain(|player| members.contains(player));
        }
        if let Some(here) = &change.here {
            self.here.clone_from(here);
        }
        let is_next = change.version == self.version + 1;
        match (&change.state, &change.merge) {
            (Some(state), _) => self.state = state.clone(),
            _ if !is_next => return false,
            (None, Some(patch)) => merge(&mut self.state, patch),
            (None, None) => {}
        }
        self.version = change.version;
        true
    }

    /// Takes who has come or gone.
    pub fn note(&mut self, presence: &Presence) {
        self.here.retain(|player| *player != presence.player);
        if !matches!(presence.why, PresenceWhy::Lost | PresenceWhy::Left) {
            self.here.push(presence.player);
        }
    }
}

/// Merges a patch as RFC 7396 says.
pub fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = Value::Object(serde_json::Map::new());
    }
    let Value::Object(members) = value else { return };
    for (name, patch) in patch {
        if patch.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), patch);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tiltyard_protocol::room::State;

    use super::Record;

    #[test]
    fn changes_are_taken_in_order_and_the_whole_at_any_time() {
        let mut record = Record { state: json!({ "a": { "b": 1 }, "c": 2 }), version: 4, ..Record::default() };
        let change = |version, merge| State { version, merge: Some(merge), ..State::default() };
        assert!(record.change(&change(5, json!({ "a": { "b": null, "d": [null] }, "c": { "e": 3 } }))));
        assert_eq!(record.state, json!({ "a": { "d": [null] }, "c": { "e": 3 } }));
        assert!(!record.change(&change(7, json!({ "c": 9 }))), "one is missing");
        assert_eq!((record.version, &record.state["c"]), (5, &json!({ "e": 3 })));
        assert!(record.change(&State { version: 9, state: Some(json!({ "n": 1 })), ..State::default() }));
        assert_eq!((record.version, record.state), (9, json!({ "n": 1 })));
    }
}
