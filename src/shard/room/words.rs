//! What rooms say, in the words of the wire. A state and what is relayed are JSON texts, put into JSON as they are.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tiltyard_protocol::Encoding;
use tiltyard_protocol::room::{Relayed, SessionType, State};
use uuid::Uuid;

/// A JSON text on its way into a message.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Shown<'a> {
    Text(&'a RawValue),
    Tree(Value),
}

impl<'a> Shown<'a> {
    /// `text` as this encoding has it. It was read before, so it can be.
    pub fn of(encoding: Encoding, text: &'a str) -> Self {
        let text_of_json = || serde_json::from_str::<&RawValue>(text).map(Self::Text);
        let shown = match encoding {
            Encoding::Json => text_of_json(),
            Encoding::MsgPack => serde_json::from_str(text).map(Self::Tree),
        };
        debug_assert!(shown.is_ok(), "no JSON: {text}");
        shown.unwrap_or(Self::Tree(Value::Null))
    }
}

/// Messages that have such a text in them, or not all that a fight's have.
#[derive(Debug, Serialize)]
#[serde(tag = "t", content = "d", rename_all = "snake_case")]
pub enum Words<'a> {
    Joined(Box<Welcome<'a>>),
    State(State<Shown<'a>>),
    Relayed(Relayed<Shown<'a>>),
    Ack(Done),
}

/// `joined`.
#[derive(Debug, Serialize)]
pub struct Welcome<'a> {
    pub session: Uuid,
    pub s: u32,
    #[serde(rename = "type")]
    pub kind: SessionType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<&'a [Uuid]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub here: Option<Vec<Uuid>>,
    pub version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Shown<'a>>,
    pub expires_at: u64,
    pub time: u64,
    pub timers: Timers,
}

/// Those of the connection: a room has none of its own.
#[derive(Debug, Serialize)]
pub struct Timers {
    pub ping_ms: u64,
    pub idle_ms: u64,
}

/// `ack`.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Done {
    pub s: u32,
    pub id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tiltyard_protocol::room::{Relayed, SessionType, State};
    use tiltyard_protocol::server::Ack;
    use tiltyard_protocol::{Encoding, ServerMessage};
    use uuid::Uuid;

    use super::{Done, Shown, Timers, Welcome, Words};

    fn whole(version: u64, by: Option<Uuid>, state: Option<Shown<'_>>) -> State<Shown<'_>> {
        State { s: 5, version, by, state, merge: None, members: None, here: None, time: 3 }
    }

    fn read(encoding: Encoding, words: &Words<'_>) -> ServerMessage {
        let mut bytes = Vec::new();
        encoding.encode(words, &mut bytes);
        encoding.decode_server(&bytes).unwrap()
    }

    #[test]
    fn both_encodings_are_what_clients_read() {
        let player = Uuid::from_u128(7);
        let members = [player];
        for encoding in Encoding::ALL {
            let state = || Some(Shown::of(encoding, r#"{"n":[1,-2,0.5,"é",null,true]}"#));
            let words = Words::State(whole(9, Some(player), state()));
            let ServerMessage::State(read_state) = read(encoding, &words) else { panic!("another type") };
            assert_eq!(read_state.state, Some(json!({ "n": [1, -2, 0.5, "é", null, true] })));
            assert_eq!((read_state.s, read_state.version, read_state.by, read_state.merge), (5, 9, Some(player), None));
            let words = Words::Relayed(Relayed { s: 5, n: 1, from: player, data: Shown::of(encoding, "7"), time: 3 });
            let relayed = Relayed { s: 5, n: 1, from: player, data: json!(7), time: 3 };
            assert_eq!(read(encoding, &words), ServerMessage::Relayed(relayed));
            let words = Words::Ack(Done { s: 5, id: 2, to: Some(0), ..Done::default() });
            assert_eq!(read(encoding, &words), ServerMessage::Ack(Ack { s: 5, id: 2, to: Some(0), ..Ack::default() }));
            let words = Words::Joined(Box::new(Welcome {
                session: player,
                s: 5,
                kind: SessionType::Custom,
                members: Some(&members),
                here: Some(vec![player]),
                version: 4,
                state: state(),
                expires_at: 8,
                time: 3,
                timers: Timers { ping_ms: 1, idle_ms: 2 },
            }));
            let ServerMessage::Joined(joined) = read(encoding, &words) else { panic!("another type") };
            assert_eq!((joined.kind, joined.version, joined.timers.idle_ms), (SessionType::Custom, Some(4), 2));
            assert_eq!((joined.members.as_deref(), joined.here.as_deref()), (Some(&[player][..]), Some(&[player][..])));
        }
    }

    #[test]
    fn a_number_keeps_its_digits_in_json() {
        let mut bytes = Vec::new();
        let state = Some(Shown::of(Encoding::Json, r#"{"n":12345678901234567890123.50}"#));
        Encoding::Json.encode(&Words::State(whole(9, None, state)), &mut bytes);
        let text = r#"{"t":"state","d":{"s":5,"version":9,"state":{"n":12345678901234567890123.50},"time":3}}"#;
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
    }
}
