//! Engine types to wire types, by hand: each may change without the other.

use std::borrow::Cow;

use tiltyard_combat::{Event, Fight, Millis, Thing};
use tiltyard_protocol::server::{self as wire, EventKind};

/// The course of a fight, borrowed from it.
pub(super) fn phase_of(fight: &Fight) -> wire::Phase<'_> {
    use tiltyard_combat::{PhaseName, SessionStatus};
    let life = fight.lifecycle();
    wire::Phase {
        status: match life.status() {
            SessionStatus::Initializing => wire::SessionStatus::Initializing,
            SessionStatus::Active => wire::SessionStatus::Active,
            SessionStatus::Paused => wire::SessionStatus::Paused,
            SessionStatus::Completed => wire::SessionStatus::Completed,
            SessionStatus::Terminated => wire::SessionStatus::Terminated,
        },
        phase: match life.phase() {
            PhaseName::Preparation => wire::PhaseName::Preparation,
            PhaseName::Active => wire::PhaseName::Active,
            PhaseName::Cooldown => wire::PhaseName::Cooldown,
            PhaseName::Finished => wire::PhaseName::Finished,
        },
        state: Cow::Borrowed(&fight.ruleset().lifecycle.state(life.state()).name),
        until: life.until().filter(|&until| until != Millis::MAX),
        winner: life.winner(),
        team: life.winning_team(),
        end: life.end().map(end_of),
        round: fight.rounds().over(),
        wins: Cow::Borrowed(fight.rounds().wins()),
        turn: fight.turn().map(tiltyard_combat::fight::Turn::slot),
        turn_until: fight.turn().map(tiltyard_combat::fight::Turn::until),
    }
}

/// Session time at which an effect ends; 0 where it lasts as long as the round.
pub(super) const fn lasting(until: Millis) -> u64 {
    if until == Millis::MAX { 0 } else { until }
}

pub(super) const fn status_of(status: tiltyard_combat::ParticipantStatus) -> wire::ParticipantStatus {
    use tiltyard_combat::ParticipantStatus;
    match status {
        ParticipantStatus::Active => wire::ParticipantStatus::Active,
        ParticipantStatus::Eliminated => wire::ParticipantStatus::Eliminated,
        ParticipantStatus::Disconnected => wire::ParticipantStatus::Disconnected,
    }
}

pub(super) const fn end_of(end: tiltyard_combat::EndReason) -> wire::EndReason {
    use tiltyard_combat::EndReason;
    match end {
        EndReason::LastStanding => wire::EndReason::LastStanding,
        EndReason::TimeLimit => wire::EndReason::TimeLimit,
        EndReason::Forfeit => wire::EndReason::Forfeit,
        EndReason::Terminated => wire::EndReason::Terminated,
        EndReason::Completed => wire::EndReason::Completed,
        EndReason::Abandoned => wire::EndReason::Abandoned,
        EndReason::Failed => wire::EndReason::Failed,
        EndReason::ScoreLimit => wire::EndReason::ScoreLimit,
        EndReason::RoundsWon => wire::EndReason::RoundsWon,
        EndReason::Cleared => wire::EndReason::Cleared,
        EndReason::Survived => wire::EndReason::Survived,
        EndReason::Defeated => wire::EndReason::Defeated,
        EndReason::NotReady => wire::EndReason::NotReady,
        EndReason::PauseLimit => wire::EndReason::PauseLimit,
    }
}

/// An event as everybody sees it who may see all of it.
pub fn event_of(event: Event) -> wire::Event {
    let of = |kind| wire::Event::new(kind);
    let by_of = |kind, by| wire::Event { by: Some(by), ..of(kind) };
    let both_of = |kind, by, to| wire::Event { to: Some(to), ..by_of(kind, by) };
    let thing_of = |thing, event| match thing {
        Thing::Cover(cover) => wire::Event { c: Some(cover), ..event },
        Thing::Hazard(hazard) => wire::Event { z: Some(hazard), ..event },
    };
    match event {
        Event::Hit { by, to, damage, absorbed, critical, guarded, reaction, ability } => wire::Event {
            n: Some(damage),
            abs: (absorbed > 0).then_some(absorbed),
            crit: critical,
            guarded,
            react: reaction,
            a: ability,
            ..both_of(EventKind::Hit, by, to)
        },
        Event::Missed { by, to } => both_of(EventKind::Missed, by, to),
        Event::Suffered { by, to, effect, damage } => {
            wire::Event { n: Some(damage), e: Some(effect), ..both_of(EventKind::Suffered, by, to) }
        }
        Event::Burned { to, hazard, damage } => {
            wire::Event { to: Some(to), z: Some(hazard), n: Some(damage), ..of(EventKind::Burned) }
        }
        Event::Healed { by, to, points } => wire::Event { n: Some(points), ..both_of(EventKind::Healed, by, to) },
        Event::Guard { by } => by_of(EventKind::Guard, by),
        Event::Casting { by, ability, until } => {
            wire::Event { a: Some(ability), until: Some(until), ..by_of(EventKind::Casting, by) }
        }
        Event::Broken { by, ability } => wire::Event { a: Some(ability), ..by_of(EventKind::Broken, by) },
        Event::Used { by, ability, to } => wire::Event { a: Some(ability), to, ..by_of(EventKind::Used, by) },
        Event::Affected { by, to, effect, stacks } => {
            wire::Event { e: Some(effect), st: Some(stacks), ..both_of(EventKind::Affected, by, to) }
        }
        Event::Faded { to, effect } => wire::Event { to: Some(to), e: Some(effect), ..of(EventKind::Faded) },
        Event::Struck { by, thing, damage } => {
            thing_of(thing, wire::Event { n: Some(damage), ..by_of(EventKind::Struck, by) })
        }
        Event::Destroyed { by, thing } => thing_of(thing, by_of(EventKind::Destroyed, by)),
        Event::Eliminated { by, to } => both_of(EventKind::Eliminated, by, to),
        Event::Perished { to } => wire::Event { to: Some(to), ..of(EventKind::Perished) },
        Event::Revived { by, to } => both_of(EventKind::Revived, by, to),
        Event::Seated { by } => by_of(EventKind::Seated, by),
        Event::Spawned { by, enemy } => wire::Event { enemy: Some(enemy), ..by_of(EventKind::Spawned, by) },
        Event::Enraged { by, phase } => wire::Event { st: Some(phase), ..by_of(EventKind::Enraged, by) },
        Event::Ready { by } => by_of(EventKind::Ready, by),
        Event::Connected { by } => by_of(EventKind::Connected, by),
        Event::Disconnected { by } => by_of(EventKind::Disconnected, by),
        Event::Forfeited { by } => by_of(EventKind::Forfeited, by),
        Event::Turn { by } => by_of(EventKind::Turn, by),
        Event::Round { no, team } => wire::Event { st: Some(no), team, ..of(EventKind::Round) },
        Event::Phase => of(EventKind::Phase),
    }
}

/// A phase that outlives its fight.
pub(super) fn owned(phase: wire::Phase<'_>) -> wire::Phase<'static> {
    wire::Phase {
        state: Cow::Owned(phase.state.into_owned()),
        wins: Cow::Owned(phase.wins.into_owned()),
        status: phase.status,
        phase: phase.phase,
        until: phase.until,
        winner: phase.winner,
        team: phase.team,
        end: phase.end,
        round: phase.round,
        turn: phase.turn,
        turn_until: phase.turn_until,
    }
}
