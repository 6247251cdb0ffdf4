//! A share of the players stops reading: what the others notice, and how much of the past lies in front of one who begins to
//! read again.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use super::RudeArgs;
use super::honest::{Honest, Window, medians, refusals};
use crate::connect::{BUFFER_BYTES, Fill};
use crate::crowd::close_text;
use crate::frame::{self, Kind};
use crate::number::{float, grouped, whole};

/// The longest to wait for more, once all that was there is read.
const MORE_WAIT: Duration = Duration::from_millis(300);

/// Bytes of one read that are more than what happens meanwhile.
const HEAP: usize = 16 * 1024;

/// The most that is read of one: it is long past what any server may keep.
const BYTES_MAX: usize = 64 * 1024 * 1024;

#[derive(Debug, Serialize)]
pub struct Stalled {
    pub players: usize,
    pub of: usize,
    pub rate: f64,
    pub before: Vec<Window>,
    pub during: Vec<Window>,
    pub resumed: Vec<Resumed>,
}

/// One who read again.
#[derive(Debug, Serialize)]
pub struct Resumed {
    /// Seconds for which it did not read.
    pub after: f64,
    /// What it was still sent of the past, in bytes, and in messages.
    pub bytes: usize,
    pub messages: usize,
    /// What came after that: a snapshot, a close code, or nothing else.
    pub then: String,
}

/// Each repetition measures one window before and one during, in which one player after the other reads again.
pub fn measure(args: &RudeArgs, percent: f64) -> Result<Stalled> {
    // Nothing throttles: a client that does not read is the farther behind the more there is to say.
    let rules = json!({ "preparation_ms": 0, "health": 1_000_000_000, "attack_interval_ms": 0, "actions_per_second": 0, "regular_ms": 0 });
    let players = usize::from(args.players);
    let mut honest = Honest::play(args, players, 0, &rules, args.rate)?;
    let mut before = Vec::new();
    for _ in 0..args.reps {
        before.push(honest.window(args.seconds)?);
    }
    let of = honest.fleet.crowd.len();
    let stalled = whole(float(of as u64) * percent / 100.0).max(1);
    let stalled = usize::try_from(stalled)?.min(of / 2);
    // Spread over the fights, so that each has somebody left who plays.
    let victims: Vec<usize> = (0..stalled).map(|nth| nth * of / stalled).collect();
    let since = honest.clock.now();
    for &victim in &victims {
        honest.fleet.crowd.stall(victim);
    }
    let mut during = Vec::new();
    let mut resumed = Vec::new();
    let mut waiting = victims.into_iter();
    for _ in 0..args.reps {
        during.push(honest.window(args.seconds)?);
        if let Some(victim) = waiting.next() {
            let after = float(honest.clock.now() - since) / 1e9;
            resumed.push(resume(&mut honest, victim, after)?);
        }
    }
    Ok(Stalled { players: stalled, of, rate: args.rate, before, during, resumed })
}

/// Reads what is there until the present begins: a snapshot, the end, or nothing more.
fn resume(honest: &mut Honest, victim: usize, after: f64) -> Result<Resumed> {
    let mut found = Resumed { after, bytes: 0, messages: 0, then: String::new() };
    found.then = read_on(honest, victim, &mut found)?;
    Ok(found)
}

/// Counts the past into `found`; what the present begins with.
fn read_on(honest: &mut Honest, victim: usize, found: &mut Resumed) -> Result<String> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let wait = u64::try_from(MORE_WAIT.as_nanos())?;
    let mut until = honest.clock.now() + wait;
    while found.bytes < BYTES_MAX {
        let socket = honest.fleet.crowd.stall(victim);
        let length = match socket.read(&mut buffer) {
            Ok(Fill::Bytes { length, .. }) => length,
            Ok(Fill::Nothing) if honest.clock.now() > until => {
                return Ok("no snapshot: it is all of the past".to_owned());
            }
            Ok(Fill::Nothing) => {
                honest.fleet.turn(Duration::from_millis(2))?;
                continue;
            }
            Ok(Fill::Closed) => return Ok("hung up without a code".to_owned()),
            Err(error) => return Ok(error.to_string()),
        };
        let mut pongs = Vec::new();
        let (done, then) = past(&buffer[..length], found, &mut pongs)?;
        // By the answer the server sees that somebody reads again.
        socket.send(&pongs)?;
        if let Some(then) = then {
            return Ok(then);
        }
        socket.keep(&buffer[done..length]);
        // Only a heap says that there is more of the past: what trickles in is the present of a server that leaves nothing out.
        if length > HEAP {
            until = honest.clock.now() + wait;
        }
    }
    Ok("more than is read".to_owned())
}

/// Counts the frames in `bytes` up to the present, and appends the answers to pings; how many bytes they have, and what the present begins with.
fn past(bytes: &[u8], found: &mut Resumed, pongs: &mut Vec<u8>) -> Result<(usize, Option<String>)> {
    let mut done = 0;
    while let Some(head) = frame::from_server(&bytes[done..])? {
        let payload = &bytes[done + head.start..done + head.end];
        match head.kind {
            Kind::Text if payload.starts_with(br#"{"t":"snapshot""#) => {
                return Ok((done, Some("a snapshot".to_owned())));
            }
            Kind::Close => return Ok((done, Some(format!("closed with {}", close_text(payload))))),
            Kind::Ping => frame::to_server(pongs, Kind::Pong, payload, [0; 4]),
            Kind::Text | Kind::Binary | Kind::Pong => {}
        }
        done += head.end;
        found.bytes += head.end;
        found.messages += 1;
    }
    Ok((done, None))
}

impl Display for Stalled {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { players, of, rate, .. } = self;
        writeln!(f, "{players} of {of} players stop reading, {rate} actions/s each")?;
        for (name, windows) in [("before", &self.before), ("during", &self.during)] {
            let ((ack50, ack99), (p50, p99)) =
                (medians(windows, |window| &window.ack_us), medians(windows, |window| &window.others_us));
            let (refused, closed) = (refusals(windows), windows.iter().map(|window| window.closed).sum::<u64>());
            writeln!(
                f,
                "  {name:<8} ack p50 {ack50:.2} p99 {ack99:.2} ms, others p50 {p50:.2} p99 {p99:.2} ms, refused {refused}, closed {closed}"
            )?;
        }
        for Resumed { after, bytes, messages, then } in &self.resumed {
            let (bytes, messages) = (grouped(*bytes as u64), grouped(*messages as u64));
            writeln!(
                f,
                "  one reads again after {after:.1} s: {bytes} bytes of the past ({messages} messages), then {then}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Resumed, past};
    use crate::frame::{Kind, to_client};

    #[test]
    fn the_past_ends_where_a_snapshot_begins() {
        let mut bytes = Vec::new();
        to_client(&mut bytes, Kind::Text, br#"{"t":"delta","d":{}}"#);
        to_client(&mut bytes, Kind::Ping, b"");
        let length = bytes.len();
        let fresh = || Resumed { after: 0.0, bytes: 0, messages: 0, then: String::new() };
        let (mut found, mut pongs) = (fresh(), Vec::new());
        assert_eq!(past(&bytes, &mut found, &mut pongs).unwrap(), (length, None));
        assert_eq!(pongs, [0x8A, 0x80, 0, 0, 0, 0]);
        to_client(&mut bytes, Kind::Text, br#"{"t":"snapshot","d":{}}"#);
        let mut found = fresh();
        assert_eq!(past(&bytes, &mut found, &mut pongs).unwrap(), (length, Some("a snapshot".to_owned())));
        assert_eq!((found.bytes, found.messages), (length, 2));
        bytes.truncate(length);
        to_client(&mut bytes, Kind::Close, b"\x11\x3D");
        assert_eq!(past(&bytes, &mut fresh(), &mut pongs).unwrap().1.as_deref(), Some("closed with 4413 ()"));
    }
}
