//! The `bots` command: bots play a fight to its end, on a server of their own or on one that runs, or fill the seats of
//! somebody who waits there.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tiltyard_client::Rest;
use tiltyard_loadtest::bots::{Kind, Report, Team, fill};
use uuid::Uuid;

use crate::cli::{BotsArgs, Scenario};
use crate::hub::Hub;

pub fn command(args: &BotsArgs) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let Some(url) = &args.url {
        return runtime.block_on(join(args, &Rest::new(url)));
    }
    let hub = Hub::new(args.server_bin.as_deref().context("neither --url nor --server-bin")?, None)?;
    let server = hub.start()?;
    let (rest, token) = (Rest::new(&format!("http://{}", server.base.address)), hub.token()?);
    for round in 0..args.repeat {
        let report = runtime.block_on(play(args, &rest, &token, args.seed + u64::from(round) * 1000))?;
        print(&report);
    }
    Ok(ExitCode::SUCCESS)
}

/// A fight of bots alone.
async fn play(args: &BotsArgs, rest: &Rest, token: &str, seed: u64) -> Result<Report> {
    let kind = match args.scenario {
        Scenario::Duel => Kind::Duel,
        Scenario::Boss => Kind::Boss,
        Scenario::Arena5v5 => Kind::Arena,
    };
    let players: Vec<Uuid> = (0..kind.players()).map(|_| Uuid::new_v4()).collect();
    let mut rules = json!({ "preparation_ms": 2_000 });
    if let Some(rounds) = args.rounds {
        rules["rounds"] = json!(rounds);
    }
    if let Some(interval) = args.attack_interval_ms {
        rules["attack_interval_ms"] = json!(interval);
    }
    let body = kind.request(&players, &args.ruleset, args.difficulty.as_deref(), &rules);
    Team::create(rest, token, &players, &body, seed).await?.play().await
}

/// Seats in the arena of a server that runs, as guests.
async fn join(args: &BotsArgs, rest: &Rest) -> Result<ExitCode> {
    let kind = args.fill.as_deref().context("--url needs --fill")?;
    let difficulty = args.difficulty.as_deref().unwrap_or("normal");
    let wish = json!({ "kind": kind, "ruleset": args.ruleset, "difficulty": difficulty });
    let teams = fill(rest, &wish, args.count, args.seed).await?;
    ensure!(!teams.is_empty(), "nobody to play");
    println!("seated {}", args.count);
    for team in teams {
        print(&team.play().await?);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &Report) {
    let Report { session, outcome, bots, deltas, taken, refused, events } = report;
    let winner = match (outcome.team, outcome.winner) {
        (Some(team), _) => format!("team {team}"),
        (None, Some(slot)) => format!("slot {slot}"),
        (None, None) => "nobody".to_owned(),
    };
    let seconds = outcome.duration_ms / 1000;
    let reason = json!(outcome.reason);
    println!("{session}: {winner} won ({}) after {seconds} s", reason.as_str().unwrap_or_default());
    println!("  {bots} bots, {deltas} deltas applied, every digest right; {taken} actions taken");
    let counts = |counts: Vec<(String, u64)>| {
        counts.into_iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    };
    println!("  events: {}", counts(events.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()));
    println!("  refused: {}", counts(refused.iter().map(|(name, count)| (name.clone(), *count)).collect()));
    for row in &outcome.standings {
        let who = if row.enemy.is_some() { "enemy" } else { "bot" };
        let (slot, team, score, damage) = (row.slot, row.team, row.score, row.damage);
        println!(
            "  slot {slot:>3} {who:<5} team {team}  score {score:>5}  damage {damage:>6}  unhorsed {}",
            row.eliminations
        );
    }
}
