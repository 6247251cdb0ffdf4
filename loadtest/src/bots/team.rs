//! All bots of a fight: into which they go, and what they say of it together.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tiltyard_client::{Rest, Seat};
use tiltyard_protocol::Encoding;
use tiltyard_protocol::server::Outcome;
use uuid::Uuid;

use super::bot::{Bot, Played, Wallet};

/// A kind of fight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Two against each other.
    Duel,
    /// Three against the server's enemies, up to their boss.
    Boss,
    /// Five against five.
    Arena,
}

impl Kind {
    pub const fn players(self) -> usize {
        match self {
            Self::Duel => 2,
            Self::Boss => 3,
            Self::Arena => 10,
        }
    }

    const fn mode(self) -> &'static str {
        match self {
            Self::Duel => "pvp",
            Self::Boss => "pve",
            Self::Arena => "arena",
        }
    }

    /// The sides, as places in the list of players; `None` where the mode says all.
    fn teams(self) -> Option<[Vec<usize>; 2]> {
        (self == Self::Arena).then(|| [(0..5).collect(), (5..10).collect()])
    }

    /// A request for a fight of these players.
    pub fn request(self, players: &[Uuid], ruleset: &str, difficulty: Option<&str>, rules: &Value) -> Value {
        let mut settings = json!({ "ruleset": ruleset, "rules": rules });
        if let Some(teams) = self.teams() {
            let of = |team: &Vec<usize>| team.iter().map(|&place| players[place]).collect::<Vec<_>>();
            settings["teams"] = json!(teams.iter().map(of).collect::<Vec<_>>());
        }
        if let Some(difficulty) = difficulty {
            settings["difficulty"] = json!(difficulty);
        }
        json!({ "mode": self.mode(), "participants": players, "settings": settings })
    }
}

/// Bots that have joined one fight.
#[derive(Debug)]
pub struct Team {
    pub session: Uuid,
    bots: Vec<Bot>,
}

/// What all bots of a fight say of it.
#[derive(Debug, Clone)]
pub struct Report {
    pub session: Uuid,
    /// The same for all of them.
    pub outcome: Outcome,
    pub bots: usize,
    pub deltas: u64,
    pub taken: u64,
    pub refused: BTreeMap<String, u64>,
    pub events: BTreeMap<&'static str, u64>,
}

impl Team {
    /// Creates the fight that `body` asks for, with a service's token, and has a bot join for each of its players. Every
    /// second one speaks `MessagePack`.
    pub async fn create(rest: &Rest, token: &str, players: &[Uuid], body: &Value, seed: u64) -> Result<Self> {
        let created = rest.call(Method::POST, "/combat/sessions", Some(token), Some(body)).await?;
        ensure!(created.status == 201, "the fight was not created: {} {}", created.status, created.body);
        let id = created.body["session_id"].as_str().context("the answer has no session_id")?;
        let session: Uuid = id.parse().context("session_id")?;
        let mut bots = Vec::new();
        for (place, &player) in players.iter().enumerate() {
            let ticket = rest.ticket(token, session, player).await?;
            let wallet = Wallet::Service { rest: rest.clone(), token: token.to_owned(), player };
            bots.push(Bot::join(&ticket.url, session, wallet, encoding(place), seed + place as u64).await?);
        }
        Ok(Self { session, bots })
    }

    /// Plays to the result.
    pub async fn play(self) -> Result<Report> {
        let mut playing = tokio::task::JoinSet::new();
        for bot in self.bots {
            playing.spawn(bot.play());
        }
        let mut all = Vec::new();
        while let Some(played) = playing.join_next().await {
            all.push(played.context("a bot fell over")??);
        }
        report(self.session, &all)
    }
}

/// Takes `count` seats as guests in the next fight of the arena that `wish` asks for (`kind`, `ruleset`, `difficulty`), and has
/// a bot join for each; for filling up the fight of somebody who waits.
pub async fn fill(rest: &Rest, wish: &Value, count: usize, seed: u64) -> Result<Vec<Team>> {
    let mut teams: Vec<Team> = Vec::new();
    for place in 0..count {
        let guest = rest.guest().await?;
        let answer = rest.call(Method::POST, "/arena/seats", Some(&guest.token), Some(wish)).await?;
        ensure!(answer.status.is_success(), "no seat: {} {}", answer.status, answer.body);
        let seat: Seat = serde_json::from_value(answer.body).context("the seat")?;
        let wallet = Wallet::Guest { rest: rest.clone(), token: guest.token };
        let bot = Bot::join(&seat.url, seat.session_id, wallet, encoding(place), seed + place as u64).await?;
        match teams.iter_mut().find(|team| team.session == seat.session_id) {
            Some(team) => team.bots.push(bot),
            None => teams.push(Team { session: seat.session_id, bots: vec![bot] }),
        }
    }
    Ok(teams)
}

fn encoding(place: usize) -> Encoding {
    if place.is_multiple_of(2) { Encoding::Json } else { Encoding::MsgPack }
}

/// What they say together; an error where they were not told the same result.
fn report(session: Uuid, all: &[Played]) -> Result<Report> {
    let first = all.first().context("nobody played")?;
    let mut report = Report {
        session,
        outcome: first.outcome.clone(),
        bots: all.len(),
        deltas: 0,
        taken: 0,
        refused: BTreeMap::new(),
        events: BTreeMap::new(),
    };
    for played in all {
        ensure!(played.outcome == first.outcome, "slot {} was told another result", played.slot);
        report.deltas += played.deltas;
        report.taken += played.taken;
        for (reason, count) in &played.refused {
            *report.refused.entry(reason.clone()).or_default() += count;
        }
        for (&kind, &count) in &played.events {
            // Everybody sees the same fight; whoever saw most of it saw it best.
            let most = report.events.entry(kind).or_default();
            *most = (*most).max(count);
        }
    }
    Ok(report)
}
