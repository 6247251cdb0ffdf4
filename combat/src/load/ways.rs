//! That no fight and no participant is caught in its machine.

use std::collections::BTreeSet;

use super::problem::Span;
use super::reader::{Entry, Reader};
use super::settings::Numbers;
use crate::Rules;
use crate::lifecycle::PhaseName;
use crate::ruleset::machine::Named;
use crate::ruleset::{Activity, Deed, Machine, Matter, ParticipantDeed, Stage, Trigger, Wait};

/// A machine that is whole, and under examination.
pub(super) struct Checked<'a, 't, T, D, K> {
    pub r: &'a mut Reader<'t>,
    pub machine: &'a Machine<T, D, K>,
    /// Where each of its states is.
    pub spans: &'a [Span],
}

impl<T: Copy + PartialEq, D: PartialEq, K> Checked<'_, '_, T, D, K> {
    fn say(&mut self, state: u8, message: String) {
        self.r.say(self.spans[usize::from(state)], message);
    }

    fn name(&self, state: u8) -> &str {
        &self.machine.state(state).name
    }

    fn names(&self, states: impl IntoIterator<Item = u8>, between: &str) -> String {
        let names: Vec<String> = states.into_iter().map(|state| format!("`{}`", self.name(state))).collect();
        names.join(between)
    }

    fn all(&self) -> impl Iterator<Item = u8> + use<T, D, K> {
        0..u8::try_from(self.machine.states.len()).unwrap_or(u8::MAX)
    }

    /// Every state that can be come to from `from`, over the ways that `counts` lets through; with these themselves.
    fn reach(&self, from: impl IntoIterator<Item = u8>, counts: impl Fn(u8, Option<T>) -> bool) -> BTreeSet<u8> {
        self.reach_by(from, |from, on, _| counts(from, on))
    }

    fn reach_by(&self, from: impl IntoIterator<Item = u8>, counts: impl Fn(u8, Option<T>, u8) -> bool) -> BTreeSet<u8> {
        let mut reached: BTreeSet<u8> = from.into_iter().collect();
        let mut open: Vec<u8> = reached.iter().copied().collect();
        while let Some(state) = open.pop() {
            for (from, on, to) in self.machine.transitions() {
                if from == state && counts(from, on, to) && reached.insert(to) {
                    open.push(to);
                }
            }
        }
        reached
    }

    fn check_reachable(&mut self) {
        let start = self.machine.start;
        let reached = self.reach([start], |_, _| true);
        for state in self.all().filter(|state| !reached.contains(state)) {
            let message = format!(
                "the state `{}` is unreachable: no way leads to it from `{}`, where it begins",
                self.name(state),
                self.name(start)
            );
            self.say(state, message);
        }
    }
}

impl Checked<'_, '_, Trigger, Deed, Stage> {
    fn is(&self, state: u8) -> PhaseName {
        self.machine.state(state).is
    }

    pub fn check_course(mut self, at: Entry<'_>, numbers: &Numbers, waves: bool) {
        let start = self.machine.start;
        if self.is(start) != PhaseName::Preparation {
            let message = format!("a fight begins in phase preparation, and `{}` is not of it", self.name(start));
            self.say(start, message);
        }
        for (phase, why) in [(PhaseName::Active, "nothing is fought"), (PhaseName::Finished, "no fight ends")] {
            if !self.all().any(|state| self.is(state) == phase) {
                let phase = Stage::NAMES.iter().find(|(_, known)| *known == phase).map_or("", |(name, _)| name);
                self.r.say(at.span, format!("no state has phase `{phase}`: {why}"));
            }
        }
        for (deed, needed, why) in [
            (
                Deed::Begin,
                true,
                "turns and modifiers would never begin; add `entry = [\"begin\"]` to the state that is fought in",
            ),
            (Deed::Waves, waves, "the waves would never come; add it to the `entry` of the state that is fought in"),
        ] {
            let done = |state| self.is(state) == PhaseName::Active && self.machine.state(state).entry.contains(&deed);
            if needed && !self.all().any(done) {
                let deed = Deed::NAMES.iter().find(|(_, known)| *known == deed).map_or("", |(name, _)| name);
                self.r.say(at.span, format!("no state of phase active does `{deed}`: {why}"));
            }
        }
        self.check_reachable();
        for state in self.all() {
            self.check_exits(state, numbers);
        }
        self.check_ends();
        self.check_results();
        self.check_rounds();
    }

    /// Each state has the ways out that its phase needs.
    fn check_exits(&mut self, state: u8, numbers: &Numbers) {
        let of = self.machine.state(state);
        let name = of.name.clone();
        let takes = |trigger| of.on.iter().any(|(on, _)| *on == trigger);
        if of.is == PhaseName::Finished {
            if of.after.is_some() || !of.on.is_empty() {
                self.say(state, format!("`{name}` is of phase finished, which is the end: leave `after` and `on` out"));
            }
            return;
        }
        if of.after.is_none() {
            let what = "no exit by time, so a fight could stay in it for ever; add `after = { ms = …, to = \"…\" }`";
            self.say(state, format!("the state `{name}` has {what}"));
        }
        if of.is == PhaseName::Preparation && !takes(Trigger::Decided) {
            let what = "which comes when all but one have left; add `decided = \"…\"` to its `on`";
            self.say(state, format!("the state `{name}` does not take `decided`, {what}"));
        }
        if of.is == PhaseName::Active && !takes(Trigger::Decided) {
            let what = "so nobody could win; add `decided = \"…\"` to its `on`";
            self.say(state, format!("the state `{name}` does not take `decided`, {what}"));
        }
        let rounds = Rules::place("rounds").map_or(1, |place| numbers.extremes(place).1);
        if of.is == PhaseName::Active && rounds > 1 && !takes(Trigger::RoundOver) {
            let what = "add `round_over = \"…\"` to its `on`";
            self.say(
                state,
                format!("a mode has {rounds} rounds, and the state `{name}` does not take `round_over`; {what}"),
            );
        }
    }

    /// By `after` alone every state comes to an end, and not in no time.
    fn check_ends(&mut self) {
        let mut told = BTreeSet::new();
        for state in self.all() {
            let mut way = vec![state];
            while let Some((_, to)) = self.machine.state(way[way.len() - 1]).after {
                if let Some(first) = way.iter().position(|&seen| seen == to) {
                    way.drain(..first);
                    if told.insert(way.iter().copied().min()) {
                        self.tell_circle(&way);
                    }
                    break;
                }
                way.push(to);
            }
        }
    }

    fn tell_circle(&mut self, circle: &[u8]) {
        let round = self.names(circle.iter().copied().chain([circle[0]]), " -> ");
        let shortest =
            circle.iter().map(|&state| self.machine.state(state).after.map_or(0, |(wait, _)| least(wait))).sum::<u64>();
        let escapes = self.reach(circle.iter().copied(), |_, _| true);
        let message = if shortest == 0 {
            format!("a cycle without time: {round} by `after` alone, and each may take 0 ms")
        } else if !escapes.iter().any(|&state| self.is(state) == PhaseName::Finished) {
            format!("inescapable: {round} by `after`, and no way leads from there to a state of phase finished")
        } else {
            format!("a cycle without end: {round} by `after` alone, so a fight that nobody wins would never end")
        };
        self.say(circle[0], message);
    }

    /// No round begins with those still out who fell in the last.
    fn check_rounds(&mut self) {
        let resets = |state: u8| {
            let state = self.machine.state(state);
            (state.entry.contains(&Deed::Reset), state.exit.contains(&Deed::Reset))
        };
        let over: Vec<u8> = self
            .machine
            .transitions()
            .filter(|&(from, on, to)| on == Some(Trigger::RoundOver) && !resets(from).1 && !resets(to).0)
            .map(|(_, _, to)| to)
            .collect();
        let next = self.reach_by(over, |from, _, to| !resets(from).1 && !resets(to).0);
        let fought: Vec<u8> = next.into_iter().filter(|&state| self.is(state) == PhaseName::Active).collect();
        for state in fought {
            let name = self.name(state);
            let message = format!("a round in `{name}` could begin with those still out who fell in the last");
            self.say(state, format!("{message}: add `reset` to the `entry` of a state on the way"));
        }
    }

    /// Whatever way a fight ends, there is a result; and nothing is fought after it.
    fn check_results(&mut self) {
        let judges = |state: u8| self.machine.state(state).entry.contains(&Deed::Judge);
        let leaves_judged = |state: u8| self.machine.state(state).exit.contains(&Deed::Judge);
        let undecided = self.reach([self.machine.start], |from, on| {
            on != Some(Trigger::Decided) && !judges(from) && !leaves_judged(from)
        });
        let open: Vec<u8> =
            undecided.into_iter().filter(|&state| self.is(state) == PhaseName::Finished && !judges(state)).collect();
        for state in open {
            let message = format!(
                "a fight could come to `{}` without a result: add `judge` to the `entry` of a state on the way",
                self.name(state)
            );
            self.say(state, message);
        }
        let decided =
            self.machine.transitions().filter(|(_, on, _)| *on == Some(Trigger::Decided)).map(|(_, _, to)| to);
        let results = self.all().filter(|&state| judges(state));
        let after = self.reach(decided.chain(results).collect::<Vec<_>>(), |_, _| true);
        let before: Vec<u8> = after
            .into_iter()
            .filter(|&state| matches!(self.is(state), PhaseName::Preparation | PhaseName::Active))
            .collect();
        for state in before {
            let message = format!("the state `{}` can be come to after the fight is decided", self.name(state));
            self.say(state, format!("{message}; only phases cooldown and finished may follow"));
        }
    }
}

/// The shortest a wait can be made.
fn least(wait: Wait) -> u64 {
    match wait {
        Wait::Setting(place) => Rules::SETTINGS.get(usize::from(place)).map_or(0, |setting| u64::from(setting.min)),
        Wait::Ms(ms) => u64::from(ms),
    }
}

/// What has begun must be able to end: who takes the first must take the others where it leads to.
const ENDS: [(Activity, &[Activity]); 4] = [
    (Activity::Cast, &[Activity::Done, Activity::Broken]),
    (Activity::Channel, &[Activity::Done, Activity::Broken]),
    (Activity::Guard, &[Activity::GuardOver]),
    (Activity::Stun, &[Activity::Recovered]),
];

impl Checked<'_, '_, Activity, ParticipantDeed, Matter> {
    pub fn check_activity(mut self) {
        let start = self.machine.start;
        if self.machine.state(start).is.out {
            let message = format!("a participant begins in `{}`, which is out of the fight", self.name(start));
            self.say(start, message);
        }
        self.check_reachable();
        let can_fall = self.all().any(|state| self.machine.state(state).is.out);
        if !can_fall {
            self.say(start, "no state is `out = true`, so nobody could be eliminated".to_owned());
        }
        for state in self.all() {
            if !self.reach([state], |_, _| true).contains(&start) {
                let (name, start) = (self.name(state), self.name(start));
                let message = format!("the state `{name}` is inescapable: no way leads from it back to `{start}`");
                self.say(state, message);
            }
            if can_fall {
                self.check_down(state);
            }
        }
        for (begins, ends) in ENDS {
            self.check_ending(begins, ends);
        }
    }

    fn check_down(&mut self, state: u8) {
        if self.machine.state(state).is.out {
            return;
        }
        let name = self.name(state).to_owned();
        match self.machine.next(state, Activity::Down) {
            None => {
                let what = "so its participant could not be eliminated; add `down = \"…\"` to its `on`";
                self.say(state, format!("the state `{name}` does not take `down`, {what}"));
            }
            Some(to) if !self.machine.state(to).is.out => {
                let to = self.name(to).to_owned();
                self.say(state, format!("`down` leads from `{name}` to `{to}`, which is not `out = true`"));
            }
            Some(_) => {}
        }
    }

    fn check_ending(&mut self, begins: Activity, ends: &[Activity]) {
        let word = |of: Activity| Activity::NAMES.iter().find(|(_, known)| *known == of).map_or("", |(name, _)| name);
        let into: BTreeSet<u8> =
            self.machine.transitions().filter(|(_, on, _)| *on == Some(begins)).map(|(_, _, to)| to).collect();
        for state in into {
            for &end in ends.iter().filter(|&&end| self.machine.next(state, end).is_none()).collect::<Vec<_>>() {
                let (name, begins, end) = (self.name(state), word(begins), word(end));
                let message = format!("`{begins}` leads to `{name}`, which does not take `{end}`");
                self.say(state, format!("{message}; add `{end} = \"…\"` to its `on`"));
            }
        }
    }
}
