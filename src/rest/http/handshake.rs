//! The beginning of a connection over TLS, in the task that serves it: it takes no longer than a bound, no message of it is longer than the
//! room in which it is read, and a client that speaks HTTP without TLS is told so.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::limits;
use crate::rest::http::transport::{AtOnce, with_space};
use crate::socket::tls::Tls;

/// How a client has begun.
#[derive(Debug)]
pub enum Greeted {
    /// With a handshake; and what it has said behind it.
    Tls(Box<Tls>, Vec<u8>),
    /// With what may be HTTP.
    Plain,
}

/// Why there is no handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The client was gone before its end.
    Closed,
    Timeout,
    /// There is no version, cipher or protocol that both sides know.
    Incompatible,
    /// What came is no TLS, or not as it should be; or the client has refused what it was shown.
    Protocol,
}

impl Failure {
    fn of(error: &io::Error) -> Self {
        match error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol) => Self::Incompatible,
            Some(_) => Self::Protocol,
            None if error.kind() == ErrorKind::InvalidData => Self::Protocol,
            None => Self::Closed,
        }
    }
}

/// Waits for a client to begin.
pub async fn greet(socket: &TcpStream, config: Arc<ServerConfig>) -> Result<Greeted, Failure> {
    let shaken = tokio::time::timeout(Duration::from_millis(limits::TLS_HANDSHAKE_MS), shake(socket, config));
    shaken.await.unwrap_or(Err(Failure::Timeout))
}

async fn shake(socket: &TcpStream, config: Arc<ServerConfig>) -> Result<Greeted, Failure> {
    let mut first = [0];
    match socket.peek(&mut first).await {
        Ok(1) => {}
        Ok(_) | Err(_) => return Err(Failure::Closed),
    }
    // A handshake begins with a number that is no letter, a request with its method.
    if first[0].is_ascii_alphabetic() {
        return Ok(Greeted::Plain);
    }
    let mut tls = Box::new(Tls::new(config).map_err(|_| Failure::Protocol)?);
    let (mut at_once, mut early) = (AtOnce(socket), Vec::new());
    while tls.is_handshaking() || tls.is_behind() {
        let interest = if tls.is_behind() { Interest::WRITABLE } else { Interest::READABLE };
        socket.ready(interest).await.map_err(|error| Failure::of(&error))?;
        let went_on = if tls.is_behind() {
            tls.go_on(&mut at_once).map(|_| true)
        } else {
            with_space(|space| {
                let (length, _) = tls.read(&mut at_once, space)?;
                early.extend_from_slice(&space[..length]);
                Ok(length > 0)
            })
        };
        match went_on {
            Ok(true) => {}
            Ok(false) => return Err(Failure::Closed),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(Failure::of(&error)),
        }
    }
    Ok(Greeted::Tls(tls, early))
}
