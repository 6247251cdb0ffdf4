//! What a connection is opened with.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use tiltyard_protocol::Encoding;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::{Error, Ticket, Trust};

/// How long to try to come back, where nothing else is said.
const GIVE_UP: Duration = Duration::from_mins(3);

/// Bytes there and back.
pub(crate) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Bytes for S {}

pub(crate) type Soon<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Ask<T> = Box<dyn FnMut() -> Soon<Result<T, Error>> + Send>;
type Dial = Box<dyn FnMut(String, u16) -> Soon<io::Result<Box<dyn Bytes>>> + Send>;

/// How to connect, and how to come back.
pub struct Options {
    pub(crate) ticket: Ask<Ticket>,
    pub(crate) first: Option<String>,
    pub(crate) token: Option<Ask<Option<String>>>,
    pub(crate) encoding: Encoding,
    pub(crate) trust: Trust,
    pub(crate) give_up: Duration,
    pub(crate) dial: Dial,
}

impl Options {
    /// `ticket` gets a ticket: one for every connection, as it admits once, and one for every renewal. It does so by [`crate::Rest::ticket`] or
    /// by a service of your own; what it fails with as [`Error::Refused`] says whether to try again, and when.
    pub fn new<F>(mut ticket: impl FnMut() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<Ticket, Error>> + Send + 'static,
    {
        Self {
            ticket: Box::new(move || Box::pin(ticket())),
            first: None,
            token: None,
            encoding: Encoding::Json,
            trust: Trust::default(),
            give_up: GIVE_UP,
            dial: Box::new(|host, port| Box::pin(tcp(host, port))),
        }
    }

    /// Where to open the first socket, where there is a ticket already.
    #[must_use]
    pub fn first(self, url: &str) -> Self {
        Self { first: Some(url.to_owned()), ..self }
    }

    /// Gets the player's new token when the one that the connection lives by is about to end; in place of another ticket. `None` where there
    /// is none to be had: the connection then ends when the old one does.
    #[must_use]
    pub fn token<F>(self, mut token: impl FnMut() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<Option<String>, Error>> + Send + 'static,
    {
        Self { token: Some(Box::new(move || Box::pin(token()))), ..self }
    }

    /// JSON where nothing else is said; `MessagePack` has about 60 % of the bytes of a delta.
    #[must_use]
    pub fn encoding(self, encoding: Encoding) -> Self {
        Self { encoding, ..self }
    }

    /// Whom to take for the server.
    #[must_use]
    pub fn trust(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    /// How long to try to come back: three minutes where nothing else is said.
    #[must_use]
    pub fn give_up(self, after: Duration) -> Self {
        Self { give_up: after, ..self }
    }

    /// Has bytes go another way than over TCP: through a proxy, or to a server in a test.
    #[must_use]
    pub fn through<S, F>(self, mut dial: impl FnMut(String, u16) -> F + Send + 'static) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
    {
        let dial: Dial = Box::new(move |host, port| {
            let dialing = dial(host, port);
            Box::pin(async { Ok(Box::new(dialing.await?) as Box<dyn Bytes>) })
        });
        Self { dial, ..self }
    }
}

async fn tcp(host: String, port: u16) -> io::Result<Box<dyn Bytes>> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(Box::new(stream))
}

/// Never shows credentials.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { encoding, trust, give_up, .. } = self;
        f.debug_struct("Options")
            .field("encoding", encoding)
            .field("trust", trust)
            .field("give_up", give_up)
            .finish_non_exhaustive()
    }
}
