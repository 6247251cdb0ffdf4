//! Just enough HTTP to set a run up: `POST` with JSON over one keep-alive connection, many requests in flight.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tiltyard_client::Trust;
use uuid::Uuid;

use crate::connect::upgrade::header;

/// Requests in flight: enough to hide the round trip, few enough to fit both kernels' buffers.
const WINDOW: usize = 32;
const HEAD_BYTES_MAX: u64 = 16 * 1024;
/// Above the largest replay.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);
/// How long a connection may go unused and be used again: well below the five seconds after which the server closes it.
const IDLE_MAX: Duration = Duration::from_secs(2);

/// Where the server is.
#[derive(Debug, Clone)]
pub struct Base {
    pub host: String,
    pub address: SocketAddr,
    /// In front of every path; empty for the root.
    pub prefix: String,
    has_tls: bool,
    /// How TLS is spoken, once it is known whom to trust.
    tls: Option<Arc<ClientConfig>>,
}

/// A connection on which one waits, with TLS or without.
#[derive(Debug)]
enum Line {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// A client of the REST API.
#[derive(Debug)]
pub struct Rest {
    base: Base,
    token: String,
    stream: BufReader<Line>,
    /// When the last answer had come.
    used: Instant,
}

impl std::str::FromStr for Base {
    type Err = anyhow::Error;

    fn from_str(url: &str) -> Result<Self> {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => bail!("{url} starts with neither http:// nor https://"),
        };
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:{port}") };
        let mut found = with_port.to_socket_addrs().with_context(|| format!("{host} is not an address"))?;
        let address = found.next().with_context(|| format!("{host} has no address"))?;
        let path = path.trim_end_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Self { host: host.to_owned(), address, prefix, has_tls: scheme == "https", tls: None })
    }
}

impl Base {
    /// The same, where TLS is spoken only to whom is trusted.
    pub fn trusting(self, trust: &Trust) -> Result<Self> {
        Ok(Self { tls: trust.tls()?, ..self })
    }

    /// The client's side of TLS for one connection; `None` where it is not spoken.
    pub fn tls(&self) -> Result<Option<ClientConnection>> {
        if !self.has_tls {
            return Ok(None);
        }
        let config = self.tls.clone().context("whom to trust over TLS? Say --tls-ca FILE, or --insecure")?;
        let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name).to_owned();
        Ok(Some(ClientConnection::new(config, name.try_into()?)?))
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl Rest {
    pub fn connect(base: &Base, token: &str) -> Result<Self> {
        let stream = open(base)?;
        Ok(Self { base: base.clone(), token: token.to_owned(), stream, used: Instant::now() })
    }

    /// Opens another connection where the server may be about to close this one. Nothing was asked on it that is not answered.
    fn freshen(&mut self) -> Result<()> {
        if self.used.elapsed() > IDLE_MAX {
            self.stream = open(&self.base)?;
        }
        Ok(())
    }

    /// Creates a combat session for each list of players, with `rules` over its ruleset's; the sessions' ids.
    pub fn create_sessions(&mut self, rosters: &[Vec<Uuid>], rules: &serde_json::Value) -> Result<Vec<Uuid>> {
        #[derive(Deserialize)]
        struct Created {
            session_id: Uuid,
        }
        let settings = json!({ "max_duration": 3600, "rules": rules });
        let requests = rosters.iter().map(|players| {
            let body = json!({ "mode": "pvp", "participants": players, "settings": settings });
            ("/combat/sessions".to_owned(), body.to_string())
        });
        let created: Vec<Created> = self.post_all(requests, 201)?;
        Ok(created.into_iter().map(|one| one.session_id).collect())
    }

    /// A ticket for each session and player.
    pub fn tickets(&mut self, seats: impl Iterator<Item = (Uuid, Uuid)>) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Minted {
            ticket: String,
        }
        let requests = seats.map(|(session, player)| {
            (format!("/sessions/{session}/tickets"), json!({ "player_id": player }).to_string())
        });
        // What a new ticket is answered by is left to the server; any 2xx will do.
        let minted: Vec<Minted> = self.post_all(requests, 0)?;
        Ok(minted.into_iter().map(|one| one.ticket).collect())
    }

    /// Asks once; the status and the body, whatever they are.
    pub fn ask(&mut self, method: &str, path: &str, body: Option<&serde_json::Value>) -> Result<(u16, Vec<u8>)> {
        self.freshen()?;
        let body = body.map(ToString::to_string).unwrap_or_default();
        let Base { host, prefix, .. } = &self.base;
        let head =
            format!("{method} {prefix}{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n", self.token);
        let rest = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        self.stream.get_mut().write_all((head + &rest).as_bytes())?;
        self.whole().with_context(|| format!("{method} {path}"))
    }

    /// Posts every path and body, and reads the answers in the same order. `status` 0 stands for any success.
    fn post_all<T: DeserializeOwned>(
        &mut self,
        requests: impl Iterator<Item = (String, String)>,
        status: u16,
    ) -> Result<Vec<T>> {
        self.freshen()?;
        let mut requests = requests.peekable();
        let mut answers = Vec::new();
        while requests.peek().is_some() {
            let mut bytes = String::new();
            let mut paths = Vec::with_capacity(WINDOW);
            for (path, body) in requests.by_ref().take(WINDOW) {
                // Writing to a string cannot fail.
                let _ = write!(
                    bytes,
                    "POST {}{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
                     Content-Length: {}\r\n\r\n{body}",
                    self.base.prefix,
                    self.base.host,
                    self.token,
                    body.len()
                );
                paths.push(path);
            }
            self.stream.get_mut().write_all(bytes.as_bytes())?;
            for path in paths {
                answers.push(self.answer(status).with_context(|| format!("POST {path}"))?);
            }
        }
        Ok(answers)
    }

    fn answer<T: DeserializeOwned>(&mut self, expected: u16) -> Result<T> {
        let (status, body) = self.whole()?;
        if status != expected && !(expected == 0 && (200..300).contains(&status)) {
            bail!("answered by {status}: {}", String::from_utf8_lossy(&body));
        }
        serde_json::from_slice(&body).with_context(|| format!("the answer is {}", String::from_utf8_lossy(&body)))
    }

    /// The next answer, its body read to its end.
    fn whole(&mut self) -> Result<(u16, Vec<u8>)> {
        let head = self.head()?;
        let status: u16 =
            head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("the answer is not HTTP")?;
        let length = header(&head, "content-length").context("the answer has no Content-Length")?;
        let length: usize = length.parse().context("the answer's Content-Length is no number")?;
        ensure!(length <= BODY_BYTES_MAX, "the answer has {length} bytes");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        self.used = Instant::now();
        Ok((status, body))
    }

    fn head(&mut self) -> Result<String> {
        let mut head = String::new();
        let mut limited = self.stream.by_ref().take(HEAD_BYTES_MAX);
        loop {
            let line_start = head.len();
            ensure!(limited.read_line(&mut head)? > 0, "the server closed the connection, or sent too long a head");
            if head[line_start..].trim_end().is_empty() {
                return Ok(head);
            }
        }
    }
}

fn open(base: &Base) -> Result<BufReader<Line>> {
    let address = base.address;
    let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
    stream.set_write_timeout(Some(ANSWER_TIME_MAX))?;
    let line = match base.tls()? {
        None => Line::Plain(stream),
        Some(tls) => Line::Tls(Box::new(StreamOwned::new(tls, stream))),
    };
    Ok(BufReader::with_capacity(64 * 1024, line))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use serde_json::json;
    use uuid::Uuid;

    use super::{Base, Rest, Trust};

    /// A server that says `answer` to whoever connects first, once it has seen `requests` requests.
    fn canned(answer: String, requests: usize) -> (Base, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/v1/session/", listener.local_addr().unwrap()).parse().unwrap();
        let seen = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = String::new();
            let mut buffer = [0; 4096];
            while seen.matches("\r\n\r\n{").count() < requests {
                let read = stream.read(&mut buffer).unwrap();
                seen.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            }
            stream.write_all(answer.as_bytes()).unwrap();
            seen
        });
        (base, seen)
    }

    fn created(id: Uuid) -> String {
        let body = format!("{{\"session_id\":\"{id}\",\"status\":\"initializing\"}}");
        format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }

    #[test]
    fn answers_come_in_the_order_of_the_requests() {
        let ids = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let (base, seen) = canned(ids.map(created).concat(), 2);
        let mut rest = Rest::connect(&base, "secret").unwrap();
        let rosters = [vec![Uuid::from_u128(3)], vec![Uuid::from_u128(4)]];
        assert_eq!(rest.create_sessions(&rosters, &json!({ "health": 5 })).unwrap(), ids);
        let seen = seen.join().unwrap();
        assert!(seen.starts_with("POST /v1/session/combat/sessions HTTP/1.1\r\n"));
        assert!(seen.contains("Authorization: Bearer secret\r\n"));
        assert!(seen.contains("\"rules\":{\"health\":5}"));
    }

    #[test]
    fn a_refusal_is_an_error_that_says_what_the_server_said() {
        let (base, _seen) = canned("HTTP/1.1 403 Forbidden\r\ncontent-length: 12\r\n\r\n{\"code\":403}".to_owned(), 1);
        let mut rest = Rest::connect(&base, "secret").unwrap();
        let error = rest.tickets(std::iter::once((Uuid::nil(), Uuid::nil()))).unwrap_err();
        assert!(format!("{error:#}").contains("answered by 403: {\"code\":403}"), "{error:#}");
    }

    #[test]
    fn a_connection_that_was_left_alone_is_not_asked_on() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base: Base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        // The server closes the first connection without a word, and answers on the second.
        let server = std::thread::spawn(move || {
            drop(listener.accept().unwrap());
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        });
        let mut rest = Rest::connect(&base, "secret").unwrap();
        rest.used -= super::IDLE_MAX * 2;
        assert_eq!(rest.ask("GET", "/", None).unwrap(), (200, b"{}".to_vec()));
        server.join().unwrap();
    }

    #[test]
    fn urls() {
        let base: Base = "http://127.0.0.1:8080".parse().unwrap();
        assert_eq!((base.prefix.as_str(), base.address.port()), ("", 8080));
        let base: Base = "https://127.0.0.1".parse().unwrap();
        assert_eq!(base.address.port(), 443);
        assert!(base.tls().is_err() && base.trusting(&Trust::Anybody).unwrap().tls().unwrap().is_some());
        assert!("ws://127.0.0.1".parse::<Base>().is_err() && "127.0.0.1".parse::<Base>().is_err());
        assert!("http://127.0.0.1:port".parse::<Base>().is_err());
    }
}
