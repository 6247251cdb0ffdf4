//! A connection by hand: of one session, and without a way back of its own.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tiltyard_protocol::client::{Concede, Join, Leave, Ping, Ready, Renew};
use tiltyard_protocol::room::{Beat, Gap, Patch, Presence, Relay, Relayed, State, Text};
use tiltyard_protocol::server::{Ack, ErrorNotice, Event, Forgotten, Joined, LeftWhy, Missed, Outcome, Pong, Refused};
use tiltyard_protocol::{Act, ClientMessage, Encoding, RulesView, ServerMessage, View};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};
use uuid::Uuid;

use crate::{Error, Order, Record, Trust, open};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connection that plays one session, each step of it being its user's: for tests, and for load. [`crate::Connection`] comes back by
/// itself, and is in several sessions.
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    encoding: Encoding,
    joined: Option<Joined>,
    /// Under which the view is what it is; 0 before the first.
    epoch: u64,
    /// Of the session that was joined last.
    rules: Option<Box<RulesView>>,
    view: View,
    seq: u64,
    last_id: u64,
    at: Option<u64>,
    applied: u64,
    missed: Option<Missed>,
    room: Option<Record>,
}

/// What happened; the view already shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// The join was answered; a snapshot follows, or what this client has missed, delta by delta.
    Joined(Joined),
    /// The view was replaced: after a join, or because this client was too slow for every delta.
    Snapshot,
    /// A step was applied to the view.
    Delta(Vec<Event>),
    /// The action with this id was applied.
    Ack(Ack),
    /// The action with this id was not applied.
    Refused(Refused),
    /// The action with this id is too old for its answer to be remembered.
    Forgotten(Forgotten),
    /// The fight is decided.
    Result(Outcome),
    /// The session is left, and why.
    Left(LeftWhy),
    Pong(Pong),
    /// The token this connection lives by ends in so many milliseconds: hand in a new one with [`Client::renew`], or a ticket with
    /// [`Client::renew_by_ticket`].
    Expiring(u64),
    /// The new one was taken; it is good for so many milliseconds.
    Renewed(u64),
    /// The session that is no fight has changed; [`Client::room`] shows it.
    State(State),
    /// Another member sends something.
    Relayed(Relayed),
    /// What other members sent was left out, as this client was too slow for it.
    Missed(Gap),
    /// A member has come or gone.
    Presence(Presence),
}

impl Client {
    /// Opens a socket at `url`, which has a ticket in it.
    pub async fn connect(url: &str, encoding: Encoding) -> Result<Self, Error> {
        Self::open(url, encoding, None, &Trust::default()).await
    }

    /// Opens a socket at `url` (`ws://…/ws?session=…`) with a player's token.
    pub async fn connect_with_token(url: &str, encoding: Encoding, token: &str) -> Result<Self, Error> {
        Self::open(url, encoding, Some(token), &Trust::default()).await
    }

    /// Opens a socket at `url`, which has a ticket in it, to a server that is trusted in another way than browsers do.
    pub async fn connect_trusting(url: &str, encoding: Encoding, trust: &Trust) -> Result<Self, Error> {
        Self::open(url, encoding, None, trust).await
    }

    async fn open(url: &str, encoding: Encoding, token: Option<&str>, trust: &Trust) -> Result<Self, Error> {
        let mut request = open::request(url, encoding)?;
        let headers = request.headers_mut();
        if let Some(token) = token
            && let Ok(value) = HeaderValue::from_str(&format!("Bearer {token}"))
        {
            headers.insert("authorization", value);
        }
        let socket = dial(request, trust).await?;
        Ok(Self {
            socket,
            encoding,
            joined: None,
            epoch: 0,
            rules: None,
            view: View::default(),
            seq: 0,
            last_id: 0,
            at: None,
            applied: 0,
            missed: None,
            room: None,
        })
    }

    /// Opens another socket at `url`, in place of the one that is lost, and keeps what is known of the session: a [`Client::join`] of it is
    /// answered by what has been missed since. What had no answer is to be sent again, by [`Client::act_as`].
    pub async fn reconnect(&mut self, url: &str, trust: &Trust) -> Result<(), Error> {
        let request = open::request(url, self.encoding)?;
        self.socket = dial(request, trust).await?;
        self.joined = None;
        Ok(())
    }

    /// Asks to take part in `session`; [`Update::Joined`] follows, and [`Update::Snapshot`], or the deltas since what this client has of it.
    pub async fn join(&mut self, session: Uuid) -> Result<(), Error> {
        let (seq, epoch) = ((self.seq > 0).then_some(self.seq), (self.epoch > 0).then_some(self.epoch));
        let rules = self.rules.as_ref().map(|rules| rules.hash.clone());
        self.send(&ClientMessage::Join(Join { session, seq, epoch, rules })).await
    }

    /// The same after another connection had the session up to sequence `seq`. Where the server has it at an earlier one, a notice
    /// `rolled_back` comes first: what was shown after that is lost.
    pub async fn join_again(&mut self, session: Uuid, seq: u64) -> Result<(), Error> {
        self.send(&ClientMessage::Join(Join { seq: Some(seq), ..Join::new(session) })).await
    }

    /// Says that the player is ready to start.
    pub async fn ready(&mut self) -> Result<(), Error> {
        let s = self.handle()?;
        self.send(&ClientMessage::Ready(Ready { s })).await
    }

    /// Gives the seat up for good: the player forfeits, which an [`Update::Delta`] shows, or it is [`Update::Refused`] with id 0.
    pub async fn concede(&mut self) -> Result<(), Error> {
        let s = self.handle()?;
        self.send(&ClientMessage::Concede(Concede { s })).await
    }

    /// Stops receiving the session; the seat is kept for as long as that of a lost connection.
    pub async fn leave(&mut self) -> Result<(), Error> {
        let s = self.handle()?;
        self.send(&ClientMessage::Leave(Leave { s })).await
    }

    /// Acts with the next id, which is returned; [`Update::Ack`], [`Update::Refused`] or [`Update::Forgotten`] with the same id follows.
    pub async fn act(&mut self, order: impl Into<Order>) -> Result<u64, Error> {
        self.last_id += 1;
        self.act_as(self.last_id, order).await?;
        Ok(self.last_id)
    }

    /// Acts with an id of the caller's choice: to repeat an action whose answer was lost.
    pub async fn act_as(&mut self, id: u64, order: impl Into<Order>) -> Result<(), Error> {
        let s = self.handle()?;
        self.last_id = self.last_id.max(id);
        let Order(act) = order.into();
        self.send(&ClientMessage::Action(Act { s, id, ..act })).await
    }

    /// Changes the state of the custom session that was joined, if it is at `version` where that is said. [`Update::Ack`] or
    /// [`Update::Refused`] with the returned id follows.
    pub async fn patch(&mut self, merge: &Value, version: Option<u64>) -> Result<u64, Error> {
        let (s, id) = self.next_id()?;
        self.send(&ClientMessage::Patch(Patch { s, id, merge: Text::of(merge), expected: version })).await?;
        Ok(id)
    }

    /// Sends something to the other members who are connected, or to one of them; answered likewise.
    pub async fn relay(&mut self, data: &Value, to: Option<Uuid>) -> Result<u64, Error> {
        let (s, id) = self.next_id()?;
        self.send(&ClientMessage::Relay(Relay { s, id, data: Text::of(data), to })).await?;
        Ok(id)
    }

    /// Gives a sign of life of the player session that was joined; answered likewise.
    pub async fn beat(&mut self) -> Result<u64, Error> {
        let (s, id) = self.next_id()?;
        self.send(&ClientMessage::Beat(Beat { s, id })).await?;
        Ok(id)
    }

    /// Asks for the server's clock, and the session's once joined.
    pub async fn ping(&mut self, n: u64) -> Result<(), Error> {
        let s = self.joined.as_ref().map(|joined| joined.s);
        self.send(&ClientMessage::Ping(Ping { n, s })).await
    }

    /// Hands in a new token of the same player; [`Update::Renewed`] follows, or an error that says why not.
    pub async fn renew(&mut self, token: &str) -> Result<(), Error> {
        self.send(&ClientMessage::Renew(Renew::token(token.to_owned()))).await
    }

    /// The same with a new ticket: to the session that this connection's own ticket was for, or to the only one that it has joined, which
    /// is from then on the only one it can.
    pub async fn renew_by_ticket(&mut self, ticket: &str) -> Result<(), Error> {
        self.send(&ClientMessage::Renew(Renew::ticket(ticket.to_owned()))).await
    }

    /// Sends bytes as they are, in the frame type of the encoding.
    pub async fn send_raw(&mut self, bytes: impl Into<Vec<u8>>) -> Result<(), Error> {
        let bytes = bytes.into();
        let message = match (self.encoding, String::from_utf8(bytes)) {
            (Encoding::Json, Ok(text)) => Message::text(text),
            (_, Ok(text)) => Message::Binary(Bytes::from(text)),
            (_, Err(bytes)) => Message::Binary(Bytes::from(bytes.into_bytes())),
        };
        Ok(self.socket.send(message).await?)
    }

    /// Closes the connection.
    pub async fn close(mut self) -> Result<(), Error> {
        Ok(self.socket.close(None).await?)
    }

    /// What happens next; `None` when the server has closed the connection without a code. Nothing is lost when the call is
    /// dropped before it answers.
    pub async fn next(&mut self) -> Result<Option<Update>, Error> {
        loop {
            let bytes = match self.socket.next().await {
                None => return Ok(None),
                Some(Ok(Message::Text(text))) => Bytes::from(text),
                Some(Ok(Message::Binary(bytes))) => bytes,
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Err(Error::Closed { code: frame.code.into(), text: frame.reason.to_string() });
                }
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(error.into()),
            };
            let message = self.encoding.decode_server(&bytes)?;
            if let Some(update) = self.understand(message)? {
                return Ok(Some(update));
            }
        }
    }

    /// `None` of what is for newer clients.
    fn understand(&mut self, message: ServerMessage) -> Result<Option<Update>, Error> {
        Ok(Some(match message {
            ServerMessage::Unknown => return Ok(None),
            ServerMessage::Joined(joined) => {
                self.last_id = self.last_id.max(joined.last_id);
                self.rules = joined.rules.clone().or(self.rules.take());
                self.epoch = joined.epoch;
                self.joined = Some(joined.clone());
                self.room = (!joined.kind.is_combat()).then(|| Record::of(&joined));
                Update::Joined(joined)
            }
            ServerMessage::Snapshot(snapshot) => {
                (self.seq, self.epoch) = (snapshot.q, snapshot.epoch);
                self.at = Some(snapshot.at);
                self.applied = snapshot.id;
                self.missed = snapshot.missed;
                self.view = snapshot.verified()?;
                Update::Snapshot
            }
            ServerMessage::Delta(delta) => {
                // A view that has drifted is not gone on from, but by a snapshot.
                self.seq = self.view.apply(self.seq, &delta).inspect_err(|_| self.epoch = 0)?;
                self.at = Some(delta.at);
                self.applied = delta.id;
                Update::Delta(delta.ev)
            }
            ServerMessage::Ack(ack) => Update::Ack(ack),
            ServerMessage::Refused(refused) => Update::Refused(refused),
            ServerMessage::Forgotten(forgotten) => Update::Forgotten(forgotten),
            ServerMessage::Result(outcome) => Update::Result(outcome),
            ServerMessage::Left(left) => {
                self.joined = None;
                self.room = None;
                Update::Left(left.why)
            }
            ServerMessage::Error(notice) => {
                let ErrorNotice { reason, message, rolled_back, url, .. } = notice;
                return Err(Error::Notice { reason, message, rolled_back, url });
            }
            ServerMessage::Pong(pong) => Update::Pong(pong),
            ServerMessage::Expiring(expiring) => Update::Expiring(expiring.left_ms),
            ServerMessage::Renewed(renewed) => Update::Renewed(renewed.left_ms),
            ServerMessage::State(state) => {
                if self.room.as_mut().is_some_and(|room| !room.change(&state)) {
                    return Err(Error::Behind);
                }
                Update::State(state)
            }
            ServerMessage::Relayed(relayed) => Update::Relayed(relayed),
            ServerMessage::Missed(gap) => Update::Missed(gap),
            ServerMessage::Presence(presence) => {
                if let Some(room) = &mut self.room {
                    room.note(&presence);
                }
                Update::Presence(presence)
            }
        }))
    }

    async fn send(&mut self, message: &ClientMessage) -> Result<(), Error> {
        let mut bytes = Vec::new();
        self.encoding.encode(message, &mut bytes);
        self.send_raw(bytes).await
    }

    fn handle(&self) -> Result<u32, Error> {
        self.joined.as_ref().map(|joined| joined.s).ok_or(Error::NotJoined)
    }

    /// What the session is called that was joined, and the next id.
    fn next_id(&mut self) -> Result<(u32, u64), Error> {
        let s = self.handle()?;
        self.last_id += 1;
        Ok((s, self.last_id))
    }

    /// The session that was joined, where that is no fight.
    pub fn room(&self) -> Option<&Record> {
        self.room.as_ref()
    }

    /// The session as this player sees it.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// What the session is played by, once joined.
    pub fn rules(&self) -> Option<&RulesView> {
        self.joined.as_ref().and(self.rules.as_deref())
    }

    /// Session time of the last snapshot or delta, in milliseconds; `None` before the first.
    pub fn at(&self) -> Option<u64> {
        self.at
    }

    /// The highest action id of this player's that is applied in the view; 0 where none is. What was predicted of it and those before is
    /// in there, or was refused.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// What the last snapshot stood for, where this client had been too slow for every delta.
    pub fn missed(&self) -> Option<Missed> {
        self.missed
    }

    /// The sequence the view is at.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The team this connection plays for, once joined.
    pub fn team(&self) -> Option<u8> {
        self.joined.as_ref().map(|joined| joined.team)
    }

    /// The slot this connection plays, once joined.
    pub fn slot(&self) -> Option<u8> {
        self.joined.as_ref().map(|joined| joined.slot)
    }
}

async fn dial(request: Request, trust: &Trust) -> Result<Socket, Error> {
    let connector = trust.tls()?.map(Connector::Rustls);
    let opened = tokio_tungstenite::connect_async_tls_with_config(request, Some(open::config()), true, connector);
    // With TLS it is large, and would be a part of everything that waits for it.
    let (socket, _response) = Box::pin(opened).await?;
    Ok(socket)
}
