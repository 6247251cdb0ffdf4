//! The messages that come and go with every action, written and read without the general machinery: it was a tenth
//! of the harness's time under saturation. What does not look exactly as expected is left to the general parser.

use tiltyard_protocol::Encoding;
use tiltyard_protocol::server::Ack;

/// Appends the attack `id` on slot `to` in session `s`.
pub fn attack(out: &mut Vec<u8>, s: u32, id: u64, to: u8) {
    out.extend_from_slice(br#"{"t":"action","d":{"s":"#);
    push(out, u64::from(s));
    out.extend_from_slice(br#","id":"#);
    push(out, id);
    out.extend_from_slice(br#","kind":"attack","to":"#);
    push(out, u64::from(to));
    out.extend_from_slice(b"}}");
}

/// The ack in `payload`, if it is one in the usual form.
pub fn ack(payload: &[u8]) -> Option<Ack> {
    let (s, rest) = number(payload.strip_prefix(br#"{"t":"ack","d":{"s":"#)?)?;
    let (id, rest) = number(rest.strip_prefix(br#","id":"#)?)?;
    let (q, rest) = number(rest.strip_prefix(br#","q":"#)?)?;
    (rest == b"}}").then_some(Ack { s: u32::try_from(s).ok()?, id, q, ..Ack::default() })
}

/// Where the delta in `payload` has an `id`, which is its recipient's own: that, and what follows, which is the same for all who are shown the
/// same. Anything else is left whole.
pub fn own(encoding: Encoding, payload: &[u8]) -> (Option<u64>, &[u8]) {
    let json = || {
        let (id, rest) = number(payload.strip_prefix(br#"{"t":"delta","d":{"id":"#)?)?;
        Some((Some(id), rest.strip_prefix(b",")?))
    };
    let packed = || {
        // The number of its fields is that of what is common, and one more.
        let [0x80..=0x8F, fields @ ..] = payload.strip_prefix(b"\x82\xA1t\xA5delta\xA1d")? else { return None };
        let (id, rest) = packed_number(fields.strip_prefix(b"\xA2id")?)?;
        Some((Some(id), rest))
    };
    let found = match encoding {
        Encoding::Json => json(),
        Encoding::MsgPack => packed(),
    };
    found.unwrap_or((None, payload))
}

/// Whether `payload` is a delta, by how one begins.
pub fn is_delta(encoding: Encoding, payload: &[u8]) -> bool {
    payload.starts_with(match encoding {
        Encoding::Json => br#"{"t":"delta","d":{"#,
        Encoding::MsgPack => b"\x82\xA1t\xA5delta\xA1d",
    })
}

/// The unsigned number at the start of `bytes`, and what follows it.
fn packed_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let length = match first {
        0..=0x7F => return Some((u64::from(first), rest)),
        0xCC..=0xCF => 1 << (first - 0xCC),
        _ => return None,
    };
    let (digits, rest) = rest.split_at_checked(length)?;
    Some((digits.iter().fold(0, |value, &digit| value << 8 | u64::from(digit)), rest))
}

/// Sequence, slot and id of the action that the bare loop's delta in `payload` shows: it has these in place of acks.
pub fn shown_by(payload: &[u8]) -> Option<(u64, u8, u64)> {
    let (_, rest) = number(payload.strip_prefix(br#"{"t":"delta","d":{"s":"#)?)?;
    let (q, rest) = number(rest.strip_prefix(br#","q":"#)?)?;
    let (slot, rest) = number(rest.strip_prefix(br#","at":0,"by":["#)?)?;
    let (id, rest) = number(rest.strip_prefix(b",")?)?;
    rest.starts_with(b"]").then_some((q, u8::try_from(slot).ok()?, id))
}

#[allow(clippy::cast_possible_truncation)] // A digit.
fn push(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// The number at the start of `bytes`, which is not so long that it might overflow, and what follows it.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let length = bytes.iter().take(19).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = bytes.split_at(length);
    let value = digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    (length > 0).then_some((value, rest))
}

#[cfg(test)]
mod tests {
    use tiltyard_protocol::server::Ack;
    use tiltyard_protocol::{Act, ActionKind, ClientMessage, Delta, Encoding, ServerMessage};

    use super::{ack, attack, is_delta, own};

    #[test]
    fn an_attack_is_what_the_general_encoder_writes() {
        for (s, id, to) in [(0, 1, 0), (u32::MAX, 1 << 53, 99), (10, 100, 9), (7, 909, 10)] {
            let mut quick = Vec::new();
            attack(&mut quick, s, id, to);
            let mut general = Vec::new();
            let action = Act::new(s, id, ActionKind::Attack).at(to);
            Encoding::Json.encode(&ClientMessage::Action(action), &mut general);
            assert_eq!(quick, general);
        }
    }

    #[test]
    fn an_ack_is_what_the_general_encoder_wrote() {
        for (s, id, q) in [(0, 0, 0), (u32::MAX, 1 << 53, 987_654_321), (1, 10, 100)] {
            let expected = Ack { s, id, q, ..Ack::default() };
            let mut text = Vec::new();
            Encoding::Json.encode(&ServerMessage::Ack(expected.clone()), &mut text);
            assert_eq!(ack(&text), Some(expected));
            assert!((0..text.len()).all(|cut| ack(&text[..cut]).is_none()));
        }
    }

    #[test]
    fn a_delta_is_known_by_how_it_begins() {
        for encoding in [Encoding::Json, Encoding::MsgPack] {
            let is = |message: &ServerMessage| {
                let mut bytes = Vec::new();
                encoding.encode(message, &mut bytes);
                is_delta(encoding, &bytes)
            };
            assert!(is(&ServerMessage::Delta(Delta::default())));
            assert!(!is(&ServerMessage::Ack(Ack::default())));
        }
    }

    #[test]
    fn what_of_a_delta_is_its_recipients_own_comes_first() {
        let mut text = Vec::new();
        Encoding::Json.encode(&ServerMessage::Delta(Delta { id: 1 << 53, s: 5, q: 6, ..Delta::default() }), &mut text);
        assert_eq!(own(Encoding::Json, &text), (Some(1 << 53), &br#""s":5,"q":6,"at":0,"time":0}}"#[..]));
        for other in [&br#"{"t":"delta","d":{"s":5}}"#[..], br#"{"t":"delta","d":{"id":5}}"#, b""] {
            assert_eq!(own(Encoding::Json, other), (None, other));
            assert_eq!(own(Encoding::MsgPack, other), (None, other));
        }
        for id in [0, 0x7F, 0x80, 0x100, 0x1_0000, 1 << 32, 1 << 53] {
            let mut packed = Vec::new();
            let delta = Delta { id, s: 5, q: 6, ..Delta::default() };
            Encoding::MsgPack.encode(&ServerMessage::Delta(delta), &mut packed);
            let common = b"\xA1s\x05\xA1q\x06\xA2at\x00\xA4time\x00";
            assert_eq!(own(Encoding::MsgPack, &packed), (Some(id), &common[..]));
            let head = packed.len() - common.len();
            assert!((0..head).all(|cut| own(Encoding::MsgPack, &packed[..cut]).0.is_none()));
        }
    }

    #[test]
    fn any_other_form_is_left_alone() {
        for text in [
            r#"{"t":"ack","d":{"s":1,"q":3,"id":2}}"#,
            r#"{"t":"ack","d":{"s":1,"id":2,"q":3,"x":4}}"#,
            r#"{"t":"ack","d":{"s":4294967296,"id":2,"q":3}}"#,
            r#"{"t":"ack","d":{"s":1,"id":18446744073709551616,"q":3}}"#,
            r#"{"t":"ack","d":{"s":1,"id":-2,"q":3}}"#,
            r#"{"t":"delta","d":{"s":1,"q":3,"at":0}}"#,
        ] {
            assert_eq!(ack(text.as_bytes()), None, "{text}");
        }
    }
}
