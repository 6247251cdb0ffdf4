//! Tickets: each admits one player to one session over the WebSocket, once. The signed ticket says to what; the table of
//! those not yet used says that it has not been used. A restart forgets the table, and with it every ticket.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::digest::{self, SHA256};
use serde::{Deserialize, Serialize};
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::TokenKey;
use super::token::{ISSUER, expiry};
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
}

/// The tickets that have been minted and not used.
#[derive(Debug)]
pub struct Tickets {
    key: TokenKey,
    waiting: Mutex<Waiting>,
}

/// Every ticket is good for the same time, so the queue is in order of expiry.
#[derive(Debug, Default)]
struct Waiting {
    by_hash: HashMap<Hash, Instant>,
    oldest_first: VecDeque<(Instant, Hash)>,
}

/// Of the ticket's `jti`: what is in memory admits nobody.
type Hash = [u8; 32];

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    sid: Uuid,
    /// The auth session; `sid` is the session the ticket admits to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asid: Option<Uuid>,
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

    /// Mints a ticket; also says when it expires.
    pub fn mint(&self, admission: Admission) -> Result<(String, SystemTime), Reason> {
        let jti = Uuid::new_v4();
        self.lock().add(hash(jti), Instant::now())?;
        let (exp, expires_at) = expiry(Duration::from_millis(limits::TICKET_MS));
        let Admission { session: sid, player: sub, sid: asid } = admission;
        let claims = Claims { iss: ISSUER.to_owned(), aud: AUDIENCE.to_owned(), sub, sid, asid, jti, exp };
        Ok((self.key.sign(&claims), expires_at))
    }

    /// Reads a ticket without using it.
    pub fn read(&self, ticket: &str) -> Option<Presented> {
        let claims: Claims = self.key.check(ticket, &[AUDIENCE])?;
        let admission = Admission { session: claims.sid, player: claims.sub, sid: claims.asid };
        Some(Presented { admission, hash: hash(claims.jti) })
    }

    /// Uses a ticket. Of many at once exactly one gets `true`.
    pub fn redeem(&self, ticket: &Presented) -> bool {
        self.lock().take(&ticket.hash, Instant::now())
    }

    /// Tickets not used and not forgotten.
    pub fn waiting(&self) -> usize {
        self.lock().by_hash.len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        // Nothing panics while it is held, and a half-done change would only lose a ticket.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn add(&mut self, hash: Hash, now: Instant) -> Result<(), Reason> {
        while let Some((until, oldest)) = self.oldest_first.front().copied()
            && (until <= now || !self.by_hash.contains_key(&oldest))
        {
            self.by_hash.remove(&oldest);
            self.oldest_first.pop_front();
        }
        // The queue also holds used ones behind the first that waits: it is what is bounded.
        if self.oldest_first.len() >= limits::TICKETS {
            return Err(Reason::Overloaded);
        }
        let until = now + Duration::from_millis(limits::TICKET_MS);
        self.by_hash.insert(hash, until);
        self.oldest_first.push_back((until, hash));
        Ok(())
    }

    fn take(&mut self, hash: &Hash, now: Instant) -> bool {
        self.by_hash.remove(hash).is_some_and(|until| now < until)
    }
}

fn hash(jti: Uuid) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&SHA256, jti.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::{Admission, Tickets, Waiting, limits};
    use crate::auth::{Audience, Grantee, Scope, TokenKey};
    use std::sync::Arc;
    use std::time::{Duration, Instant};
    use tiltyard_protocol::Reason;
    use uuid::Uuid;

    fn key() -> TokenKey {
        TokenKey::from_secret(b"0123456789abcdef0123456789abcdef")
    }

    fn admission() -> Admission {
        Admission { session: Uuid::now_v7(), player: Uuid::now_v7(), sid: None }
    }

    #[test]
    fn admits_once_and_to_what_it_says() {
        let tickets = Tickets::new(key());
        let admission = Admission { sid: Some(Uuid::now_v7()), ..admission() };
        let (ticket, _) = tickets.mint(admission).unwrap();
        let presented = tickets.read(&ticket).unwrap();
        assert_eq!(presented.admission, admission);
        assert!(tickets.redeem(&presented));
        assert!(!tickets.redeem(&tickets.read(&ticket).unwrap()));
    }

    #[test]
    fn of_fifty_at_once_one_is_admitted() {
        let tickets = Arc::new(Tickets::new(key()));
        let (ticket, _) = tickets.mint(admission()).unwrap();
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
        let (ticket, _) = tickets.mint(admission()).unwrap();
        assert_eq!(key().verify(&ticket), None);
        let subject = Uuid::now_v7().to_string();
        let player =
            Grantee { audience: Audience::Player, subject, scopes: vec![Scope::Play], guest: false, sid: None };
        let (token, _) = key().mint(&player, Duration::from_mins(1));
        assert!(tickets.read(&token).is_none());
        let (foreign, _) = Tickets::new(TokenKey::from_secret(&[7; 32])).mint(admission()).unwrap();
        assert!(tickets.read(&foreign).is_none());
        let (of_another_run, _) = Tickets::new(key()).mint(admission()).unwrap();
        assert!(!tickets.redeem(&tickets.read(&of_another_run).unwrap()));
    }

    #[test]
    fn expired_ones_are_refused_and_make_room() {
        let mut waiting = Waiting::default();
        let start = Instant::now();
        let name = |n: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_le_bytes());
            hash
        };
        for n in 0..limits::TICKETS {
            waiting.add(name(n), start).unwrap();
        }
        assert_eq!(waiting.add(name(limits::TICKETS), start), Err(Reason::Overloaded));
        assert!(waiting.take(&name(0), start), "a used one makes room");
        waiting.add(name(limits::TICKETS), start).unwrap();
        let later = start + Duration::from_millis(limits::TICKET_MS);
        assert!(!waiting.take(&name(1), later));
        waiting.add(name(0), later).unwrap();
        assert_eq!(waiting.by_hash.len(), 1);
    }
}
