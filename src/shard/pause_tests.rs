//! Fights that are paused and left, at times that the test sets.

use std::time::{Duration, UNIX_EPOCH};

use tiltyard_combat::{EndReason, SessionStatus};
use uuid::Uuid;

use super::Shard;
use crate::limits;
use crate::session::{Expected, FightInfo, Status, Update, Viewer};
use crate::shard::{Command, Control};

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

impl Shard {
    fn put(&self, session: Uuid, status: Option<Status>, metadata: Option<&str>) -> FightInfo {
        let update = Update { status, metadata: metadata.map(Into::into), settings: None };
        let (expected, control) = (Expected::default(), Control::Update(update));
        let put = |reply| Command::Control { session, expected, control, viewer: Viewer::All, reply };
        self.ask(put).blocking_recv().unwrap().unwrap()
    }

    fn pause(&self, session: Uuid) -> FightInfo {
        let paused = self.put(session, Some(Status::Paused), None);
        assert_eq!(paused.status, SessionStatus::Paused);
        paused
    }

    /// How the fight is after that much more time.
    fn after(&self, by: Duration, session: Uuid) -> FightInfo {
        self.skip(by);
        // The turn that answered may have begun before.
        self.skip(Duration::ZERO);
        self.read(session).unwrap()
    }

    /// It is paused until a minute from now, and two minutes from now it has ended for that.
    fn ends_in_a_minute(&self, session: Uuid) {
        assert_eq!(self.after(Duration::ZERO, session).status, SessionStatus::Paused);
        let ended = self.after(2 * MINUTE, session);
        assert_eq!((ended.status, ended.end_reason), (SessionStatus::Terminated, Some(EndReason::PauseLimit)));
        assert_eq!(ended.winner, None);
        assert!(ended.ended_at.is_some());
    }
}

const ALMOST: Duration = Duration::from_millis(limits::PAUSED_MS).checked_sub(MINUTE).unwrap();

#[test]
fn a_paused_fight_ends_after_a_day_whether_it_had_begun_or_not() {
    let shard = Shard::start();
    let (fought, waiting, other) = (shard.create().id, shard.create_with(3).id, shard.create_with(3).id);
    shard.attack_often(fought, 1);
    assert_eq!(shard.pause(fought).phase, tiltyard_combat::PhaseName::Active);
    assert_eq!(shard.pause(waiting).phase, tiltyard_combat::PhaseName::Preparation);
    shard.skip(ALMOST);
    assert_eq!(shard.read(waiting).unwrap().status, SessionStatus::Paused);
    shard.ends_in_a_minute(fought);
    assert_eq!(shard.read(waiting).unwrap().end_reason, Some(EndReason::PauseLimit));
    assert_eq!(shard.read(other).unwrap().end_reason, Some(EndReason::Abandoned), "its own clock went on");
    assert_eq!(shard.verified(fought), (1, None), "and its replay is whole");
    assert_eq!(shard.handle.stats().live_sessions, 0);
    drop(shard.stop());
}

#[test]
fn a_pause_counts_from_its_own_beginning_whatever_is_put_meanwhile() {
    let shard = Shard::start();
    let id = shard.create().id;
    shard.pause(id);
    assert_eq!(shard.after(20 * HOUR, id).status, SessionStatus::Paused);
    shard.put(id, Some(Status::Active), None);
    shard.pause(id);
    assert_eq!(shard.after(20 * HOUR, id).status, SessionStatus::Paused, "anew");
    shard.put(id, None, Some(r#"{"note":"still here"}"#));
    // Again what it is already.
    shard.put(id, Some(Status::Paused), None);
    shard.skip(ALMOST.saturating_sub(20 * HOUR));
    shard.ends_in_a_minute(id);
    drop(shard.stop());
}

#[test]
fn a_pause_goes_on_while_the_node_is_away() {
    let shard = Shard::start();
    let old = shard.create().id;
    let since = shard.pause(old).updated_at.duration_since(UNIX_EPOCH).unwrap();
    shard.skip(HOUR);
    shard.put(old, None, Some(r#"{"note":"still here"}"#));
    // In the log it is as it was, and then the node is away until a minute before the day is over.
    let away = u64::try_from(ALMOST.as_millis()).unwrap();
    let shard = Shard::start_from(shard.stop(), limits::REPLAY_BYTES, |record| {
        let expected = (record.id == old).then(|| u64::try_from(since.as_millis()).unwrap());
        assert_eq!(record.paused_since, expected);
        record.paused_since = record.paused_since.map(|since| since - away);
    });
    let new = shard.create_with(3).id;
    shard.pause(new);
    shard.ends_in_a_minute(old);
    assert_eq!(shard.read(new).unwrap().status, SessionStatus::Paused);

    // Away for longer than that, it ends when the node is back.
    let shard = Shard::start_from(shard.stop(), limits::REPLAY_BYTES, |record| {
        record.paused_since = record.paused_since.map(|since| since - limits::PAUSED_MS);
    });
    assert_eq!(shard.after(Duration::ZERO, new).end_reason, Some(EndReason::PauseLimit));
    drop(shard.stop());
}
