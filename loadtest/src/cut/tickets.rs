//! Tickets for those who want one: from the server that has all sessions, or from whichever node is asked for whichever session.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::lobby::Lobby;
use crate::rest::{Base, Rest};
use crate::sys;

/// Threads that ask nodes for tickets.
const DESKS: usize = 8;

/// What became of a wish.
#[derive(Debug)]
pub enum Minted {
    /// Where to connect, and which path to ask for.
    At(Base, String),
    /// The session cannot be reached, and is to be asked for again after so many microseconds.
    Later(u64),
}

/// Where the seats say that they want a ticket, and get one.
#[derive(Debug)]
pub struct Desk {
    pub wanted: Sender<usize>,
    pub minted: Receiver<Result<(usize, Minted)>>,
}

impl Desk {
    /// Tickets of the lobby's server, for as many at once as want one.
    pub fn of_lobby(mut lobby: Lobby) -> Self {
        let (wanted, asked) = channel();
        let (found, minted) = channel();
        thread::spawn(move || {
            sys::give_way();
            while let Ok(first) = asked.recv() {
                let mut seats = vec![first];
                while seats.len() < 256
                    && let Ok(more) = asked.try_recv()
                {
                    seats.push(more);
                }
                let base = lobby.base(first).clone();
                let at = |(seat, path)| Ok((seat, Minted::At(base.clone(), path)));
                let is_over = match lobby.paths_of(seats.iter().copied()) {
                    Ok(paths) => seats.into_iter().zip(paths).map(at).any(|minted| found.send(minted).is_err()),
                    Err(error) => found.send(Err(error)).is_err(),
                };
                if is_over {
                    return;
                }
            }
        });
        Self { wanted, minted }
    }

    /// Tickets of the node at `base`, which says for each at which node it is good. `seats` are session and player of each.
    pub fn of_nodes(base: &Base, token: &str, seats: Vec<(Uuid, Uuid)>) -> Result<Self> {
        let (wanted, asked) = channel();
        let (found, minted) = channel();
        let (asked, seats) = (Arc::new(Mutex::new(asked)), Arc::new(seats));
        for _ in 0..DESKS {
            let mut rest = Rest::connect(base, token)?;
            let (asked, seats, found) = (Arc::clone(&asked), Arc::clone(&seats), found.clone());
            thread::spawn(move || {
                sys::give_way();
                loop {
                    // Nothing panics while it is held.
                    let next: Result<usize, _> = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(seat) = next else { return };
                    let minted = ticket(&mut rest, seats[seat]).map(|minted| (seat, minted));
                    if found.send(minted).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self { wanted, minted })
    }
}

fn ticket(rest: &mut Rest, (session, player): (Uuid, Uuid)) -> Result<Minted> {
    let path = format!("/sessions/{session}/tickets");
    let (status, body) = rest.ask("POST", &path, Some(&json!({ "player_id": player })))?;
    let answer: Value = serde_json::from_slice(&body).context("a ticket is no JSON")?;
    let again_ms = answer["details"]["retry_ms"].as_u64();
    match (status, again_ms) {
        (200..300, _) => {
            let url = answer["url"].as_str().context("a ticket has no URL")?;
            let (base, path) = url.split_once("/ws?").context("a ticket's URL is not one")?;
            Ok(Minted::At(base.replacen("ws", "http", 1).parse()?, format!("/ws?{path}")))
        }
        (503, Some(ms)) => Ok(Minted::Later(ms * 1_000)),
        _ => bail!("a ticket is answered by {status}: {answer}"),
    }
}
