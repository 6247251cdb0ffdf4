//! What a client sends, looked at before hyper reads it, which answers what it cannot read by itself: without a body, and for two lengths
//! of one body not at all. A request whose head is not as RFC 9112 says goes no further. Another stands for it, the last one of its
//! connection, and is answered by what is wrong with the first: as every error, with its reason, for pages of other origins too.
//!
//! Where a request ends is known here, so that hyper is never given more than one at a time: what is behind a handshake is no HTTP.

use std::mem::{self, MaybeUninit};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::{StatusCode, Uri};
use httparse::{Header, Status};
use tiltyard_protocol::Reason;
use tokio::io::ReadBuf;

use crate::limits;
use crate::rest::ApiError;
use crate::rest::http::chunks::{Chunks, Took};
use crate::rest::origin::is_authority;

/// Bytes of a field that is carried over from a head that could not be read.
const CARRIED_BYTES: usize = 256;

/// Bytes of a line that are surely not its path.
const METHOD_BYTES: usize = 64;

/// Fields that are.
const CARRIED: [&str; 2] = ["origin", "x-request-id"];

/// What is wrong with a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    NotHttp,
    Version,
    UriTooLong,
    TooLong,
    TooManyFields,
    Host,
    Length,
    LengthAndCoding,
    Coding,
    UnknownCoding,
    CutOff,
    Late,
    NoTls,
}

/// Which request of a connection stands for one that could not be read, and what is wrong with that one. Requests are counted from 0.
#[derive(Debug, Clone, Default)]
pub struct Standing(Arc<OnceLock<(u64, Fault)>>);

/// What a connection waits for, while it is none of a body's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Its first request.
    First,
    /// The rest of a head.
    Head,
    /// Another request.
    Next,
}

/// A connection's bytes on their way to hyper.
#[derive(Debug)]
pub struct Gate {
    held: Vec<u8>,
    /// Bytes of it that have been passed on.
    gone: usize,
    /// Bytes behind them that may be.
    open: usize,
    at: At,
    /// Bytes of a head that were searched for its end.
    searched: usize,
    /// Bytes of a head at which it is looked at although its end is not there: what is no HTTP has none.
    look_at: usize,
    /// Heads passed on.
    heads: u64,
    standing: Standing,
    /// What is wrong with any request, whatever it is.
    bar: Option<Fault>,
}

#[derive(Debug)]
enum At {
    Head,
    /// So much is left of a body.
    Body(u64),
    Chunks(Chunks),
    /// Nothing more is passed on.
    End,
}

impl Wait {
    /// How long it may take.
    pub const fn bound(self) -> Duration {
        Duration::from_millis(match self {
            Self::First | Self::Head => limits::HEADER_MS,
            Self::Next => limits::IDLE_MS,
        })
    }
}

impl Standing {
    /// What is wrong with the request that this one stands for, if it does.
    pub fn of(&self, request: u64) -> Option<Fault> {
        self.0.get().filter(|(stands, _)| *stands == request).map(|(_, fault)| *fault)
    }
}

impl Gate {
    pub const fn new(standing: Standing) -> Self {
        Self {
            held: Vec::new(),
            gone: 0,
            open: 0,
            at: At::Head,
            searched: 0,
            look_at: 0,
            heads: 0,
            standing,
            bar: None,
        }
    }

    /// One that lets no request through, as `fault` says.
    pub fn barred(standing: Standing, fault: Fault) -> Self {
        Self { bar: Some(fault), ..Self::new(standing) }
    }

    /// Takes what came.
    pub fn take(&mut self, bytes: &[u8]) {
        if self.gone > 0 {
            self.held.drain(..mem::take(&mut self.gone));
        }
        self.held.extend_from_slice(bytes);
    }

    /// Passes on into `buffer` what may be of one request. `false` where it is nothing.
    pub fn pass(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let mut is_any = false;
        while buffer.remaining() > 0 {
            if self.open == 0 {
                if is_any && matches!(self.at, At::Head | At::End) {
                    break;
                }
                self.look();
            }
            let count = self.open.min(buffer.remaining());
            if count == 0 {
                break;
            }
            buffer.put_slice(&self.held[self.gone..self.gone + count]);
            self.gone += count;
            self.open -= count;
            is_any = true;
        }
        if self.gone == self.held.len() {
            // Most connections wait for their clients most of the time, and then keep nothing.
            (self.held, self.gone) = (Vec::new(), 0);
        }
        is_any
    }

    /// Nothing more comes. `true` where there is something to pass on all the same.
    pub fn end(&mut self) -> bool {
        self.give_up(Fault::CutOff)
    }

    /// A head took too long. `true` as above.
    pub fn late(&mut self) -> bool {
        self.give_up(Fault::Late)
    }

    /// What it waits for.
    pub fn waits(&self) -> Option<Wait> {
        match self.at {
            At::Head if self.heads == 0 => Some(Wait::First),
            At::Head if self.held.is_empty() => Some(Wait::Next),
            At::Head => Some(Wait::Head),
            At::Body(_) | At::Chunks(_) | At::End => None,
        }
    }

    /// Whether nothing more is passed on.
    pub fn is_over(&self) -> bool {
        self.open == 0 && matches!(self.at, At::End)
    }

    /// Whether all that came has been passed on, and no request is cut in two.
    pub fn is_clean(&self) -> bool {
        self.held.is_empty() && matches!(self.at, At::Head)
    }

    /// What came and was not passed on.
    pub fn into_held(mut self) -> Vec<u8> {
        self.held.drain(..self.gone);
        self.held
    }

    fn give_up(&mut self, fault: Fault) -> bool {
        let is_head = matches!(self.at, At::Head) && !self.held.is_empty();
        if is_head {
            self.refuse(fault);
        }
        is_head
    }

    /// Finds out how much may be passed on.
    fn look(&mut self) {
        let held = &self.held[self.gone..];
        match &mut self.at {
            At::Head => self.look_at_head(),
            At::End => {}
            At::Body(left) => {
                self.open = usize::try_from(*left).map_or(held.len(), |left| left.min(held.len()));
                *left -= self.open as u64;
                if *left == 0 {
                    self.at = At::Head;
                }
            }
            At::Chunks(chunks) => {
                let (count, took) = chunks.take(held);
                self.open = count;
                match took {
                    Took::Part => {}
                    Took::All => self.at = At::Head,
                    // What is wrong with it is hyper's to find; what is behind it is nobody's.
                    Took::Wrong => self.at = At::End,
                }
            }
        }
    }

    fn look_at_head(&mut self) {
        let empty = self.held[self.gone..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.gone += empty;
        let held = &self.held[self.gone..];
        if held.is_empty() {
            return;
        }
        let ends = has_end(&held[self.searched.saturating_sub(3).min(held.len())..]);
        self.searched = held.len();
        if !ends && held.len() < self.look_at {
            return;
        }
        match read(held).and_then(|found| match (found, self.bar) {
            (Some(_), Some(fault)) => Err(fault),
            (found, _) => Ok(found),
        }) {
            Ok(Some((length, body))) => {
                self.open = length;
                self.heads += 1;
                (self.searched, self.look_at) = (0, 0);
                self.at = body;
            }
            Ok(None) => self.look_at = (held.len() * 2).min(limits::HEAD_BYTES),
            Err(fault) => self.refuse(fault),
        }
    }

    /// Has another request stand for the one that is held.
    fn refuse(&mut self, fault: Fault) {
        // Only the first one can be set, and it is the last.
        let _ = self.standing.0.set((self.heads, fault));
        self.heads += 1;
        self.held = stand_in(&self.held[self.gone..]);
        (self.gone, self.open, self.at) = (0, self.held.len(), At::End);
    }
}

/// Whether there is an empty line behind another.
fn has_end(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|window| window == b"\n\n") || bytes.windows(3).any(|window| window == b"\n\r\n")
}

/// The length of a head and what is behind it; `None` where it is not all there.
fn read(bytes: &[u8]) -> Result<Option<(usize, At)>, Fault> {
    let mut fields = [MaybeUninit::uninit(); limits::HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let status = request.parse_with_uninit_headers(bytes, &mut fields).map_err(|error| match error {
        httparse::Error::TooManyHeaders => Fault::TooManyFields,
        httparse::Error::Version if names_version(bytes) => Fault::Version,
        _ => Fault::NotHttp,
    });
    // While the line goes on there is its method, too.
    let line = || bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()).saturating_sub(METHOD_BYTES);
    let uri = request.path.map_or_else(line, str::len);
    if uri > limits::URI_BYTES {
        return Err(Fault::UriTooLong);
    }
    let length = match status? {
        Status::Complete(length) => length,
        Status::Partial => bytes.len(),
    };
    if length >= limits::HEAD_BYTES {
        return Err(Fault::TooLong);
    }
    if status == Ok(Status::Partial) {
        return Ok(None);
    }
    if request.path.is_none_or(|path| path.parse::<Uri>().is_err()) {
        return Err(Fault::NotHttp);
    }
    body_of(request.headers, request.version == Some(1)).map(|body| Some((length, body)))
}

/// Whether the request line goes on behind its second blank as a version of HTTP does: otherwise it is no version that is wrong with it,
/// but the line, for example a blank in its target.
fn names_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let ends = line.len() < bytes.len();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let version = line.splitn(3, |byte| *byte == b' ').nth(2).unwrap_or_default();
    let is_as_written = |(at, byte): (usize, &u8)| match at {
        5 | 7 => byte.is_ascii_digit(),
        _ => b"HTTP/ .".get(at) == Some(byte),
    };
    version.iter().enumerate().all(is_as_written) && (version.len() == 8 || !ends)
}

/// What follows a head with these fields.
fn body_of(fields: &[Header<'_>], is_new: bool) -> Result<At, Fault> {
    let values = |name: &'static str| {
        fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    };
    let hosts = values("host").count();
    let is_host = |host: &[u8]| host.is_empty() || str::from_utf8(host).is_ok_and(is_authority);
    if hosts > 1 || hosts == 0 && is_new || !values("host").all(is_host) {
        return Err(Fault::Host);
    }
    let mut length = None;
    for value in values("content-length") {
        let digits = str::from_utf8(value).ok().filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
        let given = digits.and_then(|digits| digits.parse::<i64>().ok()).ok_or(Fault::Length)?;
        if length.is_some_and(|length| length != given) {
            return Err(Fault::Length);
        }
        length = Some(given);
    }
    if values("transfer-encoding").next().is_none() {
        return Ok(match length {
            None | Some(0) => At::Head,
            Some(length) => At::Body(length.unsigned_abs()),
        });
    }
    if length.is_some() {
        return Err(Fault::LengthAndCoding);
    }
    let mut chunked = 0;
    for value in values("transfer-encoding") {
        for coding in str::from_utf8(value).map_err(|_| Fault::Coding)?.split(',') {
            match coding.trim_matches([' ', '\t']) {
                "" => return Err(Fault::Coding),
                coding if coding.eq_ignore_ascii_case("chunked") => chunked += 1,
                _ => return Err(Fault::UnknownCoding),
            }
        }
    }
    if chunked == 1 && is_new { Ok(At::Chunks(Chunks::default())) } else { Err(Fault::Coding) }
}

/// A request for the answer to one that cannot be read: its method is HEAD where that one's was, as its answer then has no body.
fn stand_in(head: &[u8]) -> Vec<u8> {
    let method = if head.starts_with(b"HEAD ") { "HEAD" } else { "GET" };
    let mut stand_in = format!("{method} / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n").into_bytes();
    let lines = head.split(|byte| *byte == b'\n').skip(1).take(limits::HEADERS).map(<[u8]>::trim_ascii);
    let fields = lines.filter_map(|line| str::from_utf8(line).ok()?.split_once(':'));
    let fields: Vec<_> = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim())).collect();
    for name in CARRIED {
        let mut given = fields.iter().filter(|(given, _)| given == name).map(|(_, value)| *value);
        let value = given.next().filter(|_| given.next().is_none());
        let is_sane = |value: &&str| value.len() <= CARRIED_BYTES && value.bytes().all(|byte| byte.is_ascii_graphic());
        if let Some(value) = value.filter(is_sane) {
            stand_in.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
    }
    stand_in.extend_from_slice(b"\r\n");
    stand_in
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        let (status, message) = match fault {
            Fault::NotHttp => (StatusCode::BAD_REQUEST, "The head of the request cannot be read.".to_owned()),
            Fault::Version => {
                (StatusCode::HTTP_VERSION_NOT_SUPPORTED, "This server speaks HTTP/1.1 and HTTP/1.0.".to_owned())
            }
            Fault::UriTooLong => {
                (StatusCode::URI_TOO_LONG, format!("A path and its query have at most {} bytes.", limits::URI_BYTES))
            }
            Fault::TooLong => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                format!("The head of a request has less than {} bytes.", limits::HEAD_BYTES),
            ),
            Fault::TooManyFields => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                format!("A request has at most {} header fields.", limits::HEADERS),
            ),
            Fault::Host => (StatusCode::BAD_REQUEST, "A request says once to which Host it goes.".to_owned()),
            Fault::Length => (StatusCode::BAD_REQUEST, "Content-Length is one number of bytes.".to_owned()),
            Fault::LengthAndCoding => {
                (StatusCode::BAD_REQUEST, "A body has a Content-Length or a Transfer-Encoding, not both.".to_owned())
            }
            Fault::Coding => (StatusCode::BAD_REQUEST, "Transfer-Encoding is chunked, once, over HTTP/1.1.".to_owned()),
            Fault::UnknownCoding => {
                (StatusCode::NOT_IMPLEMENTED, "The only Transfer-Encoding known here is chunked.".to_owned())
            }
            Fault::CutOff => (StatusCode::BAD_REQUEST, "The head of the request ended too early.".to_owned()),
            Fault::Late => (StatusCode::REQUEST_TIMEOUT, "The head of the request did not come in time.".to_owned()),
            Fault::NoTls => (
                StatusCode::BAD_REQUEST,
                "This server is reached over TLS: its URLs begin with https:// and wss://.".to_owned(),
            ),
        };
        let reason = if fault == Fault::Late { Reason::Timeout } else { Reason::BadRequest };
        Self::new(reason).status(status).message(message)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Gate, Standing, Wait};
    use crate::limits;
    use proptest::prelude::*;
    use std::time::Duration;
    use tokio::io::ReadBuf;

    /// All that is passed on of `bytes` when they come in pieces of `piece` bytes, request by request, and what is wrong with the last.
    fn passed(bytes: &[u8], piece: usize) -> (Vec<String>, Option<Fault>) {
        let standing = Standing::default();
        let mut gate = Gate::new(standing.clone());
        let (mut requests, mut space) = (vec![String::new()], vec![0; 1 << 20]);
        for piece in bytes.chunks(piece) {
            gate.take(piece);
            loop {
                let mut buffer = ReadBuf::new(&mut space);
                let before = gate.heads;
                if !gate.pass(&mut buffer) {
                    break;
                }
                if gate.heads > before && !requests.last().unwrap().is_empty() {
                    requests.push(String::new());
                }
                *requests.last_mut().unwrap() += str::from_utf8(buffer.filled()).unwrap();
            }
        }
        let fault = (0..gate.heads).find_map(|request| standing.of(request));
        assert!(fault.is_none() || gate.is_over());
        (requests, fault)
    }

    fn fault(head: &str) -> Option<Fault> {
        let whole = passed(head.as_bytes(), head.len()).1;
        assert_eq!(passed(head.as_bytes(), 1).1, whole, "however it comes: {head:?}");
        whole
    }

    #[test]
    fn requests_are_passed_on_one_by_one_as_they_are() {
        let requests = [
            "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 23\r\n\r\nGET /c HTTP/1.1\r\nno\r\n\r\n",
            "POST /d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n00a ; x=\"y\"\r\n\r\n\r\n\r\n\r\n\r\n\r\n1\r\nx\r\n0\r\nGET: x\r\n\r\n",
            "POST /e HTTP/1.1\nhost:\nContent-Length: 0\nContent-Length: 0\n\n",
            "GET /f HTTP/1.0\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        ];
        for piece in [1, 2, 3, 7, 1000] {
            let (heard, fault) = passed(requests.concat().as_bytes(), piece);
            assert_eq!(fault, None);
            assert_eq!(heard, requests, "in pieces of {piece}");
        }
        assert_eq!(passed(b"\r\n\r\n\nGET / HTTP/1.0\r\n\r\n\r\n", 1).0, ["GET / HTTP/1.0\r\n\r\n"]);
    }

    #[test]
    fn each_fault_has_its_name() {
        let get = |fields: &str| fault(&format!("GET / HTTP/1.1\r\n{fields}\r\n"));
        let post = |fields: &str| get(&format!("Host: a\r\n{fields}"));
        assert_eq!(get(""), Some(Fault::Host));
        assert_eq!(get("Host: a\r\nHost: a\r\n"), Some(Fault::Host));
        assert_eq!(get("Host: a b\r\n"), Some(Fault::Host));
        assert_eq!(post("X: a\u{1}b\r\n"), Some(Fault::NotHttp));
        assert_eq!(post("X : a\r\n"), Some(Fault::NotHttp));
        assert_eq!(post("X: a\r\n b\r\n"), Some(Fault::NotHttp), "folded");
        for length in ["", "x", "-1", "+1", "1 1", "1, 1", "0x1", "1.0", "99999999999999999999"] {
            assert_eq!(post(&format!("Content-Length: {length}\r\n")), Some(Fault::Length), "{length:?}");
        }
        assert_eq!(post("Content-Length: 1\r\nContent-Length: 2\r\n"), Some(Fault::Length));
        let both =
            ["Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "transfer-encoding: x\r\ncontent-length: 3\r\n"];
        assert!(both.iter().all(|both| post(both) == Some(Fault::LengthAndCoding)));
        for coding in ["gzip, chunked", "chunked, identity", "identity", "xchunked", "chunked;x=1", "\"chunked\""] {
            assert_eq!(post(&format!("Transfer-Encoding: {coding}\r\n")), Some(Fault::UnknownCoding), "{coding}");
        }
        for coding in ["", "chunked, chunked", "chunked,", "chunked\r\nTransfer-Encoding: chunked"] {
            assert_eq!(post(&format!("Transfer-Encoding: {coding}\r\n")), Some(Fault::Coding), "{coding}");
        }
        assert_eq!(fault("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Some(Fault::Coding));
        for version in ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/9.9"] {
            assert_eq!(fault(&format!("GET / {version}\r\nHost: a\r\n\r\n")), Some(Fault::Version), "{version}");
        }
        for target in ["/liv ez", "/a b c", "/ HTTP/1.1", "/a HTTP/2.0", "/?q=a b", "/a HTTP/"] {
            let line = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(fault(&line), Some(Fault::NotHttp), "a target has no blank: {target}");
        }
        for other in ["http/1.1", "HTTP/1", "HTTP/2", "HTTP/11.0", "HTTP/x.y", "HTTPS/1.1", "ICY"] {
            assert_eq!(fault(&format!("GET / {other}\r\nHost: a\r\n\r\n")), Some(Fault::NotHttp), "{other}");
        }
        assert_eq!(fault("\u{16}\u{3}\u{1}\u{2}"), Some(Fault::NotHttp), "TLS says no line");
        assert_eq!(fault("GET /é HTTP/1.1\r\nHost: a\r\n\r\n").is_some(), "/é".parse::<axum::http::Uri>().is_err());
        assert_eq!(post(&"X: y\r\n".repeat(limits::HEADERS - 1)), None);
        assert_eq!(post(&"X: y\r\n".repeat(limits::HEADERS)), Some(Fault::TooManyFields));
    }

    #[test]
    fn what_is_too_long_is_known_before_it_ends() {
        let of = |bytes: String| passed(bytes.as_bytes(), 1460).1;
        assert_eq!(of(format!("GET /{}", "a".repeat(limits::URI_BYTES * 2))), Some(Fault::UriTooLong));
        assert_eq!(
            of(format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(limits::URI_BYTES))),
            Some(Fault::UriTooLong)
        );
        assert_eq!(of(format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(limits::URI_BYTES - 1))), None);
        let long = |bytes| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "a".repeat(bytes));
        assert_eq!(of(long(limits::HEAD_BYTES)), Some(Fault::TooLong));
        assert_eq!(of(long(limits::HEAD_BYTES - 60) + "\r\n\r\n"), None);
    }

    #[test]
    fn the_one_that_stands_for_it_is_the_last_and_says_who_asks() {
        let first = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
        let bad = "HEAD / HTTP/1.1\r\nOrigin: https://game.example\r\nX-Request-Id: abc\r\nX-Other: d\r\n\r\nGET /x HTTP/1.1\r\n\r\n";
        let (requests, fault) = passed(format!("{first}{bad}").as_bytes(), 5);
        assert_eq!(fault, Some(Fault::Host));
        let stand_in = "HEAD / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\norigin: https://game.example\r\nx-request-id: abc\r\n\r\n";
        assert_eq!(requests, [first, stand_in]);
        let odd = "NO\u{1} / HTTP/1.1\r\norigin: a b\r\nx-request-id: a\r\nx-request-id: b\r\n\r\n";
        assert_eq!(passed(odd.as_bytes(), 1000).0, ["GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"]);
    }

    #[test]
    fn what_is_waited_for() {
        let standing = Standing::default();
        let mut gate = Gate::new(standing.clone());
        let mut space = [0; 100];
        let mut pass = |gate: &mut Gate, bytes: &[u8]| {
            gate.take(bytes);
            gate.pass(&mut ReadBuf::new(&mut space))
        };
        assert_eq!((gate.waits(), gate.is_clean(), gate.late(), gate.end()), (Some(Wait::First), true, false, false));
        assert!(!pass(&mut gate, b"POST / HT"));
        assert_eq!(gate.waits(), Some(Wait::First), "who dribbles has no more time than who is silent");
        assert!(pass(&mut gate, b"TP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na"));
        assert_eq!((gate.waits(), gate.is_clean(), gate.late()), (None, false, false), "a body has a bound of its own");
        assert!(pass(&mut gate, b"bc"));
        assert_eq!((gate.waits(), gate.is_clean()), (Some(Wait::Next), true));
        assert!(!pass(&mut gate, b"G"));
        assert_eq!((gate.waits(), gate.is_clean()), (Some(Wait::Head), false));
        assert!(gate.late() && !gate.is_over() && pass(&mut gate, b""));
        assert_eq!((standing.of(1), standing.of(0), gate.is_over()), (Some(Fault::Late), None, true));
        assert!(!gate.end() && !gate.is_clean());
        // Proxies and clients keep theirs for a minute.
        assert!(Wait::Next.bound() > Duration::from_mins(1) && Wait::Head.bound() < Duration::from_secs(10));
    }

    #[test]
    fn what_is_behind_a_handshake_is_kept() {
        let mut gate = Gate::new(Standing::default());
        let head = b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n";
        gate.take(&[&head[..], &[0x81, 0x80, 0, 0, 0, 0]].concat());
        let mut space = [0; 1000];
        let mut buffer = ReadBuf::new(&mut space);
        assert!(gate.pass(&mut buffer));
        assert_eq!(buffer.filled(), head);
        assert_eq!(gate.into_held(), [0x81, 0x80, 0, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn bytes_are_passed_on_or_refused_however_they_are_cut(
            bytes in prop::collection::vec(prop::sample::select(b"GET / HTP1.:chunked0aA;\r\n\t\x01".to_vec()), 0..200),
            piece in 1_usize..50,
        ) {
            for head in ["", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"] {
                let bytes = [head.as_bytes(), &bytes].concat();
                let (whole, cut) = (passed(&bytes, bytes.len().max(1)), passed(&bytes, piece));
                // Of bytes that come one by one not each is looked at while they are no whole head.
                prop_assert!(whole.1.is_some() || cut.1.is_none());
                if whole.1.is_none() {
                    prop_assert_eq!(whole.0, cut.0);
                }
            }
        }
    }
}
