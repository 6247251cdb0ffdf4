//! What happens by itself: everything that has a time, fired in order of time, whenever the host's clock moves on.

use super::{Eliminated, Fight};
use crate::ruleset::Activity;
use crate::slots::{PerSlot, SlotSet};
use crate::{Fields, Millis, Ruleset, Slot, Step};

/// Something with a time. Of those with the same time the first of this list goes first, then the lower slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A seat is forfeited.
    Forfeit,
    /// The state of the fight is over.
    State,
    /// A turn is over.
    Turn,
    /// An effect hurts, heals or ends.
    Effect(Slot),
    /// A cast does what it does.
    Cast(Slot),
    /// A guard goes down.
    Guard(Slot),
    /// A reload is done.
    Reload(Slot),
    /// A hazard reaches those within.
    Hazard(u8),
    /// The next wave comes.
    Wave,
    /// An enemy decides.
    Think(Slot),
    /// A participant has been away for long.
    Away(Slot),
}

/// With so few participants it costs less to look through them than to know what each has.
const FEW: usize = 8;

/// The next timer of each participant, kept until that one may have changed: what fires touches few, and through the effects of all others
/// nobody has to look again. It is found out from the state, and no part of it.
#[derive(Debug, Clone)]
pub(super) struct Timetable {
    /// Who may have changed since they were looked through.
    pub touched: SlotSet,
    next: PerSlot<Next>,
    /// What all of it depends on that is no participant's: whether there are turns, and since when it has been fought.
    under: (bool, Option<Millis>),
}

impl Default for Timetable {
    fn default() -> Self {
        Self { touched: SlotSet::ALL, next: PerSlot::default(), under: (false, None) }
    }
}

/// Of one participant, [`Millis::MAX`] for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Next {
    at: Millis,
    timer: Timer,
    /// When its seat is forfeited, also while nothing is fought.
    forfeit: Millis,
}

/// Most timers that fire at one input: far above what a host that ticks on time can reach, so that a mistake in a ruleset's
/// numbers costs time and not the server.
const MOST_FIRED: usize = 100_000;

impl Fight {
    /// Moves the clock and fires what is due, in order of time.
    pub(super) fn advance(&mut self, ruleset: &Ruleset, host_now: Millis, step: &mut Step) {
        self.clock.host = self.clock.host.max(host_now);
        if self.lifecycle.is_paused() {
            return;
        }
        let now = self.time_at(host_now);
        let mut fired = 0;
        while self.due.min(self.lifecycle.until().unwrap_or(Millis::MAX)) <= now && fired < MOST_FIRED {
            let (at, timer) = self.soonest(ruleset);
            // Who falls in one moment falls together; but the end of a state comes after all that was before it.
            if self.fallen.is_some() && (at > self.clock.now || timer == Timer::State) {
                self.judge_fallen(ruleset, step);
                self.stop_who_cannot_move(ruleset, step);
                continue;
            }
            if at > now {
                self.due = at;
                break;
            }
            self.clock.now = self.clock.now.max(at);
            self.fire(ruleset, timer, at, step);
            self.stop_who_cannot_move(ruleset, step);
            fired += 1;
            self.due = 0;
        }
        self.judge_fallen(ruleset, step);
        self.stop_who_cannot_move(ruleset, step);
        self.clock.now = now;
    }

    /// Session time at the host's time.
    pub(super) fn time_at(&self, host_now: Millis) -> Millis {
        if self.lifecycle.is_paused() {
            return self.clock.now;
        }
        self.clock.now.max(host_now.saturating_sub(self.clock.stopped))
    }

    /// The next timer; nothing is due any more once the fight has ended.
    fn soonest(&mut self, ruleset: &Ruleset) -> (Millis, Timer) {
        let Some(until) = self.lifecycle.until() else { return (Millis::MAX, Timer::State) };
        // The result stays as it is.
        let (undecided, fighting) = (self.lifecycle.end().is_none(), self.lifecycle.is_fighting());
        let mut soonest = (until, Timer::State);
        let mut offer = |at: Millis, timer: Timer| soonest = soonest.min((at, timer));
        if fighting {
            if let Some(turn) = &self.turn {
                offer(turn.until, Timer::Turn);
            }
            offer(self.waves.due(), Timer::Wave);
            for (hazard, state) in (0_u8..).zip(&self.field.hazards) {
                offer(if state.gone { Millis::MAX } else { state.next }, Timer::Hazard(hazard));
            }
        }
        let mut offer_of = |next: Next| {
            if undecided {
                offer(next.forfeit, Timer::Forfeit);
            }
            if fighting {
                offer(next.at, next.timer);
            }
        };
        if self.participants.len() > FEW {
            for &next in self.timetable(ruleset).next.as_slice() {
                offer_of(next);
            }
        } else {
            for slot in self.slots() {
                offer_of(self.next_of(ruleset, slot));
            }
        }
        soonest
    }

    /// With those looked through anew who may have changed since the last time.
    fn timetable(&mut self, ruleset: &Ruleset) -> &Timetable {
        let mut timetable = self.participants.timetable.take().unwrap_or_default();
        let under = (self.turn.is_some(), self.lifecycle.active_since());
        if timetable.under != under {
            (timetable.under, timetable.touched) = (under, SlotSet::ALL);
        }
        let slots = self.participants.len();
        let touched = std::mem::replace(&mut timetable.touched, SlotSet::NONE);
        for slot in touched.iter().take_while(|&slot| usize::from(slot) < slots) {
            let next = self.next_of(ruleset, slot);
            match timetable.next.get_mut(slot) {
                Some(known) => *known = next,
                None => timetable.next.push(next),
            }
        }
        debug_assert!(
            self.slots().all(|slot| timetable.next[slot] == self.next_of(ruleset, slot)),
            "a participant has changed and was not touched"
        );
        self.participants.timetable.insert(timetable)
    }

    /// What a participant has a time for.
    fn next_of(&self, ruleset: &Ruleset, slot: Slot) -> Next {
        let p = &self.participants[slot];
        let mut soonest = (Millis::MAX, Timer::Away(slot));
        let mut offer = |at: Millis, timer: Timer| soonest = soonest.min((at, timer));
        if p.status != Eliminated {
            let effect = p.effects.iter().map(|effect| effect.until.min(effect.next_tick)).min();
            offer(effect.unwrap_or(Millis::MAX), Timer::Effect(slot));
            offer(p.cast.map_or(Millis::MAX, |cast| cast.next), Timer::Cast(slot));
            if self.is_guarding(ruleset, slot) {
                offer(p.guard_until, Timer::Guard(slot));
            }
            if p.reload_at > 0 {
                offer(p.reload_at, Timer::Reload(slot));
            }
            match p.enemy {
                Some(enemy) => offer(enemy.think_at, Timer::Think(slot)),
                None => offer(self.away_at(slot), Timer::Away(slot)),
            }
        }
        Next { at: soonest.0, timer: soonest.1, forfeit: p.forfeit_at }
    }

    fn fire(&mut self, ruleset: &Ruleset, timer: Timer, at: Millis, step: &mut Step) {
        match timer {
            Timer::Forfeit => self.forfeit_late(ruleset, at, step),
            Timer::State => self.state_over(ruleset, step),
            Timer::Turn => self.pass_turn(step),
            Timer::Effect(slot) => self.effect_due(ruleset, slot, step),
            Timer::Cast(slot) => self.cast_due(ruleset, slot, step),
            Timer::Guard(slot) => self.do_activity(ruleset, slot, Activity::GuardOver, step),
            Timer::Reload(slot) => {
                let p = &mut self.participants[slot];
                (p.ammo, p.reload_at) = (self.rules.ammo, 0);
                step.touch(slot, Fields::AMMO);
            }
            Timer::Hazard(hazard) => self.hazard_due(ruleset, hazard, step),
            Timer::Wave => self.wave_due(ruleset, step),
            Timer::Think(slot) => self.think(ruleset, slot, step),
            Timer::Away(slot) => self.note_away(slot, step),
        }
    }
}
