//! Both encodings carry every message, and no bytes make a decoder panic.

use proptest::prelude::*;
use tiltyard_protocol::client::{Join, Leave, Ping, Ready};
use tiltyard_protocol::{Act, ActionKind, ClientMessage, Encoding, Reason};
use uuid::Uuid;

fn message() -> impl Strategy<Value = ClientMessage> {
    let kind = prop_oneof![
        Just(ActionKind::Attack),
        Just(ActionKind::Defend),
        Just(ActionKind::Ability),
        Just(ActionKind::Move),
        Just(ActionKind::ItemUse),
    ];
    prop_oneof![
        (any::<u128>(), any::<Option<u64>>())
            .prop_map(|(id, seq)| ClientMessage::Join(Join { session: Uuid::from_u128(id), seq })),
        any::<u32>().prop_map(|s| ClientMessage::Leave(Leave { s })),
        any::<u32>().prop_map(|s| ClientMessage::Ready(Ready { s })),
        any::<u64>().prop_map(|n| ClientMessage::Ping(Ping { n })),
        (any::<u32>(), any::<u64>(), kind, any::<Option<u8>>())
            .prop_map(|(s, id, kind, to)| ClientMessage::Action(Act { s, id, kind, to })),
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
    let act = Act { s: 7, id: 9, kind: ActionKind::ItemUse, to: None };
    Encoding::Json.encode(&ClientMessage::Action(act), &mut bytes);
    assert_eq!(bytes, br#"{"t":"action","d":{"s":7,"id":9,"kind":"item_use"}}"#);
    bytes.clear();
    Encoding::MsgPack.encode(&ClientMessage::Ping(Ping { n: 1 }), &mut bytes);
    assert_eq!(bytes, b"\x82\xa1t\xa4ping\xa1d\x81\xa1n\x01");
    for reason in Reason::ALL {
        assert_eq!(serde_json::to_string(reason).unwrap(), format!("\"{}\"", reason.name()));
    }
}
