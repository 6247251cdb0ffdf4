//! What is wrong with bytes that are no message: a slow second look, taken once something is.

use std::borrow::Cow;

use thiserror::Error;
use uuid::Uuid;

use crate::fields::{self, Found};
use crate::{ClientMessage, Encoding, Reason};

/// Characters of a type that an answer names.
const TYPE_CHARS: usize = 32;

/// Characters of what a parser says about a server's mistake: it may have parts of the message in it.
const DETAIL_CHARS: usize = 160;

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}: {detail}")]
pub struct DecodeError {
    /// `bad_message`, `unknown_type` or `bad_fields`.
    pub reason: Reason,
    /// For a person: of an unknown type its name, else which field is wrong, and what it must be. Of a client's message nothing but its type is
    /// in it.
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

impl DecodeError {
    /// Why `bytes` are no message of a client, which has one of these types: in the protocol's words, whatever reads the bytes.
    pub(crate) fn of_client(encoding: Encoding, bytes: &[u8], types: &[&str]) -> Self {
        let bad_message =
            |detail: String| Self { reason: Reason::BadMessage, detail, action: None, about: About::default() };
        if let Err(why) = encoding.look(bytes) {
            return bad_message(why);
        }
        let t = match fields::of_message::<String>(encoding, bytes, "t") {
            Found::Is(t) => t,
            Found::Unread => return bad_message("must be an object with t and d, whose names are text".to_owned()),
            found => return bad_message(found.fault("t", "the message's type as text").unwrap_or_default()),
        };
        let name = printable(&t, TYPE_CHARS);
        let about = about(encoding, bytes, name.clone());
        if !types.contains(&t.as_str()) {
            return Self { reason: Reason::UnknownType, detail: name, action: None, about };
        }
        let is_numbered = matches!(t.as_str(), "action" | "patch" | "relay" | "beat");
        let id = if is_numbered { fields::of_payload::<u64>(encoding, bytes, "id").ok() } else { None };
        let detail = fields::wrong_in(encoding, bytes, &t);
        Self { reason: Reason::BadFields, detail, action: about.s.zip(id), about }
    }

    /// Why `bytes` are no message of a server, where the parser says `detail`.
    pub(crate) fn of_server(encoding: Encoding, bytes: &[u8], types: &[&str], detail: &str) -> Self {
        let detail = printable(detail, DETAIL_CHARS);
        let Some(t) = fields::of_message::<String>(encoding, bytes, "t").ok() else {
            return Self { reason: Reason::BadMessage, detail, action: None, about: About::default() };
        };
        let name = printable(&t, TYPE_CHARS);
        let about = about(encoding, bytes, name.clone());
        let (reason, detail) =
            if types.contains(&t.as_str()) { (Reason::BadFields, detail) } else { (Reason::UnknownType, name) };
        Self { reason, detail, action: None, about }
    }
}

/// What can be read of what a message of type `t` is about.
fn about(encoding: Encoding, bytes: &[u8], t: String) -> About {
    let is_join = t == "join";
    let session = if is_join { fields::of_payload(encoding, bytes, "session").ok() } else { None };
    let s = if is_join { None } else { fields::of_payload(encoding, bytes, "s").ok() };
    About { t: Some(Cow::Owned(t)), session, s }
}

/// The beginning of a text of somebody else, without what cannot be shown.
fn printable(text: &str, most: usize) -> String {
    let shown = |c: char| if c.is_alphanumeric() || c.is_ascii_punctuation() || c == ' ' { c } else { '?' };
    text.chars().take(most).map(shown).collect()
}
