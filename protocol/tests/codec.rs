//! Both encodings carry every message, and no bytes make a decoder panic.

use proptest::prelude::*;
use serde_json::json;
use tiltyard_protocol::client::{Concede, Degrees, Join, Leave, Ping, Ready, Renew};
use tiltyard_protocol::room::{Beat, Patch, Presence, Relay, SessionType, Text};
use tiltyard_protocol::server::{Ack, Event, EventKind, Expiring, Joined, PresenceWhy};
use tiltyard_protocol::{Act, ActionKind, BodyPart, ClientMessage, Encoding, Reason, ServerMessage};
use uuid::Uuid;

/// What an action can be aimed at.
fn act() -> impl Strategy<Value = Act> {
    let part = prop::option::of(prop_oneof![Just(BodyPart::Head), Just(BodyPart::Torso), Just(BodyPart::Limb)]);
    let (places, things) = (any::<[Option<i32>; 4]>(), any::<[Option<u8>; 4]>());
    let facing = (0..400_u16).prop_map(Degrees::new);
    (part, places, facing, things).prop_map(|(part, [x, y, vx, vy], f, [to, a, c, z])| Act {
        to,
        part,
        a,
        x,
        y,
        f,
        vx,
        vy,
        c,
        z,
        ..Act::new(0, 0, ActionKind::Attack)
    })
}

/// What a state or a relay may have in it.
fn json_text() -> impl Strategy<Value = Text> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|truth| json!(truth)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<String>().prop_map(|text| json!(text)),
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| json!(items)),
            proptest::collection::btree_map(any::<String>(), inner, 0..4).prop_map(|members| json!(members)),
        ]
    });
    value.prop_map(|value| Text::of(&value))
}

fn message() -> impl Strategy<Value = ClientMessage> {
    let kind = prop_oneof![
        Just(ActionKind::Attack),
        Just(ActionKind::Defend),
        Just(ActionKind::Ability),
        Just(ActionKind::Move),
        Just(ActionKind::ItemUse),
    ];
    prop_oneof![
        any::<(u128, Option<u64>, Option<u64>, Option<String>)>().prop_map(|(id, seq, epoch, rules)| {
            ClientMessage::Join(Join { session: Uuid::from_u128(id), seq, epoch, rules })
        }),
        any::<u32>().prop_map(|s| ClientMessage::Leave(Leave { s })),
        any::<u32>().prop_map(|s| ClientMessage::Concede(Concede { s })),
        any::<u32>().prop_map(|s| ClientMessage::Ready(Ready { s })),
        any::<(u64, Option<u32>)>().prop_map(|(n, s)| ClientMessage::Ping(Ping { n, s })),
        any::<(Option<String>, Option<String>)>()
            .prop_map(|(token, ticket)| ClientMessage::Renew(Renew { token, ticket })),
        (any::<(u32, u64, Option<u64>)>(), json_text())
            .prop_map(|((s, id, expected), merge)| ClientMessage::Patch(Patch { s, id, merge, expected })),
        (any::<(u32, u64, Option<u128>)>(), json_text()).prop_map(|((s, id, to), data)| {
            ClientMessage::Relay(Relay { s, id, data, to: to.map(Uuid::from_u128) })
        }),
        any::<(u32, u64)>().prop_map(|(s, id)| ClientMessage::Beat(Beat { s, id })),
        (any::<u32>(), any::<u64>(), kind, act())
            .prop_map(|(s, id, kind, act)| { ClientMessage::Action(Act { s, id, kind, ..act }) }),
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(message in message()) {
        for encoding in Encoding::ALL {
            let mut bytes = Vec::new();
            encoding.encode(&message, &mut bytes);
            prop_assert_eq!(encoding.decode_client(&bytes).unwrap(), message.clone());
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for encoding in Encoding::ALL {
            if let Err(error) = encoding.decode_client(&bytes) {
                prop_assert!(matches!(error.reason, Reason::BadMessage | Reason::UnknownType | Reason::BadFields));
            }
            let _ = encoding.decode_server(&bytes);
        }
    }

    #[test]
    fn a_message_cut_or_changed_anywhere_is_an_error_or_another_message(message in message(), at in any::<prop::sample::Index>(), byte: u8) {
        for encoding in Encoding::ALL {
            let mut bytes = Vec::new();
            encoding.encode(&message, &mut bytes);
            let at = at.index(bytes.len());
            prop_assert!(encoding.decode_client(&bytes[..at]).is_err());
            bytes[at] = byte;
            let _ = encoding.decode_client(&bytes);
        }
    }
}

#[test]
fn the_names_on_the_wire_stay_what_they_are() {
    let mut bytes = Vec::new();
    Encoding::Json.encode(&ClientMessage::Action(Act::new(7, 9, ActionKind::ItemUse)), &mut bytes);
    assert_eq!(bytes, br#"{"t":"action","d":{"s":7,"id":9,"kind":"item_use"}}"#);
    bytes.clear();
    let act = Act { part: Some(BodyPart::Head), x: Some(-3), y: Some(4), ..Act::new(7, 9, ActionKind::Attack).at(1) };
    let act = Act { a: Some(5), c: Some(6), z: Some(7), ..act };
    Encoding::Json.encode(&ClientMessage::Action(act), &mut bytes);
    let all =
        br#"{"t":"action","d":{"s":7,"id":9,"kind":"attack","to":1,"part":"head","a":5,"x":-3,"y":4,"c":6,"z":7}}"#;
    assert_eq!(bytes, all);
    bytes.clear();
    let act = Act {
        x: Some(1),
        y: Some(2),
        f: Degrees::new(359),
        vx: Some(-3),
        vy: Some(0),
        ..Act::new(7, 9, ActionKind::Move)
    };
    Encoding::Json.encode(&ClientMessage::Action(act), &mut bytes);
    assert_eq!(bytes, br#"{"t":"action","d":{"s":7,"id":9,"kind":"move","x":1,"y":2,"f":359,"vx":-3,"vy":0}}"#);
    bytes.clear();
    let whys =
        [PresenceWhy::Joined, PresenceWhy::Returned, PresenceWhy::Replaced, PresenceWhy::Lost, PresenceWhy::Left];
    for (why, name) in whys.into_iter().zip(["joined", "returned", "replaced", "lost", "left"]) {
        assert_eq!((why.name(), serde_json::to_string(&why).unwrap()), (name, format!("\"{name}\"")));
    }
    Encoding::Json.encode(
        &Event { by: Some(1), why: Some(PresenceWhy::Lost), ..Event::new(EventKind::Disconnected) },
        &mut bytes,
    );
    assert_eq!(bytes, br#"{"k":"disconnected","by":1,"why":"lost"}"#);
    bytes.clear();
    Encoding::MsgPack.encode(&ClientMessage::Ping(Ping::new(1)), &mut bytes);
    assert_eq!(bytes, b"\x82\xa1t\xa4ping\xa1d\x81\xa1n\x01");
    bytes.clear();
    Encoding::Json.encode(&ClientMessage::Renew(Renew::token("a.b.c".to_owned())), &mut bytes);
    assert_eq!(bytes, br#"{"t":"renew","d":{"token":"a.b.c"}}"#);
    bytes.clear();
    Encoding::Json.encode(&ServerMessage::Expiring(Expiring { left_ms: 7 }), &mut bytes);
    assert_eq!(bytes, br#"{"t":"expiring","d":{"left_ms":7}}"#);
    for reason in Reason::ALL {
        assert_eq!(serde_json::to_string(reason).unwrap(), format!("\"{}\"", reason.name()));
    }
}

#[test]
fn nothing_comes_behind_a_message() {
    for encoding in Encoding::ALL {
        let mut bytes = Vec::new();
        encoding.encode(&ClientMessage::Ping(Ping::new(1)), &mut bytes);
        assert!(encoding.decode_client(&bytes).is_ok());
        let one = bytes.clone();
        for behind in [&b"0"[..], b"{}", &one] {
            bytes.truncate(one.len());
            bytes.extend_from_slice(behind);
            assert_eq!(encoding.decode_client(&bytes).unwrap_err().reason, Reason::BadMessage, "{encoding:?}");
        }
    }
    // Whatever it would be the beginning of.
    let mut bytes = Vec::new();
    Encoding::MsgPack.encode(&ClientMessage::Ping(Ping::new(1)), &mut bytes);
    for marker in 0..=u8::MAX {
        bytes.push(marker);
        assert_eq!(Encoding::MsgPack.decode_client(&bytes).unwrap_err().reason, Reason::BadMessage, "{marker:#x}");
        bytes.pop();
    }
}

fn mistake(encoding: Encoding, message: &serde_json::Value) -> tiltyard_protocol::DecodeError {
    let mut bytes = Vec::new();
    encoding.encode(message, &mut bytes);
    encoding.decode_client(&bytes).expect_err("no message")
}

#[test]
fn what_is_wrong_with_an_action_is_told_by_its_id_and_its_field() {
    let long = "x".repeat(60_000);
    for (fields, field) in [
        (json!({}), "kind"),
        (json!({ "kind": "fly" }), "kind"),
        (json!({ "kind": long }), "kind"),
        (json!({ "kind": "attack", "to": "him" }), "to"),
        (json!({ "kind": "attack", "to": 256 }), "to"),
        (json!({ "kind": "attack", "part": "tail" }), "part"),
        (json!({ "kind": "ability", "a": -1 }), "a"),
        (json!({ "kind": "move", "x": 1.5, "y": 2 }), "x"),
        (json!({ "kind": "move", "x": 1, "y": [] }), "y"),
        (json!({ "kind": "move", "x": 1, "y": 2, "f": 360 }), "f"),
        (json!({ "kind": "move", "x": 1, "y": 2, "f": -1 }), "f"),
        (json!({ "kind": "move", "x": 1, "y": 2, "f": 0.5 }), "f"),
        (json!({ "kind": "move", "x": 1, "y": 2, "vx": 4_000_000_000_u32 }), "vx"),
        (json!({ "kind": "move", "x": 1, "y": 2, "vx": 0, "vy": "9" }), "vy"),
        (json!({ "kind": "attack", "c": {} }), "c"),
        (json!({ "kind": "attack", "z": true }), "z"),
    ] {
        for encoding in Encoding::ALL {
            let mut d = fields.clone();
            (d["s"], d["id"]) = (7.into(), 9.into());
            let wrong = mistake(encoding, &json!({ "t": "action", "d": d }));
            assert_eq!((wrong.reason, wrong.action), (Reason::BadFields, Some((7, 9))), "{encoding:?} {field}");
            assert!(wrong.detail.starts_with(&format!("{field}: ")) && wrong.detail.len() < 300, "{}", wrong.detail);
        }
    }
    for d in [json!({ "s": 7 }), json!({ "s": 7, "id": -1, "kind": "defend" }), json!({ "s": -1, "id": 9 }), json!(5)] {
        for encoding in Encoding::ALL {
            let wrong = mistake(encoding, &json!({ "t": "action", "d": d }));
            assert_eq!((wrong.reason, wrong.action), (Reason::BadFields, None), "{encoding:?} {d}");
        }
    }
}

#[test]
fn an_unknown_type_is_named_as_far_as_it_can_be_shown() {
    let long = "y".repeat(60_000);
    for (t, named) in
        [("fly", "fly"), ("a\u{7}b\u{202E}\"c", "a?b?\"c"), (long.as_str(), &long[..32]), ("delta", "delta")]
    {
        for encoding in Encoding::ALL {
            let wrong = mistake(encoding, &json!({ "t": t, "d": { "s": 7, "id": 9 } }));
            assert_eq!((wrong.reason, wrong.detail.as_str(), wrong.action), (Reason::UnknownType, named, None));
        }
    }
}

#[test]
fn what_is_said_of_rooms_stays_what_it_is_and_keeps_its_digits() {
    let said = |text: &str| Encoding::Json.decode_client(text.as_bytes());
    let merge = r#"{ "n":1.50,"big":123456789012345678901234567890 }"#;
    let in_any_order = format!(r#"{{"d":{{"new":1,"merge":{merge},"if":7,"id":9,"s":5}},"t":"patch"}}"#);
    let Ok(ClientMessage::Patch(patch)) = said(&in_any_order) else { panic!("no patch") };
    assert_eq!((patch.s, patch.id, patch.expected, patch.merge.as_str()), (5, 9, Some(7), merge));
    let Ok(ClientMessage::Relay(relay)) = said(r#"{"t":"relay","d":{"s":5,"id":9,"data": 1.0 }}"#) else {
        panic!("no relay")
    };
    assert_eq!((relay.data.as_str(), relay.to), ("1.0", None));
    assert_eq!(
        said(r#"{"t":"relay","d":{"s":5,"id":9}}"#).unwrap_err().action,
        Some((5, 9)),
        "answered by its id all the same"
    );
    assert_eq!(said(r#"{"t":"beat","d":{"s":5}}"#).unwrap_err().action, None);
    let mut bytes = Vec::new();
    Encoding::Json.encode(&ClientMessage::Beat(Beat { s: 5, id: 9 }), &mut bytes);
    assert_eq!(bytes, br#"{"t":"beat","d":{"s":5,"id":9}}"#);
    bytes.clear();
    let presence = Presence { s: 5, player: Uuid::nil(), why: PresenceWhy::Returned, members_here: Some(2) };
    Encoding::Json.encode(&ServerMessage::Presence(presence), &mut bytes);
    let text = br#"{"t":"presence","d":{"s":5,"player":"00000000-0000-0000-0000-000000000000","why":"returned","members_here":2}}"#;
    assert_eq!(bytes, text);
    // Of a fight nothing of that is said.
    bytes.clear();
    Encoding::Json.encode(&ServerMessage::Ack(Ack { s: 5, id: 9, q: 3, ..Ack::default() }), &mut bytes);
    assert_eq!(bytes, br#"{"t":"ack","d":{"s":5,"id":9,"q":3}}"#);
    bytes.clear();
    Encoding::Json.encode(&ServerMessage::Joined(Joined::default()), &mut bytes);
    let joined = String::from_utf8(bytes).unwrap();
    assert!(!joined.contains("type") && !joined.contains("members") && !joined.contains("version"), "{joined}");
    let told = r#"{"t":"joined","d":{"session":"00000000-0000-0000-0000-000000000000","s":5,"type":"custom","version":4,"state":{},"time":7,"timers":{"ping_ms":1,"idle_ms":2},"new":0}}"#;
    let Ok(ServerMessage::Joined(joined)) = Encoding::Json.decode_server(told.as_bytes()) else { panic!("no joined") };
    assert_eq!((joined.kind, joined.version, joined.state), (SessionType::Custom, Some(4), Some(json!({}))));
}

#[test]
fn what_is_nested_too_deep_is_refused_on_any_stack_whatever_message_it_is_in() {
    let nested = |levels: usize| [vec![0x91; levels], vec![0xc0]].concat();
    let text = |text: &str| [vec![0xa0 | u8::try_from(text.len()).unwrap()], text.as_bytes().to_vec()].concat();
    let message = |t: &str, field: &str, levels: usize| {
        [&[0x82][..], &text("t"), &text(t), &text("d"), &[0x81], &text(field), &nested(levels)].concat()
    };
    let handle_and_id = [&text("s")[..], &[5], &text("id"), &[1]].concat();
    for levels in [200, 1_100, 60_000] {
        for (t, field) in [("relay", "data"), ("ping", "else"), ("nope", "d"), ("join", "rules")] {
            let bytes = message(t, field, levels);
            assert!(Encoding::MsgPack.decode_client(&bytes).is_err(), "{t} {levels}");
            assert!(Encoding::MsgPack.decode_server(&bytes).is_err(), "{t} {levels}");
        }
    }
    let fields =
        [&[0x82][..], &text("t"), &text("relay"), &text("d"), &[0x83], &handle_and_id, &text("data"), &nested(100)];
    assert!(matches!(Encoding::MsgPack.decode_client(&fields.concat()), Ok(ClientMessage::Relay(_))));
}

#[test]
fn a_number_that_json_does_not_have_is_no_null() {
    let text = |text: &str| [vec![0xa0 | u8::try_from(text.len()).unwrap()], text.as_bytes().to_vec()].concat();
    for (number, is_taken) in [(f64::NAN, false), (f64::INFINITY, false), (f64::NEG_INFINITY, false), (0.5, true)] {
        let float = [&[0xcb][..], &number.to_be_bytes()].concat();
        for (t, field) in [("patch", "merge"), ("relay", "data")] {
            let bytes = [
                &[0x82][..],
                &text("t"),
                &text(t),
                &text("d"),
                &[0x83],
                &text("s"),
                &[5],
                &text("id"),
                &[1],
                &text(field),
                &[0x81],
                &text("hp"),
                &float,
            ];
            let read = Encoding::MsgPack.decode_client(&bytes.concat());
            assert_eq!(read.is_ok(), is_taken, "{t} {number}");
            if let Err(wrong) = read {
                assert_eq!((wrong.reason, wrong.action), (Reason::BadFields, Some((5, 1))), "answered by its id");
            }
        }
    }
}
