//! What is kept is what was made, for whom it was made, and no longer than there is room for it.

use proptest::prelude::*;
use tiltyard_combat::Slot;
use tiltyard_protocol::Encoding;
use tiltyard_protocol::server::ResumeWhy;

use super::{Chain, History, Wanted, bit};
use crate::limits;

/// Delta of a session for a slot, as it would have been sent.
#[derive(Debug, Clone, PartialEq)]
struct Sent {
    seq: u64,
    encoding: Encoding,
    common: Vec<u8>,
    applied: u64,
}

/// A session, and what each of its slots was sent since it was somebody's.
#[derive(Debug, Default)]
struct Model {
    chain: Chain,
    seq: u64,
    applied: [u64; SLOTS],
    sent: [Vec<Sent>; SLOTS],
}

const SLOTS: usize = 5;

#[derive(Debug, Clone)]
enum Deed {
    /// Slots that are told, of these those in the other encoding and those that are shown something else; how long that is; who acts.
    Step {
        told: u8,
        packed: u8,
        apart: u8,
        length: usize,
        actor: Option<Slot>,
    },
    Applied(Slot),
    Cut(Slot),
}

fn deed() -> impl Strategy<Value = Deed> {
    let slots = || 0..u8::try_from(SLOTS).unwrap();
    let step = (any::<(u8, u8, u8)>(), 0..400_usize, prop::option::of(slots())).prop_map(
        |((told, packed, apart), length, actor)| Deed::Step {
            told: told | 1,
            packed: packed & 6,
            apart,
            length,
            actor,
        },
    );
    prop_oneof![20 => step, 2 => slots().prop_map(Deed::Applied), 1 => slots().prop_map(Deed::Cut)]
}

impl Model {
    fn take(&mut self, history: &mut History, now: u64, number: usize, deed: &Deed) {
        match *deed {
            Deed::Step { told, packed, apart, length, actor } => {
                self.seq += 1;
                let acted = actor.map(|actor| (actor, self.applied[usize::from(actor)]));
                if let Some(actor) = actor {
                    self.applied[usize::from(actor)] += 3;
                }
                let mut made: Vec<(Encoding, u128, Vec<u8>)> = Vec::new();
                for slot in (0..u8::try_from(SLOTS).unwrap()).filter(|slot| told >> slot & 1 == 1) {
                    let (packed, apart) = (packed >> slot & 1 == 1, apart >> slot & 1 == 1);
                    let encoding = if packed { Encoding::MsgPack } else { Encoding::Json };
                    let whose = if apart { slot } else { 99 };
                    let mut common = format!("{number} {} {whose} {packed}", self.seq).into_bytes();
                    common.resize(common.len() + length, b'.');
                    let (seq, applied) = (self.seq, self.applied[usize::from(slot)]);
                    let sent = Sent { seq, encoding, common: common.clone(), applied };
                    self.sent[usize::from(slot)].push(sent);
                    match made.iter_mut().find(|(_, _, known)| *known == common) {
                        Some((_, slots, _)) => *slots |= bit(slot),
                        None => made.push((encoding, bit(slot), common)),
                    }
                }
                let made = made.iter().map(|(encoding, slots, common)| (*encoding, *slots, &common[..]));
                history.keep(&mut self.chain, now, self.seq, acted, made);
            }
            Deed::Applied(slot) => {
                let applied = &mut self.applied[usize::from(slot)];
                history.applied(&mut self.chain, now, self.seq, (slot, *applied));
                *applied += 1;
            }
            Deed::Cut(slot) => {
                history.cut(&mut self.chain, now, self.seq, slot);
                self.sent[usize::from(slot)].clear();
            }
        }
    }

    fn wanted(&self, slot: Slot, encoding: Encoding, seq: u64) -> Wanted {
        Wanted { slot, encoding, seq, newest: self.seq, applied: self.applied[usize::from(slot)] }
    }

    /// What it would be told behind `seq`, where all of that was sent to it in one encoding.
    fn expected(&self, slot: Slot, encoding: Encoding, seq: u64) -> Option<Vec<Sent>> {
        let sent: Vec<Sent> = self.sent[usize::from(slot)].iter().filter(|sent| sent.seq > seq).cloned().collect();
        let all = sent.len() as u64 == self.seq - seq && sent.iter().all(|sent| sent.encoding == encoding);
        all.then_some(sent)
    }
}

fn told(history: &History, encoding: Encoding, wanted: &Wanted, chain: &Chain) -> Result<Vec<Sent>, ResumeWhy> {
    let kept = history.since(chain, wanted)?;
    let sent = (wanted.seq + 1..).zip(kept).map(|(seq, (place, applied))| {
        let common = history.common(place).to_vec();
        Sent { seq, encoding, common, applied }
    });
    Ok(sent.collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whoever_asks_is_told_what_it_was_sent_or_nothing(deeds in prop::collection::vec((0..3_usize, deed()), 1..200)) {
        let (mut history, mut models) = (History::default(), <[Model; 3]>::default());
        for (number, deed) in &deeds {
            models[*number].take(&mut history, 5, *number, deed);
        }
        let mut all = 0;
        for model in &models {
            for slot in 0..u8::try_from(SLOTS).unwrap() {
                for encoding in Encoding::ALL {
                    for back in 0..=model.seq.min(40) {
                        let seq = model.seq - back;
                        let told = told(&history, encoding, &model.wanted(slot, encoding, seq), &model.chain);
                        match model.expected(slot, encoding, seq) {
                            // Nothing has been forgotten, but it may be more than a snapshot is worth.
                            Some(expected) => {
                                let bytes: usize = expected.iter().map(|sent| sent.common.len() + limits::HISTORY_NOTE_BYTES).sum();
                                let expected = if bytes > limits::RESUME_BYTES { Err(ResumeWhy::TooOld) } else { Ok(expected) };
                                prop_assert_eq!(told, expected);
                                all += 1;
                            }
                            None => prop_assert!(told.is_err(), "{told:?}"),
                        }
                    }
                }
            }
        }
        prop_assert!(all > 0);
    }
}

/// So many steps of a session with two slots of which only the first is told, of this length.
fn steps(history: &mut History, model: &mut Model, now: u64, count: usize, length: usize) {
    for _ in 0..count {
        model.take(history, now, 0, &Deed::Step { told: 1, packed: 0, apart: 0, length, actor: Some(0) });
    }
}

#[test]
fn the_oldest_is_forgotten_where_there_is_no_room_and_leads_nowhere() {
    let (mut history, mut quiet, mut busy) = (History::default(), Model::default(), Model::default());
    steps(&mut history, &mut quiet, 1_000, 3, 100);
    let ask = |history: &History, model: &Model, seq| {
        let wanted = model.wanted(0, Encoding::Json, seq);
        told(history, Encoding::Json, &wanted, &model.chain).map(|told| told.len())
    };
    assert_eq!(ask(&history, &quiet, 0), Ok(3));
    let in_a_part = limits::HISTORY_PART_DELTAS;
    steps(&mut history, &mut busy, 2_000, in_a_part * (limits::HISTORY_PARTS - 1), 1);
    assert_eq!(ask(&history, &quiet, 0), Ok(3), "the last part has room");
    assert_eq!(history.reach_ms(2_500), 1_500);
    steps(&mut history, &mut busy, 3_000, in_a_part, 1);
    assert_eq!(ask(&history, &quiet, 0), Err(ResumeWhy::TooOld));
    assert_eq!(ask(&history, &quiet, quiet.seq), Ok(0), "who lacks nothing needs nothing");
    assert_eq!(ask(&history, &busy, busy.seq - 100), Ok(100));
    assert_eq!(history.bytes(), limits::HISTORY_BYTES as u64, "and no more than that is taken");
    assert_eq!(history.reach_ms(3_500), 1_500);
    // It is gone on with behind the gap.
    steps(&mut history, &mut quiet, 3_000, 4, 100);
    assert_eq!((ask(&history, &quiet, 3), ask(&history, &quiet, 2)), (Ok(4), Err(ResumeWhy::TooOld)));
}

#[test]
fn what_nobody_comes_back_for_is_given_back() {
    let (mut history, mut model) = (History::default(), Model::default());
    steps(&mut history, &mut model, 1_000, limits::HISTORY_PART_DELTAS, 1);
    steps(&mut history, &mut model, 9_000, 1, 1);
    history.sweep(1_000 + limits::HISTORY_MS);
    assert_eq!(history.parts.len(), 2);
    history.sweep(1_001 + limits::HISTORY_MS);
    assert_eq!((history.parts.len(), history.first), (1, 1));
    assert!(history.since(&model.chain, &model.wanted(0, Encoding::Json, model.seq - 1)).is_ok());
    history.sweep(u64::MAX / 2);
    assert_eq!((history.bytes(), history.reach_ms(7)), (0, 0));
    let wanted = model.wanted(0, Encoding::Json, model.seq - 1);
    assert_eq!(history.since(&model.chain, &wanted).unwrap_err(), ResumeWhy::TooOld);
    steps(&mut history, &mut model, u64::MAX / 2, 2, 1);
    assert_eq!(history.since(&model.chain, &model.wanted(0, Encoding::Json, model.seq - 2)).unwrap().len(), 2);
}

#[test]
fn what_is_sent_again_is_not_more_than_a_snapshot_is_worth() {
    let (mut history, mut model) = (History::default(), Model::default());
    steps(&mut history, &mut model, 0, 200, 1_000);
    let most = (1..200)
        .rev()
        .find(|back| history.since(&model.chain, &model.wanted(0, Encoding::Json, model.seq - back)).is_ok());
    assert!((25..32).contains(&most.unwrap()), "{most:?} of a KiB and a note each");
    // One that fits no part is not kept, and breaks what was before it off.
    steps(&mut history, &mut model, 0, 1, limits::HISTORY_PART_BYTES);
    assert!(history.since(&model.chain, &model.wanted(0, Encoding::Json, model.seq - 1)).is_err());
}

#[test]
fn a_session_that_takes_more_than_its_share_is_left_out_until_it_has_half_of_it_back() {
    let mut history = History::default();
    let (mut greedy, mut other) = (Model::default(), Model::default());
    let share = 2 * limits::HISTORY_SEAT_BYTES_PER_MS;
    let most = share * limits::HISTORY_BURST_MS;
    let mut now = 10_000;
    let mut kept = 0;
    while greedy.chain.is_kept(2, now) {
        steps(&mut history, &mut greedy, now, 1, 936 - "0 1 99 false".len());
        kept += 1_000;
        assert!(kept <= most + 2_000, "it comes to an end");
    }
    assert!(kept >= most, "{kept} of {most}");
    assert!(!greedy.chain.is_any() && other.chain.is_kept(2, now), "nobody else is concerned");
    steps(&mut history, &mut other, now, 1, 10);
    now += limits::HISTORY_BURST_MS / 2 - 100;
    assert!(!greedy.chain.is_kept(2, now));
    now += 300;
    assert!(greedy.chain.is_kept(2, now));
    steps(&mut history, &mut greedy, now, 2, 10);
    let seq = greedy.seq;
    let since = |seq| history.since(&greedy.chain, &greedy.wanted(0, Encoding::Json, seq)).map(|kept| kept.len());
    assert_eq!((since(seq - 2), since(seq - 3)), (Ok(2), Err(ResumeWhy::TooOld)));
    // More seats have more, up to a bound.
    let mut chains = [Chain::default(), Chain::default()];
    for (chain, seats) in chains.iter_mut().zip([limits::HISTORY_SEATS, 100]) {
        chain.used = share / 2 * u64::from(limits::HISTORY_SEATS) * (now + limits::HISTORY_BURST_MS);
        assert!(chain.is_kept(seats, now));
        chain.used += 1;
        assert!(!chain.is_kept(seats, now));
    }
}

#[test]
fn who_looks_for_the_needle_gives_up() {
    let (mut history, mut model) = (History::default(), Model::default());
    // Of a hundred who are each shown something else one asks.
    for _ in 0..100 {
        model.seq += 1;
        let seq = model.seq;
        let made: Vec<[u8; 1]> = (0..100).map(|slot| [slot]).collect();
        let made = (0..100_u8).zip(&made).map(|(slot, common)| (Encoding::Json, bit(slot), &common[..]));
        history.keep(&mut model.chain, 0, seq, None, made);
    }
    let back = |back: usize| history.since(&model.chain, &model.wanted(3, Encoding::Json, 100 - back as u64));
    let most = limits::RESUME_NOTES / 100;
    assert_eq!(back(most).unwrap().len(), most);
    assert_eq!(back(most + 1).unwrap_err(), ResumeWhy::TooOld);
}
