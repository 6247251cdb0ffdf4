//! A client that is older than its server: what it does not know breaks nothing it does. What the server is told has to be known all the same.

// A test that cannot go on has failed: unwrapping says so where it happens.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use tiltyard_protocol::room::SessionType;
use tiltyard_protocol::rules::{AbilityKind, CoverKind};
use tiltyard_protocol::server::{
    EndReason, EventKind, LeftWhy, ParticipantStatus, PhaseName, PresenceWhy, Resume, ResumeWhy, SessionStatus,
};
use tiltyard_protocol::view::{Drift, ParticipantView};
use tiltyard_protocol::{ActionKind, ClientMessage, Encoding, Reason, RulesView, ServerMessage, Snapshot, View};

fn bytes(encoding: Encoding, message: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoding.encode(message, &mut bytes);
    bytes
}

/// What a client reads of this, which is the same in both encodings.
fn read(message: &Value) -> ServerMessage {
    let [one, other] = Encoding::ALL.map(|encoding| encoding.decode_server(&bytes(encoding, message)).unwrap());
    assert_eq!(one, other);
    one
}

#[test]
fn a_message_of_a_type_that_is_not_known_is_one() {
    for d in [json!({ "s": 7, "wind": [3, 4] }), json!([1]), json!(null), json!("x")] {
        assert_eq!(read(&json!({ "t": "weather", "d": d })), ServerMessage::Unknown);
    }
    assert_eq!(read(&json!({ "t": "weather" })), ServerMessage::Unknown);
    // What is no message is none, and a known one needs its fields.
    for (text, reason) in
        [("{}", Reason::BadMessage), (r#"{"t":"delta","d":{}}"#, Reason::BadFields), ("x", Reason::BadMessage)]
    {
        assert_eq!(Encoding::Json.decode_server(text.as_bytes()).unwrap_err().reason, reason, "{text}");
    }
}

#[test]
fn a_word_that_is_not_known_is_one_wherever_it_is() {
    let ServerMessage::Left(left) = read(&json!({ "t": "left", "d": { "s": 7, "why": "transcended" } })) else {
        panic!()
    };
    assert_eq!(left.why, LeftWhy::Unknown);
    let refused = json!({ "t": "refused", "d": { "s": 7, "id": 1, "reason": "new", "retry_ms": 5 } });
    let ServerMessage::Refused(refused) = read(&refused) else { panic!() };
    assert_eq!((refused.reason, refused.retry_ms), (Reason::Unknown, Some(5)));
    let event = json!({ "k": "sneezed", "by": 1, "why": "cold", "volume": 11 });
    let delta = json!({ "t": "delta", "d": { "s": 7, "q": 2, "at": 3, "ev": [event, { "k": "guard", "by": 0 }] } });
    let ServerMessage::Delta(delta) = read(&delta) else { panic!() };
    assert_eq!(
        (delta.ev[0].k, delta.ev[0].by, delta.ev[0].why),
        (EventKind::Unknown, Some(1), Some(PresenceWhy::Unknown))
    );
    assert_eq!(delta.ev[1].k, EventKind::Guard);
    let joined = json!({ "session": uuid::Uuid::nil(), "s": 7, "type": "guild", "resume": "dream", "why": "tired" });
    let ServerMessage::Joined(joined) = read(&json!({ "t": "joined", "d": joined })) else { panic!() };
    assert_eq!(
        (joined.kind, joined.resume, joined.why),
        (SessionType::Unknown, Resume::Unknown, Some(ResumeWhy::Unknown))
    );
    let result = json!({ "s": 7, "q": 2, "reason": "ascended", "duration_ms": 1, "standings": [] });
    let ServerMessage::Result(result) = read(&json!({ "t": "result", "d": result })) else { panic!() };
    assert_eq!(result.reason, EndReason::Unknown);
}

#[test]
fn rules_that_say_more_are_read_for_what_is_known_of_them() {
    let mut rules = serde_json::to_value(RulesView::default()).unwrap();
    rules["abilities"] = json!([{
        "name": "warp", "kind": "ritual", "key": "", "cost": { "mana": 3 }, "cooldown_ms": 1, "uses": 0, "cast_ms": 0, "channel": false,
        "affects": "neighbours", "shape": "spiral", "range_cm": 1
    }]);
    rules["effects"] = json!([{ "name": "hush", "stuns": false, "denies": ["sing", "attack", "move"] }]);
    rules["enemies"] = json!([{ "name": "imp", "rank": "legend", "health": 1, "phases": [] }]);
    rules["field"]["covers"] = json!([{ "name": "mist", "kind": "veil", "x": 0, "y": 0, "w": 1, "h": 1, "health": 0 }]);
    for encoding in Encoding::ALL {
        let joined = json!({ "t": "joined", "d": { "session": uuid::Uuid::nil(), "s": 7, "rules": rules } });
        let ServerMessage::Joined(joined) = encoding.decode_server(&bytes(encoding, &joined)).unwrap() else {
            panic!()
        };
        let rules = joined.rules.unwrap();
        assert_eq!(rules.abilities[0].kind, AbilityKind::Unknown);
        assert_eq!(rules.effects[0].denies, [ActionKind::Attack, ActionKind::Move]);
        assert_eq!(rules.field.covers[0].kind, CoverKind::Unknown);
    }
}

#[test]
fn a_view_with_a_word_that_is_not_known_has_no_digest_and_all_others_have() {
    let participants = vec![ParticipantView::default()];
    let known = View { participants, ..View::default() };
    let snapshot = |view: View| Snapshot { view, h: 1, ..Snapshot::default() };
    assert!(matches!(snapshot(known.clone()).verified(), Err(Drift::Digest { .. })));
    for change in [
        (|view: &mut View| view.phase.status = SessionStatus::Unknown) as fn(&mut View),
        |view| view.phase.phase = PhaseName::Unknown,
        |view| view.phase.end = Some(EndReason::Unknown),
        |view| view.participants[0].status = ParticipantStatus::Unknown,
    ] {
        let mut view = known.clone();
        change(&mut view);
        assert!(!view.is_known());
        assert_eq!(snapshot(view.clone()).verified(), Ok(view));
    }
    let wrong = read(&json!({ "t": "snapshot", "d": {
        "s": 7, "q": 1, "at": 2, "h": 3,
        "view": { "phase": { "status": "dozing", "phase": "active", "state": "" }, "seats": 2, "participants": [], "covers": [], "hazards": [], "modifiers": [] }
    } }));
    let ServerMessage::Snapshot(snapshot) = wrong else { panic!() };
    assert!(snapshot.verified().is_ok());
}

/// Names that only a newer server has are no names for it to take.
#[test]
fn the_server_refuses_what_it_refused() {
    for encoding in Encoding::ALL {
        let said = |message: Value| encoding.decode_client(&bytes(encoding, &message));
        let wrong = said(json!({ "t": "unknown", "d": {} })).unwrap_err();
        assert_eq!((wrong.reason, wrong.detail.as_str()), (Reason::UnknownType, "unknown"));
        for kind in ["unknown", "fly"] {
            let wrong = said(json!({ "t": "action", "d": { "s": 7, "id": 1, "kind": kind } })).unwrap_err();
            assert_eq!((wrong.reason, wrong.action), (Reason::BadFields, Some((7, 1))), "{kind}");
        }
        let wrong = said(json!({ "t": "action", "d": { "s": 7, "id": 1, "kind": "attack", "part": "unknown" } }));
        assert_eq!(wrong.unwrap_err().reason, Reason::BadFields);
        assert!(matches!(said(json!({ "t": "ready", "d": { "s": 7 } })), Ok(ClientMessage::Ready(_))));
    }
    for all in [
        Reason::ALL.iter().map(|reason| reason.name()).collect::<Vec<_>>(),
        EventKind::ALL.iter().map(|kind| kind.name()).collect(),
    ] {
        assert!(!all.contains(&"unknown"), "there is no such name on the wire");
    }
}
