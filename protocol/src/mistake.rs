//! What is wrong with bytes that are no message: a slow second look, taken once something is.

use std::borrow::Cow;

use serde::Deserialize;
use thiserror::Error;

use crate::client::Degrees;
use crate::{ActionKind, BodyPart, Encoding, Reason};

/// Characters of a type that an answer names.
const TYPE_CHARS: usize = 32;

/// Characters of what else is said about a mistake: it may have parts of the message in it.
const DETAIL_CHARS: usize = 160;

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}: {detail}")]
pub struct DecodeError {
    /// `bad_message`, `unknown_type` or `bad_fields`.
    pub reason: Reason,
    /// For a person: of an unknown type its name, of an action the field that is wrong.
    pub detail: String,
    /// Handle and id, where it is an action of which these can be read, or what else is answered by its id.
    pub action: Option<(u32, u64)>,
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow)]
    t: Cow<'a, str>,
}

/// What is in a message, whatever its type.
#[derive(Deserialize)]
struct Payload<T> {
    d: T,
}

/// What an action is answered by.
#[derive(Deserialize)]
struct Named {
    s: u32,
    id: u64,
}

impl DecodeError {
    /// Why `bytes` are no message of one of these types, where the parser says `detail`.
    pub(crate) fn of(encoding: Encoding, bytes: &[u8], types: &[&str], detail: &str) -> Self {
        let detail = printable(detail, DETAIL_CHARS);
        let Ok(Tag { t }) = encoding.decode::<Tag<'_>>(bytes) else {
            return Self { reason: Reason::BadMessage, detail, action: None };
        };
        if !types.contains(&t.as_ref()) {
            return Self { reason: Reason::UnknownType, detail: printable(&t, TYPE_CHARS), action: None };
        }
        let is_numbered = matches!(t.as_ref(), "action" | "patch" | "relay" | "beat");
        let named = if is_numbered { encoding.decode::<Payload<Named>>(bytes).ok() } else { None };
        let Some(Payload { d: Named { s, id } }) = named else {
            return Self { reason: Reason::BadFields, detail, action: None };
        };
        let wrong = if t == "action" { wrong_field(encoding, bytes) } else { None };
        let detail = wrong.map_or(detail, |(field, wrong)| format!("{field}: {}", printable(&wrong, DETAIL_CHARS)));
        Self { reason: Reason::BadFields, detail, action: Some((s, id)) }
    }
}

/// The first field of an action that is wrong, and what is wrong with it.
fn wrong_field(encoding: Encoding, bytes: &[u8]) -> Option<(&'static str, String)> {
    macro_rules! look_at {
        ($($name:ident: $type:ty),*) => {$({
            #[derive(Deserialize)]
            #[allow(dead_code)] // Read to see whether it can be.
            struct Only {
                $name: $type,
            }
            if let Err(wrong) = encoding.decode::<Payload<Only>>(bytes) {
                return Some((stringify!($name), wrong));
            }
        })*};
    }
    look_at!(
        kind: ActionKind, to: Option<u8>, part: Option<BodyPart>, a: Option<u8>, x: Option<i32>, y: Option<i32>,
        f: Option<Degrees>, vx: Option<i32>, vy: Option<i32>, c: Option<u8>, z: Option<u8>
    );
    None
}

/// The beginning of a text of somebody else, without what cannot be shown.
fn printable(text: &str, most: usize) -> String {
    let shown = |c: char| if c.is_alphanumeric() || c.is_ascii_punctuation() || c == ' ' { c } else { '?' };
    text.chars().take(most).map(shown).collect()
}
