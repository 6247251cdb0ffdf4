//! Plays one case.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::io;
use std::time::Duration;

use serde_json::{Value, json};
use tiltyard_client::{Connection, Error, Fight, Key, Options, Order, Pulse, Room, Ticket};
use tiltyard_protocol::{Act, Encoding};
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::holds::{self, fits};
use crate::world::World;

/// What the server's clock is ahead, where a case does not say it.
const AHEAD_MS: i64 = 1_764_000_000_000;
const PING_MAX_MS: u64 = 60_000;
/// Turns in which all that needs no time has happened.
const TURNS: usize = 64;

pub type Checked = Result<(), String>;

/// A session of the client's, by its type.
#[derive(Clone, Copy)]
pub enum Of {
    Fight(Key<Fight>),
    Room(Key<Room>),
    Pulse(Key<Pulse>),
}

struct Run<'a> {
    case: &'a Value,
    rules: &'a Value,
    world: World,
    connection: Option<Connection>,
    sessions: BTreeMap<Uuid, Of>,
    first: Uuid,
    heard: BTreeMap<Uuid, Vec<(&'static str, Value)>>,
    orders: BTreeMap<u64, Order>,
    urls: BTreeSet<String>,
    /// How many connections the case has dealt with, and how many messages of the one it is at.
    dialed: usize,
    read: usize,
    is_silent: bool,
    is_closing: bool,
}

/// What is wrong, where the client does not do what the case says.
pub fn play(case: &Value, rules: &Value, encoding: Encoding) -> Checked {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut run = Run {
            case,
            rules,
            world: World::new(encoding, base(case)),
            connection: None,
            sessions: BTreeMap::new(),
            first: Uuid::nil(),
            heard: BTreeMap::new(),
            orders: BTreeMap::new(),
            urls: BTreeSet::new(),
            dialed: 0,
            read: 0,
            is_silent: false,
            is_closing: false,
        };
        for (place, step) in case["steps"].as_array().unwrap().iter().enumerate() {
            let taken = run.take(step).await;
            run.settle().await;
            run.answer_pings().await;
            let text: String = step.to_string().chars().take(300).collect();
            taken.map_err(|wrong| format!("step {place}, {text}: {wrong}"))?;
        }
        run.quiet(0).await?;
        let more = run.heard.iter().find(|(_, heard)| !heard.is_empty());
        more.map_or(Ok(()), |(session, heard)| Err(format!("at the end more was told of {session}: {}", kinds(heard))))
    })
}

fn check(is_so: bool, wrong: impl FnOnce() -> String) -> Checked {
    if is_so { Ok(()) } else { Err(wrong()) }
}

/// What the client's clock shows as a case begins: enough that a server that is behind it has no time before 0.
fn base(case: &Value) -> u64 {
    case["ahead_ms"].as_i64().map_or(0, |ahead| u64::try_from(-ahead).unwrap_or_default())
}

fn range(value: &Value) -> (u64, u64) {
    (value[0].as_u64().unwrap_or_default(), value[1].as_u64().unwrap_or_default())
}

fn id(value: &Value) -> Uuid {
    value.as_str().unwrap().parse().unwrap()
}

impl Run<'_> {
    async fn take(&mut self, step: &Value) -> Checked {
        let fields = step.as_object().unwrap();
        if let Some(verb) = step["do"].as_str() {
            return self.act(verb, step);
        }
        if fields.contains_key("dials") {
            return self.dials(step).await;
        }
        if fields.contains_key("client") {
            return self.client(step).await;
        }
        if let Some(message) = fields.get("server") {
            return self.world.say(&self.filled(message));
        }
        if let Some(code) = step["server_closes"].as_u64() {
            return self.world.end(code.try_into().unwrap());
        }
        if let Some(within) = fields.get("client_closes") {
            return self.within(range(within), Self::is_closed, "closes the connection").await;
        }
        if let Some(ms) = step["wait"].as_u64() {
            self.pass(ms, |_| false).await;
            return Ok(());
        }
        if let Some(ms) = step["quiet"].as_u64() {
            return self.quiet(ms).await;
        }
        if fields.contains_key("silence") {
            self.is_silent = true;
            return Ok(());
        }
        if let Some(pong) = fields.get("pong") {
            return self.pong(pong["there_ms"].as_u64().unwrap(), pong["back_ms"].as_u64().unwrap()).await;
        }
        if let Some(wanted) = fields.get("holds") {
            let (of, connection) = (self.of(step), self.connection.as_ref().ok_or("there is no client")?);
            let ms = f64::from(u32::try_from(self.world.now()).unwrap());
            return holds::check(wanted, of, connection, ms);
        }
        if fields.contains_key("told") {
            return self.told(step);
        }
        Err("an unknown step".to_owned())
    }

    fn of(&self, step: &Value) -> Of {
        let session = step.get("in").map_or(self.first, id);
        self.sessions[&session]
    }

    fn act(&mut self, verb: &str, step: &Value) -> Checked {
        if verb == "connect" {
            self.connection = Some(Connection::new(self.options()));
            self.first = id(&step["session"]);
        }
        let of = if matches!(verb, "connect" | "join") { None } else { Some(self.of(step)) };
        let connection = self.connection.as_mut().ok_or("there is no client")?;
        match (verb, of) {
            ("connect" | "join", _) => {
                let session = id(&step["session"]);
                let of = match step["as"].as_str() {
                    None => Of::Fight(connection.join(session)),
                    Some("custom") => Of::Room(connection.join(session)),
                    Some("player") => Of::Pulse(connection.join(session)),
                    Some(other) => return Err(format!("no type {other}")),
                };
                self.sessions.insert(session, of);
            }
            ("act", Some(Of::Fight(fight))) => {
                let order = ordered(&step["order"]);
                if let Ok(id) = connection[fight].act(order.clone()) {
                    self.orders.insert(id, order);
                }
            }
            ("again", Some(Of::Fight(fight))) => {
                let id = step["id"].as_u64().unwrap();
                connection[fight].again(id, self.orders[&id].clone()).map_err(|unsent| unsent.to_string())?;
            }
            ("ready", Some(Of::Fight(fight))) => connection[fight].ready(),
            ("concede", Some(Of::Fight(fight))) => connection[fight].concede().map_err(|unsent| unsent.to_string())?,
            ("patch", Some(Of::Room(room))) => {
                let patched = connection[room].patch(&step["merge"], step["if"].as_u64());
                patched.map_err(|unsent| unsent.to_string())?;
            }
            ("relay", Some(Of::Room(room))) => {
                let relayed = connection[room].relay(&step["data"], step.get("to").map(id));
                relayed.map_err(|unsent| unsent.to_string())?;
            }
            ("beat", Some(Of::Pulse(pulse))) => {
                connection[pulse].beat().map_err(|unsent| unsent.to_string())?;
            }
            ("leave", Some(Of::Fight(key))) => connection.leave(key),
            ("leave", Some(Of::Room(key))) => connection.leave(key),
            ("leave", Some(Of::Pulse(key))) => connection.leave(key),
            ("close", Some(of)) => {
                self.is_closing = true;
                match of {
                    Of::Fight(key) => connection.close(key),
                    Of::Room(key) => connection.close(key),
                    Of::Pulse(key) => connection.close(key),
                }
            }
            _ => return Err(format!("nothing is known of {verb}")),
        }
        Ok(())
    }

    fn options(&self) -> Options {
        let tickets = self.case["tickets"].as_array().cloned().unwrap_or_default();
        let world = self.world.clone();
        let mut minted = 0;
        let ticket = move || {
            let answer = tickets.get(minted).cloned().unwrap_or_else(|| "ok".into());
            minted += 1;
            let ticket = Ticket { ticket: minted.to_string(), url: format!("ws://127.0.0.1/ws?ticket={minted}") };
            async move {
                if answer == "ok" {
                    return Ok(ticket);
                }
                let status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
                let retry = answer["retry_ms"].as_u64().map(Duration::from_millis);
                Err(Error::Refused { status, reason: String::new(), message: String::new(), retry })
            }
        };
        let dial = move |_host, _port| {
            let stream = world.dialed();
            async { Ok::<_, io::Error>(stream) }
        };
        Options::new(ticket).encoding(self.world.encoding).through(dial)
    }

    async fn dials(&mut self, step: &Value) -> Checked {
        let dialed = self.dialed;
        self.within(range(&step["dials"]), move |run| run.world.lines().len() > dialed, "opens a connection").await?;
        check(self.world.lines().len() == dialed + 1, || "more than one connection".to_owned())?;
        self.dialed += 1;
        self.read = 0;
        self.is_silent = false;
        if step.get("refused").is_some() {
            self.world.refuse();
            return Ok(());
        }
        self.world.accept();
        self.settle().await;
        let (url, asked) = self.world.line(|line| (line.url.clone(), line.asked.clone()))?;
        check(self.urls.insert(url.clone()), || format!("a ticket admits once: {url}"))?;
        check(asked == self.world.encoding.subprotocol(), || format!("asked for {asked}"))
    }

    /// The client's next message that the case has not seen, with its place.
    fn unread(&self) -> Option<(usize, Value)> {
        let lines = self.world.lines();
        let line = lines.last().filter(|_| self.dialed == lines.len())?;
        let is_free = |t: &Value| t == "ping" || (self.is_closing && t == "leave");
        let next = line.said.iter().enumerate().skip(self.read).find(|(_, said)| !is_free(&said.message["t"]));
        next.map(|(place, said)| (place, said.message.clone()))
    }

    async fn client(&mut self, step: &Value) -> Checked {
        let wanted = &step["client"];
        self.within(range(&step["within"]), |run| run.unread().is_some(), &format!("says {}", wanted["t"])).await?;
        let (place, said) = self.unread().ok_or("nothing was said")?;
        self.read = place + 1;
        check(fits(&said, wanted), || format!("said {said}"))?;
        let has = |field: &Value| said["d"].get(field.as_str().unwrap()).is_some();
        let listed = |name: &str| step[name].as_array().cloned().unwrap_or_default();
        check(!listed("lacks").iter().any(has), || format!("said {said}"))?;
        let one_of = listed("has_one_of");
        check(one_of.is_empty() || one_of.iter().filter(|field| has(field)).count() == 1, || format!("said {said}"))
    }

    /// A message with what its placeholders stand for.
    fn filled(&self, message: &Value) -> Value {
        let mut filled = message.clone();
        for (name, value) in filled["d"].as_object_mut().unwrap() {
            if name == "rules" && value == "$rules" {
                *value = self.rules.clone();
            } else if let Some(later) = value.as_str().and_then(|text| text.strip_prefix("$time")) {
                *value = json!(self.server_time(self.world.now()) + later.parse::<i64>().unwrap_or_default());
            }
        }
        filled
    }

    fn server_time(&self, at: u64) -> i64 {
        i64::try_from(at).unwrap() + self.case["ahead_ms"].as_i64().unwrap_or(AHEAD_MS)
    }

    async fn answer_pings(&mut self) {
        if self.case["pings"] == "script" || self.is_silent {
            return;
        }
        let unanswered = self.world.line(|line| {
            let from = std::mem::replace(&mut line.answered, line.said.len());
            let pings = line.said[from..].iter().filter(|said| said.message["t"] == "ping");
            pings.map(|said| said.message["d"]["n"].clone()).filter(|_| line.is_open).collect::<Vec<_>>()
        });
        for n in unanswered.unwrap_or_default() {
            let time = self.server_time(self.world.now());
            // Where the client has just gone nobody waits for it.
            self.world.say(&json!({ "t": "pong", "d": { "n": n, "time": time } })).ok();
        }
        self.settle().await;
    }

    /// Lets everything happen that needs no time.
    async fn settle(&mut self) {
        for _ in 0..TURNS {
            tokio::select! {
                biased;
                () = next(&mut self.connection, &mut self.heard) => {}
                () = tokio::task::yield_now() => {}
            }
        }
    }

    /// Lets `ms` pass, or less where `is_done` is so before, with pings answered as they come; says whether it was.
    async fn pass(&mut self, ms: u64, is_done: impl Fn(&Self) -> bool) -> bool {
        let until = Instant::now() + Duration::from_millis(ms);
        loop {
            self.settle().await;
            self.answer_pings().await;
            if is_done(self) {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            tokio::select! {
                biased;
                () = next(&mut self.connection, &mut self.heard) => {}
                () = self.world.news.notified() => {}
                () = sleep_until(until) => {}
            }
        }
    }

    async fn within(&mut self, (least, most): (u64, u64), is_done: impl Fn(&Self) -> bool, what: &str) -> Checked {
        let from = self.world.now();
        check(self.pass(most, is_done).await, || format!("{what} within {most} ms"))?;
        let passed = self.world.now() - from;
        check(passed >= least, || format!("{what} after {passed} ms, which is sooner than {least}"))
    }

    async fn quiet(&mut self, ms: u64) -> Checked {
        let dialed = self.dialed;
        self.pass(ms, |run| run.world.lines().len() > dialed || run.unread().is_some()).await;
        check(self.world.lines().len() == dialed, || "another connection is opened".to_owned())?;
        let wrong: usize = self.world.lines().iter().map(|line| line.wrong_frames).sum();
        check(wrong == 0, || format!("{wrong} frames are not of the encoding's type"))?;
        self.unread().map_or(Ok(()), |(_, said)| Err(format!("said {said}")))
    }

    fn is_closed(&self) -> bool {
        self.world.line(|line| line.closed_by_client).unwrap_or_default()
    }

    async fn pong(&mut self, there_ms: u64, back_ms: u64) -> Checked {
        let before = self.world.line(|line| line.said.len())?;
        let ping = |run: &Self| {
            let found =
                run.world.line(|line| line.said.iter().skip(before).find(|said| said.message["t"] == "ping").cloned());
            found.ok().flatten()
        };
        self.within((0, PING_MAX_MS), |run| ping(run).is_some(), "pings").await?;
        let sent = ping(self).ok_or("no ping")?;
        self.pass(there_ms + back_ms, |_| false).await;
        let time = self.server_time(sent.at + there_ms);
        self.world.say(&json!({ "t": "pong", "d": { "n": sent.message["d"]["n"], "time": time } }))
    }

    /// Each once, in this order, and nothing else.
    fn told(&mut self, step: &Value) -> Checked {
        let session = step.get("in").map_or(self.first, id);
        let heard = std::mem::take(self.heard.entry(session).or_default());
        let told = step["told"].as_array().unwrap();
        let is_all = told.len() == heard.len() && told.iter().zip(&heard).all(|(wanted, (t, _))| wanted["t"] == *t);
        check(is_all, || format!("was told {}", kinds(&heard)))?;
        let wrong = told.iter().zip(&heard).find(|(wanted, (_, d))| !fits(d, wanted.get("d").unwrap_or(&json!({}))));
        wrong.map_or(Ok(()), |(_, (t, d))| Err(format!("was told {t} {d}")))
    }
}

fn kinds(heard: &[(&'static str, Value)]) -> String {
    heard.iter().map(|(t, _)| *t).collect::<Vec<_>>().join(", ")
}

/// Hears the client out, for as long as there is something to hear.
async fn next(connection: &mut Option<Connection>, heard: &mut BTreeMap<Uuid, Vec<(&'static str, Value)>>) {
    let told = match connection {
        Some(connection) => connection.next().await,
        None => None,
    };
    match told {
        Some((session, told)) => heard.entry(session).or_default().extend(holds::spelled(told)),
        None => pending().await,
    }
}

/// What a case orders, as this client's programs do.
fn ordered(order: &Value) -> Order {
    let mut act = order.clone();
    (act["s"], act["id"]) = (json!(0), json!(0));
    Order::from(serde_json::from_value::<Act>(act).unwrap())
}
