//! The open loop: requests are due at a steady rate whatever the server does, and latency counts from when one was due.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use uuid::Uuid;

use super::pool::Pool;
use super::population::{Known, LISTED, Population};
use super::request::{Operation, Writer};
use crate::clock::{Clock, SECOND};
use crate::number::{float, whole};

/// Latencies above count as this, in microseconds.
const LATENCY_US_MAX: u64 = 60_000_000;

/// Word for word, this many of what went wrong.
const TROUBLES_MAX: usize = 8;

/// The longest to wait at the end for what is still on its way.
const DRAIN: Duration = Duration::from_secs(5);

/// What was measured.
#[derive(Debug)]
pub struct Mix {
    pub operations: [Tally; Operation::ALL.len()],
    /// From when a request was due to when it was sent, in microseconds.
    pub late: Histogram<u64>,
    pub sent: u64,
    pub unanswered: usize,
    pub troubles: Vec<String>,
}

/// What was measured of one operation.
#[derive(Debug)]
pub struct Tally {
    /// In microseconds, of those that succeeded.
    pub latency: Histogram<u64>,
    pub errors: BTreeMap<u16, u64>,
}

/// A request on its way.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    operation: Operation,
    due: u64,
    /// Whom a session is created for.
    player: Uuid,
}

impl Mix {
    fn new() -> Self {
        let operations = std::array::from_fn(|_| Tally { latency: histogram(), errors: BTreeMap::new() });
        Self { operations, late: histogram(), sent: 0, unanswered: 0, troubles: Vec::new() }
    }

    /// Asks `rate` times a second for `seconds`.
    pub fn play(
        pool: &mut Pool<Mark>,
        writer: &Writer,
        population: &mut Population,
        clock: Clock,
        rate: f64,
        seconds: f64,
    ) -> Result<Self> {
        ensure!(population.len() > 0, "there is no session to ask for");
        let mut mix = Self::new();
        let total = whole(rate * seconds);
        let start = clock.now();
        let due = |n: u64| start + whole(float(n) * float(SECOND) / rate);
        let end = due(total) + u64::try_from(DRAIN.as_nanos()).expect("seconds");
        while mix.sent < total || pool.in_flight() > 0 {
            let mut now = clock.now();
            while mix.sent < total && due(mix.sent) <= now {
                mix.ask(pool, writer, population, due(mix.sent), now)?;
                now = clock.now();
            }
            if now > end {
                break;
            }
            let wake = if mix.sent < total { due(mix.sent) } else { end + 1 };
            pool.turn_until(wake, now, |_, mark, answer| {
                if mark.operation == Operation::Create && answer.status == 201 {
                    population.created(mark.player, answer)?;
                }
                mix.note(mark, answer.status, clock.now(), answer.body);
                Ok(())
            })?;
        }
        mix.unanswered = pool.in_flight();
        Ok(mix)
    }

    fn ask(
        &mut self,
        pool: &mut Pool<Mark>,
        writer: &Writer,
        population: &mut Population,
        due: u64,
        now: u64,
    ) -> Result<()> {
        let operation = Operation::drawn(population.below(100));
        let level = population.below(100);
        if operation == Operation::Create {
            let (kind, player) = population.next();
            pool.send(Mark { operation, due, player }, |bytes| writer.create(bytes, kind, player, level))?;
        } else {
            let known = if operation == Operation::Delete { population.take() } else { population.any() };
            let Known { session, player } = known.context("every session has been deleted")?;
            let listed = LISTED[usize::try_from(level).expect("below a hundred") % LISTED.len()];
            pool.send(Mark { operation, due, player }, |bytes| match operation {
                Operation::Create | Operation::Get => writer.get(bytes, session),
                Operation::Update => writer.update(bytes, session, level),
                Operation::Delete => writer.delete(bytes, session),
                Operation::List => writer.list(bytes, listed, 20),
                Operation::OfPlayer => writer.of_player(bytes, player),
            })?;
        }
        self.sent += 1;
        self.late.saturating_record((now - due) / 1000);
        Ok(())
    }

    fn note(&mut self, mark: Mark, status: u16, now: u64, body: &[u8]) {
        let tally = &mut self.operations[mark.operation as usize];
        if status == mark.operation.success() {
            tally.latency.saturating_record((now - mark.due) / 1000);
            return;
        }
        *tally.errors.entry(status).or_default() += 1;
        if self.troubles.len() < TROUBLES_MAX {
            let body = String::from_utf8_lossy(body);
            self.troubles.push(format!("{} was answered by {status}: {body}", mark.operation.name()));
        }
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("the bounds are in order")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Mark, Mix};
    use crate::crud::request::Operation;

    #[test]
    fn latency_counts_from_when_it_was_due_and_only_of_what_succeeded() {
        let mut mix = Mix::new();
        let mark = Mark { operation: Operation::Create, due: 1_000_000, player: Uuid::nil() };
        mix.note(mark, 201, 6_000_000, b"");
        mix.note(mark, 200, 6_000_000, b"odd");
        mix.note(mark, 503, 6_000_000, b"no");
        let tally = &mix.operations[Operation::Create as usize];
        assert_eq!((tally.latency.len(), tally.latency.max() / 1000), (1, 5));
        assert_eq!(
            tally.errors.iter().map(|(status, count)| (*status, *count)).collect::<Vec<_>>(),
            [(200, 1), (503, 1)]
        );
        assert_eq!(mix.troubles, ["create was answered by 200: odd", "create was answered by 503: no"]);
    }
}
