//! The honest players beside the rude ones: a server of their own, their fights, and what they notice in a window of time.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Value, json};

use super::RudeArgs;
use crate::child::Server;
use crate::clock::Clock;
use crate::fleet::{Fleet, Load};
use crate::hub::Hub;
use crate::lobby::Lobby;
use crate::number::{float, median};
use crate::report::Quantiles;
use crate::sys;
use crate::tally::Tally;

/// The longest wait of one turn, so that the end of a window is noticed.
const TURN: Duration = Duration::from_millis(20);

/// Seconds after a window in which what was sent in it may still be answered.
const AFTER: f64 = 0.5;

/// A server with honest players who play.
#[derive(Debug)]
pub struct Honest {
    pub fleet: Fleet,
    pub lobby: Lobby,
    pub token: String,
    pub server: Server,
    pub hub: Hub,
    pub clock: Clock,
}

/// What the honest players noticed in a window.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Window {
    pub ack_us: Option<Quantiles>,
    pub others_us: Option<Quantiles>,
    /// How late the harness itself was; part of the others.
    pub late_us: Option<Quantiles>,
    pub sent: u64,
    pub refused: BTreeMap<&'static str, u64>,
    pub closed: u64,
    pub drifted: u64,
    pub troubles: Vec<String>,
}

/// A server with one shard.
pub fn server(args: &RudeArgs) -> Result<(Hub, Server)> {
    let hub = Hub::new(&args.server_bin, None)?.with(&["--shards", "1"]);
    let pin = |core: Option<usize>| core.map_or(Ok(()), sys::pin).context("choose a core");
    pin(args.server_core)?;
    let server = hub.start();
    pin(args.harness_core)?;
    Ok((hub, server?))
}

/// Nobody falls, fights begin at once, attacks come as often as players like, and who acts on a schedule is no cheat.
pub fn rules() -> Value {
    json!({ "preparation_ms": 0, "health": 1_000_000_000, "attack_interval_ms": 0, "regular_ms": 0 })
}

impl Honest {
    /// Starts a server, and fights on it with `players` each who act `rate` times a second, with a seat beside them that is left
    /// empty if there is one to `spare`.
    pub fn play(args: &RudeArgs, players: usize, spare: usize, rules: &Value, rate: f64) -> Result<Self> {
        let (hub, server) = server(args)?;
        let (token, clock) = (hub.token()?, Clock::start());
        let fights = usize::from(args.fights);
        let mut lobby = Lobby::by_rules(&server.base, &token, fights, (players, spare), rules)?;
        let load = Load::Rate(rate);
        let mut fleet = Fleet::open(&mut lobby, Some(load), clock, 1)?;
        fleet.join()?;
        fleet.ready()?;
        fleet.start(load, false);
        let mut honest = Self { fleet, lobby, token, server, hub, clock };
        honest.turn_for(1.0)?;
        Ok(honest)
    }

    /// Lets `seconds` pass without measuring.
    pub fn turn_for(&mut self, seconds: f64) -> Result<()> {
        let until = self.fleet.after(seconds);
        loop {
            let left = until.saturating_sub(self.clock.now());
            if left == 0 {
                return Ok(());
            }
            self.fleet.turn(TURN.min(Duration::from_nanos(left)))?;
        }
    }

    /// Measures for `seconds`.
    pub fn window(&mut self, seconds: f64) -> Result<Window> {
        let until = self.fleet.after(seconds);
        let mut tally = Tally::new();
        tally.window = self.clock.now()..until;
        self.fleet.crowd.tally = tally;
        while self.clock.now() < until {
            let left = Duration::from_nanos(until.saturating_sub(self.clock.now()));
            self.fleet.turn(TURN.min(left))?;
        }
        let sent = self.fleet.crowd.tally.counts.sent;
        self.turn_for(AFTER)?;
        let tally = &self.fleet.crowd.tally;
        Ok(Window {
            ack_us: Quantiles::of(&tally.ack),
            others_us: Quantiles::of(&tally.others.near),
            late_us: Quantiles::of(&tally.late),
            sent,
            refused: tally.refused.clone(),
            closed: tally.counts.closed,
            drifted: tally.counts.drifted,
            troubles: tally.troubles.clone(),
        })
    }
}

/// The medians over windows of p50 and p99, in milliseconds, of what `pick` picks.
pub fn medians(windows: &[Window], pick: impl Fn(&Window) -> &Option<Quantiles>) -> (f64, f64) {
    let of = |quantile: fn(&Quantiles) -> u64| {
        let values =
            windows.iter().filter_map(|window| pick(window).as_ref()).map(|found| float(quantile(found)) / 1e3);
        median(values.collect()).unwrap_or(f64::NAN)
    };
    (of(|found| found.p50), of(|found| found.p99))
}

/// Refusals of all windows, by reason.
pub fn refusals(windows: &[Window]) -> String {
    let mut all = BTreeMap::<_, u64>::new();
    for (reason, count) in windows.iter().flat_map(|window| &window.refused) {
        *all.entry(*reason).or_default() += count;
    }
    let each: Vec<_> = all.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    if each.is_empty() { "0".to_owned() } else { each.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::{Window, medians, refusals};
    use crate::report::Quantiles;

    #[test]
    fn windows_are_summed_up_by_their_medians_and_reasons() {
        let window = |p50, p99, refused| Window {
            ack_us: Some(Quantiles { p50, p99, ..Quantiles::default() }),
            refused: [("cooldown", refused)].into_iter().filter(|(_, count)| *count > 0).collect(),
            ..Window::default()
        };
        let windows = [window(1_000, 9_000, 2), window(3_000, 7_000, 0), window(2_000, 1_000, 3)];
        assert_eq!(medians(&windows, |window| &window.ack_us), (2.0, 7.0));
        assert!(medians(&windows, |window| &window.others_us).0.is_nan(), "nothing was measured");
        assert_eq!(refusals(&windows), "cooldown 5");
        assert_eq!(refusals(&windows[1..2]), "0");
    }
}
