//! A fight under watch: every input goes through here, and whatever must be true of every step is checked.

use tiltyard_combat::{Answer, Event, Fields, Fight, Input, Millis, Participant, ParticipantStatus, PlayerId, Step};

pub struct Watched {
    fight: Fight,
    step: Step,
}

impl Watched {
    pub fn new(fight: Fight) -> Self {
        Self { fight, step: Step::default() }
    }

    pub fn fight(&self) -> &Fight {
        &self.fight
    }

    pub fn step(&self) -> &Step {
        &self.step
    }

    pub fn handle(&mut self, at: Millis, input: Input) -> Answer {
        let before = self.fight.clone();
        self.step.clear();
        let answer = self.fight.handle(at, input, &mut self.step);
        let watch = Watch { before: &before, after: &self.fight, step: &self.step, at, input, answer };
        watch.numbers_stay_in_bounds();
        watch.sequence_counts_the_steps_that_show_something();
        watch.clock_goes_on_unless_paused();
        watch.deadline_is_ahead();
        watch.eliminated_are_out_for_good();
        watch.every_change_is_named();
        watch.decided_once();
        watch.ended_shows_nothing();
        if answer.is_err() {
            watch.refused_is_as_if_only_time_had_passed();
        }
        answer
    }
}

/// One step, before and after.
struct Watch<'a> {
    before: &'a Fight,
    after: &'a Fight,
    step: &'a Step,
    at: Millis,
    input: Input,
    answer: Answer,
}

impl Watch<'_> {
    fn numbers_stay_in_bounds(&self) {
        let (rules, totals) = (self.after.rules(), self.after.totals());
        let everybody = self.after.participants();
        assert!(everybody.len() <= usize::from(self.after.seats()));
        let mut health_lost = 0;
        for p in everybody {
            assert!(p.hp() <= rules.health);
            assert!(p.stamina().milli() <= rules.stamina * 1000);
            assert!(p.stamina().at() <= self.after.now());
            assert!(p.hp() > 0 || p.status() == ParticipantStatus::Eliminated);
            assert_eq!(p.score(), p.eliminations() * rules.elimination_score);
            health_lost += u64::from(rules.health - p.hp());
        }
        assert_eq!(health_lost, totals.damage, "damage is the health that is gone");
        assert_eq!(everybody.iter().map(Participant::damage).sum::<u64>(), totals.damage);
        assert_eq!(everybody.iter().map(Participant::eliminations).sum::<u32>(), totals.eliminations);
        let killed = everybody.iter().filter(|p| p.hp() == 0).count();
        assert_eq!(u32::try_from(killed), Ok(totals.eliminations));
    }

    fn sequence_counts_the_steps_that_show_something(&self) {
        assert_eq!(self.after.seq(), self.before.seq() + u64::from(!self.step.is_empty()));
        let Input::Act { slot, id, .. } = self.input else {
            assert!(self.answer.is_err() || self.answer == Ok(self.after.seq()));
            return;
        };
        match self.before.remembered(slot, id) {
            Some(first) => {
                assert_eq!(self.answer, first, "a repeat gets the first answer");
                assert_eq!(self.after.totals(), self.before.totals());
            }
            None if id > 0 && usize::from(slot) < self.after.participants().len() => {
                assert_eq!(self.after.remembered(slot, id), Some(self.answer));
            }
            None => assert!(self.answer.is_err() || self.answer == Ok(self.after.seq())),
        }
    }

    fn clock_goes_on_unless_paused(&self) {
        assert!(self.after.now() >= self.before.now());
        if self.before.lifecycle().is_paused() {
            assert_eq!(self.after.now(), self.before.now(), "paused, so no time passed");
        }
        if !self.after.lifecycle().is_paused() {
            assert_eq!(self.after.host_now(), self.at, "no time is lost or gained");
        }
    }

    fn deadline_is_ahead(&self) {
        let life = self.after.lifecycle();
        let due = self.after.deadline();
        assert_eq!(due.is_none(), life.is_paused() || life.is_ended());
        // What takes no time, as a reconnect window of zero, is due in the next tick; after a tick nothing is.
        let soonest = if self.input == Input::Tick { self.at + 1 } else { self.at };
        assert!(due.is_none_or(|due| due >= soonest), "due {due:?} at {}", self.at);
    }

    fn eliminated_are_out_for_good(&self) {
        for (slot, (was, is)) in (0..).zip(self.before.participants().iter().zip(self.after.participants())) {
            if was.status() != ParticipantStatus::Eliminated {
                continue;
            }
            assert_eq!(view(was), view(is), "p{slot} changed after elimination");
            for &event in self.step.events() {
                let acted = matches!(event, Event::Hit { by, .. } | Event::Guard { by } if by == slot);
                let hit = matches!(event, Event::Hit { to, .. } | Event::Eliminated { to, .. } if to == slot);
                assert!(!acted && !hit, "p{slot} is out: {event:?}");
            }
        }
    }

    /// Clients are only sent what a step names: each field that changed has to be among them.
    fn every_change_is_named(&self) {
        let (before, after) = (self.before.participants(), self.after.participants());
        for (slot, is) in (0..).zip(after) {
            let named = |fields: Fields| self.step.changed().iter().any(|&(s, set)| s == slot && set.has(fields));
            let Some(was) = before.get(usize::from(slot)) else {
                assert!(named(Fields::SEAT));
                continue;
            };
            assert!(was.status() == is.status() || named(Fields::STATUS));
            assert!(was.is_ready() == is.is_ready() || named(Fields::READY));
            assert!(was.hp() == is.hp() || named(Fields::HP));
            assert!(was.stamina().milli() == is.stamina().milli() || named(Fields::STAMINA));
            assert!(was.stamina().at() == is.stamina().at() || named(Fields::STAMINA));
            assert!(was.guard_until() == is.guard_until() || named(Fields::GUARD));
            assert!(was.score() == is.score() || named(Fields::SCORE));
            assert_eq!((was.player(), was.armor()), (is.player(), is.armor()));
        }
        assert!(self.before.lifecycle() == self.after.lifecycle() || self.step.phase_changed());
    }

    fn decided_once(&self) {
        let (was, is) = (self.before.lifecycle(), self.after.lifecycle());
        assert_eq!(self.step.decided(), was.end().is_none() && is.end().is_some());
        if was.end().is_some() {
            assert_eq!((was.end(), was.winner()), (is.end(), is.winner()), "a result stays");
            assert_eq!(self.before.standings(), self.after.standings(), "a result stays");
        }
        if let Some(winner) = is.winner() {
            assert_ne!(self.after.participants()[usize::from(winner)].status(), ParticipantStatus::Eliminated);
            assert_eq!(self.after.standings().first(), Some(&winner));
        }
    }

    fn ended_shows_nothing(&self) {
        if self.before.lifecycle().is_ended() {
            assert!(self.step.is_empty(), "shown after the end: {:?}", self.step);
        }
    }

    fn refused_is_as_if_only_time_had_passed(&self) {
        let (mut waited, mut step) = (self.before.clone(), Step::default());
        assert!(waited.handle(self.at, Input::Tick, &mut step).is_ok());
        assert_eq!((step.events(), step.changed()), (self.step.events(), self.step.changed()));
        assert_eq!(waited.lifecycle(), self.after.lifecycle());
        assert_eq!(waited.deadline(), self.after.deadline());
        assert!(waited.participants().iter().map(view).eq(self.after.participants().iter().map(view)));
    }
}

/// What others see of a participant.
fn view(p: &Participant) -> (PlayerId, ParticipantStatus, bool, [u32; 5], u64, [Millis; 2]) {
    let numbers = [p.hp(), p.armor(), p.stamina().milli(), p.score(), p.eliminations()];
    (p.player(), p.status(), p.is_ready(), numbers, p.damage(), [p.stamina().at(), p.guard_until()])
}
