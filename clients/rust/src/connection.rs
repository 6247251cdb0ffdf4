//! One connection with the sessions that the player is in: the socket, the tickets and the time for its state machine.

use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tiltyard_protocol::client::Renew;
use tiltyard_protocol::{ClientMessage, Encoding};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use uuid::Uuid;

use crate::clock::ServerClock;
use crate::closing::{Closing, LOST};
use crate::machine::{Do, Link, Machine};
use crate::member::Kind;
use crate::options::{Bytes, Options, Soon};
use crate::{Error, Status, Ticket, Told, open};

type Socket = WebSocketStream<MaybeTlsStream<Box<dyn Bytes>>>;

/// From a call to the ticket, and from there to the open socket.
const TICKET: Duration = Duration::from_secs(30);
const OPEN: Duration = Duration::from_secs(10);
/// For saying goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// Names a session of a [`Connection`], which is indexed by it.
pub struct Key<K> {
    session: Uuid,
    kind: PhantomData<fn() -> K>,
}

impl<K> Key<K> {
    /// The session's id.
    #[must_use]
    pub const fn session(self) -> Uuid {
        self.session
    }
}

impl<K> Clone for Key<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Key<K> {}

impl<K> fmt::Debug for Key<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.session).finish()
    }
}

/// Where the way to the server is.
enum Way {
    None,
    Ticket(Soon<Result<Ticket, Error>>),
    Opening(Soon<Result<Socket, Error>>),
    Open(Box<Socket>),
}

/// A connection that joins sessions, comes back after a loss, and tells what happens. Nothing happens but while [`Connection::next`] is
/// awaited; what is ordered meanwhile is sent then.
pub struct Connection {
    machine: Machine,
    options: Options,
    way: Way,
    renewing: Option<Soon<Result<Option<Renew>, Error>>>,
    leaving: Option<Soon<()>>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    /// Connects as soon as there is a session to join.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let machine = Machine::new(options.encoding, options.give_up, Instant::now());
        Self { machine, options, way: Way::None, renewing: None, leaving: None, alarm: None }
    }

    /// Joins `session`, or joins it again where it is closed: `connection.join::<Fight>(session)`.
    pub fn join<K: Kind>(&mut self, session: Uuid) -> Key<K> {
        if self.machine.member(session).is_some_and(|member| K::of(&member.any).is_none()) {
            self.machine.forget(session);
        }
        let now = Instant::now();
        if self.machine.member(session).is_none_or(|member| member.closing.is_some()) {
            self.machine.add(session, |time| K::begin(time.clock()), now);
        }
        Key { session, kind: PhantomData }
    }

    /// What happens next, and in which session, which already shows it; `None` when all sessions are closed. Nothing is lost when the call
    /// is dropped before it answers.
    pub async fn next(&mut self) -> Option<(Uuid, Told)> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Where a session is.
    #[must_use]
    pub fn status<K>(&self, key: Key<K>) -> Status {
        self.machine.member(key.session).map_or(Status::Closed, |member| member.status)
    }

    /// Why it is closed, once it is.
    #[must_use]
    pub fn closing<K>(&self, key: Key<K>) -> Option<Closing> {
        self.machine.member(key.session)?.closing
    }

    /// Stops receiving a session; what the player has in it is kept.
    pub fn leave<K>(&mut self, key: Key<K>) {
        self.machine.leave(key.session);
    }

    /// Leaves a session, and closes the connection if it is in no other one; the next calls of [`Connection::next`] do so.
    pub fn close<K>(&mut self, key: Key<K>) {
        self.machine.close(key.session);
    }

    /// Closes a session and lets go of what is known of it. Its key names nothing from then on.
    pub fn forget<K>(&mut self, key: Key<K>) {
        self.machine.forget(key.session);
    }

    /// Leaves all sessions, and says goodbye.
    pub async fn end(mut self) {
        self.machine.end(crate::closing::DONE);
        while self.next().await.is_some() {}
    }

    /// Where the connection itself is.
    #[must_use]
    pub fn link(&self) -> Link {
        self.machine.link()
    }

    /// Tries at once instead of waiting, for when there is reason to think that it will do now.
    pub fn hasten(&mut self) {
        self.machine.hasten();
    }

    /// The server's clock.
    #[must_use]
    pub fn clock(&self) -> ServerClock {
        self.machine.time().clock()
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Uuid, Told)>> {
        loop {
            let now = Instant::now();
            self.machine.tick(now);
            while let Some(todo) = self.machine.poll_todo() {
                self.carry_out(todo);
            }
            let is_lost = self.poll_write(cx).is_err();
            if let Some(told) = self.machine.poll_told() {
                return Poll::Ready(Some(told));
            }
            if is_lost {
                self.machine.lost(LOST, now);
                continue;
            }
            if let Poll::Ready(()) = self.poll_way(cx, now) {
                continue;
            }
            if let Some(renewing) = &mut self.renewing
                && let Poll::Ready(renew) = renewing.as_mut().poll(cx)
            {
                self.renewing = None;
                match renew {
                    Ok(renew) => self.machine.renew(renew),
                    Err(error) => self.machine.not_renewed(error.to_string()),
                }
                continue;
            }
            if self.leaving.as_mut().is_some_and(|leaving| leaving.as_mut().poll(cx).is_ready()) {
                self.leaving = None;
            }
            if matches!(self.machine.link(), Link::Closed(_)) && self.leaving.is_none() {
                return Poll::Ready(None);
            }
            ready!(self.poll_alarm(cx));
        }
    }

    fn carry_out(&mut self, todo: Do) {
        match todo {
            Do::HangUp(said) => {
                self.renewing = None;
                if let Way::Open(socket) = std::mem::replace(&mut self.way, Way::None) {
                    let messages = said.iter().map(|message| encoded(self.options.encoding, message)).collect();
                    self.leaving = Some(Box::pin(goodbye(socket, messages)));
                }
            }
            Do::Dial => {
                self.way = match self.options.first.take() {
                    Some(url) => self.opening(&url),
                    None => Way::Ticket(self.ticket()),
                };
            }
            Do::Renew => {
                self.renewing = Some(if let Some(token) = &mut self.options.token {
                    let token = timeout(TICKET, token());
                    Box::pin(async { Ok(token.await.map_err(|_| Error::Timeout)??.map(Renew::token)) })
                } else {
                    let ticket = self.ticket();
                    Box::pin(async { Ok(Some(Renew::ticket(ticket.await?.ticket))) })
                });
            }
        }
    }

    fn ticket(&mut self) -> Soon<Result<Ticket, Error>> {
        let ticket = timeout(TICKET, (self.options.ticket)());
        Box::pin(async { ticket.await.map_err(|_| Error::Timeout)? })
    }

    fn opening(&mut self, url: &str) -> Way {
        let request = open::request(url, self.options.encoding);
        let tls = self.options.trust.tls();
        let (request, tls) = match (request, tls) {
            (Ok(request), Ok(tls)) => (request, tls),
            (Err(error), _) | (_, Err(error)) => return Way::Opening(Box::pin(async { Err(error) })),
        };
        let (host, port) = open::address(&request);
        let stream = (self.options.dial)(host, port);
        let socket = async move {
            let stream = stream.await.map_err(tokio_tungstenite::tungstenite::Error::Io)?;
            open::handshake(request, stream, tls).await
        };
        Way::Opening(Box::pin(async { timeout(OPEN, socket).await.map_err(|_| Error::Timeout)? }))
    }

    /// Goes on with what the way is at; ready where that was something.
    fn poll_way(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        match &mut self.way {
            Way::None => return Poll::Pending,
            Way::Ticket(ticket) => match ready!(ticket.as_mut().poll(cx)) {
                Ok(Ticket { url, .. }) => self.way = self.opening(&url),
                Err(error) => {
                    self.way = Way::None;
                    let (status, retry) = match error {
                        Error::Refused { status, retry, .. } => (status, retry),
                        _ => (0, None),
                    };
                    self.machine.no_ticket(status, retry, now);
                }
            },
            Way::Opening(socket) => {
                if let Ok(socket) = ready!(socket.as_mut().poll(cx)) {
                    self.way = Way::Open(Box::new(socket));
                    self.machine.opened(now);
                } else {
                    // What was wrong with the ticket is told by the request for the next one.
                    self.way = Way::None;
                    self.machine.lost(LOST, now);
                }
            }
            Way::Open(socket) => match ready!(pin!(socket).poll_next(cx)) {
                Some(Ok(Message::Text(text))) => self.machine.received(text.as_bytes(), now),
                Some(Ok(Message::Binary(bytes))) => self.machine.received(&bytes, now),
                Some(Ok(Message::Close(frame))) => {
                    self.machine.lost(frame.map_or(1005, |frame| frame.code.into()), now);
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => self.machine.lost(LOST, now),
            },
        }
        Poll::Ready(())
    }

    /// Sends what there is to say, as far as the socket takes it.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<(), ()> {
        let Way::Open(socket) = &mut self.way else { return Ok(()) };
        let mut socket = Pin::new(&mut **socket);
        while let Poll::Ready(ready) = socket.as_mut().poll_ready(cx) {
            ready.map_err(drop)?;
            let Some(message) = self.machine.poll_said() else { break };
            socket.as_mut().start_send(encoded(self.options.encoding, &message)).map_err(drop)?;
        }
        match socket.poll_flush(cx) {
            Poll::Ready(Err(_)) => Err(()),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    /// Ready when something is due.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.machine.deadline() else {
            self.alarm = None;
            return Poll::Pending;
        };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if alarm.deadline() != deadline {
            alarm.as_mut().reset(deadline);
        }
        alarm.as_mut().poll(cx)
    }
}

impl<K: Kind> Index<Key<K>> for Connection {
    type Output = K;

    /// # Panics
    /// Where the session was forgotten, or joined by another connection.
    fn index(&self, key: Key<K>) -> &K {
        let member = self.machine.member(key.session).and_then(|member| K::of(&member.any));
        member.expect("a key names a session of the connection that it is from, until that is forgotten")
    }
}

impl<K: Kind> IndexMut<Key<K>> for Connection {
    fn index_mut(&mut self, key: Key<K>) -> &mut K {
        let member = self.machine.member_mut(key.session).and_then(|member| K::of_mut(&mut member.any));
        member.expect("a key names a session of the connection that it is from, until that is forgotten")
    }
}

/// Never shows credentials.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("options", &self.options).field("link", &self.link()).finish_non_exhaustive()
    }
}

fn encoded(encoding: Encoding, message: &ClientMessage) -> Message {
    let mut bytes = Vec::new();
    encoding.encode(message, &mut bytes);
    match encoding {
        Encoding::Json => Message::text(String::from_utf8(bytes).expect("JSON is text")),
        Encoding::MsgPack => Message::Binary(bytes.into()),
    }
}

/// Says the rest, closes, and hears the server out; for as long as that takes, within bounds.
async fn goodbye(mut socket: Box<Socket>, messages: Vec<Message>) {
    let parting = async {
        for message in messages {
            socket.send(message).await?;
        }
        Socket::close(&mut socket, Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })).await?;
        while let Some(Ok(_)) = socket.next().await {}
        Ok::<(), tokio_tungstenite::tungstenite::Error>(())
    };
    let _ = timeout(FAREWELL, parting).await;
}
