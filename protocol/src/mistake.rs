//! What is wrong with bytes that are no message: a slow second look, taken once something is.

use std::borrow::Cow;

use serde::Deserialize;
use thiserror::Error;
use uuid::Uuid;

use crate::client::Degrees;
use crate::{ActionKind, BodyPart, ClientMessage, Encoding, Reason};

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
    /// What of it can be read.
    pub about: About,
}

/// What a message from a client is about, as an answer to it names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Its type.
    pub t: Option<Cow<'static, str>>,
    /// The session that a `join` is for.
    pub session: Option<Uuid>,
    /// The session's handle in any other.
    pub s: Option<u32>,
}

impl About {
    /// Of a `join`.
    #[must_use]
    pub const fn join(session: Uuid) -> Self {
        Self { t: Some(Cow::Borrowed("join")), session: Some(session), s: None }
    }

    /// Of a message of type `t`, about the session that is called `s`, if it is about any.
    #[must_use]
    pub const fn of(t: &'static str, s: Option<u32>) -> Self {
        Self { t: Some(Cow::Borrowed(t)), session: None, s }
    }
}

impl From<&ClientMessage> for About {
    fn from(message: &ClientMessage) -> Self {
        match message {
            ClientMessage::Join(join) => Self::join(join.session),
            ClientMessage::Leave(leave) => Self::of("leave", Some(leave.s)),
            ClientMessage::Concede(concede) => Self::of("concede", Some(concede.s)),
            ClientMessage::Ready(ready) => Self::of("ready", Some(ready.s)),
            ClientMessage::Action(act) => Self::of("action", Some(act.s)),
            ClientMessage::Ping(ping) => Self::of("ping", ping.s),
            ClientMessage::Renew(_) => Self::of("renew", None),
            ClientMessage::Patch(patch) => Self::of("patch", Some(patch.s)),
            ClientMessage::Relay(relay) => Self::of("relay", Some(relay.s)),
            ClientMessage::Beat(beat) => Self::of("beat", Some(beat.s)),
        }
    }
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
            return Self { reason: Reason::BadMessage, detail, action: None, about: About::default() };
        };
        let name = printable(&t, TYPE_CHARS);
        let about = about(encoding, bytes, name.clone());
        if !types.contains(&t.as_ref()) {
            return Self { reason: Reason::UnknownType, detail: name, action: None, about };
        }
        let is_numbered = matches!(t.as_ref(), "action" | "patch" | "relay" | "beat");
        let named = if is_numbered { encoding.decode::<Payload<Named>>(bytes).ok() } else { None };
        let Some(Payload { d: Named { s, id } }) = named else {
            return Self { reason: Reason::BadFields, detail, action: None, about };
        };
        let wrong = if t == "action" { wrong_field(encoding, bytes) } else { None };
        let detail = wrong.map_or(detail, |(field, wrong)| format!("{field}: {}", printable(&wrong, DETAIL_CHARS)));
        Self { reason: Reason::BadFields, detail, action: Some((s, id)), about }
    }
}

/// What can be read of what a message of type `t` is about.
fn about(encoding: Encoding, bytes: &[u8], t: String) -> About {
    #[derive(Deserialize)]
    struct Session {
        session: Uuid,
    }
    #[derive(Deserialize)]
    struct Handle {
        s: u32,
    }
    let is_join = t == "join";
    let session = if is_join { encoding.decode::<Payload<Session>>(bytes).ok().map(|of| of.d.session) } else { None };
    let s = if is_join { None } else { encoding.decode::<Payload<Handle>>(bytes).ok().map(|of| of.d.s) };
    About { t: Some(Cow::Owned(t)), session, s }
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
