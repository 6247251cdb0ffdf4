//! All but text: framing, pings, reserved bits and opcodes, fragments, closes; and what is as large as it may be, and larger.

use tiltyard_protocol::Encoding;

use super::{
    BINARY, CLOSE, Case, End, FIN, Heard, PING, PONG, TEXT, fragments, frame, message_around, message_of, opcode, said,
};

/// Of what is no frame, of a frame of the other kind, of what is too large.
const PROTOCOL: u16 = 1002;
const KIND: u16 = 1003;
const TOO_BIG: u16 = 1009;

pub fn all(encoding: Encoding) -> Vec<Case> {
    let sections = [framing, pings, reserved_bits, opcodes, fragmentation, closes, codes, sizes, lengths];
    sections.into_iter().flat_map(|section| section(encoding)).collect()
}

/// 1.1 are texts of so many bytes, 1.2 binaries.
fn framing(encoding: Encoding) -> Vec<Case> {
    let mut cases = Vec::new();
    for (section, kind) in [(1, TEXT), (2, BINARY)] {
        for (no, length) in (1..).zip([0, 125, 126, 127, 128, 65_535, 65_536, 65_536]) {
            let name = format!("1.{section}.{no}");
            let (case, payload) = match (kind == opcode(encoding), length) {
                (false, _) => (Case::broken(name, KIND), vec![b'*'; length]),
                (true, 0) => (Case::new(name, End::GoesOn), Vec::new()),
                (true, _) => (Case::new(name, End::GoesOn), message_of(encoding, no, length)),
            };
            let frame = frame(FIN | kind, &payload);
            let case = if no == 8 { case.send_each(frame.chunks(997)) } else { case.send(frame) };
            cases.push(match (kind == opcode(encoding), length) {
                (false, _) => case,
                (true, 0) => case.hear(Heard::NoMessage),
                (true, _) => case.hear(Heard::Answer(no.into())),
            });
        }
    }
    cases
}

fn pings(_: Encoding) -> Vec<Case> {
    let goes_on = |no: u8| Case::new(format!("2.{no}"), End::GoesOn);
    let answered = |case: Case, payload: &[u8]| case.hear(Heard::Pong(payload.to_vec()));
    let payload = |nth: u8| format!("payload-{nth}").into_bytes();
    let ten: Vec<u8> = (0..10).flat_map(|nth| frame(PING, &payload(nth))).collect();
    let ten_pongs = |case: Case| (0..10).fold(case, |case, nth| answered(case, &payload(nth)));
    let binary = [0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF];
    vec![
        answered(goes_on(1).send(frame(PING, b"")), b""),
        answered(goes_on(2).send(frame(PING, b"Hello, world!")), b"Hello, world!"),
        answered(goes_on(3).send(frame(PING, &binary)), &binary),
        answered(goes_on(4).send(frame(PING, &[0xFE; 125])), &[0xFE; 125]),
        Case::broken("2.5", PROTOCOL).send(frame(PING, &[0xFE; 126])),
        answered(goes_on(6).send_each(frame(PING, &[0xFE; 125]).chunks(1)), &[0xFE; 125]),
        goes_on(7).send(frame(PONG, b"")),
        goes_on(8).send(frame(PONG, b"unsolicited pong payload")),
        answered(
            goes_on(9).send([frame(PONG, b"unsolicited"), frame(PING, b"ping payload")].concat()),
            b"ping payload",
        ),
        ten_pongs(goes_on(10).send(ten.as_slice())),
        ten_pongs(goes_on(11).send_each(ten.chunks(1))),
    ]
}

/// A frame that is none, alone or between a message and a ping: the message is answered, the ping is not.
fn between(encoding: Encoding, name: &str, bad: Vec<u8>, how: How) -> Case {
    let case = Case::broken(name, PROTOCOL);
    let parts = [said(encoding, 1), bad, frame(PING, b"")];
    match how {
        How::Alone => case.send(parts[1].as_slice()),
        How::AtOnce => case.send(parts.concat()).hear(Heard::Answer(1)),
        How::FrameWise => case.send_each(parts.iter().map(Vec::as_slice)).hear(Heard::Answer(1)),
        How::OctetWise => case.send_each(parts.concat().chunks(1)).hear(Heard::Answer(1)),
    }
}

#[derive(Clone, Copy)]
enum How {
    Alone,
    AtOnce,
    FrameWise,
    OctetWise,
}

fn reserved_bits(encoding: Encoding) -> Vec<Case> {
    let hello = message_around(encoding, 2, b"Hello, world!");
    let bad = |bits: u8, first: u8, payload: &[u8]| frame(first | bits << 4, payload);
    let message = FIN | opcode(encoding);
    vec![
        between(encoding, "3.1", bad(1, message, &hello), How::Alone),
        between(encoding, "3.2", bad(2, message, &hello), How::AtOnce),
        between(encoding, "3.3", bad(3, message, &hello), How::FrameWise),
        between(encoding, "3.4", bad(4, message, &hello), How::OctetWise),
        between(encoding, "3.5", bad(5, FIN | BINARY, &hello), How::Alone),
        between(encoding, "3.6", bad(6, PING, b"Hello, world!"), How::Alone),
        between(encoding, "3.7", bad(7, CLOSE, &1000_u16.to_be_bytes()), How::Alone),
    ]
}

fn opcodes(encoding: Encoding) -> Vec<Case> {
    let mut cases = Vec::new();
    for (section, first) in [(1, 3), (2, 11)] {
        for (no, opcode) in (1..).zip(first..first + 5) {
            let payload: &[u8] = if matches!(no, 2 | 4 | 5) { b"reserved opcode payload" } else { b"" };
            let how = match no {
                1 | 2 => How::Alone,
                3 => How::AtOnce,
                4 => How::FrameWise,
                _ => How::OctetWise,
            };
            cases.push(between(encoding, &format!("4.{section}.{no}"), frame(FIN | opcode, payload), how));
        }
    }
    cases
}

fn fragmentation(encoding: Encoding) -> Vec<Case> {
    let message = opcode(encoding);
    let text = message_around(encoding, 1, b"fragment1fragment2fragment3fragment4fragment5");
    let two = fragments(message, text.chunks(text.len().div_ceil(2)));
    let five = fragments(message, text.chunks(text.len().div_ceil(5)));
    let ping = frame(PING, b"ping payload");
    let answered = || Heard::Pong(b"ping payload".to_vec());
    // Nothing goes on with this.
    let stray = |fin: u8| frame(fin, b"non-continuation payload");
    let goes_on = |no: u8| Case::new(format!("5.{no}"), End::GoesOn);
    let broken = |no: u8| Case::broken(format!("5.{no}"), PROTOCOL);
    let in_ways = |nos: [u8; 3], frames: &[Vec<u8>], case: &dyn Fn(u8) -> Case| {
        [
            case(nos[0]).send(frames.concat()),
            case(nos[1]).send_each(frames.iter().map(Vec::as_slice)),
            case(nos[2]).send_each(frames.concat().chunks(1)),
        ]
    };
    let control = |first: u8| [frame(first, b"fragment1"), frame(FIN, b"fragment2")].concat();
    let with_ping = [two[0].clone(), ping.clone(), two[1].clone()];
    let mut cases = vec![broken(1).send(control(0x09)), broken(2).send(control(0x0A))];
    cases.extend(in_ways([3, 4, 5], &two, &goes_on).map(|case| case.hear(Heard::Answer(1))));
    cases.extend(in_ways([6, 7, 8], &with_ping, &goes_on).map(|case| case.hear(answered()).hear(Heard::Answer(1))));
    cases.extend(in_ways([9, 10, 11], &[stray(FIN), said(encoding, 2)], &broken));
    cases.extend(in_ways([12, 13, 14], &[stray(0), said(encoding, 2)], &broken));
    let behind = [two.concat(), stray(0), said(encoding, 2)].concat();
    let twice = |fin: u8| [stray(fin), two.concat()].concat().repeat(2);
    let again = [two[0].clone(), frame(FIN | message, b"fragment2")].concat();
    let pinged = [five[0].clone(), five[1].clone(), ping.clone()].concat();
    let pinged_again = [five[2].clone(), five[3].clone(), ping.clone()].concat();
    cases.extend([
        broken(15).send(behind).hear(Heard::Answer(1)),
        broken(16).send(twice(0)),
        broken(17).send(twice(FIN)),
        broken(18).send(again),
        goes_on(19)
            .send(pinged.as_slice())
            .hear(answered())
            .send(pinged_again.as_slice())
            .hear(answered())
            .send(five[4].as_slice())
            .hear(Heard::Answer(1)),
        goes_on(20)
            .send([pinged, pinged_again, five[4].clone()].concat())
            .hear(answered())
            .hear(answered())
            .hear(Heard::Answer(1)),
    ]);
    let long = message_of(encoding, 1, 65_536);
    let long = fragments(message, long.chunks(1_300)).concat();
    cases.push(Case::new("10.1.1", End::GoesOn).send(long).hear(Heard::Answer(1)));
    cases
}

/// A close with this code and reason.
fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

fn closes(encoding: Encoding) -> Vec<Case> {
    let normal = |name: &str| Case::broken(name, 1000);
    let two = fragments(opcode(encoding), [&b"fragment1"[..], b"fragment2"]);
    let (message, bye) = (said(encoding, 1), close(1000, b""));
    // A reason that is no text: what case 6.3.1 sends.
    let no_text = b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited";
    let large = frame(FIN | opcode(encoding), &b"BAsd7&jh23".repeat(26_215)[..256 * 1024]);
    vec![
        normal("7.1.1").send([message.as_slice(), &bye].concat()).hear(Heard::Answer(1)),
        normal("7.1.2").send([bye.as_slice(), &bye].concat()),
        normal("7.1.3").send([bye.as_slice(), &frame(PING, b"")].concat()),
        normal("7.1.4").send([bye.as_slice(), &message].concat()),
        normal("7.1.5").send([two[0].as_slice(), &bye, &two[1]].concat()),
        // More than a message may be: nothing is looked at after it.
        Case::broken("7.1.6", TOO_BIG).send([large.as_slice(), &message, &bye, &frame(PING, b"")].concat()),
        Case::new("7.3.1", End::Closed(None)).send(frame(CLOSE, b"")),
        Case::broken("7.3.2", PROTOCOL).send(frame(CLOSE, b"a")),
        normal("7.3.3").send(bye),
        normal("7.3.4").send(close(1000, b"Hello World!")),
        normal("7.3.5").send(close(1000, &[b'*'; 123])),
        Case::broken("7.3.6", PROTOCOL).send(close(1000, &[b'*'; 124])),
        Case::broken("7.5.1", 1007).send(close(1000, no_text)),
    ]
}

fn codes(_: Encoding) -> Vec<Case> {
    // Those that a client may say are answered with themselves.
    let good = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
    let bad = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
    let good = (1..).zip(good).map(|(no, code)| (format!("7.7.{no}"), code, code));
    let bad = (1..).zip(bad).map(|(no, code)| (format!("7.9.{no}"), code, PROTOCOL));
    let beyond = (1..).zip([5_000, 65_535]).map(|(no, code)| (format!("7.13.{no}"), code, PROTOCOL));
    // Not Autobahn's: codes that came after the RFC, and one that it has for nobody to say.
    let later =
        [(1012, 1012), (1013, 1013), (1015, PROTOCOL)].map(|(code, answer)| (format!("code: {code}"), code, answer));
    good.chain(bad)
        .chain(beyond)
        .chain(later)
        .map(|(name, code, answer)| Case::broken(name, answer).send(close(code, b"")))
        .collect()
}

/// Not Autobahn's: what is just too large, and frames that only say that they are long.
fn sizes(encoding: Encoding) -> Vec<Case> {
    let message = opcode(encoding);
    let too_long = message_of(encoding, 1, 65_537);
    let halves = fragments(message, too_long.chunks(40_000)).concat();
    let many = |count| fragments(message, message_around(encoding, 1, &vec![b'*'; count]).chunks(1)).concat();
    let around = message_around(encoding, 1, b"").len();
    let head = |length: u64| [&[FIN | message, 0xFF][..], &length.to_be_bytes(), &[0; 4]].concat();
    let too_big = |name: &str| Case::broken(format!("size: {name}"), TOO_BIG);
    let unmasked = [vec![FIN | message, 5], b"Hello".to_vec()].concat();
    vec![
        too_big("a byte more").send(frame(FIN | message, &too_long)),
        too_big("a byte more in two fragments").send(halves),
        Case::new("size: 256 fragments after the first", End::GoesOn).send(many(257 - around)).hear(Heard::Answer(1)),
        too_big("257 fragments after the first").send(many(258 - around)),
        too_big("64 MiB").send(head(64 << 20)),
        too_big("2^63-1").send(head(u64::MAX >> 1)),
        too_big("2^64-1").send(head(u64::MAX)),
        Case::broken("no mask", PROTOCOL).send(unmasked),
    ]
}

/// Not Autobahn's: lengths that are written longer than need be are taken, but for those of control frames, which have no longer ones; and one
/// with the bit that no length has is none, whatever it would be without it.
fn lengths(encoding: Encoding) -> Vec<Case> {
    let message = message_around(encoding, 1, b"Hello, world!");
    let length = message.len() as u64;
    let framed = |first: u8, length: &[u8], payload: &[u8]| {
        let whole = frame(first, payload);
        [&[first], length, &whole[whole.len() - payload.len() - 4..]].concat()
    };
    let in_16 = |length: u64| [&[0xFE][..], &length.to_be_bytes()[6..]].concat();
    let in_64 = |length: u64| [&[0xFF][..], &length.to_be_bytes()].concat();
    let (first, taken) = (FIN | opcode(encoding), |name: &str| Case::new(format!("length: {name}"), End::GoesOn));
    vec![
        taken("in 16 bits").send(framed(first, &in_16(length), &message)).hear(Heard::Answer(1)),
        taken("in 64 bits").send(framed(first, &in_64(length), &message)).hear(Heard::Answer(1)),
        Case::broken("length: a ping's in 16 bits", PROTOCOL).send(framed(PING, &in_16(5), b"Hello")),
        Case::broken("length: its first bit", TOO_BIG).send(framed(first, &in_64(1 << 63 | length), &message)),
    ]
}
