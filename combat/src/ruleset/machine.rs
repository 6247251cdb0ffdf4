//! State machines as data: states by number, what leads from one to another, and what is done on the way in and out.

use crate::action::{ActionKind, ActionSet};
use crate::lifecycle::PhaseName;

/// A machine with triggers `T`, deeds `D`, and `K`, what a state means to the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine<T, D, K> {
    /// The state it begins in.
    pub start: u8,
    pub states: Vec<State<T, D, K>>,
}

/// One state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State<T, D, K> {
    pub name: String,
    pub is: K,
    /// Done on entering, in order.
    pub entry: Vec<D>,
    /// Done on leaving, in order.
    pub exit: Vec<D>,
    /// Where it goes by itself, and after how long.
    pub after: Option<(Wait, u8)>,
    pub on: Vec<(T, u8)>,
}

impl<T: Copy + PartialEq, D, K> Machine<T, D, K> {
    /// Where `trigger` leads from `state`; `None` where it takes no such trigger.
    pub fn next(&self, state: u8, trigger: T) -> Option<u8> {
        self.states[usize::from(state)].on.iter().find(|(on, _)| *on == trigger).map(|(_, to)| *to)
    }

    pub fn state(&self, state: u8) -> &State<T, D, K> {
        &self.states[usize::from(state)]
    }

    /// Every way: from, on what (`None` for by itself), to.
    pub fn transitions(&self) -> impl Iterator<Item = (u8, Option<T>, u8)> + '_ {
        (0_u8..).zip(&self.states).flat_map(|(from, state)| {
            let by_itself = state.after.map(|(_, to)| (from, None, to));
            by_itself.into_iter().chain(state.on.iter().map(move |&(on, to)| (from, Some(on), to)))
        })
    }
}

/// How long a state lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// As long as a setting of [`crate::Rules`] says.
    Setting(u16),
    Ms(u32),
}

/// What moves a fight on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// Every seat is taken, and everybody is ready.
    AllReady,
    /// A round has been won, and the fight has not.
    RoundOver,
    /// The fight has a result.
    Decided,
}

/// What is done where a fight's state is entered or left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deed {
    /// Everybody back to full resources and to where their team begins.
    Reset,
    /// The arena whole again, with new modifiers.
    Restore,
    /// The fight has started; the clock of its duration runs.
    Begin,
    /// The first wave is on its way.
    Waves,
    /// Where nothing is decided yet, whoever stands best has won the round, or nobody.
    Judge,
    /// The result is told.
    Announce,
}

/// What a fight's state means: the phase that the contract knows; the one that ends it is `Finished`.
pub type Stage = PhaseName;

/// What moves a participant on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activity {
    /// Begins a cast.
    Cast,
    /// Begins a cast that is a channel.
    Channel,
    /// What was being cast is done.
    Done,
    /// What was being cast is broken off.
    Broken,
    /// Raises the guard.
    Guard,
    /// The guard is down.
    GuardOver,
    /// An effect that stuns.
    Stun,
    /// The last one of these is over.
    Recovered,
    /// Health is gone, or the seat is forfeited.
    Down,
    /// Back to life.
    Revived,
}

/// What is done where a participant's state is entered or left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParticipantDeed {
    /// Whatever is being cast is broken off.
    BreakCast,
    /// The guard goes down.
    DropGuard,
    /// All effects end.
    ClearEffects,
}

/// What a participant's state means: what may be done in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matter {
    pub allows: ActionSet,
    /// Out of the fight.
    pub out: bool,
}

/// The names of triggers and deeds in files.
pub trait Named: Sized + Copy + 'static {
    const NAMES: &'static [(&'static str, Self)];

    fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|&(_, value)| value)
    }
}

macro_rules! named {
    ($type:ty { $($name:literal = $value:ident,)* }) => {
        impl Named for $type {
            const NAMES: &'static [(&'static str, Self)] = &[$(($name, Self::$value),)*];
        }
    };
}

named!(Trigger { "all_ready" = AllReady, "round_over" = RoundOver, "decided" = Decided, });
named!(Deed {
    "reset" = Reset,
    "restore" = Restore,
    "begin" = Begin,
    "waves" = Waves,
    "judge" = Judge,
    "announce" = Announce,
});
named!(Activity {
    "cast" = Cast,
    "channel" = Channel,
    "done" = Done,
    "broken" = Broken,
    "guard" = Guard,
    "guard_over" = GuardOver,
    "stun" = Stun,
    "recovered" = Recovered,
    "down" = Down,
    "revived" = Revived,
});
named!(ParticipantDeed { "break_cast" = BreakCast, "drop_guard" = DropGuard, "clear_effects" = ClearEffects, });
named!(PhaseName {
    "preparation" = Preparation,
    "active" = Active,
    "cooldown" = Cooldown,
    "finished" = Finished,
});

/// Preparation, active, an intermission between rounds, results, the end.
pub fn usual_course() -> Machine<Trigger, Deed, Stage> {
    use Deed::{Announce, Begin, Judge, Reset, Restore, Waves};
    use Trigger::{AllReady, Decided, RoundOver};
    let state = |name: &str, is, entry: &[Deed], after: Option<(&str, u8)>, on: &[(Trigger, u8)]| State {
        name: name.to_owned(),
        is,
        entry: entry.to_vec(),
        exit: Vec::new(),
        after: after.map(|(setting, to)| (Wait::setting(setting).expect("a setting"), to)),
        on: on.to_vec(),
    };
    Machine {
        start: 0,
        states: vec![
            state(
                "preparation",
                Stage::Preparation,
                &[Reset, Restore],
                Some(("preparation_ms", 1)),
                &[(AllReady, 1), (Decided, 3)],
            ),
            state(
                "active",
                Stage::Active,
                &[Begin, Waves],
                Some(("max_duration_ms", 3)),
                &[(RoundOver, 2), (Decided, 3)],
            ),
            state("intermission", Stage::Cooldown, &[], Some(("intermission_ms", 0)), &[(Decided, 3)]),
            state("results", Stage::Cooldown, &[Judge, Announce], Some(("cooldown_ms", 4)), &[]),
            state("finished", Stage::Finished, &[], None, &[]),
        ],
    }
}

/// Idle, casting, channelling, defending, stunned, eliminated.
pub fn usual_activity() -> Machine<Activity, ParticipantDeed, Matter> {
    use Activity::{Broken, Cast, Channel, Done, Down, Guard, GuardOver, Recovered, Revived, Stun};
    use ParticipantDeed::{BreakCast, ClearEffects, DropGuard};
    let state = |name: &str, allows: &[ActionKind], entry: &[ParticipantDeed], on: &[(Activity, u8)]| State {
        name: name.to_owned(),
        is: Matter { allows: allows.iter().copied().collect(), out: name == "eliminated" },
        entry: entry.to_vec(),
        exit: Vec::new(),
        after: None,
        on: on.to_vec(),
    };
    let all = &ActionKind::ALL;
    Machine {
        start: 0,
        states: vec![
            state("idle", all, &[], &[(Cast, 1), (Channel, 2), (Guard, 3), (Stun, 4), (Down, 5)]),
            state("casting", &[ActionKind::Move], &[], &[(Done, 0), (Broken, 0), (Stun, 4), (Down, 5)]),
            state("channelling", &[], &[], &[(Done, 0), (Broken, 0), (Stun, 4), (Down, 5)]),
            state("defending", all, &[], &[(Guard, 3), (GuardOver, 0), (Cast, 1), (Channel, 2), (Stun, 4), (Down, 5)]),
            state("stunned", &[], &[BreakCast, DropGuard], &[(Recovered, 0), (Down, 5)]),
            state("eliminated", &[], &[BreakCast, DropGuard, ClearEffects], &[(Revived, 0)]),
        ],
    }
}

impl Wait {
    /// As long as the setting `name` says.
    pub fn setting(name: &str) -> Option<Self> {
        crate::Rules::place(name).map(Self::Setting)
    }

    /// In milliseconds, under `rules`.
    pub fn ms(self, rules: &crate::Rules) -> u64 {
        u64::from(match self {
            Self::Setting(place) => rules.at(place),
            Self::Ms(ms) => ms,
        })
    }
}
