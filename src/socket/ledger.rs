//! What the server remembers of a player between two connections: how many there are, what the last ones still owe, and how
//! often one of them was closed for a flood. A new connection is no new budget. Looked at when a connection begins and ends,
//! never in between.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::limits;

/// The players with something to remember.
#[derive(Debug)]
pub struct Ledger {
    accounts: Mutex<Accounts>,
    started: Instant,
}

/// One of the connections a player may have; it is given back when this is dropped.
#[derive(Debug)]
pub struct Pass {
    ledger: Arc<Ledger>,
    player: Uuid,
    /// What connections before this one still owe, until it is taken over.
    debt: Duration,
}

/// Why a player gets no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// It has as many as it may have.
    TooMany,
    /// It was closed for a flood, or owes all that a connection may send at once.
    Flooded { wait: Duration },
}

impl Ledger {
    /// Nobody has a connection. `burst` is what one may send at once, as the time in which it may come again.
    pub fn new(burst: Duration) -> Arc<Self> {
        let accounts = Accounts { burst, ..Accounts::default() };
        Arc::new(Self { accounts: Mutex::new(accounts), started: Instant::now() })
    }

    /// A connection for `player`, if it may have one.
    pub fn admit(self: &Arc<Self>, player: Uuid) -> Result<Pass, Turned> {
        let debt = self.accounts().open(player, self.started.elapsed())?;
        Ok(Pass { ledger: Arc::clone(self), player, debt })
    }

    /// Forgets what is over; every few seconds.
    pub fn forget(&self) {
        let now = self.started.elapsed();
        self.accounts().forget(now);
    }

    /// Held for a few lookups; by [`Ledger::forget`] for as long as it takes to walk all.
    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// Takes over what connections before this one still owe.
    pub fn take_debt(&mut self) -> Duration {
        std::mem::take(&mut self.debt)
    }

    /// The connection ends with this to pay off: the player's next one does.
    pub fn owe(&self, debt: Duration) {
        if debt > Duration::ZERO {
            let now = self.ledger.started.elapsed();
            self.ledger.accounts().owe(self.player, debt, now);
        }
    }

    /// The connection is closed for a flood.
    pub fn strike(&self) {
        let now = self.ledger.started.elapsed();
        self.ledger.accounts().strike(self.player, now);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        // Of a connection that never came about.
        self.owe(self.debt);
        let now = self.ledger.started.elapsed();
        self.ledger.accounts().close(self.player, now);
    }
}

/// Times are durations since the ledger was begun.
#[derive(Debug, Default)]
struct Accounts {
    players: HashMap<Uuid, Account>,
    burst: Duration,
}

/// What is known of nearly every player is how many connections it has: the rest has a place of its own, where there is any.
#[derive(Debug, Default)]
struct Account {
    /// Connections there are.
    open: u16,
    past: Option<Box<Past>>,
}

/// What ended connections have left behind.
#[derive(Debug, Default)]
struct Past {
    /// When what they owe is paid off.
    debt_until: Duration,
    /// No connection before that.
    barred_until: Duration,
    /// Connections closed for a flood, as long as that is remembered.
    strikes: u32,
    strikes_until: Duration,
}

impl Account {
    fn is_over(&self, now: Duration) -> bool {
        self.open == 0 && self.past.as_ref().is_none_or(|past| past.is_over(now))
    }
}

impl Past {
    fn is_over(&self, now: Duration) -> bool {
        self.debt_until.max(self.strikes_until) <= now
    }

    /// How long no connection may be had yet, where debts of `burst` and more keep from it.
    fn wait(&self, now: Duration, burst: Duration) -> Duration {
        let debt = self.debt_until.saturating_sub(now);
        let broke =
            if debt > Duration::ZERO && debt >= burst { debt.saturating_sub(burst / 2) } else { Duration::ZERO };
        self.barred_until.saturating_sub(now).max(broke)
    }
}

impl Accounts {
    /// Counts a connection; what is still owed becomes its own.
    fn open(&mut self, player: Uuid, now: Duration) -> Result<Duration, Turned> {
        let account = self.players.entry(player).or_default();
        let wait = account.past.as_ref().map_or(Duration::ZERO, |past| past.wait(now, self.burst));
        if wait > Duration::ZERO {
            return Err(Turned::Flooded { wait });
        }
        if usize::from(account.open) >= limits::CONNECTIONS_PER_PLAYER {
            return Err(Turned::TooMany);
        }
        account.open += 1;
        let Some(past) = &mut account.past else { return Ok(Duration::ZERO) };
        let debt = past.debt_until.saturating_sub(now);
        past.debt_until = now;
        account.past.take_if(|past| past.is_over(now));
        Ok(debt)
    }

    fn owe(&mut self, player: Uuid, debt: Duration, now: Duration) {
        if let Some(account) = self.players.get_mut(&player) {
            let past = account.past.get_or_insert_default();
            past.debt_until = past.debt_until.max(now).saturating_add(debt);
        }
    }

    fn strike(&mut self, player: Uuid, now: Duration) {
        let Some(account) = self.players.get_mut(&player) else { return };
        let past = account.past.get_or_insert_default();
        if past.strikes_until <= now {
            past.strikes = 0;
        }
        let doubled = limits::FLOOD_BAR_MS << past.strikes.min(16);
        past.strikes += 1;
        past.strikes_until = now + Duration::from_millis(limits::FLOOD_REMEMBERED_MS);
        past.barred_until = now + Duration::from_millis(doubled.min(limits::FLOOD_BAR_MOST_MS));
    }

    fn close(&mut self, player: Uuid, now: Duration) {
        let Some(account) = self.players.get_mut(&player) else { return };
        account.open -= 1;
        // Connections have a bound, and players with none left have another.
        if account.is_over(now) || self.players.len() > limits::PLAYERS_REMEMBERED && self.players[&player].open == 0 {
            self.players.remove(&player);
        }
    }

    fn forget(&mut self, now: Duration) {
        self.players.retain(|_, account| !account.is_over(now));
        let wanted = self.players.len() * 2;
        self.players.shrink_to(wanted);
    }
}

#[cfg(test)]
mod tests {
    use super::{Accounts, Ledger, Turned};
    use crate::limits;
    use std::time::Duration;
    use uuid::Uuid;

    const PLAYER: Uuid = Uuid::from_u128(1);
    const BURST: Duration = Duration::from_secs(2);

    fn accounts() -> Accounts {
        Accounts { burst: BURST, ..Accounts::default() }
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_player_has_so_many_and_what_is_dropped_makes_room() {
        let ledger = Ledger::new(BURST);
        let mut passes: Vec<_> = (0..limits::CONNECTIONS_PER_PLAYER).map(|_| ledger.admit(PLAYER).unwrap()).collect();
        assert_eq!(ledger.admit(PLAYER).unwrap_err(), Turned::TooMany);
        let other = ledger.admit(Uuid::from_u128(2)).unwrap();
        passes.pop();
        passes.push(ledger.admit(PLAYER).unwrap());
        assert_eq!(ledger.admit(PLAYER).unwrap_err(), Turned::TooMany);
        drop((passes, other));
        assert!(ledger.accounts().players.is_empty(), "nothing is left to remember");
    }

    #[test]
    fn debts_add_up_and_the_next_connection_takes_them_over_once() {
        let mut accounts = accounts();
        for _ in 0..3 {
            accounts.open(PLAYER, at(0)).unwrap();
        }
        for _ in 0..2 {
            accounts.owe(PLAYER, at(900), at(0));
            accounts.close(PLAYER, at(0));
        }
        assert_eq!(accounts.open(PLAYER, at(300)), Ok(at(1_500)));
        assert_eq!(accounts.open(PLAYER, at(300)), Ok(at(0)));
        accounts.owe(PLAYER, at(2_500), at(300));
        assert_eq!(accounts.open(PLAYER, at(300)), Err(Turned::Flooded { wait: at(1_500) }));
        assert_eq!(accounts.open(PLAYER, at(1_800)), Ok(at(1_000)));
    }

    #[test]
    fn a_connection_that_never_comes_about_leaves_the_debt_where_it_was() {
        let ledger = Ledger::new(Duration::from_hours(2));
        ledger.admit(PLAYER).unwrap().owe(Duration::from_hours(1));
        drop(ledger.admit(PLAYER).unwrap());
        let mut pass = ledger.admit(PLAYER).unwrap();
        assert!(pass.take_debt() > Duration::from_mins(59));
        assert_eq!(pass.take_debt(), Duration::ZERO);
        drop(pass);
        assert!(ledger.accounts().players.is_empty());
    }

    #[test]
    fn each_flood_shuts_the_player_out_for_longer_until_it_is_forgotten() {
        let mut accounts = accounts();
        let mut now = at(0);
        let mut bars = Vec::new();
        for _ in 0..10 {
            accounts.open(PLAYER, now).unwrap();
            accounts.strike(PLAYER, now);
            accounts.close(PLAYER, now);
            let Err(Turned::Flooded { wait }) = accounts.open(PLAYER, now) else { panic!("let in") };
            bars.push(u64::try_from(wait.as_millis()).unwrap());
            now += wait;
        }
        assert_eq!(bars[..3], [1, 2, 4].map(|times| times * limits::FLOOD_BAR_MS));
        assert_eq!(bars[9], limits::FLOOD_BAR_MOST_MS);
        now += at(limits::FLOOD_REMEMBERED_MS);
        accounts.forget(now);
        assert!(accounts.players.is_empty());
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut accounts = accounts();
        for player in 0..limits::PLAYERS_REMEMBERED as u128 + 10 {
            let player = Uuid::from_u128(player);
            accounts.open(player, at(0)).unwrap();
            accounts.strike(player, at(0));
            accounts.close(player, at(0));
        }
        assert!(accounts.players.len() <= limits::PLAYERS_REMEMBERED);
    }
}
