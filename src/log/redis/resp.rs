//! What is said to Redis and what it answers, as bytes (RESP2). Not the `redis` crate's: its parser takes a reader that blocks, or a codec of
//! tokio's, and makes a tree of owned values of every answer; here bytes come when a socket has them, and an answer is a few numbers.

use std::io::{self, ErrorKind};

use crate::limits;

/// What Redis has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Int(i64),
    /// A status or a string.
    Text(Vec<u8>),
    Nil,
    /// What went wrong, in Redis's words: for people, nothing is decided by it.
    Error(String),
    Array(Vec<Reply>),
}

impl Reply {
    /// The bytes of a string.
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number, also one that is said as a string, as all fields of a hash are.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Text(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            _ => None,
        }
    }

    /// What it has in it; nothing where it is no array.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// Whether this text is it or in it.
    pub fn has(&self, text: &[u8]) -> bool {
        self.text() == Some(text) || self.items().iter().any(|item| item.has(text))
    }
}

/// Begins a command of so many words.
pub fn begin(words: usize, out: &mut Vec<u8>) {
    length(b'*', words, out);
}

/// A word of a command.
pub fn word(word: &[u8], out: &mut Vec<u8>) {
    length(b'$', word.len(), out);
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
}

/// A word that is a number.
pub fn number(number: u64, out: &mut Vec<u8>) {
    word(itoa::Buffer::new().format(number).as_bytes(), out);
}

/// A command of these words.
pub fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    begin(words.len(), &mut out);
    for of in words {
        word(of, &mut out);
    }
    out
}

/// What a command is called, for messages: its first word, and the function where it calls one.
pub fn name(command: &[u8]) -> String {
    let mut words = command.split(|byte| *byte == b'\n').skip(2).step_by(2);
    let mut word = || words.next().map(|word| String::from_utf8_lossy(word.trim_ascii()).into_owned());
    match (word().unwrap_or_default(), word()) {
        (first, Some(function)) if first == "FCALL" => format!("{first} {function}"),
        (first, _) => first,
    }
}

fn length(kind: u8, count: usize, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Takes the answer that `bytes` begin with; nothing where it is not all there yet.
///
/// # Errors
///
/// Where these bytes are none.
pub fn take(bytes: &mut &[u8]) -> io::Result<Option<Reply>> {
    let mut rest = *bytes;
    let reply = parse(&mut rest, 0)?;
    if reply.is_some() {
        *bytes = rest;
    }
    Ok(reply)
}

fn parse(rest: &mut &[u8], depth: usize) -> io::Result<Option<Reply>> {
    let Some((line, behind)) = line(rest) else { return Ok(None) };
    *rest = behind;
    let (&kind, said) = line.split_first().ok_or_else(malformed)?;
    Ok(Some(match kind {
        b'+' => Reply::Text(said.to_vec()),
        b'-' => Reply::Error(String::from_utf8_lossy(said).into_owned()),
        b':' => Reply::Int(count(said)?),
        b'$' => match usize::try_from(count(said)?) {
            Err(_negative) => Reply::Nil,
            Ok(length) if length > limits::REDIS_REPLY_BYTES => return Err(malformed()),
            Ok(length) => {
                let Some((text, behind)) = rest.split_at_checked(length) else { return Ok(None) };
                let Some((end, behind)) = behind.split_at_checked(2) else { return Ok(None) };
                if end != b"\r\n" {
                    return Err(malformed());
                }
                *rest = behind;
                Reply::Text(text.to_vec())
            }
        },
        b'*' => match usize::try_from(count(said)?) {
            Err(_negative) => Reply::Nil,
            Ok(_) if depth >= limits::REDIS_REPLY_DEPTH => return Err(malformed()),
            Ok(length) => {
                // What is said of a length is believed only as far as there are bytes for it.
                let mut items = Vec::with_capacity(length.min(rest.len() / 3));
                for _ in 0..length {
                    let Some(item) = parse(rest, depth + 1)? else { return Ok(None) };
                    items.push(item);
                }
                Reply::Array(items)
            }
        },
        _ => return Err(malformed()),
    }))
}

fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    Some((&bytes[..end], &bytes[end + 2..]))
}

fn count(said: &[u8]) -> io::Result<i64> {
    std::str::from_utf8(said).ok().and_then(|said| said.parse().ok()).ok_or_else(malformed)
}

/// What answers is no Redis.
fn malformed() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "what answers does not speak Redis's protocol")
}

#[cfg(test)]
mod tests {
    use super::{Reply, command, take};

    #[test]
    fn an_answer_is_taken_when_all_of_it_is_there() {
        let said = b"*4\r\n:-7\r\n$5\r\na\r\nbc\r\n$-1\r\n*2\r\n+OK\r\n-ERR no\r\n:1\r\n";
        let whole = Reply::Array(vec![
            Reply::Int(-7),
            Reply::Text(b"a\r\nbc".to_vec()),
            Reply::Nil,
            Reply::Array(vec![Reply::Text(b"OK".to_vec()), Reply::Error("ERR no".to_owned())]),
        ]);
        let end = said.len() - 4;
        for there in 0..end {
            let mut bytes = &said[..there];
            assert_eq!(take(&mut bytes).unwrap(), None, "{there} bytes");
            assert_eq!(bytes.len(), there, "nothing is taken");
        }
        let mut bytes = &said[..];
        assert_eq!(take(&mut bytes).unwrap(), Some(whole.clone()));
        assert_eq!(take(&mut bytes).unwrap(), Some(Reply::Int(1)));
        assert!(bytes.is_empty() && whole.has(b"OK") && !whole.has(b"O"));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let deep = "*1\r\n".repeat(100);
        for bad in ["HTTP/1.1 400\r\n", "$3\r\nabcd\r\n", ":x\r\n", "$99999999999\r\n", "\r\n", &deep] {
            assert!(take(&mut bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_command_is_its_words() {
        assert_eq!(command(&[b"GET", b"a b"]), b"*2\r\n$3\r\nGET\r\n$3\r\na b\r\n");
    }
}
