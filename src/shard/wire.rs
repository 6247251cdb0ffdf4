//! Engine types to wire types, by hand: each may change without the other.

use std::borrow::Cow;

use tiltyard_combat::{Bout, Millis};
use tiltyard_protocol::server::{self as wire};

/// The course of a fight, borrowed from it.
pub(super) fn phase_of(bout: Bout<'_>) -> wire::Phase<'_> {
    use tiltyard_combat::{PhaseName, SessionStatus};
    let Bout { fight, ruleset } = bout;
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
        state: Cow::Borrowed(&ruleset.lifecycle.state(life.state()).name),
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
