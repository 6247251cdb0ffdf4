//! A flooder beside honest players: quiet windows and flooded ones in turn, what the server flagged, and whether the flooded
//! fight can be told afterwards.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::flooder::{Flooder, Outcome, Plan};
use super::honest::{Honest, Window, medians, refusals, rules};
use super::{Kind, Pace, Place, RudeArgs};
use crate::report::Quantiles;
use crate::rest::Rest;

/// The longest until the replay of a fight that was ended is there.
const REPLAY_WAIT: Duration = Duration::from_secs(10);

/// One kind of flood at one pace from one place.
#[derive(Debug, Serialize)]
pub struct Flood {
    pub kind: &'static str,
    pub pace: String,
    pub place: &'static str,
    pub quiet: Vec<Window>,
    pub flooded: Vec<Window>,
    pub outcomes: Vec<Outcome>,
    /// All that the server counted in these windows, where it counts them.
    pub flags: Option<f64>,
    /// Those of the flooded fights that name somebody else than the flooder.
    pub flags_of_others: usize,
    /// What became of the flooded fights' replays, and of how many.
    pub replays: BTreeMap<String, usize>,
}

pub fn measure(args: &RudeArgs, kind: Kind, speed: Pace, place: Place) -> Result<Flood> {
    let mut honest = Honest::play(args, usize::from(args.players), 1, &rules(), args.rate)?;
    let before = flags(&honest)?;
    let (mut quiet, mut flooded, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    let mut seats = Vec::new();
    for rep in 0..args.reps as usize {
        // Each time by another player: one that was closed may be kept out for a while.
        let (session, player) = seat(&honest, place, rep, usize::from(args.players))?;
        seats.push((session, player));
        let plan = Plan {
            base: honest.server.base.clone(),
            token: honest.token.clone(),
            session,
            player,
            kind,
            pace: speed,
            persistent: args.persistent,
        };
        quiet.push(honest.window(args.seconds)?);
        let rude = Flooder::start(plan);
        let window = honest.window(args.seconds);
        // Ended in any case, before a failure is reported.
        outcomes.push(rude.stop()?);
        flooded.push(window?);
        honest.turn_for(0.5)?;
    }
    let flags = flags(&honest)?.map(|all| all - before.unwrap_or_default());
    let (mut flags_of_others, mut replays) = (0, BTreeMap::<_, usize>::new());
    for (session, player) in seats {
        flags_of_others += flagged_others(&honest, session, player)?;
        *replays.entry(replay(&honest, session)?).or_default() += 1;
    }
    Ok(Flood {
        kind: kind.name(),
        pace: speed.to_string(),
        place: place.name(),
        quiet,
        flooded,
        outcomes,
        flags,
        flags_of_others,
        replays,
    })
}

/// Where the flooder sits: beside honest players, or against somebody who never comes.
fn seat(honest: &Honest, place: Place, rep: usize, slot: usize) -> Result<(Uuid, Uuid)> {
    if place == Place::Same {
        let fight = rep % honest.lobby.sessions().len();
        return Ok((honest.lobby.sessions()[fight], honest.lobby.player(fight, slot).context("no seat is spare")?));
    }
    let (player, nobody) = (Uuid::new_v4(), Uuid::new_v4());
    let mut rest = Rest::connect(&honest.server.base, &honest.token)?;
    let created = rest.create_sessions(&[vec![nobody, player]], &rules())?;
    Ok((*created.first().context("no session was created")?, player))
}

/// Flags so far, in all fights.
fn flags(honest: &Honest) -> Result<Option<f64>> {
    let operator = honest.hub.token_for(&["--admin"])?;
    let (_, metrics) = Rest::connect(&honest.server.base, &operator)?.ask("GET", "/metrics", None)?;
    Ok(sum(&String::from_utf8_lossy(&metrics), "tiltyard_fair_play_flags_total"))
}

/// The sum of a metric over its labels; `None` where the server does not have it.
fn sum(metrics: &str, name: &str) -> Option<f64> {
    let values = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']))?;
        rest.rsplit(' ').next()?.parse::<f64>().ok()
    });
    values.reduce(|sum, value| sum + value)
}

fn flagged_others(honest: &Honest, session: Uuid, flooder: Uuid) -> Result<usize> {
    let path = format!("/sessions/{session}/logs?limit=100");
    let (_, body) = Rest::connect(&honest.server.base, &honest.token)?.ask("GET", &path, None)?;
    let page: Value = serde_json::from_slice(&body).unwrap_or_default();
    Ok(others_in(&page, &flooder.to_string()))
}

fn others_in(page: &Value, flooder: &str) -> usize {
    let entries = page["logs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let flagged = entries.iter().filter(|entry| entry["event_type"] == "flagged");
    flagged.filter(|entry| entry["data"]["by"] != flooder).count()
}

/// Ends the fight and has its replay fought again by the executable that recorded it.
fn replay(honest: &Honest, session: Uuid) -> Result<String> {
    let mut rest = Rest::connect(&honest.server.base, &honest.token)?;
    let (status, body) = rest.ask("DELETE", &format!("/sessions/{session}"), Some(&json!({ "force": true })))?;
    if status != 200 {
        return Ok(format!("the fight does not end: {status} {}", reason(&body)));
    }
    let until = Instant::now() + REPLAY_WAIT;
    let (status, body) = loop {
        let (status, body) = rest.ask("GET", &format!("/combat/sessions/{session}/replay"), None)?;
        if status == 200 || Instant::now() > until {
            break (status, body);
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    if status != 200 {
        return Ok(format!("{status} {}", reason(&body)));
    }
    let file = honest.hub.folder().join("fight.replay");
    fs::write(&file, &body)?;
    let mut command = Command::new(honest.hub.executable());
    let again = command.arg("replay").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let verdict = if again.success() { "whole" } else { "another fight" };
    Ok(verdict.to_owned())
}

fn reason(body: &[u8]) -> String {
    let refusal: Value = serde_json::from_slice(body).unwrap_or_default();
    refusal["details"]["reason"].as_str().unwrap_or("without a reason").to_owned()
}

impl Flood {
    pub fn title() -> String {
        let (p50, p99) = ("p50 quiet > flooded", "p99 quiet > flooded");
        format!(
            "{:<16}{:<11}{:<11}{:<7}{p50:>22}{:>7}{p99:>22}{:>7}  refused",
            "flood", "pace", "place", "", "ratio", "ratio"
        )
    }

    /// How often the p99 of the acknowledgements was that of the quiet windows.
    fn p99_ratio(&self) -> f64 {
        medians(&self.flooded, |window| &window.ack_us).1 / medians(&self.quiet, |window| &window.ack_us).1
    }

    fn line(&self, f: &mut Formatter<'_>, pick: fn(&Window) -> &Option<Quantiles>) -> fmt::Result {
        let (quiet, flooded) = (medians(&self.quiet, pick), medians(&self.flooded, pick));
        for (quiet, flooded) in [(quiet.0, flooded.0), (quiet.1, flooded.1)] {
            write!(f, "{:>22}{:>7.2}", format!("{quiet:.2} > {flooded:.2} ms"), flooded / quiet)?;
        }
        Ok(())
    }
}

/// How the p99 of all floods' rows compares with that of the rows in which nobody floods, which say what the machine does by itself.
pub fn summary(floods: &[Flood]) -> Option<String> {
    let spread = |is_control: bool| {
        let rows = floods.iter().filter(|flood| (flood.kind == Kind::Nothing.name()) == is_control);
        let mut ratios: Vec<f64> = rows.map(Flood::p99_ratio).filter(|ratio| ratio.is_finite()).collect();
        ratios.sort_by(f64::total_cmp);
        let (&least, &most) = (ratios.first()?, ratios.last()?);
        let median = ratios[ratios.len() / 2];
        Some(format!("median {median:.2} ({least:.2} to {most:.2}) of {}", ratios.len()))
    };
    Some(format!("p99 flooded to quiet: {}; where nobody floods: {}", spread(false)?, spread(true)?))
}

impl Display for Flood {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:<16}{:<11}{:<11}{:<7}", self.kind, self.pace, self.place, "ack")?;
        self.line(f, |window| &window.ack_us)?;
        write!(f, "  {}\n{:<38}{:<7}", refusals(&self.flooded), "", "others")?;
        self.line(f, |window| &window.others_us)?;
        let closed: u64 = self.flooded.iter().map(|window| window.closed).sum();
        let flags = self.flags.map_or("unknown".to_owned(), |flags| flags.to_string());
        let others = self.flags_of_others;
        write!(f, "\n    flags {flags}, of others than the flooder {others}; replays:")?;
        self.replays.iter().try_for_each(|(what, count)| write!(f, " {count} {what}"))?;
        if closed > 0 {
            write!(f, "; {closed} honest connections closed")?;
        }
        for (rep, outcome) in self.outcomes.iter().enumerate() {
            write!(f, "\n    flooder {}: {}", rep + 1, outcome.summary())?;
            if let Some(told) = &outcome.told {
                write!(f, " ({told})")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{others_in, sum};

    #[test]
    fn a_metric_is_summed_over_its_labels_and_not_over_its_namesakes() {
        let text = "# HELP flags x\nflags{flag=\"aim\"} 2\nflags{flag=\"speed\"} 1\nflags_more 7\nplain 4\n";
        assert_eq!((sum(text, "flags"), sum(text, "plain"), sum(text, "none")), (Some(3.0), Some(4.0), None));
    }

    #[test]
    fn only_flags_of_others_than_the_flooder_are_found() {
        let entry = |event, by| json!({ "event_type": event, "data": { "by": by } });
        let page = json!({ "logs": [entry("flagged", "f"), entry("flagged", "h"), entry("attack", "h")] });
        assert_eq!((others_in(&page, "f"), others_in(&json!(null), "f")), (1, 0));
    }
}
