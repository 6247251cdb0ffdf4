//! Where a Redis is.

use std::fmt;

use serde::Deserialize;

/// `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RedisUrl {
    host: String,
    port: u16,
    user: Option<String>,
    password: Option<String>,
    database: u32,
}

/// Redis's own.
const PORT: u16 = 6379;

const FORM: &str = "must be redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]";

impl RedisUrl {
    /// Host and port.
    pub fn place(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// The user's name, if it is not the usual one, and the password.
    pub fn credentials(&self) -> Option<(Option<&str>, &str)> {
        Some((self.user.as_deref(), self.password.as_deref()?))
    }

    /// The number of the database.
    pub fn database(&self) -> u32 {
        self.database
    }
}

impl TryFrom<String> for RedisUrl {
    type Error = String;

    // What is wrong is said without the text: a password would be shown in the log.
    fn try_from(text: String) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("redis://") else {
            let tls = if text.starts_with("rediss://") { "; this version speaks no TLS to it" } else { "" };
            return Err(format!("{FORM}{tls}"));
        };
        let (credentials, rest) = rest.rsplit_once('@').map_or((None, rest), |(of, rest)| (Some(of), rest));
        let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or(FORM)?)),
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?');
        if !is_host {
            return Err(FORM.to_owned());
        }
        let port = port.map_or(Ok(PORT), str::parse).map_err(|_| FORM)?;
        let database = if database.is_empty() { 0 } else { database.parse().map_err(|_| FORM)? };
        let (user, password) = match credentials {
            None => (None, None),
            Some(of) => {
                let (user, password) = of.split_once(':').ok_or(FORM)?;
                let user = decoded(user).ok_or(FORM)?;
                ((!user.is_empty()).then_some(user), Some(decoded(password).ok_or(FORM)?))
            }
        };
        Ok(Self { host: host.to_owned(), port, user, password, database })
    }
}

/// The text with `%40` and the like as what they stand for.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte == b'%' {
            let (digits, behind) = rest.split_first_chunk::<2>()?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = behind;
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Without its password.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        let (left, right) = if host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "redis://{left}{host}{right}:{}", self.port)?;
        if self.database > 0 { write!(f, "/{}", self.database) } else { Ok(()) }
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::RedisUrl;

    fn url(text: &str) -> Result<RedisUrl, String> {
        RedisUrl::try_from(text.to_owned())
    }

    #[test]
    fn a_url_says_where_it_is_and_who_asks() {
        let plain = url("redis://log.example").unwrap();
        assert_eq!((plain.place(), plain.credentials(), plain.database()), (("log.example", 6379), None, 0));
        let full = url("redis://hub:p%40ss:w@127.0.0.1:7000/3").unwrap();
        assert_eq!(full.credentials(), Some((Some("hub"), "p@ss:w")));
        assert_eq!((full.place(), full.database()), (("127.0.0.1", 7000), 3));
        assert_eq!(url("redis://:secret@[::1]:1").unwrap().credentials(), Some((None, "secret")));
        assert_eq!(url("redis://[::1]").unwrap().place(), ("::1", 6379));
    }

    #[test]
    fn nothing_shows_its_password() {
        let url = url("redis://hub:secret@h:1/2").unwrap();
        assert_eq!((format!("{url}"), format!("{url:?}")), ("redis://h:1/2".to_owned(), "redis://h:1/2".to_owned()));
    }

    #[test]
    fn what_is_none_is_refused_without_being_shown() {
        for bad in [
            "",
            "h:1",
            "http://h",
            "redis://",
            "redis://:1",
            "redis://h:x",
            "redis://secret@h",
            "redis://a:%zz@h",
            "redis://h/x",
        ] {
            assert!(!url(bad).unwrap_err().contains("secret"), "{bad}");
        }
        assert!(url("rediss://h").unwrap_err().contains("no TLS"));
    }
}
