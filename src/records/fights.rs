//! Fights on their way into the store and back: their rows, and what becomes of one whose log is gone or from before.

use tiltyard_combat::{ParticipantStatus, SessionStatus};

use super::stored::StoredFight;
use crate::session::{FightInfo, Kind};
use crate::store::{PlayerRow, SessionRow, StoreError};

/// A fight as the store keeps it.
pub fn row(fight: &FightInfo, node: &str) -> SessionRow {
    SessionRow {
        id: fight.id,
        kind: Kind::Combat,
        status: fight.generic_status(),
        player: fight.creator,
        created_at: millis(fight.created_at),
        updated_at: millis(fight.updated_at),
        ended_at: fight.ended_at.map(millis),
        expires_at: None,
        version: fight.version.cast_signed(),
        node: node.to_owned(),
        fight: Some((fight.mode, fight.own_status())),
        metadata: some(&fight.metadata),
        settings: some(&fight.settings),
        body: StoredFight::from(fight).text(),
        end_reason: fight.end_reason.map(|reason| reason.name().to_owned()),
        logs: 0,
        epoch: fight.epoch.cast_signed(),
    }
}

/// Who takes part in a fight, and whose it is.
pub fn player_rows(fight: &FightInfo) -> impl Iterator<Item = PlayerRow> {
    let participants = fight.participants.iter().map(|seat| seat.player).filter(|&player| player != fight.creator);
    std::iter::once(fight.creator).chain(participants).map(|player| PlayerRow {
        session: fight.id,
        player,
        kind: Kind::Combat,
        status: fight.generic_status(),
        fight: Some((fight.mode, fight.own_status())),
    })
}

/// A fight as the store kept it.
pub fn of(row: &SessionRow) -> Result<FightInfo, StoreError> {
    let unreadable = |error| StoreError::Unreadable(format!("session {}: {error}", row.id));
    let fight = StoredFight::read(&row.body).map_err(unreadable)?;
    Ok(FightInfo { epoch: row.epoch.cast_unsigned(), ..fight })
}

/// A fight whose log is gone: it cannot go on.
pub fn lost(mut fight: FightInfo, now: std::time::SystemTime) -> FightInfo {
    fight.status = SessionStatus::Terminated;
    fight.phase = tiltyard_combat::PhaseName::Finished;
    fight.end_reason = Some(tiltyard_combat::EndReason::Failed);
    fight.ended_at = Some(now.max(fight.created_at));
    fight.updated_at = now.max(fight.updated_at);
    fight.version += 1;
    for seat in &mut fight.participants {
        if seat.status == ParticipantStatus::Active {
            seat.status = ParticipantStatus::Disconnected;
        }
    }
    fight
}

/// A fight that was ended by hand and still showed its result, and whose log is from before that.
pub fn closed(mut fight: FightInfo) -> FightInfo {
    let terminated = fight.end_reason == Some(tiltyard_combat::EndReason::Terminated);
    fight.status = if terminated { SessionStatus::Terminated } else { SessionStatus::Completed };
    fight.phase = tiltyard_combat::PhaseName::Finished;
    fight.remaining_ms = 0;
    fight
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn millis(time: std::time::SystemTime) -> i64 {
    let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
