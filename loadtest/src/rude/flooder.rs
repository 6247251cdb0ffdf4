//! One flooder: a player with a connection of its own who sends one kind of message without end, reads what it is answered,
//! and notes when it is closed.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Serialize;
use tiltyard_protocol::client::Join;
use tiltyard_protocol::{ClientMessage, Encoding, ServerMessage};
use uuid::Uuid;

use super::{Kind, Pace};
use crate::connect::upgrade::Upgrade;
use crate::crowd::close_text;
use crate::frame;
use crate::number::{float, whole};
use crate::quick;
use crate::rest::{Base, Rest};
use crate::sys;

/// Messages written at once at full speed.
const CHUNK: u64 = 256;

/// The longest one write may wait before it is seen whether the connection is still there.
const WRITE_WAIT: Duration = Duration::from_millis(20);

/// The longest a join may take.
const JOIN_WAIT: Duration = Duration::from_secs(5);

/// Between two tries of one that is kept out.
const AGAIN: Duration = Duration::from_millis(20);

/// The most a flooder sends, whatever happens.
const MESSAGES_MAX: u64 = 100_000_000;

/// Who floods with what.
#[derive(Debug, Clone)]
pub struct Plan {
    pub base: Base,
    /// Of whoever may mint tickets.
    pub token: String,
    pub session: Uuid,
    pub player: Uuid,
    pub kind: Kind,
    pub pace: Pace,
    pub persistent: bool,
}

/// One connection of a flooder.
#[derive(Debug, Clone, Serialize)]
pub struct Visit {
    pub sent: u64,
    pub ms: u64,
    /// How the server ended it; absent where the flooder stopped first.
    pub closed: Option<String>,
}

/// What became of a flooder.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    pub visits: Vec<Visit>,
    /// Tries to connect that failed, and what the first of them was told.
    pub kept_out: u64,
    pub told: Option<String>,
}

/// A flooder at work.
#[derive(Debug)]
pub struct Flooder {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Outcome>,
}

/// What a message needs to be addressed.
#[derive(Debug, Clone, Copy)]
struct Seat {
    session: Uuid,
    s: u32,
    /// The last action's id.
    id: u64,
}

impl Flooder {
    pub fn start(plan: Plan) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        Self { stop, thread: thread::spawn(move || flood(&plan, &seen)) }
    }

    pub fn stop(self) -> Result<Outcome> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the flooder panicked"))
    }
}

fn flood(plan: &Plan, stop: &AtomicBool) -> Outcome {
    sys::give_way();
    let mut outcome = Outcome::default();
    while !stop.load(Ordering::Relaxed) {
        match visit(plan, stop) {
            Ok(visit) => outcome.visits.push(visit),
            Err(error) => {
                outcome.kept_out += 1;
                outcome.told.get_or_insert_with(|| format!("{error:#}"));
                thread::sleep(AGAIN);
            }
        }
        if !plan.persistent && !outcome.visits.is_empty() {
            break;
        }
    }
    outcome
}

/// Connects, joins, and sends until it is closed or told to stop.
fn visit(plan: &Plan, stop: &AtomicBool) -> Result<Visit> {
    let ticket = Rest::connect(&plan.base, &plan.token)?.tickets(std::iter::once((plan.session, plan.player)))?;
    let ticket = ticket.first().context("no ticket")?;
    let (mut stream, mut place) = enter(&plan.base, &format!("{}/ws?ticket={ticket}", plan.base.prefix), plan.session)?;
    let mut reading = stream.try_clone()?;
    let (ended, end) = mpsc::channel();
    let reader = thread::spawn(move || {
        // Nobody listens any more once the writer has stopped.
        let _ = ended.send(read_to_end(&mut reading));
    });
    stream.set_write_timeout(Some(WRITE_WAIT))?;

    let start = Instant::now();
    let (mut sent, mut closed, mut chunk) = (0, None, Vec::new());
    if plan.kind == Kind::Fragments {
        // The beginning of a text whose end never comes.
        chunk.extend_from_slice(&[0x01, 0x80, 0, 0, 0, 0]);
    }
    while closed.is_none() && !stop.load(Ordering::Relaxed) && sent < MESSAGES_MAX {
        let count = match plan.pace {
            _ if plan.kind == Kind::Nothing => 0,
            Pace::Full => CHUNK,
            Pace::PerSecond(rate) => whole(start.elapsed().as_secs_f64() * rate).saturating_sub(sent).min(CHUNK),
        };
        if count == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        for _ in 0..count {
            write(&mut chunk, plan.kind, &mut place);
        }
        sent += count;
        closed = push(&mut stream, &chunk, stop, &end);
        chunk.clear();
    }
    let ms = u64::try_from(start.elapsed().as_millis())?;
    // It fails where the server was first.
    let _ = stream.shutdown(Shutdown::Both);
    reader.join().map_err(|_| anyhow!("the reader of a flooder panicked"))?;
    Ok(Visit { sent, ms, closed })
}

/// Writes all of `bytes`, unless the connection ends or the flooder is to stop; how it ended.
fn push(stream: &mut TcpStream, bytes: &[u8], stop: &AtomicBool, end: &mpsc::Receiver<String>) -> Option<String> {
    let mut written = 0;
    loop {
        if let Ok(ended) = end.try_recv() {
            return Some(ended);
        }
        if written == bytes.len() || stop.load(Ordering::Relaxed) {
            return None;
        }
        match stream.write(&bytes[written..]) {
            Ok(more) => written += more,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            // What the server said before it hung up may still be on its way to the reader.
            Err(error) => return Some(end.recv_timeout(JOIN_WAIT).unwrap_or_else(|_| error.to_string())),
        }
    }
}

/// Opens a socket and joins; what the server says after `joined` is left unread.
fn enter(base: &Base, path: &str, session: Uuid) -> Result<(TcpStream, Seat)> {
    let mut stream = TcpStream::connect(base.address).context("connect")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(JOIN_WAIT))?;
    let upgrade = Upgrade::new(&base.host, path, Encoding::Json);
    stream.write_all(upgrade.request.as_bytes())?;
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(head) = upgrade.finish(&bytes)? {
            break head;
        }
        more(&mut stream, &mut bytes)?;
    };
    bytes.drain(..head);
    let mut text = Vec::new();
    Encoding::Json.encode(&ClientMessage::Join(Join::new(session)), &mut text);
    let mut join = Vec::new();
    frame::to_server(&mut join, frame::Kind::Text, &text, [0; 4]);
    stream.write_all(&join)?;
    loop {
        while let Some(head) = frame::from_server(&bytes)? {
            let payload = &bytes[head.start..head.end];
            ensure!(head.kind != frame::Kind::Close, "closed with {}", close_text(payload));
            if head.kind == frame::Kind::Text {
                match serde_json::from_slice(payload)? {
                    ServerMessage::Joined(joined) => {
                        stream.set_read_timeout(None)?;
                        return Ok((stream, Seat { session, s: joined.s, id: joined.last_id }));
                    }
                    ServerMessage::Error(error) => bail!("the join was answered by {}", error.reason),
                    _ => {}
                }
            }
            bytes.drain(..head.end);
        }
        more(&mut stream, &mut bytes)?;
    }
}

fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<()> {
    let mut buffer = [0; 16 * 1024];
    let length = stream.read(&mut buffer)?;
    ensure!(length > 0, "the server hung up");
    bytes.extend_from_slice(&buffer[..length]);
    Ok(())
}

/// Reads until the server ends the connection; how it did. The first bytes may be the rest of a frame, so what is not
/// understood is thrown away: all that matters is the close frame, which comes last.
fn read_to_end(stream: &mut TcpStream) -> String {
    let mut buffer = vec![0; 256 * 1024];
    let mut last = Vec::new();
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return ending(&last),
            Ok(length) => {
                last.extend_from_slice(&buffer[length.saturating_sub(TAIL)..length]);
                last.drain(..last.len().saturating_sub(TAIL));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                let said = ending(&last);
                return if said == HUNG_UP { error.to_string() } else { said };
            }
        }
    }
}

/// As long as a close frame of a server can be.
const TAIL: usize = 127;
const HUNG_UP: &str = "hung up without a code";

/// What a close frame at the very end of `bytes` says.
fn ending(bytes: &[u8]) -> String {
    let close = (0..bytes.len()).find(|&start| {
        let rest = &bytes[start..];
        rest[0] == 0x88 && matches!(frame::from_server(rest), Ok(Some(head)) if head.end == rest.len())
    });
    close.map_or(HUNG_UP.to_owned(), |start| close_text(&bytes[start + 2..]))
}

/// Appends the next message.
fn write(out: &mut Vec<u8>, kind: Kind, seat: &mut Seat) {
    let mut text = Vec::with_capacity(96);
    match kind {
        Kind::Nothing => return,
        Kind::Pings => return frame::to_server(out, frame::Kind::Ping, b"rude", [0; 4]),
        Kind::Fragments => return out.extend_from_slice(&[0x00, 0x80, 0, 0, 0, 0]),
        Kind::Joins => {
            Encoding::Json.encode(&ClientMessage::Join(Join::new(seat.session)), &mut text);
        }
        Kind::Actions | Kind::Refused => {
            seat.id += 1;
            quick::attack(&mut text, seat.s, seat.id, if kind == Kind::Actions { 0 } else { NOBODY });
        }
        Kind::Moves => {
            seat.id += 1;
            let (s, id, x) = (seat.s, seat.id, 100 + seat.id % 2);
            text = format!(r#"{{"t":"action","d":{{"s":{s},"id":{id},"kind":"move","x":{x},"y":100}}}}"#).into_bytes();
        }
    }
    frame::to_server(out, frame::Kind::Text, &text, [0; 4]);
}

/// A slot that no fight here has.
const NOBODY: u8 = 99;

impl Outcome {
    /// In a few words: how soon and how it was closed, and how often it came.
    pub fn summary(&self) -> String {
        let first = self.visits.first().map_or("never got in".to_owned(), |visit| match &visit.closed {
            Some(how) => format!("{how} after {} ms, {} messages", visit.ms, visit.sent),
            None => format!("open, {} messages in {} ms", visit.sent, visit.ms),
        });
        let per_second = {
            let (sent, ms) = self.visits.iter().fold((0, 0), |(sent, ms), visit| (sent + visit.sent, ms + visit.ms));
            whole(float(sent) * 1e3 / float(ms.max(1)))
        };
        let back = if self.visits.len() > 1 { format!("; {} visits", self.visits.len()) } else { String::new() };
        let out = if self.kept_out > 0 { format!("; kept out {} times", self.kept_out) } else { String::new() };
        format!("{first} ({per_second}/s){back}{out}")
    }
}

#[cfg(test)]
mod tests {
    use tiltyard_protocol::{ActionKind, ClientMessage};
    use uuid::Uuid;

    use super::{HUNG_UP, Outcome, Seat, Visit, ending, write};
    use crate::frame;
    use crate::rude::Kind;

    #[test]
    fn every_kind_is_what_it_says() {
        let mut seat = Seat { session: Uuid::from_u128(7), s: 3, id: 5 };
        let mut message = |kind| {
            let mut bytes = Vec::new();
            write(&mut bytes, kind, &mut seat);
            let head = frame::from_client(&mut bytes).unwrap().unwrap();
            serde_json::from_slice::<ClientMessage>(&bytes[head.start..head.end]).unwrap()
        };
        let action = |message| if let ClientMessage::Action(act) = message { act } else { panic!("{message:?}") };
        let first = action(message(Kind::Actions));
        assert_eq!((first.id, first.kind, first.to), (6, ActionKind::Attack, Some(0)));
        assert_eq!(action(message(Kind::Refused)).to, Some(99));
        let (one, two) = (action(message(Kind::Moves)), action(message(Kind::Moves)));
        assert!(one.kind == ActionKind::Move && one.x != two.x && one.y == two.y);
        assert!(matches!(message(Kind::Joins), ClientMessage::Join(join) if join.session == Uuid::from_u128(7)));
        let mut bytes = Vec::new();
        write(&mut bytes, Kind::Pings, &mut seat);
        assert_eq!(bytes[0], 0x89);
        bytes.clear();
        write(&mut bytes, Kind::Fragments, &mut seat);
        assert_eq!(bytes, [0x00, 0x80, 0, 0, 0, 0], "a continuation that is not the last, with nothing in it");
    }

    #[test]
    fn the_code_is_read_from_whatever_came_last() {
        let mut bytes = b"}} the rest of a delta".to_vec();
        assert_eq!(ending(&bytes), HUNG_UP);
        frame::to_client(&mut bytes, frame::Kind::Text, b"{}");
        frame::to_client(&mut bytes, frame::Kind::Close, b"\x11\x4Dtoo many");
        assert_eq!(ending(&bytes), "4429 (too many)");
    }

    #[test]
    fn a_summary_says_how_the_first_visit_ended_and_how_many_there_were() {
        let visit = |closed: Option<&str>| Visit { sent: 600, ms: 1_000, closed: closed.map(str::to_owned) };
        let mut outcome = Outcome::default();
        assert!(outcome.summary().starts_with("never got in"));
        outcome.visits = vec![visit(Some("4429 (x)")), visit(None)];
        outcome.kept_out = 3;
        let text = outcome.summary();
        assert_eq!(text, "4429 (x) after 1000 ms, 600 messages (600/s); 2 visits; kept out 3 times");
    }
}
