//! Tickets: each admits one player to one session over the WebSocket, once. The signed ticket says to what; the table of
//! those not yet used ([`super::outstanding`]) says that it has not been used. A restart forgets the table, and with it every ticket.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::digest::{self, SHA256};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::outstanding::{GivenUp, Hash, Outstanding, Sponsor};
use super::token::{ISSUER, expiry};
use super::{Operation, Principal, TokenKey};
use crate::limits;

/// `aud` of tickets, unlike that of any token.
const AUDIENCE: &str = "tiltyard:ticket";

/// To what a ticket admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    pub session: Uuid,
    pub player: Uuid,
    /// The auth session of the token the ticket was asked for with, whose end closes the socket.
    pub sid: Option<Uuid>,
    /// When that token ends, and the socket with it: Unix milliseconds of this server's own clock.
    pub expires_at: u64,
    /// It lets its player change sessions that are no fights.
    pub writes: bool,
}

impl Admission {
    /// Of a player to a session, by the token of whoever asks for it.
    pub fn of(caller: &Principal, session: Uuid, player: Uuid, sid: Option<Uuid>) -> Self {
        let writes = caller.may(Operation::PatchState).is_ok();
        Self { session, player, sid, expires_at: caller.ends_at(), writes }
    }
}

/// The tickets that have been minted and not used.
#[derive(Debug)]
pub struct Tickets {
    key: TokenKey,
    waiting: Mutex<Outstanding>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    sid: Uuid,
    /// The auth session; `sid` is the session the ticket admits to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asid: Option<Uuid>,
    /// When the token ends it was asked for with.
    until: u64,
    /// What that lets the player do.
    #[serde(default)]
    writes: bool,
    jti: Uuid,
    exp: u64,
}

/// A ticket whose signature and times are good; [`Tickets::redeem`] says whether it had been used.
#[derive(Debug)]
pub struct Presented {
    pub admission: Admission,
    hash: Hash,
}

impl Tickets {
    /// No tickets yet.
    pub fn new(key: TokenKey) -> Self {
        Self { key, waiting: Mutex::default() }
    }

    /// Mints a ticket that `sponsor` asked for; also says when it expires, and whether another had to be given up for it.
    pub fn mint(&self, admission: Admission, sponsor: Sponsor) -> (String, SystemTime, Option<GivenUp>) {
        let jti = Uuid::new_v4();
        let given_up = self.lock().add(hash(jti), admission.player, sponsor, Instant::now());
        let (exp, expires_at) = expiry(Duration::from_millis(limits::TICKET_MS));
        let Admission { session: sid, player: sub, sid: asid, expires_at: until, writes } = admission;
        let claims =
            Claims { iss: ISSUER.to_owned(), aud: AUDIENCE.to_owned(), sub, sid, asid, until, writes, jti, exp };
        (self.key.sign(&claims), expires_at, given_up)
    }

    /// Reads a ticket without using it.
    pub fn read(&self, ticket: &str) -> Option<Presented> {
        let claims: Claims = self.key.check(ticket, &[AUDIENCE])?;
        let admission = Admission {
            session: claims.sid,
            player: claims.sub,
            sid: claims.asid,
            expires_at: claims.until,
            writes: claims.writes,
        };
        Some(Presented { admission, hash: hash(claims.jti) })
    }

    /// Uses a ticket. Of many at once exactly one gets `true`.
    pub fn redeem(&self, ticket: &Presented) -> bool {
        self.lock().take(&ticket.hash, Instant::now())
    }

    /// Tickets not used and not forgotten.
    pub fn waiting(&self) -> usize {
        self.lock().count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Outstanding> {
        // Nothing panics while it is held, and a half-done change would only lose a ticket.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(jti: Uuid) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&SHA256, jti.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::{Admission, Sponsor, Tickets};
    use crate::auth::{Audience, Grantee, Scope, TokenKey};
    use std::sync::Arc;
    use std::time::Duration;
    use uuid::Uuid;

    fn key() -> TokenKey {
        TokenKey::from_secret(b"0123456789abcdef0123456789abcdef")
    }

    fn mint(tickets: &Tickets, admission: Admission) -> String {
        tickets.mint(admission, Sponsor::Named("service:test".to_owned())).0
    }

    fn admission() -> Admission {
        Admission { session: Uuid::now_v7(), player: Uuid::now_v7(), sid: None, expires_at: 7, writes: true }
    }

    #[test]
    fn admits_once_and_to_what_it_says() {
        let tickets = Tickets::new(key());
        let admission = Admission { sid: Some(Uuid::now_v7()), ..admission() };
        let ticket = mint(&tickets, admission);
        let presented = tickets.read(&ticket).unwrap();
        assert_eq!(presented.admission, admission);
        assert!(tickets.redeem(&presented));
        assert!(!tickets.redeem(&tickets.read(&ticket).unwrap()));
    }

    #[test]
    fn of_fifty_at_once_one_is_admitted() {
        let tickets = Arc::new(Tickets::new(key()));
        let ticket = mint(&tickets, admission());
        let threads: Vec<_> = (0..50)
            .map(|_| {
                let (tickets, ticket) = (Arc::clone(&tickets), ticket.clone());
                std::thread::spawn(move || tickets.redeem(&tickets.read(&ticket).unwrap()))
            })
            .collect();
        assert_eq!(threads.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count(), 1);
    }

    #[test]
    fn tokens_and_tickets_are_not_each_other() {
        let tickets = Tickets::new(key());
        let ticket = mint(&tickets, admission());
        assert_eq!(key().verify(&ticket), None);
        let subject = Uuid::now_v7().to_string();
        let player =
            Grantee { audience: Audience::Player, subject, scopes: vec![Scope::Play], guest: false, sid: None };
        let (token, _) = key().mint(&player, Duration::from_mins(1));
        assert!(tickets.read(&token).is_none());
        let foreign = mint(&Tickets::new(TokenKey::from_secret(&[7; 32])), admission());
        assert!(tickets.read(&foreign).is_none());
        let of_another_run = mint(&Tickets::new(key()), admission());
        assert!(!tickets.redeem(&tickets.read(&of_another_run).unwrap()));
    }
}
