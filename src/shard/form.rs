//! What a shard writes of an encoding by hand. Each encoding has a file of its own, [`json`] and [`msgpack`]; here is all that
//! has to know which. They are held to the general encoder by tests.

use tiltyard_protocol::server::Ack;
use tiltyard_protocol::{Encoding, ServerMessage};

use super::publish::DeltaOf;
use super::{json, msgpack};
use crate::socket::frame;

/// Appends what all recipients of a delta have in common who are shown the same: its payload, but for `id`.
pub fn delta(encoding: Encoding, delta: &DeltaOf<'_>, out: &mut Vec<u8>) {
    match encoding {
        Encoding::Json => json::delta(delta, out),
        Encoding::MsgPack => msgpack::delta(delta, out),
    }
}

/// Appends the frame of a delta to a recipient of whose actions `id` is the highest that is applied, in front of what it has in `common` with
/// others.
pub fn append(encoding: Encoding, id: u64, common: &[u8], out: &mut Vec<u8>) {
    let mut own = Own::default();
    let behind = match encoding {
        Encoding::Json => json::own(id, common, &mut own),
        Encoding::MsgPack => msgpack::own(id, common, &mut own),
    };
    own.append(encoding, behind, out);
}

/// Appends the acknowledgement of an action: its session's handle, its id, and the sequence of the step that shows it. There is one for every
/// action that is applied.
pub fn ack(encoding: Encoding, s: u32, id: u64, q: u64, out: &mut Vec<u8>) {
    match encoding {
        Encoding::Json => json::ack(s, id, q, out),
        Encoding::MsgPack => encoding.encode(&ServerMessage::Ack(Ack { s, id, q, ..Ack::default() }), out),
    }
}

/// Adds encoded rules to the `joined` without any that begins at `start`.
pub fn add_rules(encoding: Encoding, rules: &[u8], start: usize, out: &mut Vec<u8>) {
    match encoding {
        Encoding::Json => json::add_rules(rules, out),
        Encoding::MsgPack => msgpack::add_rules(rules, start, out),
    }
}

/// What of a delta is its recipient's own. The longest is JSON's: what is in front of the id, 20 digits, and a comma.
pub(super) type Own = frame::Head<{ frame::HEADER_MAX + json::OWN.len() + 21 }>;

#[cfg(test)]
mod tests {
    use tiltyard_protocol::server::Ack;
    use tiltyard_protocol::{Delta, Encoding, ServerMessage};

    use super::{ack, append};

    #[test]
    fn every_id_is_written_as_the_general_encoder_writes_it() {
        let edges = [0, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x1_0000, 0xFFFF_FFFF, 0x1_0000_0000, 1 << 53, u64::MAX];
        for id in edges.into_iter().chain((0..64).map(|bit| (1_u64 << bit) - 1)) {
            let delta = Delta { id, s: 5, q: 6, at: 7, time: 8, ..Delta::default() };
            for (encoding, common) in [
                (Encoding::Json, &br#""s":5,"q":6,"at":7,"time":8}}"#[..]),
                (Encoding::MsgPack, b"\x84\xA1s\x05\xA1q\x06\xA2at\x07\xA4time\x08"),
            ] {
                let (mut frame, mut whole) = (Vec::new(), Vec::new());
                append(encoding, id, common, &mut frame);
                encoding.encode(&ServerMessage::Delta(delta.clone()), &mut whole);
                assert_eq!(String::from_utf8_lossy(&frame[2..]), String::from_utf8_lossy(&whole));
                let (mut short, mut whole) = (Vec::new(), Vec::new());
                ack(encoding, u32::MAX, id, id / 3, &mut short);
                encoding.encode(&ServerMessage::Ack(Ack { s: u32::MAX, id, q: id / 3, ..Ack::default() }), &mut whole);
                assert_eq!(String::from_utf8_lossy(&short), String::from_utf8_lossy(&whole));
            }
        }
    }
}
