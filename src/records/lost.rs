//! Fights that the store believes alive and no shard has: their log was lost, so they end.

use std::collections::BTreeMap;
use std::fmt;
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
use crate::store::{Filter, StoreError};

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

/// Fights that are lost with a log, as far as the store knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtStake {
    /// Whose they are.
    pub node: String,
    pub fights: usize,
    /// How many live at nodes of other names, by name: of as many as are looked at, and whether there are more.
    pub others: BTreeMap<String, usize>,
    pub more: bool,
}

impl AtStake {
    /// Of this node's fights those that `concern` somebody.
    pub async fn of(records: &Records, concern: impl Fn(Uuid, u64) -> bool) -> Result<Self, StoreError> {
        let fights = live_fights(records, concern).await?;
        let (node, mut others, mut more) = (records.node().to_owned(), BTreeMap::new(), false);
        for status in [Status::Active, Status::Paused] {
            let (kind, limit) = (Some(Kind::Combat), limits::AT_STAKE_ROWS);
            let filter = Filter { kind, status: Some(status), player: None, before: None, limit };
            let page = records.store().list(&filter).await?;
            more |= page.more;
            for row in page.sessions.into_iter().filter(|row| *row.node != *node) {
                *others.entry(row.node).or_default() += 1;
            }
        }
        Ok(Self { node, fights, others, more })
    }
}

impl fmt::Display for AtStake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, fights, others, more } = self;
        match fights {
            0 => write!(f, "At stake is no fight of the node `{node}` that lives as far as the store knows")?,
            1 => write!(f, "At stake is 1 fight of the node `{node}` that lives as far as the store knows")?,
            _ => write!(f, "At stake are {fights} fights of the node `{node}` that live as far as the store knows")?,
        }
        for (place, (name, count)) in others.iter().take(limits::LOST_FIGHTS_NAMED).enumerate() {
            f.write_str(if place == 0 { "; of other nodes there live " } else { ", " })?;
            f.write_str(if place == 0 && *more { "at least " } else { "" })?;
            write!(f, "{count} of `{name}`")?;
        }
        if !others.is_empty() {
            f.write_str(": is the --node that was given the right one?")?;
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::AtStake;

    #[test]
    fn what_is_at_stake_is_said_of_which_node() {
        let of = |fights, others: &[(&str, usize)]| {
            let others = others.iter().map(|&(name, count)| (name.to_owned(), count)).collect();
            AtStake { node: "b".to_owned(), fights, others, more: false }.to_string()
        };
        assert_eq!(of(1, &[]), "At stake is 1 fight of the node `b` that lives as far as the store knows");
        assert_eq!(of(2, &[]), "At stake are 2 fights of the node `b` that live as far as the store knows");
        assert_eq!(
            of(0, &[("a", 3), ("c", 1)]),
            "At stake is no fight of the node `b` that lives as far as the store knows; of other nodes there live 3 of `a`, 1 of `c`: is the --node that was given the right one?"
        );
    }
}
