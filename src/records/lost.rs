//! Fights that the store believes alive and no shard has: their log was lost, so they end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::{Pages, Records, fights};
use crate::book::News;
use crate::clock;
use crate::hub::Hub;
use crate::limits;
use crate::log::redis::start::Node;
use crate::ops::beat::Beat;
use crate::session::{Kind, Refusal, Status};
use crate::shard::recovery::are_elsewhere;
use crate::store::StoreError;

/// Ends them, trying again where the store or a shard does not answer. Beside everything else: nobody waits for it.
/// Those that the log in Redis says are another node's are left alone, where `log` is this node in it: its store has not heard of that yet.
pub async fn end_lost_fights(records: Records, hub: Hub, log: Option<Node>, beat: Arc<Beat>) {
    while let Err(Refusal { reason, .. }) = try_once(&records, &hub, log.as_ref(), &beat).await {
        if reason == Reason::Draining {
            break;
        }
        tracing::warn!(%reason, "fights without a log could not be looked for; trying again");
        beat.idle(tokio::time::sleep(Duration::from_millis(limits::LOST_FIGHTS_RETRY_MS))).await;
    }
    beat.done();
}

/// How many of this node's fights that the store believes alive `concern` somebody, each with the epoch that the store has it under.
pub async fn live_fights(records: &Records, concern: impl Fn(Uuid, u64) -> bool) -> Result<usize, StoreError> {
    let mut live = 0;
    for status in [Status::Active, Status::Paused] {
        let mut rows = Pages::new(Kind::Combat, status);
        while let Some(row) = rows.next(records.store()).await? {
            live += usize::from(concern(row.id, row.epoch.cast_unsigned()));
        }
    }
    Ok(live)
}

async fn try_once(records: &Records, hub: &Hub, log: Option<&Node>, beat: &Beat) -> Result<(), Refusal> {
    for status in [Status::Active, Status::Paused] {
        let mut rows = Pages::new(Kind::Combat, status);
        while let Some(row) = rows.next(records.store()).await? {
            beat.beat();
            match hub.read(row.id).await {
                Ok(_) => continue,
                Err(refusal) if refusal.reason == Reason::NoSession => {}
                Err(refusal) => return Err(refusal),
            }
            match fights::of(&row) {
                // It may have ended and left its shard meanwhile.
                Ok(_) if records.book().get(row.id).is_some() || !is_live(records, row.id).await? => {}
                Ok(_) if is_elsewhere(log, row.id).await? => {}
                Ok(fight) => {
                    tracing::warn!(session = %row.id, "a fight's log is gone; it is ended");
                    records.counters().fights_lost.fetch_add(1, Ordering::Relaxed);
                    records.book().put(fights::lost(fight, clock::now()), News::Ended);
                }
                Err(error) => tracing::error!(%error, "a fight's log is gone, and its row cannot be read"),
            }
        }
    }
    Ok(())
}

async fn is_elsewhere(log: Option<&Node>, session: Uuid) -> Result<bool, Refusal> {
    let Some(log) = log.cloned() else { return Ok(false) };
    let asked = tokio::task::spawn_blocking(move || are_elsewhere(&log, &[session]));
    match asked.await {
        Ok(Ok(elsewhere)) => Ok(elsewhere.contains(&true)),
        Ok(Err(error)) => {
            tracing::warn!(%session, %error, "the log cannot be asked whose a fight is");
            Err(Reason::LogUnavailable.into())
        }
        Err(_lost) => Err(Reason::Internal.into()),
    }
}

async fn is_live(records: &Records, id: Uuid) -> Result<bool, StoreError> {
    Ok(records.store().session(id).await?.is_some_and(|row| !row.status.is_end()))
}
