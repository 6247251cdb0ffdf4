//! A connection lives as long as the token it came with. Before that ends the client is asked for a new one, which is checked
//! by others than this thread; at the end the connection is closed, and its sessions hear of it as of any that is lost.

use tiltyard_protocol::client::Renew;
use tiltyard_protocol::server::{ErrorNotice, Expiring, Renewed};
use tiltyard_protocol::{About, Reason, ServerMessage};
use uuid::Uuid;

use super::connection::{ConnKey, State};
use super::worker::Worker;
use crate::limits;
use crate::shard::{Asked, Credential, Renewal};

/// How long a connection's credentials are good for, in the shard's time.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    until: u64,
    /// When the client is asked for new ones; never again once it was.
    ask_at: u64,
    /// What the hand-ins up to now have used up.
    used_until: u64,
    /// Some that were handed in are being checked.
    checking: bool,
}

impl Lease {
    /// Of credentials that have `left_ms` left.
    pub fn new(left_ms: u64, now: u64) -> Self {
        let mut lease = Self { until: 0, ask_at: 0, used_until: 0, checking: false };
        lease.begin(left_ms, now);
        lease
    }

    fn begin(&mut self, left_ms: u64, now: u64) {
        self.until = now.saturating_add(left_ms);
        self.ask_at = self.until - limits::TOKEN_ASK_MS.min(left_ms / 2);
    }

    /// Whether the credentials are good no more.
    pub const fn has_ended(&self, now: u64) -> bool {
        self.until <= now
    }

    /// Whether some that were handed in are being checked.
    pub const fn is_checking(&self) -> bool {
        self.checking
    }

    /// They are looked at by another clock from now on, which says `to` when that of before says `from`.
    pub fn move_clock(&mut self, from: u64, to: u64) {
        for at in [&mut self.until, &mut self.ask_at, &mut self.used_until] {
            *at = if *at == u64::MAX { *at } else { at.saturating_add(to).saturating_sub(from) };
        }
    }

    /// When there is something to do about them.
    pub fn due(&self) -> u64 {
        self.ask_at.min(self.until)
    }

    /// Whether new ones may be handed in, or in how many milliseconds they may.
    fn hand_in(&mut self, now: u64) -> Result<(), u64> {
        if self.checking {
            return Err(limits::RENEW_EVERY_MS);
        }
        let from = self.used_until.saturating_sub((limits::RENEW_BURST - 1) * limits::RENEW_EVERY_MS);
        if from > now {
            return Err(from - now);
        }
        self.used_until = self.used_until.max(now) + limits::RENEW_EVERY_MS;
        self.checking = true;
        Ok(())
    }
}

impl Worker {
    /// Asks a client for a new token where it is time to. Answers when there is something to do again.
    pub(super) fn ask_for_token(&mut self, key: ConnKey) -> u64 {
        let now = self.clock.now;
        let Some(connection) = self.connections.get_mut(key) else { return u64::MAX };
        let lease = &mut connection.lease;
        if lease.ask_at > now {
            return lease.due();
        }
        lease.ask_at = u64::MAX;
        let Lease { until, .. } = *lease;
        self.tell(key, &ServerMessage::Expiring(Expiring { left_ms: until.saturating_sub(now) }));
        until
    }

    /// A client hands in new credentials: they are checked elsewhere, and [`Worker::renewed`] hears of it.
    pub(super) fn renew(&mut self, key: ConnKey, renew: Renew) {
        let credential = match (renew.token, renew.ticket) {
            (Some(token), None) => Credential::Token(token),
            (None, Some(ticket)) => Credential::Ticket(ticket),
            _ => {
                let about = About::of("renew", None);
                return self.misunderstood(
                    key,
                    about,
                    Reason::BadFields,
                    "token, ticket: exactly one of them is needed",
                );
            }
        };
        let Some(connection) = self.connections.get_mut(key) else { return };
        if let Err(retry_ms) = connection.lease.hand_in(self.clock.now) {
            return self.refuse_renewal(key, Reason::TooManyRequests, u32::try_from(retry_ms).ok());
        }
        let (player, only) = (connection.player, connection.only);
        let here = connection.joins.iter().filter_map(|join| Some(self.sessions.get(join.session)?.id));
        let elsewhere = connection.links.iter().flat_map(|links| links.iter()).map(|link| link.session);
        let rooms = connection.stays.iter().map(|stay| stay.session);
        let joined = here.chain(rooms).chain(elsewhere).collect();
        if !self.renewals.send(Asked { shard: self.number, connection: key, player, only, joined, credential }) {
            self.renewed(key, Err(Reason::Overloaded));
        }
    }

    /// New credentials have been checked: from now on the connection lives by them.
    pub(super) fn renewed(&mut self, key: ConnKey, checked: Result<Renewal, Reason>) {
        let now = self.clock.now;
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.lease.checking = false;
        if connection.state != State::Open {
            return;
        }
        // It may have joined another session since.
        let is_of = |session: Uuid| {
            let joined = connection.joins.iter().filter_map(|join| self.sessions.get(join.session));
            let elsewhere = connection.links.iter().flat_map(|links| links.iter()).map(|link| link.session);
            let rooms = connection.stays.iter().map(|stay| stay.session);
            joined.map(|joined| joined.id).chain(rooms).chain(elsewhere).all(|id| id == session)
        };
        let checked = checked.and_then(|renewal| match renewal.only {
            Some(only) if !is_of(only) => Err(Reason::Forbidden),
            _ => Ok(renewal),
        });
        let Renewal { sid, expires_at, only, writes } = match checked {
            Ok(renewal) => renewal,
            Err(reason) => {
                let again = reason == Reason::Overloaded;
                return self.refuse_renewal(key, reason, again.then_some(1_000));
            }
        };
        let left_ms = expires_at.saturating_sub(self.clock.wall);
        connection.lease.begin(left_ms, now);
        connection.only = connection.only.or(only);
        connection.writes = writes;
        let (old, due) = (std::mem::replace(&mut connection.sid, sid), connection.lease.due());
        if old != sid {
            old.inspect(|&old| self.by_sid.remove(old, key));
            sid.inspect(|&sid| self.by_sid.add(sid, key));
        }
        self.stats.renewed += 1;
        self.wake(key, due);
        self.tell(key, &ServerMessage::Renewed(Renewed { left_ms }));
    }

    fn refuse_renewal(&mut self, key: ConnKey, reason: Reason, retry_ms: Option<u32>) {
        self.stats.renewals_refused += 1;
        let notice = ErrorNotice::new(About::of("renew", None), reason);
        self.tell(key, &ServerMessage::Error(ErrorNotice { retry_ms, ..notice }));
    }
}

#[cfg(test)]
mod tests {
    use super::Lease;
    use crate::limits;

    #[test]
    fn asks_a_minute_before_the_end_or_at_half_of_what_is_left() {
        for (left, asks) in [(0, 0), (2_000, 1_000), (100_000, 50_000), (900_000, 840_000)] {
            let lease = Lease::new(left, 500);
            assert_eq!(lease.due(), 500 + asks, "{left}");
            assert!(!lease.has_ended(499 + left) && lease.has_ended(500 + left));
        }
        let endless = Lease::new(u64::MAX, 500);
        assert!(!endless.has_ended(u64::MAX / 2));
    }

    #[test]
    fn hand_ins_are_one_after_the_other_and_not_too_many() {
        let (mut lease, now) = (Lease::new(60_000, 0), 5_000);
        assert_eq!(lease.hand_in(now), Ok(()));
        assert_eq!(lease.hand_in(now), Err(limits::RENEW_EVERY_MS), "the first is being checked");
        for _ in 1..limits::RENEW_BURST {
            lease.checking = false;
            assert_eq!(lease.hand_in(now), Ok(()));
        }
        lease.checking = false;
        assert_eq!(lease.hand_in(now), Err(limits::RENEW_EVERY_MS));
        assert_eq!(lease.hand_in(now + limits::RENEW_EVERY_MS), Ok(()));
    }
}
