//! One bot: a connection, a mind, and what it has seen.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tiltyard_client::{Client, Error, Rest, Update};
use tiltyard_protocol::server::{Event, Outcome, Refused};
use tiltyard_protocol::{Encoding, View};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use super::mind::{Deed, Mind};
use super::scene::Scene;
use crate::rng::Rng;
use crate::words::as_told;

/// From one decision to the next, at least; and how much longer it may take.
const THINK_MS: u64 = 110;
const WHIM_MS: u64 = 90;

/// What a bot has seen of a fight when it was over.
#[derive(Debug, Clone)]
pub struct Played {
    pub slot: u8,
    pub outcome: Outcome,
    pub deltas: u64,
    /// What it did that was taken, and what was refused by reason.
    pub taken: u64,
    pub refused: BTreeMap<String, u64>,
    /// What happened, by kind.
    pub events: BTreeMap<&'static str, u64>,
}

/// Where a bot gets what its connection goes on by.
#[derive(Debug, Clone)]
pub enum Wallet {
    /// Its own token, a guest's.
    Guest { rest: Rest, token: String },
    /// A ticket, with the token of the service that takes one for it.
    Service { rest: Rest, token: String, player: Uuid },
}

/// A bot that has joined a fight.
#[derive(Debug)]
pub struct Bot {
    client: Client,
    session: Uuid,
    wallet: Wallet,
    /// The server wants a new token.
    expiring: bool,
    mind: Mind,
    rng: Rng,
    /// What it was told last of the session's time, and when.
    time: (u64, Instant),
    /// What it has done and was not answered yet.
    waits: Option<(u64, Deed)>,
    deltas: u64,
    taken: u64,
    refused: BTreeMap<String, u64>,
    events: BTreeMap<&'static str, u64>,
}

impl Bot {
    /// Opens a socket at `url`, which has a ticket in it, and joins.
    pub async fn join(url: &str, session: Uuid, wallet: Wallet, encoding: Encoding, seed: u64) -> Result<Self> {
        let mut client = Client::connect(url, encoding).await.context("open a socket")?;
        client.join(session).await?;
        let mut bot = Self {
            client,
            session,
            wallet,
            expiring: false,
            mind: Mind::new(seed),
            rng: Rng::new(seed ^ 0x5EED),
            time: (0, Instant::now()),
            waits: None,
            deltas: 0,
            taken: 0,
            refused: BTreeMap::new(),
            events: BTreeMap::new(),
        };
        while !matches!(bot.next().await?, Update::Snapshot) {}
        Ok(bot)
    }

    /// Plays to the result. Fails where the view is not the server's: every digest is compared, and at the end the view
    /// that was built of deltas with a snapshot.
    pub async fn play(mut self) -> Result<Played> {
        let mut think_at = Instant::now();
        let outcome = loop {
            tokio::select! {
                update = self.next() => {
                    if let Some(outcome) = self.hear(update?)? {
                        break outcome;
                    }
                    if std::mem::take(&mut self.expiring) {
                        self.renew().await?;
                    }
                }
                () = sleep_until(think_at) => {
                    self.act().await?;
                    think_at = Instant::now() + Duration::from_millis(THINK_MS + self.rng.below(WHIM_MS));
                }
            }
        };
        self.compare().await?;
        let slot = self.client.slot().context("no longer joined")?;
        let Self { deltas, taken, refused, events, .. } = self;
        Ok(Played { slot, outcome, deltas, taken, refused, events })
    }

    async fn next(&mut self) -> Result<Update> {
        let update = self.client.next().await?.context("the server closed the connection")?;
        if let Some(at) = self.client.at()
            && (at > self.now() || self.time.0 == 0)
        {
            self.time = (at, Instant::now());
        }
        Ok(update)
    }

    /// Session time, as far as it is known: between two messages the bot's own clock runs on.
    fn now(&self) -> u64 {
        let elapsed = u64::try_from(self.time.1.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.time.0.saturating_add(elapsed)
    }

    /// The result, when that is what was heard.
    fn hear(&mut self, update: Update) -> Result<Option<Outcome>> {
        match update {
            Update::Result(outcome) => return Ok(Some(outcome)),
            Update::Delta(events) => self.count(&events),
            Update::Ack(ack) => {
                if self.answered(ack.id).is_some() {
                    self.taken += 1;
                }
            }
            Update::Refused(refused) => self.was_refused(&refused),
            Update::Forgotten(forgotten) => {
                self.answered(forgotten.id);
            }
            Update::Left(why) => bail!("the server says that the bot left: {}", as_told(&why)),
            Update::Expiring(_) => self.expiring = true,
            // The last four are not a fight's, and do not come in one.
            Update::Joined(_)
            | Update::Snapshot
            | Update::Pong(_)
            | Update::Renewed(_)
            | Update::State(_)
            | Update::Relayed(_)
            | Update::Missed(_)
            | Update::Presence(_) => {}
        }
        Ok(None)
    }

    /// Gets what the server asks for, and hands it in.
    async fn renew(&mut self) -> Result<()> {
        match &mut self.wallet {
            Wallet::Guest { rest, token } => {
                *token = rest.guest_again(token).await.context("a guest's next token")?.token;
                self.client.renew(token).await?;
            }
            Wallet::Service { rest, token, player } => {
                let ticket = rest.ticket(token, self.session, *player).await.context("a player's next ticket")?;
                self.client.renew_by_ticket(&ticket.ticket).await?;
            }
        }
        Ok(())
    }

    fn count(&mut self, events: &[Event]) {
        self.deltas += 1;
        for event in events {
            *self.events.entry(event.k.name()).or_default() += 1;
        }
    }

    fn was_refused(&mut self, refused: &Refused) {
        *self.refused.entry(refused.reason.to_string()).or_default() += 1;
        let Some(deed) = self.answered(refused.id) else { return };
        let now = self.now();
        if let (Some(rules), Some(slot)) = (self.client.rules(), self.client.slot()) {
            let scene = Scene { rules, view: self.client.view(), slot, now };
            self.mind.refused(deed, refused.reason, refused.retry_ms, &scene);
        }
    }

    fn answered(&mut self, id: u64) -> Option<Deed> {
        self.waits.take_if(|(waits, _)| *waits == id).map(|(_, deed)| deed)
    }

    async fn act(&mut self) -> Result<()> {
        let now = self.now();
        let (Some(rules), Some(slot)) = (self.client.rules(), self.client.slot()) else { return Ok(()) };
        let scene = Scene { rules, view: self.client.view(), slot, now };
        if scene.waits_for_ready() {
            self.client.ready().await?;
        } else if self.waits.is_none()
            && let Some(deed) = self.mind.decide(&scene)
        {
            let id = self.client.act(deed).await?;
            self.waits = Some((id, deed));
        }
        Ok(())
    }

    /// Compares the view that was built of deltas with a snapshot of the server.
    async fn compare(&mut self) -> Result<()> {
        self.client.join(self.session).await?;
        loop {
            let (seq, view): (u64, View) = (self.client.seq(), self.client.view().clone());
            match self.next().await {
                Ok(Update::Snapshot) => {
                    if self.client.seq() == seq {
                        ensure!(*self.client.view() == view, "the view at {seq} is not the server's");
                    }
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) => match error.downcast_ref::<Error>() {
                    // It is over, and the server has forgotten it already.
                    Some(Error::Closed { .. } | Error::Notice { .. }) => return Ok(()),
                    _ => return Err(error),
                },
            }
        }
    }
}
