//! What the wire says, for people.

use serde::Serialize;

/// A word of the protocol, or a message, as the wire says it.
pub fn as_told(what: &impl Serialize) -> String {
    serde_json::to_string(what).unwrap_or_default().trim_matches('"').to_owned()
}
