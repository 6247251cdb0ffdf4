//! Section 6: what is UTF-8 and what is not, however it is cut into frames and writes.

use tiltyard_protocol::Encoding;

use super::{Case, End, FIN, Heard, PING, TEXT, fragments, frame, message_around};

const NO_TEXT: u16 = 1007;
const KIND: u16 = 1003;

/// κόσμε, in two bytes, three, and two three times.
const KOSME: &[u8] = b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5";

/// From 6.5 on, by what begins with the number: texts, and bytes that are none.
const TEXTS: &[(u8, &[&[u8]])] = &[
    (5, &[b"hello\x24world", b"hello\xC2\xA2world", b"hello\xE2\x82\xACworld", b"hello\xF0\xA4\xAD\xA2world", KOSME]),
    // The first sequence of each length, and the last.
    (7, &[b"\x00", b"\xC2\x80", b"\xE0\xA0\x80", b"\xF0\x90\x80\x80"]),
    (9, &[b"\x7F", b"\xDF\xBF", b"\xEF\xBF\xBF", b"\xF4\x8F\xBF\xBF"]),
    // On both sides of the surrogates, and the replacement character. The last one of these is in `NO_TEXTS`.
    (11, &[b"\xED\x9F\xBF", b"\xEE\x80\x80", b"\xEF\xBF\xBD", b"\xF4\x8F\xBF\xBF"]),
    // Specials.
    (
        23,
        &[
            b"\xEF\xBF\xB9",
            b"\xEF\xBF\xBA",
            b"\xEF\xBF\xBB",
            b"\xEF\xBF\xBC",
            b"\xEF\xBF\xBD",
            b"\xEF\xBF\xBE",
            b"\xEF\xBF\xBF",
        ],
    ),
];

const NO_TEXTS: &[(u8, &[&[u8]])] = &[
    // Sequences of five and six bytes, and beyond U+10FFFF.
    (8, &[b"\xF8\x88\x80\x80\x80", b"\xFC\x84\x80\x80\x80\x80"]),
    (10, &[b"\xF7\xBF\xBF\xBF", b"\xFB\xBF\xBF\xBF\xBF", b"\xFD\xBF\xBF\xBF\xBF\xBF"]),
    (11, &[b"\xF4\x90\x80\x80"]),
    // Bytes that go on with nothing. The last one of these is made below, and all of 6.13.
    (
        12,
        &[
            b"\x80",
            b"\xBF",
            b"\x80\xBF",
            b"\x80\xBF\x80",
            b"\x80\xBF\x80\xBF",
            b"\x80\xBF\x80\xBF\x80",
            b"\x80\xBF\x80\xBF\x80\xBF",
        ],
    ),
    (14, INCOMPLETE),
    // Bytes that are in no text.
    (16, &[b"\xFE", b"\xFF", b"\xFE\xFE\xFF\xFF"]),
    // Longer than need be.
    (17, &[b"\xC0\xAF", b"\xE0\x80\xAF", b"\xF0\x80\x80\xAF", b"\xF8\x80\x80\x80\xAF", b"\xFC\x80\x80\x80\x80\xAF"]),
    (18, &[b"\xC1\xBF", b"\xE0\x9F\xBF", b"\xF0\x8F\xBF\xBF", b"\xF8\x87\xBF\xBF\xBF", b"\xFC\x83\xBF\xBF\xBF\xBF"]),
    (19, &[b"\xC0\x80", b"\xE0\x80\x80", b"\xF0\x80\x80\x80", b"\xF8\x80\x80\x80\x80", b"\xFC\x80\x80\x80\x80\x80"]),
    // Surrogates, alone and in pairs.
    (
        20,
        &[
            b"\xED\xA0\x80",
            b"\xED\xAD\xBF",
            b"\xED\xAE\x80",
            b"\xED\xAF\xBF",
            b"\xED\xB0\x80",
            b"\xED\xBE\x80",
            b"\xED\xBF\xBF",
        ],
    ),
    (
        21,
        &[
            b"\xED\xA0\x80\xED\xB0\x80",
            b"\xED\xA0\x80\xED\xBF\xBF",
            b"\xED\xAD\xBF\xED\xB0\x80",
            b"\xED\xAD\xBF\xED\xBF\xBF",
            b"\xED\xAE\x80\xED\xB0\x80",
            b"\xED\xAE\x80\xED\xBF\xBF",
            b"\xED\xAF\xBF\xED\xB0\x80",
            b"\xED\xAF\xBF\xED\xBF\xBF",
        ],
    ),
];

/// Sequences whose last byte is missing.
const INCOMPLETE: &[&[u8]] = &[
    b"\xC0",
    b"\xE0\x80",
    b"\xF0\x80\x80",
    b"\xF8\x80\x80\x80",
    b"\xFC\x80\x80\x80\x80",
    b"\xDF",
    b"\xEF\xBF",
    b"\xF7\xBF\xBF",
    b"\xFB\xBF\xBF\xBF",
    b"\xFD\xBF\xBF\xBF\xBF",
];

pub fn all(encoding: Encoding) -> Vec<Case> {
    let mut cases = Vec::from(empty(encoding));
    cases.extend(cut(encoding));
    cases.extend(told_at_once());
    cases.extend(sequences(encoding));
    cases
}

/// A text in these frames: what `heard` says where the connection speaks JSON.
fn good(encoding: Encoding, name: &str, frames: &[Vec<u8>], heard: Heard) -> Case {
    match encoding {
        Encoding::Json => Case::new(name, End::GoesOn).send(frames.concat()).hear(heard),
        Encoding::MsgPack => Case::broken(name, KIND).send(frames.concat()),
    }
}

fn bad(name: &str, frames: &[Vec<u8>]) -> Case {
    Case::broken(name, NO_TEXT).send(frames.concat())
}

fn empty(encoding: Encoding) -> [Case; 3] {
    let message = message_around(Encoding::Json, 1, b"middle frame payload");
    [
        good(encoding, "6.1.1", &fragments(TEXT, [&b""[..]]), Heard::NoMessage),
        good(encoding, "6.1.2", &fragments(TEXT, [&b""[..], b"", b""]), Heard::NoMessage),
        good(encoding, "6.1.3", &fragments(TEXT, [&b""[..], &message, b""]), Heard::Answer(1)),
    ]
}

fn cut(encoding: Encoding) -> [Case; 6] {
    let around = |text: &[u8]| message_around(Encoding::Json, 1, text);
    let (hello, kosme) = (around("Hello-µ@ßöäüàá-UTF-8!!".as_bytes()), around(KOSME));
    // Between two characters.
    let at = hello.iter().position(|&byte| byte == b'@').unwrap() + 1;
    let no_text = around(&[KOSME, b"\xED\xA0\x80edited"].concat());
    let answer = Heard::Answer(1);
    [
        good(encoding, "6.2.1", &fragments(TEXT, [hello.as_slice()]), answer.clone()),
        good(encoding, "6.2.2", &fragments(TEXT, [&hello[..at], &hello[at..]]), answer.clone()),
        good(encoding, "6.2.3", &fragments(TEXT, hello.chunks(1)), answer.clone()),
        good(encoding, "6.2.4", &fragments(TEXT, kosme.chunks(1)), answer),
        bad("6.3.1", &fragments(TEXT, [no_text.as_slice()])),
        bad("6.3.2", &fragments(TEXT, no_text.chunks(1))),
    ]
}

/// The rest of the message is never sent: what has come cannot become text.
fn told_at_once() -> [Case; 4] {
    let with = |end: &[u8]| [KOSME, end].concat();
    let by_frame = |name: &str, first: &[u8], second: &[u8]| {
        let (first, second) = (frame(TEXT, first), frame(0, second));
        let case = Case::broken(name, NO_TEXT).send([first, frame(PING, b"")].concat());
        case.hear(Heard::Pong(Vec::new())).send(second)
    };
    let by_piece = |name: &str, first: usize, second: usize| {
        let whole = frame(FIN | TEXT, &with(b"\xF4\x90\x80\x80edited"));
        // Behind the head of six bytes.
        let (first, second) = (6 + KOSME.len() + first, 6 + KOSME.len() + second);
        Case::broken(name, NO_TEXT).send_each([&whole[..first], &whole[first..second]])
    };
    [
        by_frame("6.4.1", KOSME, b"\xF4\x90\x80\x80"),
        by_frame("6.4.2", &with(b"\xF4"), b"\x90"),
        by_piece("6.4.3", 0, 4),
        by_piece("6.4.4", 1, 2),
    ]
}

fn sequences(encoding: Encoding) -> Vec<Case> {
    let of = |number: u8, texts: &[Vec<u8>], is_text: bool, from: usize| -> Vec<Case> {
        let cases = (from..).zip(texts).map(|(no, text)| {
            assert_eq!(std::str::from_utf8(text).is_ok(), is_text, "6.{number}.{no}");
            let (name, frames) = (format!("6.{number}.{no}"), [frame(FIN | TEXT, text)]);
            if is_text { good(encoding, &name, &frames, Heard::NoMessage) } else { bad(&name, &frames) }
        });
        cases.collect()
    };
    let owned = |texts: &[&[u8]]| -> Vec<Vec<u8>> { texts.iter().map(|text| text.to_vec()).collect() };
    let mut cases = Vec::new();
    for (number, texts) in TEXTS {
        cases.extend(of(*number, &owned(texts), true, 1));
    }
    for (number, texts) in NO_TEXTS {
        cases.extend(of(*number, &owned(texts), false, if *number == 11 { 5 } else { 1 }));
    }
    // Every beginning of a text.
    for end in 1..=KOSME.len() {
        let beginning = KOSME[..end].to_vec();
        let is_text = std::str::from_utf8(&beginning).is_ok();
        cases.extend(of(6, &[beginning], is_text, end));
    }
    cases.extend(of(12, &[(0x80..0xBF).collect::<Vec<u8>>()], false, 8));
    let lonely = [0xC0..0xDF, 0xE0..0xEF, 0xF0..0xF7, 0xF8..0xFB, 0xFC..0xFD];
    let lonely = lonely.map(|starts| starts.flat_map(|start: u8| [start, b' ']).collect::<Vec<u8>>());
    cases.extend(of(13, &lonely, false, 1));
    cases.extend(of(15, &[INCOMPLETE.concat()], false, 1));
    // Characters that will never be assigned are text all the same.
    let mut never = owned(&[b"\xEF\xBF\xBE", b"\xEF\xBF\xBF"]);
    let planes =
        [0xF0, 0xF1, 0xF2, 0xF3, 0xF4].into_iter().flat_map(|first| [0x8F, 0x9F, 0xAF, 0xBF].map(|at| (first, at)));
    for (first, second) in planes.filter(|at| (*at == (0xF4, 0x8F)) || (at.0 < 0xF4 && *at != (0xF0, 0x8F))) {
        never.extend([0xBE, 0xBF].map(|last| vec![first, second, 0xBF, last]));
    }
    cases.extend(of(22, &never, true, 1));
    cases
}
