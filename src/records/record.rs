//! A session that is no fight: what is known of it while it lives, and as a row of the store. Times are Unix milliseconds.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use uuid::Uuid;

use super::body::{Body, Member};
use crate::session::{Kind, Status};
use crate::store::{PlayerRow, SessionRow, StoreError};

/// A session. What a change makes of it is another one, so whoever holds one holds one state of it; only when it was last
/// used goes on beneath.
#[derive(Debug)]
pub struct Record {
    pub id: Uuid,
    pub status: Status,
    /// Its owner.
    pub player: Uuid,
    pub created_at: u64,
    pub updated_at: u64,
    pub ended_at: Option<u64>,
    pub version: u64,
    /// Entries its activity log has had.
    pub logs: u32,
    /// JSON objects.
    pub metadata: Option<Box<str>>,
    pub settings: Option<Box<str>>,
    pub end_reason: Option<Box<str>>,
    pub body: Body,
    seen_at: AtomicU64,
    /// It ends no earlier: the process did not run, and nobody could give a sign of life. 0 where it always did.
    not_before: AtomicU64,
}

/// How much a player is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PresenceName {
    Online,
    Away,
    Offline,
}

/// In the time of the last sign of life: there is no other any more.
const OVER: u64 = 1 << 63;

impl Record {
    /// A new session, used just now.
    pub fn new(id: Uuid, player: Uuid, body: Body, now: u64) -> Self {
        Self {
            id,
            status: Status::Active,
            player,
            created_at: now,
            updated_at: now,
            ended_at: None,
            version: 1,
            logs: 0,
            metadata: None,
            settings: None,
            end_reason: None,
            body,
            seen_at: AtomicU64::new(now),
            not_before: AtomicU64::default(),
        }
    }

    /// The same, to be changed.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self {
            id: self.id,
            status: self.status,
            player: self.player,
            created_at: self.created_at,
            updated_at: self.updated_at,
            ended_at: self.ended_at,
            version: self.version,
            logs: self.logs,
            metadata: self.metadata.clone(),
            settings: self.settings.clone(),
            end_reason: self.end_reason.clone(),
            body: self.body.clone(),
            seen_at: AtomicU64::new(self.seen_at()),
            not_before: AtomicU64::new(self.not_before.load(Ordering::Relaxed)),
        }
    }

    pub fn kind(&self) -> Kind {
        self.body.of_type().kind()
    }

    /// Last sign of life.
    pub fn seen_at(&self) -> u64 {
        self.seen_at.load(Ordering::Relaxed) & !OVER
    }

    /// Notes a sign of life; `false` where its time was over, and its end is being committed.
    pub fn see(&self, now: u64) -> bool {
        let later = |seen: u64| (seen & OVER == 0).then_some(seen.max(now));
        self.seen_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later).is_ok()
    }

    /// Whether its time is over at `now`: no sign of life puts its end off after that. One of the two comes first, so nobody is told that
    /// one was taken of a session that ends for want of it.
    pub fn expire(&self, now: u64) -> bool {
        let is_over = |seen: u64| self.end_of(seen & !OVER) <= now;
        let over = |seen: u64| is_over(seen).then_some(seen | OVER);
        !self.status.is_end() && self.seen_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, over).is_ok()
    }

    /// When it ends if nothing more happens; `None` once it has ended.
    pub fn expires_at(&self) -> Option<u64> {
        (!self.status.is_end()).then(|| self.end_of(self.seen_at()))
    }

    fn end_of(&self, seen_at: u64) -> u64 {
        self.body.of_type().expires_at(seen_at, self.updated_at).max(self.not_before.load(Ordering::Relaxed))
    }

    /// It ends so much later, as the process did not run for as long until `now`; no later than with a sign of life or a change of now. Not one
    /// that has an end that nothing puts off: whoever lent it counts on the time it was told.
    pub fn put_off(&self, by: u64, now: u64) {
        if let Some(expires_at) = self.expires_at()
            && self.body.of_type().absolute_at().is_none()
        {
            let latest = self.body.of_type().expires_at(now, now);
            self.not_before.fetch_max((expires_at + by).min(latest), Ordering::Relaxed);
        }
    }

    /// What went on beneath the state before this one goes on with it.
    pub fn goes_on_from(&self, older: &Self) {
        self.see(older.seen_at());
        self.not_before.fetch_max(older.not_before.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// How much the player of a player session is there.
    pub fn presence(&self, now: u64) -> Option<PresenceName> {
        let Body::Player(presence) = &self.body else { return None };
        Some(if self.status.is_end() {
            PresenceName::Offline
        } else if now + u64::from(presence.reconnect_ms) <= self.end_of(self.seen_at()) {
            PresenceName::Online
        } else {
            PresenceName::Away
        })
    }

    /// Where it has times from after `now`, because the clock was set back since: all of them are now, and what ends at a time of its
    /// own ends that much sooner, so that it lives as long as it would have. By how many milliseconds the latest was ahead.
    pub fn set_back(&mut self, now: u64) -> u64 {
        let latest = self.created_at.max(self.updated_at).max(self.seen_at());
        let latest = self.body.of_type_mut().set_back(latest, now);
        self.created_at = self.created_at.min(now);
        self.updated_at = self.updated_at.min(now);
        *self.seen_at.get_mut() = self.seen_at().min(now);
        latest.saturating_sub(now)
    }

    /// Members of a session that has some.
    pub fn members(&self) -> &[Member] {
        self.body.of_type().members().unwrap_or_default()
    }

    /// Bytes it takes in memory, about.
    pub fn bytes(&self) -> usize {
        let text = |text: &Option<Box<str>>| text.as_deref().map_or(0, str::len);
        let body = self.body.of_type().bytes();
        std::mem::size_of::<Self>() + text(&self.metadata) + text(&self.settings) + text(&self.end_reason) + body
    }

    /// Whether it is the player's affair: as its owner or a member.
    pub fn concerns(&self, player: Uuid) -> bool {
        self.player == player || self.members().iter().any(|member| member.player == player)
    }

    /// As the store keeps it.
    pub fn row(&self, node: &str) -> SessionRow {
        SessionRow {
            id: self.id,
            kind: self.kind(),
            status: self.status,
            player: self.player,
            created_at: self.created_at.cast_signed(),
            updated_at: self.updated_at.cast_signed(),
            ended_at: self.ended_at.map(u64::cast_signed),
            expires_at: self.expires_at().map(u64::cast_signed),
            version: self.version.cast_signed(),
            node: node.to_owned(),
            fight: None,
            metadata: self.metadata.as_deref().map(str::to_owned),
            settings: self.settings.as_deref().map(str::to_owned),
            body: serde_json::to_string(&self.body).expect("a body has no value that JSON refuses"),
            end_reason: self.end_reason.as_deref().map(str::to_owned),
            logs: self.logs.into(),
            epoch: 0,
        }
    }

    /// Who takes part, as the store keeps it.
    pub fn player_rows(&self) -> impl Iterator<Item = PlayerRow> {
        let members = self.members().iter().map(|member| member.player).filter(|&player| player != self.player);
        let row = |player| PlayerRow { session: self.id, player, kind: self.kind(), status: self.status, fight: None };
        std::iter::once(self.player).chain(members).map(row)
    }

    /// As the store kept it, last seen at `now` where the store does not say.
    pub fn of(row: SessionRow, now: u64) -> Result<Self, StoreError> {
        let unreadable = |what: &dyn std::fmt::Display| StoreError::Unreadable(format!("session {}: {what}", row.id));
        let body: Body = serde_json::from_str(&row.body).map_err(|error| unreadable(&error))?;
        let seen_at = body.of_type().seen_at().unwrap_or(now);
        Ok(Self {
            id: row.id,
            status: row.status,
            player: row.player,
            created_at: row.created_at.cast_unsigned(),
            updated_at: row.updated_at.cast_unsigned(),
            ended_at: row.ended_at.map(i64::cast_unsigned),
            version: row.version.cast_unsigned(),
            logs: u32::try_from(row.logs).map_err(|error| unreadable(&error))?,
            metadata: row.metadata.map(Into::into),
            settings: row.settings.map(Into::into),
            end_reason: row.end_reason.map(Into::into),
            body,
            seen_at: AtomicU64::new(seen_at),
            not_before: AtomicU64::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{PresenceName, Record};
    use crate::records::{Body, Login, Member, Presence, Room};
    use smallvec::smallvec;
    use uuid::Uuid;

    fn bodies() -> [Body; 3] {
        let member = Member { player: Uuid::from_u128(2), joined_at: 7 };
        [
            Body::Player(Presence { heartbeat_ms: 10, reconnect_ms: 100 }),
            Body::Auth(Box::new(Login {
                idle_ms: 50,
                absolute_at: 1_080,
                scope: "play".into(),
                generation: 3,
                seen_at: 1_000,
            })),
            Body::Custom(Box::new(Room {
                ttl_ms: 60,
                max_members: 4,
                members: smallvec![member],
                state: r#"{"a":1}"#.into(),
            })),
        ]
    }

    #[test]
    fn a_row_comes_back_as_it_went() {
        for body in bodies() {
            let mut record = Record::new(Uuid::now_v7(), Uuid::from_u128(1), body, 1_000);
            record.metadata = Some(r#"{"level":3}"#.into());
            record.version = 5;
            let row = record.row("a");
            let back = Record::of(row.clone(), 1_000).unwrap();
            assert_eq!(back.row("a"), row);
            assert_eq!(back.body, record.body);
            assert_eq!(back.expires_at(), record.expires_at());
        }
    }

    #[test]
    fn times_from_after_the_clock_are_now_and_a_login_lives_no_longer_for_them() {
        const HOUR: u64 = 3_600_000;
        for (ahead, now) in [(0, HOUR), (1, HOUR), (HOUR, 2 * HOUR), (24 * HOUR, 25 * HOUR)] {
            let [player, auth, custom] = bodies().map(|mut body| {
                if let Body::Auth(login) = &mut body {
                    (login.seen_at, login.absolute_at) = (now + ahead, now + ahead + 80);
                }
                if let Body::Custom(room) = &mut body {
                    room.members[0].joined_at = now + ahead;
                }
                let row = Record::new(Uuid::nil(), Uuid::nil(), body, now + ahead).row("a");
                let mut record = Record::of(row, now).unwrap();
                assert_eq!(record.set_back(now), ahead);
                assert_eq!(record.set_back(now), 0, "once");
                assert!(record.created_at <= now && record.updated_at <= now && record.seen_at() <= now);
                record
            });
            assert_eq!([&player, &auth, &custom].map(|r| r.expires_at().unwrap() - now), [120, 50, 60]);
            auth.see(now + 50);
            assert_eq!(auth.expires_at(), Some(now + 80), "its absolute end came nearer with it");
            player.see(now + 10);
            assert_eq!(player.expires_at(), Some(now + 130), "a heartbeat counts");
            assert_eq!(custom.members()[0].joined_at, now);
        }
    }

    #[test]
    fn signs_of_life_put_the_end_off() {
        let [player, auth, custom] = bodies().map(|body| Record::new(Uuid::nil(), Uuid::nil(), body, 1_000));
        assert_eq!([&player, &auth, &custom].map(Record::expires_at), [Some(1_120), Some(1_050), Some(1_060)]);
        player.see(1_010);
        auth.see(1_040);
        assert_eq!(player.expires_at(), Some(1_130));
        assert_eq!(auth.expires_at(), Some(1_080), "but not beyond its absolute end");
        assert_eq!(player.presence(1_030), Some(PresenceName::Online));
        assert_eq!(player.presence(1_031), Some(PresenceName::Away));
        player.see(1_000);
        assert_eq!(player.seen_at(), 1_010, "time does not go back");
    }
}
