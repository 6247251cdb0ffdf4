//! Idempotency keys: a repeated request is one request.
//!
//! The key of a request that creates a session which is no fight is kept in the same transaction as the session. A fight and its
//! actions are in the log and not in the store: there the key is kept before, naming the session, and the answer after.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{self, SHA256};
use tiltyard_protocol::Reason;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Change, Records};
use crate::clock::now_ms;
use crate::limits;
use crate::session::{Kind, Refusal};
use crate::store::{KeyAnswer, KeyRow};

/// The keys of requests that are running. What each has there goes when it ends, which who waits for that sees.
#[derive(Debug, Clone, Default)]
pub struct Keys(Arc<Mutex<HashMap<[u8; 16], watch::Sender<()>>>>);

/// A request with a key that is not known yet, or whose outcome is not.
#[derive(Debug)]
pub struct Begun {
    /// What is known: the session that it was to create or to change, and its answer.
    pub row: KeyRow,
    /// Whether the store has had it before this request.
    pub repeated: bool,
    pub running: Running,
    /// The player whose budget of a day it is kept at the cost of.
    payer: Option<Uuid>,
}

/// Lets go of the key when the request is over, however it ends.
#[derive(Debug)]
pub struct Running {
    keys: Keys,
    hash: [u8; 16],
}

impl Drop for Running {
    fn drop(&mut self) {
        self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.hash);
    }
}

impl Keys {
    /// Begins a request of `caller` for `operation` with `key` and a body of this `fingerprint`; `session` is the one it is
    /// about, or would create. A new key is kept at the cost of `payer`, if that is a player: see [`Begun::spend`].
    pub async fn begin(
        &self,
        records: &Records,
        of: [&str; 3],
        fingerprint: [u8; 16],
        session: Uuid,
        payer: Option<Uuid>,
    ) -> Result<Begun, Refusal> {
        let hash = hash(&of);
        let running = self.run(hash)?;
        if records.is_doubtful_key(hash) {
            // What the store says of it is going to be taken back.
            return Err(Reason::StoreUnavailable.into());
        }
        let known = records.store().key(hash).await?;
        let oldest = now_ms().saturating_sub(limits::KEY_MS).cast_signed();
        match known.filter(|row| row.created_at >= oldest) {
            Some(row) if row.fingerprint != fingerprint => Err(Reason::IdempotencyMismatch.into()),
            Some(row) => Ok(Begun { row, repeated: true, running, payer }),
            None => {
                let row = KeyRow { hash, fingerprint, created_at: now_ms().cast_signed(), session, answer: None };
                Ok(Begun { row, repeated: false, running, payer })
            }
        }
    }

    /// Waits until no request with the key `of` is running.
    pub async fn over(&self, of: [&str; 3]) {
        let running =
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&hash(&of)).map(watch::Sender::subscribe);
        if let Some(mut running) = running {
            // Nothing is ever sent: it ends.
            let _ended = running.changed().await;
        }
    }

    fn run(&self, hash: [u8; 16]) -> Result<Running, Reason> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if running.len() >= limits::KEYS_RUNNING {
            return Err(Reason::Overloaded);
        }
        let Entry::Vacant(place) = running.entry(hash) else { return Err(Reason::IdempotencyRunning) };
        place.insert(watch::Sender::default());
        drop(running);
        Ok(Running { keys: self.clone(), hash })
    }
}

impl Begun {
    /// Takes what a new key costs from the budget of whoever pays for it.
    pub fn spend(&self, records: &Records) -> Result<(), Refusal> {
        match self.payer.filter(|_| !self.repeated) {
            Some(player) => records.book().spend_key(player),
            None => Ok(()),
        }
    }

    /// Keeps the key before the request takes effect.
    pub async fn reserve(&self, records: &Records) -> Result<(), Refusal> {
        records.change(Kind::Combat, Change::Key(Box::new(self.row.clone()))).await.map(|_| ())
    }

    /// Forgets the key that was reserved: the request has had no effect.
    pub async fn abandon(self, records: &Records) {
        if let Err(refusal) = records.change(Kind::Combat, Change::Forget(self.row.hash)).await {
            tracing::warn!(reason = %refusal.reason, "an idempotency key was not forgotten");
        }
        drop(self.running);
    }

    /// Keeps the answer, as far as the store can: the request has taken effect, and its answer leaves in any case.
    pub async fn complete(self, records: &Records, answer: KeyAnswer) {
        if let Some(player) = self.payer {
            let daily = records.book().daily();
            daily.keys.charge(player, answer.body.len() as u64, daily.now());
        }
        let row = KeyRow { answer: Some(answer), ..self.row };
        if let Err(refusal) = records.change(Kind::Combat, Change::Key(Box::new(row))).await {
            tracing::warn!(reason = %refusal.reason, "the answer to a request with an idempotency key was not kept");
        }
        drop(self.running);
    }
}

/// Half of a SHA-256: enough that nobody finds two texts with the same one.
pub fn hash(parts: &[&str]) -> [u8; 16] {
    let mut context = digest::Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    }
    let mut half = [0; 16];
    half.copy_from_slice(&context.finish().as_ref()[..16]);
    half
}
