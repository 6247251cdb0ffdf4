//! What a shard's log costs its loop where every turn waits for the disk: in the loop itself, or in a thread beside it. It is a loop of turns as a
//! shard has them, of a hundred entries each: as fast as it can, and so many a second. The log is in a folder below `TMPDIR`, which
//! has to be on the disk that is asked about:
//!
//! ```text
//! TMPDIR=/var/tmp cargo bench --bench log
//! ```

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tiltyard::limits;
use tiltyard::log::{Append, FileLog, Key, Log, Outcome};
use tiltyard::rules::Library;
use tiltyard::shard::recovery::recover;
use uuid::Uuid;

/// How long each line is measured.
const FOR: Duration = Duration::from_secs(2);

/// Entries of a turn, and bytes of an entry.
const ENTRIES: usize = 100;
const BYTES: usize = 16;

/// An action in the log, as long as most are.
struct Entry;

impl Append for Entry {
    fn append_to(&self, payload: &mut Vec<u8>) {
        payload.extend_from_slice(&[7; BYTES]);
    }
}

/// A loop's turns with one log.
struct Turns {
    log: Log,
    woken: flume::Receiver<()>,
    /// Turns that are not kept, and when each was sealed.
    held: VecDeque<Instant>,
    /// How long each turn was held up by the log, and how long what it made waited.
    held_up: Vec<Duration>,
    answered: Vec<Duration>,
}

impl Turns {
    fn new(mut log: Log, beside: bool) -> Self {
        let (wake, woken) = flume::bounded(1);
        if beside && let Some(log) = log.file() {
            let wake = move || {
                // One that is on its way is enough.
                let _ = wake.try_send(());
            };
            log.wait_beside(wake).expect("a thread");
        }
        Self { log, woken, held: VecDeque::new(), held_up: Vec::new(), answered: Vec::new() }
    }

    fn turn(&mut self) {
        let key = Key { session: Uuid::nil(), epoch: 0, number: 0 };
        (0..ENTRIES).for_each(|_| self.log.push(key, &Entry));
        let began = Instant::now();
        self.log.seal(0);
        self.held.push_back(began);
        self.settle();
        self.held_up.push(began.elapsed());
    }

    fn settle(&mut self) {
        loop {
            match self.log.poll() {
                Some(Outcome::Kept(_)) => self.answered.extend(self.held.pop_front().map(|began| began.elapsed())),
                None if self.held.len() < limits::TURNS_HELD => break,
                None => assert!(self.log.wait(Duration::from_mins(1)), "the disk does not answer"),
                Some(other) => panic!("{other:?}"),
            }
        }
    }

    /// Turns until the time is up, `every` so long; then those that wait.
    fn run(&mut self, every: Duration) {
        let began = Instant::now();
        let mut next = began;
        while began.elapsed() < FOR {
            self.turn();
            next += every;
            while !every.is_zero()
                && let Some(left) = next.checked_duration_since(Instant::now())
            {
                // As a shard sleeps in its poll.
                let _ = self.woken.recv_timeout(left);
                self.settle();
            }
        }
        while !self.held.is_empty() {
            assert!(self.log.wait(Duration::from_mins(1)), "the disk does not answer");
            self.settle();
        }
    }
}

fn percentile(of: &mut [Duration], percent: f64) -> Duration {
    of.sort_unstable();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let at = ((of.len() as f64 * percent / 100.0) as usize).min(of.len() - 1);
    of[at]
}

fn main() {
    println!("disk waited for | turns asked for | turns/s | held up p50, p99, longest | answered p50, p99, longest");
    for (asked, every) in
        [("all", Duration::ZERO), ("2000/s", Duration::from_micros(500)), ("100/s", Duration::from_millis(10))]
    {
        for beside in [false, true] {
            let data = tempfile::tempdir().expect("a folder");
            let recovered = recover(data.path(), 1, true, false, &Library::built_in()).expect("a log");
            let journal = recovered.shards.into_iter().next().expect("a shard").0;
            let mut turns = Turns::new(Log::File(FileLog::of(journal)), beside);
            let began = Instant::now();
            turns.run(every);
            let seconds = began.elapsed().as_secs_f64();
            let figures = |of: &mut [Duration]| {
                let [p50, p99, most] = [50.0, 99.0, 100.0].map(|percent| percentile(of, percent));
                format!("{p50:.1?}, {p99:.1?}, {most:.1?}")
            };
            #[allow(clippy::cast_precision_loss)]
            let rate = turns.held_up.len() as f64 / seconds;
            let place = if beside { "beside the loop" } else { "in the loop" };
            println!(
                "{place} | {asked} | {rate:.0} | {} | {}",
                figures(&mut turns.held_up),
                figures(&mut turns.answered)
            );
        }
    }
}
