use std::sync::Arc;

use super::{
    CHECK_EVERY, Cut, End, Entry, Loss, MAGIC, Mark, Mismatch, Playback, REVISION, ReadError, Replay, TapeWriter,
    Verdict,
};
use crate::golden::{expect, words};
use crate::{Action, BodyPart, Bout, Fight, Input, Mode, Rules, Ruleset, Setup, Step};

/// A fight of some hundred inputs, and the replay of it.
fn recorded() -> Replay {
    let rules = Rules { preparation_ms: 0, health: 5_000, actions_per_second: 0, ..Rules::default() };
    let setup = Setup { mode: Mode::Pvp, rules, seats: 2, participants: vec![7, 8], teams: Vec::new(), seed: 0xA11CE };
    let mut fight = Fight::new(&Ruleset::plain(), setup.clone());
    let (mut pen, mut tape, mut step) = (TapeWriter::default(), Vec::new(), Step::default());
    for no in 0..300_u64 {
        let slot = u8::from(no % 2 == 1);
        let action = Action::Attack { target: Some(1 - slot), part: BodyPart::Torso };
        let (at, input) = (no * 70, Input::Act { slot, id: no + 1, action });
        step.clear();
        let _refused_or_not = fight.handle(&Ruleset::plain(), at, input, &mut step);
        pen.input(at, input, &mut tape);
        if pen.is_check_due() {
            TapeWriter::mark(Mark::check(Bout { fight: &fight, ruleset: Ruleset::plain_ref() }), &mut tape);
        }
        if no == 200 {
            TapeWriter::mark(Mark::Away { ms: 1_000 }, &mut tape);
        }
    }
    let end = pen.end(Bout { fight: &fight, ruleset: Ruleset::plain_ref() }, &mut tape);
    Replay {
        session: 9,
        created_at: 1_000_000,
        revision: REVISION,
        text: "text".to_owned(),
        hash: [0; 32],
        setup,
        tape,
        end,
        cut: None,
    }
}

#[test]
fn comes_back_from_its_file_and_is_the_same_fight() {
    let replay = recorded();
    let bytes = replay.encode();
    assert_eq!(Replay::decode(&bytes), Ok(replay.clone()));
    let (mut events, mut last) = (0, (0, 0));
    replay
        .play(Ruleset::plain(), |played| {
            events += played.step.events().len();
            last = (played.no, played.unix_ms);
        })
        .unwrap();
    assert!(events > 100, "{events}");
    assert_eq!(last, (300, 1_000_000 + 299 * 70 + 1_000), "the time away counts");
    let bytes_per_input = replay.tape.len() / 300;
    assert!(bytes_per_input < 12, "{bytes_per_input} bytes for an input");
}

#[test]
fn says_what_differs() {
    let replay = recorded();
    let play = |replay: &Replay| replay.play(Ruleset::plain(), |_| ());
    let mut other = replay.clone();
    other.setup.seed += 1;
    let Err(Mismatch::Digest { same: 0, input: CHECK_EVERY, .. } | Mismatch::Seq { same: 0, input: CHECK_EVERY, .. }) =
        play(&other)
    else {
        panic!("{:?}", play(&other))
    };
    let mut other = replay.clone();
    other.end.digest ^= 1;
    let said = play(&other).unwrap_err().to_string();
    assert!(said.contains("the same up to input 300, another fight at input 300: digest"), "{said}");
    let mut other = replay.clone();
    other.end.seq += 1;
    assert!(matches!(play(&other), Err(Mismatch::Seq { same: 300, input: 300, .. })));
    let mut other = replay.clone();
    other.end.inputs += 1;
    assert_eq!(play(&other).unwrap_err(), Mismatch::Inputs { recorded: 301, found: 300 });
    let mut other = replay.clone();
    other.tape.pop();
    assert!(matches!(play(&other), Err(Mismatch::Tape { after: 300, .. })));
    let mut other = (*Ruleset::plain()).clone();
    other.hash = [1; 32];
    let other = Arc::new(other);
    assert_eq!(replay.play(Arc::clone(&other), |_| ()).unwrap_err(), Mismatch::Ruleset);
    let bookmark = Playback::of(&replay, Ruleset::plain()).unwrap().bookmark();
    assert_eq!(Playback::resume(&bookmark, other).unwrap_err(), Mismatch::Ruleset, "nor does it go on under another");
}

/// The same fight, with every check of its tape changed by `change`.
fn rechecked(replay: &Replay, change: impl Fn(Mark) -> Mark) -> Replay {
    let (mut pen, mut tape) = (TapeWriter::default(), Vec::new());
    for entry in replay.entries() {
        match entry.unwrap() {
            Entry::Input { at, input } => {
                // The pen says whose inputs come first by itself.
                let begins = tape.len();
                pen.input(at, input, &mut tape);
                if begins == 0 {
                    let mut begun = Vec::new();
                    TapeWriter::mark(change(Mark::Begun { revision: REVISION }), &mut begun);
                    tape.splice(..begun.len(), begun);
                }
            }
            Entry::Mark(Mark::Begun { .. }) => {}
            Entry::Mark(mark) => TapeWriter::mark(change(mark), &mut tape),
        }
    }
    Replay { tape, ..replay.clone() }
}

/// As an engine of another revision would have recorded it: each digest is another one.
fn of_revision(revision: u32, from: u64) -> Replay {
    let inputs = std::cell::Cell::new(0);
    let mut other = rechecked(&recorded(), |mark| match mark {
        Mark::Begun { .. } => Mark::Begun { revision },
        Mark::Check { seq, digest, .. } => {
            inputs.set(inputs.get() + CHECK_EVERY);
            if inputs.get() > from { mark } else { Mark::Check { revision, seq, digest: !digest } }
        }
        mark => mark,
    });
    if from > other.end.inputs {
        other.revision = revision;
        other.end.digest = !other.end.digest;
    }
    other
}

#[test]
fn an_engine_that_has_changed_is_not_taken_for_a_file_that_was() {
    for recorded in [REVISION - 1, REVISION + 1] {
        // All of it is another engine's.
        let replay = of_revision(recorded, u64::MAX);
        let (fight, verdict) = replay.fight_again(Ruleset::plain(), |_| ()).unwrap();
        assert_eq!((fight.seq(), verdict), (replay.end.seq, Verdict::OtherEngine { recorded }));
        let said = replay.play(Ruleset::plain(), |_| ()).unwrap_err().to_string();
        assert!(
            said.starts_with(&format!(
                "recorded by revision {recorded} of the engine, and this is revision {REVISION}"
            ))
        );
        // Also where it is stepped otherwise.
        let mut otherwise = replay.clone();
        otherwise.end.seq += 1;
        let said = otherwise.play(Ruleset::plain(), |_| ()).unwrap_err();
        assert!(matches!(&said, Mismatch::Revision { recorded: by, what: Some(_) } if *by == recorded), "{said}");
        // The host got this engine after the first check: it has the last word.
        let both = of_revision(recorded, 2 * CHECK_EVERY - 1);
        assert_eq!(both.fight_again(Ruleset::plain(), |_| ()).unwrap().1, Verdict::Same);
        let mut otherwise = both.clone();
        otherwise.end.digest ^= 1;
        let said = otherwise.play(Ruleset::plain(), |_| ()).unwrap_err();
        assert!(matches!(&said, Mismatch::Revision { recorded: by, .. } if *by == recorded), "{said}");
    }
    let mut changed = recorded();
    changed.end.digest ^= 1;
    assert!(
        matches!(changed.play(Ruleset::plain(), |_| ()), Err(Mismatch::Digest { .. })),
        "nobody else has been at work"
    );
}

#[test]
fn a_tape_that_does_not_say_whose_it_is_is_of_an_engine_from_before() {
    let replay = rechecked(&recorded(), |mark| match mark {
        Mark::Check { seq, digest, .. } => Mark::OldCheck { seq, digest: !digest },
        Mark::Begun { .. } => Mark::Away { ms: 0 },
        mark => mark,
    });
    for (revision, recorded) in [(0, 0), (1, 1), (REVISION, 1)] {
        let replay = Replay { revision, ..replay.clone() };
        assert_eq!(replay.fight_again(Ruleset::plain(), |_| ()).unwrap().1, Verdict::OtherEngine { recorded });
    }
}

#[test]
fn the_bytes_of_a_file_are_those_of_its_form() {
    let mut replay = recorded();
    let (mut pen, mut tape) = (TapeWriter::default(), Vec::new());
    pen.input(5, Input::Ready { slot: 1 }, &mut tape);
    // Whose inputs come first: not by this engine's revision, which is no matter of the form.
    let begun = |revision| {
        let mut begun = Vec::new();
        TapeWriter::mark(Mark::Begun { revision }, &mut begun);
        begun
    };
    tape.splice(..begun(REVISION).len(), begun(2));
    TapeWriter::mark(Mark::Away { ms: 300 }, &mut tape);
    let action = Action::Attack { target: Some(1), part: BodyPart::Head };
    pen.input(260, Input::Act { slot: 0, id: 1, action }, &mut tape);
    TapeWriter::mark(Mark::Check { revision: 2, seq: 1, digest: 0x0123_4567_89AB_CDEF }, &mut tape);
    replay.setup.teams = vec![1, 0];
    replay.end = End { inputs: 2, seq: 1, digest: 0x0123_4567_89AB_CDEF };
    replay.cut = Some(Cut { loss: Loss::Disk, at: 260 });
    let replay = Replay { tape, revision: 2, ..replay };
    let advice = "raise replay::VERSION (combat/src/replay/mod.rs), and go on reading what was";
    expect("replay.form", &words(&replay.encode()), advice);
}

#[test]
fn a_head_of_a_tape_is_settled_where_it_ends_and_says_why() {
    let whole = recorded();
    let mut head = whole.clone();
    let mut entries = whole.entries();
    // Whose it is comes first.
    for _ in 0..151 {
        entries.next();
    }
    head.tape.truncate(whole.tape.len() - entries.left());
    head.cut = Some(Cut { loss: Loss::Damaged, at: 0 });
    let said = head.play(Ruleset::plain(), |_| ()).unwrap_err();
    assert_eq!(said, Mismatch::Inputs { recorded: 300, found: 149 });
    head.settle(Ruleset::plain()).unwrap();
    assert_eq!((head.end.inputs, head.cut.unwrap().at), (149, 148 * 70), "its last input was the 149th");
    let read = Replay::decode(&head.encode()).unwrap();
    assert_eq!(read, head);
    assert!(read.play(Ruleset::plain(), |_| ()).is_ok());
}

#[test]
fn a_playback_goes_on_from_its_bookmarks() {
    let replay = recorded();
    let mut playback = Playback::of(&replay, Ruleset::plain()).unwrap();
    let mut bookmarks = vec![playback.bookmark()];
    while playback.next(&replay).unwrap().is_some() {
        bookmarks.push(playback.bookmark());
    }
    let whole = playback.end();
    for (inputs, bookmark) in (0..).zip(bookmarks) {
        assert!(bookmark.is_followed_by(&replay, 300 - inputs));
        assert!(!bookmark.is_followed_by(&replay, 301 - inputs));
        let mut playback = Playback::resume(&bookmark, Ruleset::plain()).unwrap();
        assert_eq!((playback.inputs(), bookmark.inputs()), (inputs, inputs));
        while let Some(played) = playback.next(&replay).unwrap() {
            assert!(played.no > inputs);
        }
        assert_eq!(playback.end(), whole);
        assert!(playback.finish(&replay).is_ok());
    }
}

#[test]
fn refuses_what_is_no_replay_by_name() {
    let bytes = recorded().encode();
    assert_eq!(Replay::decode(b""), Err(ReadError::NoReplay));
    assert_eq!(Replay::decode(b"[settings]\nhealth = 3"), Err(ReadError::NoReplay));
    let mut newer = bytes.clone();
    newer[MAGIC.len()] = 9;
    assert_eq!(Replay::decode(&newer), Err(ReadError::Version(9)));
    for bit in (0..bytes.len() * 8).step_by(7) {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(Replay::decode(&bad).is_err(), "bit {bit}");
    }
    for cut in 0..bytes.len() {
        assert!(Replay::decode(&bytes[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn a_time_out_of_the_world_is_refused() {
    let mut tape = Vec::new();
    let mut pen = TapeWriter::default();
    pen.input(5, Input::Tick, &mut tape);
    pen.input(u64::MAX >> 1, Input::Tick, &mut tape);
    let replay = Replay { tape, ..recorded() };
    let entries: Vec<_> = replay.entries().collect();
    assert_eq!(entries[1], Ok(Entry::Input { at: 5, input: Input::Tick }));
    assert_eq!(entries[2], Err(ReadError::Malformed("a time beyond a hundred years")));
    assert_eq!(entries.len(), 3);
}
