//! Nothing of the fog leaks: two worlds that differ only in what somebody does whom nobody of the observers ever sees. All that
//! the observers are given over their sockets and all that they read over REST is the same in both, byte for byte. That a step
//! happened is told, by its number; therefore sequences are left out of the comparison where they differ, and deltas that say
//! nothing else. But the sequence that REST tells moves only when its reader is shown something.

use std::cell::{Cell, LazyCell};

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use serde_json::Value;
use tiltyard_combat::{
    Action, Answer, Audience, BodyPart, Event, Input, Participant, ParticipantStatus, Point, Slot, Step, Target, Thing,
    Velocity,
};
use tiltyard_protocol::{Encoding, ServerMessage};

mod ways;

use crate::auth::Principal;
use crate::replays::Stories;
use crate::session::Known;
use crate::shard::answer::{answer_of, refusal};
use crate::shard::fog_ground::{self as ground, Ground};
use crate::shard::publish::{DeltaOf, Moment, Publisher, snapshot_of};
use crate::shard::session::Session;

/// Who compares: two of a team, and one of another who stands where these can see it.
const OBSERVERS: std::ops::Range<Slot> = 0..3;
/// Who is in the fog for all of them: two of a team, and one that these fight.
const HIDDEN: std::ops::Range<Slot> = 3..6;
/// Where nobody sits.
const NOBODY: Slot = 9;

/// What a session says over sockets to an audience when it is asked, at the shard's time. Each way out has an entry, here or in
/// [`ways::WAYS`]; the sequence is told.
type Way = (&'static str, fn(&Session, u64, Audience) -> Value);
const WAYS: [Way; 2] = [
    ("snapshot in JSON", |session, now, audience| {
        said(Encoding::Json, &snapshot_of(session, moment(now), audience, None))
    }),
    ("snapshot in MessagePack", |session, now, audience| {
        said(Encoding::MsgPack, &snapshot_of(session, moment(now), audience, None))
    }),
];

const fn moment(now: u64) -> Moment {
    Moment { now, wall: now }
}

#[derive(Debug, Clone)]
struct Plan {
    ground: Ground,
    seed: u64,
    /// One acts after the other.
    turns: bool,
    lines: Vec<Line>,
}

#[derive(Debug, Clone)]
struct Line {
    wait: u64,
    slot: Slot,
    /// In the one world, and in the other: only of those who are hidden it may be something else.
    deeds: [Deed; 2],
    /// Says the same again, under the same id.
    again: bool,
    /// Asks for it over REST.
    over_rest: bool,
}

#[derive(Debug, Clone)]
enum Deed {
    Nothing,
    Step(i32, i32),
    Attack(Slot, BodyPart),
    Strike(Thing),
    Defend,
    Ready,
    /// Takes a seat, or one for a stranger.
    Sit(bool),
    /// At the slot, at where that one is in the first world, or at both.
    Use(u8, bool, Slot, Aim),
}

#[derive(Debug, Clone, Copy)]
enum Aim {
    Slot,
    Place,
    Both,
}

/// A world, and all that its observers were given since the last comparison.
struct World {
    /// The one, or the other.
    number: usize,
    session: Session,
    publisher: Publisher,
    step: Step,
    now: u64,
    ids: [u64; 6],
    given: Vec<Given>,
    /// What was answered to observers over REST.
    answered: Vec<(Slot, Value)>,
    answers: u32,
    stories: LazyCell<Stories>,
    /// Sequences that the readers over REST were told of.
    told: Vec<u64>,
    /// How many events observers were told, which is what each is told of events that are left out for it.
    events: [usize; OBSERVERS.end as usize],
}

#[derive(Debug, Clone, PartialEq)]
struct Given {
    to: Slot,
    encoding: Encoding,
    bytes: Vec<u8>,
}

/// How much was compared, so that a property about nothing is noticed.
#[derive(Debug, Default)]
struct Compared {
    fights: Cell<u32>,
    lines: Cell<u32>,
    /// Lines after which every byte was the same, with the sequences.
    whole: Cell<u32>,
    /// In how many lines an observer's blow met one in the fog in one world alone.
    blows: Cell<u32>,
    /// Actions at one in the fog that were refused.
    refused: Cell<u32>,
    /// Answers over REST.
    answers: Cell<u32>,
    /// Times that everything was read over REST.
    reads: Cell<u32>,
    /// Pages of logs.
    pages: Cell<u32>,
}

impl World {
    fn new(plan: &Plan, number: usize) -> Self {
        let ids = 1_000 * number as u64;
        let mut world = Self {
            number,
            session: Session::new(ground::fight(plan.ground, plan.turns), plan.seed, 0, 0),
            publisher: Publisher::default(),
            step: Step::default(),
            now: 0,
            // Nobody's ids are told to others.
            ids: [0, 0, 0, ids, ids, ids],
            given: Vec::new(),
            answered: Vec::new(),
            answers: 0,
            stories: LazyCell::new(Stories::default),
            told: Vec::new(),
            events: [0; OBSERVERS.end as usize],
        };
        ground::open(&mut world.session, plan.turns, &mut world.now);
        world
    }

    /// Time passes, tick by tick.
    fn wait(&mut self, wait: u64) {
        let until = self.now + wait;
        while let Some((due, _)) = self.session.due(self.now, self.now).filter(|&(due, _)| due <= until) {
            self.now = self.now.max(due);
            let _never_refused = self.handle(Input::Tick, None);
        }
        self.now = until;
    }

    /// As the shard does it. Whether it was applied.
    fn act(&mut self, slot: Slot, action: Action, line: &Line) -> bool {
        if line.over_rest {
            return self.act_over_rest(slot, action);
        }
        let id = &mut self.ids[usize::from(slot)];
        *id += u64::from(!line.again || *id == 0);
        let id = *id;
        // A repeat is answered without a step.
        if let Some(answer) = self.session.fight.remembered(slot, id) {
            self.answer(slot, id, answer);
            return answer.is_ok();
        }
        let input = Input::Act { slot, id, action };
        if let Some(answer) = self.turned_away(input) {
            self.answer(slot, id, answer);
            return answer.is_ok();
        }
        self.handle(input, Some((slot, id))).is_ok()
    }

    fn act_over_rest(&mut self, slot: Slot, action: Action) -> bool {
        let player = self.session.player(slot);
        let asked = self.session.asked(player, &ways::asked(&self.session, action));
        let answer = asked.and_then(|(_, input)| {
            let answer = self.turned_away(input).unwrap_or_else(|| self.handle(input, None));
            answer.map_err(|refused| refusal(refused, self.session.fight.now()))
        });
        let viewer = ways::caller(player).viewer();
        let applied = answer.map(|_| self.session.applied(self.now, viewer, slot, &self.step));
        let is_applied = applied.is_ok();
        self.answered.push((slot, ways::answer(applied)));
        is_applied
    }

    /// What is not an action, and what is answered to that.
    fn ask(&mut self, slot: Slot, input: Input) {
        let answer = self.turned_away(input).unwrap_or_else(|| self.handle(input, None));
        let refused = answer.err().map(|refused| refusal(refused, self.session.fight.now()));
        self.answered.push((slot, format!("{refused:?}").into()));
    }

    fn turned_away(&self, input: Input) -> Option<Answer> {
        let answer = self.session.fight.turned_away(self.session.host_time(self.now), input)?;
        Some(answer.map(|()| 0))
    }

    fn handle(&mut self, input: Input, actor: Option<(Slot, u64)>) -> Answer {
        self.step.clear();
        let at = self.session.host_time(self.now);
        let answer = self.session.handle_input(at, self.now, input, &mut self.step);
        if let Some((slot, id)) = actor {
            self.answer(slot, id, answer);
        }
        if !self.step.is_empty() {
            self.publish();
        }
        answer
    }

    fn answer(&mut self, slot: Slot, id: u64, answer: Answer) {
        let message = answer_of(&self.session, slot, id, answer);
        if OBSERVERS.contains(&slot) {
            for &encoding in encodings_of(slot) {
                let mut bytes = Vec::new();
                encoding.encode(&message, &mut bytes);
                self.given.push(Given { to: slot, encoding, bytes });
            }
        }
    }

    fn publish(&mut self) {
        self.publisher.begin();
        let whole = DeltaOf::whole(self.session.handle(), self.session.bout(), &self.step, self.now);
        for to in OBSERVERS {
            self.events[usize::from(to)] += self.session.fight.told_events(&self.step, Audience::Own(to));
            let applied = self.session.applied_by(to).unwrap_or_default();
            for &encoding in encodings_of(to) {
                let mut frame = Vec::new();
                self.publisher.delta(encoding, &whole, to, applied, &mut frame);
                self.given.push(Given { to, encoding, bytes: payload(&frame).to_vec() });
            }
        }
    }

    /// Sums and times that REST tells, and whether its sequence has moved since the last time.
    fn tell(&mut self) -> Vec<(bool, Known)> {
        let before = std::mem::take(&mut self.told);
        let known = ways::readers(OBSERVERS).map(|reader| {
            let known = self.session.known(self.session.audience(reader.viewer()));
            self.told.push(known.seq);
            (before.get(self.told.len() - 1) != Some(&known.seq), Known { seq: 0, ..known })
        });
        known.collect()
    }

    fn participant(&self, slot: Slot) -> &Participant {
        &self.session.fight.participants()[usize::from(slot)]
    }

    /// Whether the observers and the hidden are still that to each other, and nobody has fallen, which is told to all.
    fn is_foggy(&self) -> bool {
        let sees = |by: Slot, of: Slot| self.session.fight.sees(Audience::Own(by), of);
        let apart = |by: Slot| HIDDEN.into_iter().all(|of| !sees(by, of) && !sees(of, by));
        OBSERVERS.into_iter().all(apart)
            && HIDDEN.into_iter().all(|slot| self.participant(slot).status() == ParticipantStatus::Active)
            && self.session.fight.lifecycle().is_fighting()
    }

    /// Whether the last step has done something to those who are seen, or to what everybody is shown.
    fn was_felt(&self) -> bool {
        self.step.changed().iter().any(|(slot, _)| OBSERVERS.contains(slot))
            || !self.step.things().is_empty()
            || self.step.phase_changed()
    }

    fn blows_into_the_fog(&self) -> usize {
        let into = |event: &&Event| matches!(event, Event::Hit { by, to, .. } if OBSERVERS.contains(by) && HIDDEN.contains(to));
        self.step.events().iter().filter(into).count()
    }

    /// What the deed is, where it is no action.
    fn input(deed: &Deed, slot: Slot, own: &Self) -> Option<Input> {
        match *deed {
            Deed::Ready => Some(Input::Ready { slot }),
            Deed::Sit(stranger) => {
                let player = if stranger { u128::MAX } else { own.participant(slot).player() };
                Some(Input::Seat { player })
            }
            _ => None,
        }
    }

    /// What the deed is in numbers; places as they are in `first`, the same for both worlds.
    fn action(deed: &Deed, slot: Slot, first: &Self) -> Option<Action> {
        let place = |slot: Slot| first.session.fight.participants().get(usize::from(slot)).map(Participant::at);
        Some(match *deed {
            Deed::Nothing | Deed::Ready | Deed::Sit(_) => return None,
            Deed::Step(x, y) => {
                let from = first.participant(slot).at();
                let to = ground::within(HIDDEN.contains(&slot), Point::new(from.x + x, from.y + y));
                let facing = u16::try_from(x.rem_euclid(360)).ok().filter(|_| x % 2 == 0);
                let velocity = Velocity::new(x.clamp(-700, 700), y.clamp(-700, 700));
                if y % 4 == 0 { Action::Move { to } } else { Action::Walk { to, facing, velocity } }
            }
            Deed::Attack(target, part) => Action::Attack { target: Some(target), part },
            Deed::Strike(thing) => Action::Break { thing },
            Deed::Defend => Action::Defend,
            Deed::Use(ability, item, target, aim) => {
                let slot = (!matches!(aim, Aim::Place)).then_some(target);
                let at = if matches!(aim, Aim::Slot) { None } else { place(target) };
                Action::Use { ability, item, aim: Target { slot, at } }
            }
        })
    }
}

impl Plan {
    /// Plays both worlds, and compares them after every line for as long as the hidden stay that.
    fn play(&self, compared: &Compared) -> Result<(), TestCaseError> {
        let (mut one, mut other) = (World::new(self, 0), World::new(self, 1));
        prop_assert!(one.is_foggy() && other.is_foggy(), "they begin apart");
        add(&compared.fights, 1);
        for (number, line) in self.lines.iter().enumerate() {
            let places = [World::action(&line.deeds[0], line.slot, &one), {
                let own = if HIDDEN.contains(&line.slot) { &other } else { &one };
                World::action(&line.deeds[1], line.slot, own)
            }];
            let mut blows = [0; 2];
            for (world, (action, blows)) in [&mut one, &mut other].into_iter().zip(places.into_iter().zip(&mut blows)) {
                world.wait(line.wait);
                if let Some(input) = World::input(&line.deeds[world.number], line.slot, world) {
                    world.ask(line.slot, input);
                }
                let Some(action) = action else { continue };
                let is_applied = world.act(line.slot, action, line);
                if HIDDEN.contains(&line.slot) && matches!(action, Action::Use { .. }) && world.was_felt() {
                    // It reached out of the fog.
                    return Ok(());
                }
                *blows = if is_applied { world.blows_into_the_fog() } else { 0 };
                let at_hidden = matches!(action, Action::Attack { target: Some(to), .. } if HIDDEN.contains(&to));
                add(&compared.refused, u32::from(at_hidden && !is_applied && OBSERVERS.contains(&line.slot)));
            }
            if !one.is_foggy() || !other.is_foggy() {
                return Ok(());
            }
            add(&compared.blows, u32::from(blows[0] != blows[1]));
            add(&compared.lines, 1);
            let whole = same(&mut one, &mut other, self.turns || number % 8 == 7)?;
            add(&compared.whole, u32::from(whole));
            // Sums and answers are compared in every line of all; reading costs more, and a log the whole fight once more.
            let reads = number % 64 == 12 || number + 1 == self.lines.len();
            if reads && self.seed.is_multiple_of(3) {
                same_reads(&one, &other)?;
                add(&compared.reads, 1);
            }
            if reads && (number >= 64 || self.seed.is_multiple_of(8)) {
                same_logs(&one, &other, compared)?;
            }
        }
        add(&compared.answers, one.answers);
        Ok(())
    }
}

/// Whether every byte is the same, with the sequences; fails where more than those is not. `asked`: also what they say when
/// they are asked.
fn same(one: &mut World, other: &mut World, asked: bool) -> Result<bool, TestCaseError> {
    one.answers += u32::try_from(one.answered.len()).unwrap();
    let answered = [&mut *one, &mut *other].map(|world| {
        let answered = std::mem::take(&mut world.answered);
        answered.into_iter().filter(|(slot, _)| OBSERVERS.contains(slot)).collect::<Vec<_>>()
    });
    prop_assert_eq!(&answered[0], &answered[1], "answers over REST");
    prop_assert_eq!(one.events, other.events, "events that are counted");
    let told = [&mut *one, &mut *other].map(World::tell);
    prop_assert_eq!(&told[0], &told[1], "what REST counts");
    let given = [std::mem::take(&mut one.given), std::mem::take(&mut other.given)];
    let whole = one.session.fight.seq() == other.session.fight.seq() && given[0] == given[1];
    if !whole {
        for to in OBSERVERS {
            for &encoding in encodings_of(to) {
                let told = given.each_ref().map(|given| {
                    let own = given.iter().filter(|given| given.to == to && given.encoding == encoding);
                    own.filter_map(|given| without_sequence(read(encoding, &given.bytes))).collect::<Vec<_>>()
                });
                prop_assert_eq!(&told[0], &told[1], "{:?} is given to {}", encoding, to);
            }
        }
    }
    if asked {
        for to in OBSERVERS {
            for (name, way) in WAYS {
                let [one, other] =
                    [&*one, &*other].map(|world| without_sequence(way(&world.session, world.now, Audience::Own(to))));
                prop_assert_eq!(one, other, "{} for {}", name, to);
            }
        }
    }
    Ok(whole)
}

/// All that REST reads, but logs.
fn same_reads(one: &World, other: &World) -> Result<(), TestCaseError> {
    for reader in ways::readers(OBSERVERS) {
        for (name, way) in ways::WAYS {
            let [one, other] = [one, other].map(|world| way(&world.session, world.now, &reader));
            prop_assert_eq!(one, other, "{} for {:?}", name, reader.role);
        }
    }
    Ok(())
}

/// Logs page by page, whoever else has read them in the one world.
fn same_logs(one: &World, other: &World, compared: &Compared) -> Result<(), TestCaseError> {
    let pages = |world: &World, reader: &Principal, limit| {
        ways::pages(&world.stories, &world.session, world.now, reader, limit)
    };
    pages(other, &ways::service(), 100);
    for reader in ways::readers(OBSERVERS) {
        for limit in [7, 100] {
            let told = [one, other].map(|world| pages(world, &reader, limit));
            add(&compared.pages, u32::try_from(told[0].len()).unwrap());
            prop_assert_eq!(&told[0], &told[1], "logs by {} for {:?}", limit, reader.role);
        }
    }
    Ok(())
}

/// One of them listens twice.
fn encodings_of(observer: Slot) -> &'static [Encoding] {
    if observer == 0 { &Encoding::ALL } else { &Encoding::ALL[..1] }
}

/// A message without its sequence, and without the digest that comes with some of these; `None` for a delta that says nothing
/// more.
fn without_sequence(mut message: Value) -> Option<Value> {
    let is_delta = message["t"] == "delta";
    let body = message["d"].as_object_mut()?;
    body.remove("q");
    if is_delta {
        body.remove("h");
        if body.keys().all(|key| ["id", "s", "at", "time"].contains(&key.as_str())) {
            return None;
        }
    }
    Some(message)
}

/// Everything that is in the bytes, also what no client of ours would look at.
fn read(encoding: Encoding, bytes: &[u8]) -> Value {
    match encoding {
        Encoding::Json => serde_json::from_slice(bytes).unwrap(),
        Encoding::MsgPack => rmp_serde::from_slice(bytes).unwrap(),
    }
}

fn said(encoding: Encoding, message: &ServerMessage) -> Value {
    let mut bytes = Vec::new();
    encoding.encode(message, &mut bytes);
    read(encoding, &bytes)
}

/// The payload of a frame as a server sends it.
fn payload(frame: &[u8]) -> &[u8] {
    match frame[1] {
        126 => &frame[4..],
        127 => &frame[10..],
        _ => &frame[2..],
    }
}

fn add(count: &Cell<u32>, more: u32) {
    count.set(count.get() + more);
}

fn plans() -> impl Strategy<Value = Plan> {
    let ground = prop::sample::select(Ground::ALL.to_vec());
    (ground, any::<u64>(), prop::bool::weighted(0.15)).prop_flat_map(|(ground, seed, turns)| {
        let lines = prop::collection::vec(line(turns), 8..28);
        lines.prop_map(move |lines| Plan { ground, seed, turns, lines })
    })
}

fn line(turns: bool) -> impl Strategy<Value = Line> {
    let seen = (OBSERVERS, deed(0..6), prop::bool::weighted(0.1), prop::bool::weighted(0.3));
    let seen = seen.prop_map(|(slot, deed, again, over_rest)| (slot, [deed.clone(), deed], again, over_rest));
    // Whose turn it is, everybody is told; so there the hidden do what leaves it to them.
    let unseen = || if turns { step().boxed() } else { prop_oneof![step(), deed(HIDDEN)].boxed() };
    let unseen = (HIDDEN, unseen(), unseen()).prop_map(|(slot, one, other)| (slot, [one, other], false, false));
    let who = prop_oneof![seen, unseen];
    (prop_oneof![2 => 0_u64..60, 3 => 60_u64..500], who)
        .prop_map(|(wait, (slot, deeds, again, over_rest))| Line { wait, slot, deeds, again, over_rest })
        .prop_filter("things are everybody's", |line| {
            !HIDDEN.contains(&line.slot) || !line.deeds.iter().any(|deed| matches!(deed, Deed::Strike(_)))
        })
}

fn step() -> impl Strategy<Value = Deed> {
    prop_oneof![4 => (-2_000..2_000, -2_000..2_000).prop_map(|(x, y)| Deed::Step(x, y)), 1 => Just(Deed::Nothing)]
}

/// What is done to those in `at`, to others or to nobody.
fn deed(at: std::ops::Range<Slot>) -> impl Strategy<Value = Deed> {
    let slot = move || prop_oneof![6 => at.clone(), 6 => HIDDEN, 1 => Just(NOBODY)];
    let part = prop_oneof![Just(BodyPart::Head), Just(BodyPart::Torso), Just(BodyPart::Limb)];
    let thing = prop_oneof![(0..3_u8).prop_map(Thing::Cover), (0..3_u8).prop_map(Thing::Hazard)];
    let aim = prop_oneof![2 => Just(Aim::Slot), 3 => Just(Aim::Place), 1 => Just(Aim::Both)];
    prop_oneof![
        3 => step(),
        3 => (slot(), part).prop_map(|(to, part)| Deed::Attack(to, part)),
        1 => thing.prop_map(Deed::Strike),
        1 => Just(Deed::Defend),
        1 => prop_oneof![Just(Deed::Ready), any::<bool>().prop_map(Deed::Sit)],
        8 => (prop_oneof![0..11_u8, Just(0), Just(9)], prop::bool::weighted(0.1), slot(), aim).prop_map(|(a, item, to, aim)| Deed::Use(a, item, to, aim)),
    ]
}

#[test]
fn what_one_in_the_fog_does_else_changes_no_byte_of_what_others_are_given() {
    let config = ProptestConfig {
        cases: 1_000,
        max_shrink_iters: 300,
        rng_seed: RngSeed::Fixed(0x0F09),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let compared = Compared::default();
    let outcome = TestRunner::new(config).run(&plans(), |plan| plan.play(&compared));
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    let enough = [(&compared.fights, 1_000), (&compared.lines, 12_000), (&compared.whole, 4_000)];
    let rare = [
        (&compared.blows, 30),
        (&compared.refused, 500),
        (&compared.answers, 1_000),
        (&compared.reads, 200),
        (&compared.pages, 500),
    ];
    assert!(enough.into_iter().chain(rare).all(|(count, least)| count.get() >= least), "too little: {compared:?}");
}

/// So long that its log is told in several parts, of a fight in which the hidden of one world do more than those of the other.
#[test]
fn no_cursor_of_a_long_log_counts_what_is_hidden() {
    let steps = |number: i32| Deed::Step(if number % 2 == 0 { 40 } else { -40 }, 0);
    let line = |number: i32| {
        let slot = Slot::try_from(number % 6).unwrap();
        let deed = if number % 4 < 2 { Deed::Defend } else { steps(number / 6) };
        let first = if HIDDEN.contains(&slot) { Deed::Nothing } else { deed.clone() };
        Line { wait: 90, slot, deeds: [first, deed], again: false, over_rest: number % 7 == 0 }
    };
    let lines: Vec<Line> = (0..1_600).map(line).collect();
    let plan = Plan { ground: Ground::Default, seed: 9, turns: false, lines };
    let compared = Compared::default();
    plan.play(&compared).unwrap();
    assert_eq!(compared.lines.get(), 1_600, "to its end: {compared:?}");
}
