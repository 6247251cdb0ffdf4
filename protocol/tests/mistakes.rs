//! What is said of bad messages: the same in both encodings, in the protocol's words, by the name of the field, and nothing that was said.

// A test that cannot go on has failed: unwrapping says so where it happens.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tiltyard_protocol::{ClientMessage, DecodeError, Encoding, Reason};

const SCHEMA: &str = include_str!("../messages.schema.json");
const UUID: &str = "0192f5a8-6c1e-7d40-9b1f-0a1b2c3d4e5f";

/// A message of each type, with all that it may have.
fn whole() -> Vec<Value> {
    vec![
        json!({ "t": "join", "d": { "session": UUID, "seq": 7, "epoch": 1, "rules": "d82d9b4b448a302d1a250bba8c70be25" } }),
        json!({ "t": "leave", "d": { "s": 7 } }),
        json!({ "t": "concede", "d": { "s": 7 } }),
        json!({ "t": "ready", "d": { "s": 7 } }),
        json!({ "t": "action", "d": { "s": 7, "id": 9, "kind": "attack", "to": 1, "part": "head", "a": 2, "x": -3, "y": 4,
            "f": 90, "vx": -5, "vy": 6, "c": 3, "z": 4 } }),
        json!({ "t": "ping", "d": { "n": 1, "s": 7 } }),
        json!({ "t": "renew", "d": { "token": "a.b.c", "ticket": "d.e.f" } }),
        json!({ "t": "patch", "d": { "s": 7, "id": 9, "merge": { "n": 1, "gone": null }, "if": 3 } }),
        json!({ "t": "relay", "d": { "s": 7, "id": 9, "data": [1, "two"], "to": UUID } }),
        json!({ "t": "beat", "d": { "s": 7, "id": 9 } }),
    ]
}

fn bytes_of(encoding: Encoding, message: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoding.encode(message, &mut bytes);
    bytes
}

/// What a message is taken for, which is the same in both encodings.
fn taken(message: &Value) -> Result<ClientMessage, DecodeError> {
    let [json, msgpack] = Encoding::ALL.map(|encoding| encoding.decode_client(&bytes_of(encoding, message)));
    assert_eq!(json, msgpack, "{message}");
    json
}

/// Whether the schema lets a field of a client's message be null.
fn may_be_null(t: &str, field: &str) -> bool {
    fn takes_null(of: &Value) -> bool {
        let lists =
            |name: &str, is_it: fn(&Value) -> bool| of[name].as_array().is_some_and(|list| list.iter().any(is_it));
        let is_free = ["type", "enum", "const", "$ref", "allOf", "anyOf"].iter().all(|word| of.get(word).is_none());
        is_free
            || of["type"] == "null"
            || lists("type", |name| name == "null")
            || lists("enum", Value::is_null)
            || lists("anyOf", takes_null)
    }
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    takes_null(&schema["definitions"][t]["properties"]["d"]["properties"][field])
}

/// Each type of a client's messages in the schema, with the names of its fields, and of those that must be there.
fn schema() -> Vec<(String, Vec<String>, Vec<String>)> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let types = schema["definitions"]["ClientMessage"]["oneOf"].as_array().unwrap();
    let name = |of: &Value| of["$ref"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let texts =
        |of: &Value| of.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect();
    let of = |t: String| {
        let d = &schema["definitions"][&t]["properties"]["d"];
        let fields = d["properties"].as_object().unwrap().keys().cloned().collect();
        (t, fields, texts(&d["required"]))
    };
    types.iter().map(name).map(of).collect()
}

/// Words of the parsers, and of this program's own types.
fn is_of_the_protocol(words: &str) -> bool {
    let foreign =
        ["enum", "struct", "variant", "expected", "invalid", "tuple", "newtype", "unit", "serde", "u32", "u64", "i32"];
    words.len() < 190 && !foreign.iter().any(|foreign| words.contains(foreign))
}

/// Whether what is said begins with a field that there is, or with the message's own.
fn names_a_field(words: &str) -> bool {
    let name = words.split(':').next().unwrap();
    ["t", "d"].contains(&name) || schema().iter().any(|(_, fields, _)| fields.iter().any(|field| field == name))
}

#[test]
fn every_field_of_every_message_is_named_where_it_is_wrong_missing_or_twice() {
    let schema = schema();
    assert_eq!(schema.len(), whole().len());
    for message in whole() {
        taken(&message).unwrap();
        let t = message["t"].as_str().unwrap();
        let (_, fields, required) = schema.iter().find(|(of, ..)| of == t).unwrap();
        assert!(fields.iter().all(|field| !message["d"][field].is_null()), "{t} has all of {fields:?}");
        for field in fields {
            let free = field == "data" || field == "merge";
            for value in [json!("x y"), json!(-1.5), json!([UUID]), json!({ "x": 1 }), json!(true)] {
                let is_right = free || (value.is_string() && ["rules", "token", "ticket"].contains(&field.as_str()));
                let mut wrong = message.clone();
                wrong["d"][field] = value;
                let said = taken(&wrong).map_err(|wrong| (wrong.reason, wrong.detail));
                if let Err((reason, detail)) = &said {
                    assert_eq!(*reason, Reason::BadFields);
                    assert!(
                        detail.starts_with(&format!("{field}: must be ")) && is_of_the_protocol(detail),
                        "{detail}"
                    );
                }
                assert_eq!(said.is_ok(), is_right, "{wrong}");
            }
            let mut without = message.clone();
            without["d"].as_object_mut().unwrap().remove(field);
            let (without, detail) = (taken(&without), format!("{field}: is needed"));
            let mut null = message.clone();
            null["d"][field] = Value::Null;
            // That it is an object is looked at where it is merged.
            let is_read = taken(&null).is_ok() && field != "merge";
            assert_eq!(is_read, may_be_null(t, field), "the schema says what is read: {t} {field}");
            if required.contains(field) {
                assert_eq!(without.unwrap_err().detail, detail, "{t}");
                assert_eq!(taken(&null).is_ok(), free, "null is a value of JSON, and of no other field: {t} {field}");
            } else {
                assert_eq!(taken(&null).unwrap(), without.unwrap(), "null is absent: {t} {field}");
            }
            let d = message["d"].to_string();
            let twice = format!(r#"{{"t":"{t}","d":{{"{field}":{},{}}}"#, message["d"][field], &d[1..]);
            let twice = Encoding::Json.decode_client(twice.as_bytes()).unwrap_err();
            assert_eq!((twice.reason, twice.detail), (Reason::BadFields, format!("{field}: is there twice")), "{t}");
        }
    }
}

#[test]
fn what_is_no_message_is_told_what_it_lacks() {
    for (message, reason, detail) in [
        (json!(5), Reason::BadMessage, "must be an object with t and d, whose names are text"),
        (json!(["ping", { "n": 1 }]), Reason::BadMessage, "must be an object with t and d, whose names are text"),
        (json!({}), Reason::BadMessage, "t: is needed"),
        (json!({ "t": 5, "d": { "n": 1 } }), Reason::BadMessage, "t: must be the message's type as text"),
        (json!({ "t": "ping" }), Reason::BadFields, "d: is needed"),
        (json!({ "t": "ping", "d": [1] }), Reason::BadFields, "d: must be an object whose names are text"),
        (json!({ "t": "ping", "d": null }), Reason::BadFields, "d: must be an object whose names are text"),
        (json!({ "t": "fly" }), Reason::UnknownType, "fly"),
    ] {
        let wrong = taken(&message).unwrap_err();
        assert_eq!((wrong.reason, wrong.detail.as_str()), (reason, detail), "{message}");
    }
    for (json, detail) in [
        (&b""[..], "no JSON: it ends too soon"),
        (b"{\"t\":\"ping\",\"d\":{\"n\":1}", "no JSON: it ends too soon"),
        (b"nonsense", "no JSON, at line 1 column 2"),
        (b"{\"t\":\"ping\",\"d\":{\"n\":1}}{}", "bytes behind the message"),
        (b"{\"t\":\"ping\",\"t\":\"ping\",\"d\":{\"n\":1}}", "t: is there twice"),
        (b"{\"t\":\"ping\",\"d\":{\"n\":1},\"d\":{\"n\":1}}", "d: is there twice"),
        (
            b"{\"t\":\"relay\",\"d\":{\"s\":1,\"id\":1,\"data\":1e999}}",
            "data: must be JSON, at most 127 levels deep, with numbers that a double can hold",
        ),
    ] {
        assert_eq!(Encoding::Json.decode_client(json).unwrap_err().detail, detail);
    }
    // `d` comes first, and what is in it is no less looked at.
    for (d, types) in [
        ("[1]", &["ping", "leave", "beat", "action"][..]),
        ("[7,9,{}]", &["patch", "relay", "beat"]),
        (r#"{"s":7,"id":9,"kind":{"defend":null}}"#, &["action"]),
    ] {
        for t in types {
            let text = format!(r#"{{"d":{d},"t":"{t}"}}"#);
            assert_eq!(Encoding::Json.decode_client(text.as_bytes()).unwrap_err().reason, Reason::BadFields, "{text}");
        }
    }
}

/// `MessagePack`'s text, number and map, by hand.
fn text(text: &str) -> Vec<u8> {
    [vec![0xd9, u8::try_from(text.len()).unwrap()], text.as_bytes().to_vec()].concat()
}

/// The same value, in which what is behind `pointer` is these bytes, or its name is, where `is_name`.
fn with_bytes(value: &Value, at: &[&str], bytes: &[u8], is_name: bool) -> Vec<u8> {
    let Some((&next, rest)) = at.split_first() else { return bytes.to_vec() };
    let members = value.as_object().unwrap();
    let mut out = vec![0x80 | u8::try_from(members.len()).unwrap()];
    // The other way round than what is encoded as it is: there `d` comes first.
    for (name, member) in members.iter().rev() {
        let is_it = name == next;
        out.extend(if is_it && is_name && rest.is_empty() { bytes.to_vec() } else { text(name) });
        match member {
            member if is_it && !(is_name && rest.is_empty()) => out.extend(with_bytes(member, rest, bytes, is_name)),
            member => out.extend(bytes_of(Encoding::MsgPack, member)),
        }
    }
    out
}

#[test]
fn in_messagepack_a_word_or_a_name_is_text_and_neither_a_number_nor_bytes() {
    for message in whole() {
        let t = message["t"].as_str().unwrap();
        let d = message["d"].as_object().unwrap();
        let fields = d.keys().map(|name| vec!["d", name.as_str()]);
        for at in [vec!["t"], vec!["d"]].into_iter().chain(fields) {
            let value = message.pointer(&format!("/{}", at.join("/"))).unwrap();
            let same = with_bytes(&message, &at, &bytes_of(Encoding::MsgPack, value), false);
            Encoding::MsgPack.decode_client(&same).unwrap_or_else(|wrong| panic!("{t} {at:?}: {wrong}"));
            // What a word could be taken for: its place in a list, itself as bytes, as a list, or as the name of nothing.
            let Some(word) = value.as_str() else { continue };
            let short = u8::try_from(word.len()).unwrap();
            let list = [vec![0xdc, 0, 16], vec![1; 16]].concat();
            let stands_for: Vec<Vec<u8>> = (0..16_u8)
                .map(|place| vec![place])
                .chain([[&[0xc4, short][..], word.as_bytes()].concat(), [&[0xc4, 16][..], &[1; 16]].concat(), list])
                .chain([[vec![0x81], text(word), vec![0xc0]].concat()])
                .collect();
            for bytes in stands_for {
                let wrong = Encoding::MsgPack.decode_client(&with_bytes(&message, &at, &bytes, false));
                let wrong = wrong.expect_err(&format!("{t} {at:?} {bytes:x?}"));
                assert!(wrong.detail.starts_with(&format!("{}: must be ", at.last().unwrap())), "{}", wrong.detail);
                assert!(is_of_the_protocol(&wrong.detail));
            }
        }
        let fields = d.keys().map(|name| vec!["d", name.as_str()]);
        for at in [vec!["t"], vec!["d"]].into_iter().chain(fields) {
            let name = at.last().unwrap();
            let as_bytes = [&[0xc4, u8::try_from(name.len()).unwrap()][..], name.as_bytes()].concat();
            for bytes in (0..16_u8).map(|place| vec![place]).chain([as_bytes]) {
                let wrong = Encoding::MsgPack.decode_client(&with_bytes(&message, &at, &bytes, true));
                let wrong = wrong.expect_err(&format!("{t} {at:?} {bytes:x?}"));
                assert!(wrong.detail.contains("whose names are text"), "{}", wrong.detail);
            }
        }
    }
}

#[test]
fn what_somebody_said_is_not_repeated() {
    let secret = "eyJhbGciOiJIUzI1NiJ9";
    for message in whole() {
        let mut wrong = message.clone();
        wrong["d"] = json!(secret);
        assert!(!taken(&wrong).unwrap_err().to_string().contains(secret));
        for (name, _) in message["d"].as_object().unwrap() {
            for value in [json!(secret), json!([secret]), json!({ secret: secret })] {
                let mut wrong = message.clone();
                wrong["d"][name] = value;
                if let Err(wrong) = taken(&wrong) {
                    assert!(!wrong.to_string().contains(secret), "{wrong}");
                }
            }
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(|truth| json!(truth)),
        (-2_i64..400).prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        any::<f32>().prop_map(|number| json!(number)),
        prop_oneof![Just("attack"), Just("head"), Just("ping"), Just("ß \u{202E}"), Just(UUID), Just("s")]
            .prop_map(|text| json!(text)),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        let name = prop_oneof![Just("s"), Just("id"), Just("d"), Just("t"), Just("kind"), Just("x")];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(|items| json!(items)),
            proptest::collection::btree_map(name, inner, 0..3).prop_map(|members| json!(members)),
        ]
    })
}

/// What is done to a message: the member at a place of it is taken away, or is something else, or there is one more.
fn change(message: &mut Value, place: prop::sample::Index, with: Option<Value>) {
    let d = message["d"].as_object().map_or(0, Map::len);
    match place.index(d + 2) {
        0 => message["t"] = with.unwrap_or_else(|| json!("action")),
        1 => message["d"] = with.unwrap_or_else(|| json!({})),
        nth => {
            let members = message["d"].as_object_mut().unwrap();
            let name = members.keys().nth(nth - 2).unwrap().clone();
            match with {
                Some(value) => members.insert(name, value),
                None => members.remove(&name),
            };
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn of_any_bad_message_the_same_is_said_in_both_encodings_and_in_the_protocols_words(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), prop::option::of(value())), 1..3),
    ) {
        let all = whole();
        let mut message = which.get(&all).clone();
        for (place, with) in changes {
            if message["d"].is_object() {
                change(&mut message, place, with);
            }
        }
        if let Err(wrong) = taken(&message) {
            if wrong.reason == Reason::UnknownType {
                prop_assert!(wrong.detail.chars().count() <= 32);
            } else {
                prop_assert!(is_of_the_protocol(&wrong.detail), "{}", wrong.detail);
                prop_assert!(names_a_field(&wrong.detail), "{}", wrong.detail);
            }
        }
    }

    #[test]
    fn of_bytes_that_are_wrong_anywhere_it_is_said_in_the_protocols_words(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..4),
        cut: bool,
    ) {
        for encoding in Encoding::ALL {
            let all = whole();
            let mut message = bytes_of(encoding, which.get(&all));
            let at = at.index(message.len());
            if cut {
                message.truncate(at);
            }
            let until = (at + bytes.len()).min(message.len());
            message.splice(at..until, bytes.iter().copied());
            if let Err(wrong) = encoding.decode_client(&message) {
                if wrong.reason != Reason::UnknownType {
                    prop_assert!(is_of_the_protocol(&wrong.detail), "{}", wrong.detail);
                }
                prop_assert!(wrong.reason != Reason::BadFields || names_a_field(&wrong.detail), "{}", wrong.detail);
            }
        }
    }
}
