//! The upgrade from HTTP to WebSocket, as text.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail, ensure};
use tiltyard_protocol::Encoding;
use tungstenite::handshake::{client::generate_key, derive_accept_key};

/// The longest head of a response that is read.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// One upgrade under way.
#[derive(Debug)]
pub struct Upgrade {
    pub request: String,
    accept: String,
    encoding: Encoding,
}

impl Upgrade {
    /// An upgrade of `path` at `host`, to speak `encoding`.
    pub fn new(host: &str, path: &str, encoding: Encoding) -> Self {
        let key = generate_key();
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n");
        request.push_str("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
        // Writing to a string cannot fail.
        let _ =
            write!(request, "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: {}\r\n\r\n", encoding.subprotocol());
        Self { request, accept: derive_accept_key(key.as_bytes()), encoding }
    }

    /// Reads the response; the number of its bytes, or `None` while its head is not complete.
    pub fn finish(&self, bytes: &[u8]) -> Result<Option<usize>> {
        let Some(end) = head_end(bytes) else {
            ensure!(
                bytes.len() < HEAD_BYTES_MAX,
                "the response to the upgrade has a head of over {HEAD_BYTES_MAX} bytes"
            );
            return Ok(None);
        };
        let head = std::str::from_utf8(&bytes[..end]).context("the response to the upgrade is not text")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if status != "101" {
            bail!("the upgrade was answered by {status}: {}", String::from_utf8_lossy(&bytes[end..]));
        }
        ensure!(
            header(head, "sec-websocket-accept") == Some(&self.accept),
            "the upgrade has a wrong Sec-WebSocket-Accept"
        );
        let subprotocol = header(head, "sec-websocket-protocol");
        ensure!(subprotocol == Some(self.encoding.subprotocol()), "the upgrade chose the subprotocol {subprotocol:?}");
        Ok(Some(end))
    }
}

/// The length of the head of an HTTP message, its empty line included.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|start| start + 4)
}

/// The value of a header in a head.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

#[cfg(test)]
mod tests {
    use tiltyard_protocol::Encoding;

    use super::{Upgrade, head_end, header};

    fn response(accept: &str) -> String {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nSec-Websocket-Accept: {accept}\r\n\
             sec-websocket-protocol: tiltyard.v2.json\r\n\r\n"
        )
    }

    #[test]
    fn a_right_answer_is_taken_and_what_follows_it_left() {
        let upgrade = Upgrade::new("localhost", "/ws?ticket=x", Encoding::Json);
        let head = response(&upgrade.accept);
        assert!(upgrade.finish(&head.as_bytes()[..head.len() - 1]).unwrap().is_none());
        assert_eq!(upgrade.finish(format!("{head}more").as_bytes()).unwrap(), Some(head.len()));
    }

    #[test]
    fn wrong_answers_are_refused_with_what_was_said() {
        let upgrade = Upgrade::new("localhost", "/ws?ticket=x", Encoding::Json);
        assert!(upgrade.finish(response("AAAA").as_bytes()).is_err());
        let refusal = upgrade.finish(b"HTTP/1.1 401 Unauthorized\r\n\r\n{\"code\":401}").unwrap_err();
        assert!(refusal.to_string().contains("401: {\"code\":401}"), "{refusal}");
    }

    #[test]
    fn headers_are_found_whatever_their_case() {
        let head = "HTTP/1.1 200 OK\r\nCONTENT-length:  12 \r\n\r\n";
        assert_eq!(header(head, "Content-Length"), Some("12"));
        assert_eq!(header(head, "Date"), None);
        assert_eq!(head_end(head.as_bytes()), Some(head.len()));
    }
}
