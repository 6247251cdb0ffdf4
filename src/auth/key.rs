//! The node's token key: one file in the data folder that only its owner can read.
//!
//! The file's text, without white space around it, is the HS256 secret as it stands, so that a login service can sign
//! tokens with the same text.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use thiserror::Error;

use super::token::ISSUER;
use crate::session::hex;

/// The file's name in the data folder.
const FILE: &str = "token.key";

/// Bytes a secret has at least, the width of the hash: RFC 7518, 3.2.
const SECRET_BYTES_MIN: usize = 32;

/// Bytes a key file has at most; a longer one is some other file.
const FILE_BYTES_MAX: u64 = 4096;

/// The file in the data folder that says which key the last start had: hexadecimal digits of a fingerprint and of its CRC-32.
const NOTED: &str = "token.fingerprint";

/// What is hashed with a key for its fingerprint. Nothing that is signed begins like it.
const FINGERPRINT_OF: &[u8] = b"the fingerprint of a key of tiltyard";

/// The secret, ready to sign and to check.
#[derive(Clone)]
pub struct TokenKey {
    pub(super) signing: EncodingKey,
    pub(super) checking: DecodingKey,
    /// `iss` of what it signs.
    pub(super) issuer: String,
    /// Tells it from another, and does not give it away.
    fingerprint: [u8; 32],
    /// Whether it was made just now: [`TokenKey::open`] has written it, [`TokenKey::begin`] has not.
    pub made: bool,
}

/// A key that was made and is not written.
#[must_use]
pub struct Unwritten {
    path: PathBuf,
    text: String,
}

impl Unwritten {
    /// Writes it, whole or not at all.
    pub fn write(self) -> Result<(), KeyError> {
        let failed = |error| KeyError::Io { path: self.path.clone(), error };
        if write(&self.path, &self.text).map_err(failed)? {
            return Ok(());
        }
        // Its tokens would be good only until the next start.
        Err(failed(io::ErrorKind::AlreadyExists.into()))
    }
}

/// What the last start noted of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    Never,
    Same,
    Other,
    Unreadable,
}

impl Known {
    /// What is wrong with a key of which this is known, which was just made or not.
    pub const fn damage(self, made: bool) -> Option<&'static str> {
        match self {
            Self::Other if made => Some("there was no token key any more, and a new one was made"),
            Self::Other => Some("the token key is another than at the last start"),
            Self::Unreadable => Some(
                "what was noted of the token key is damaged, so that it is not known whether it is that of the last start; if it is another",
            ),
            Self::Never | Self::Same => None,
        }
    }
}

/// Why there is no key.
#[derive(Debug, Error)]
pub enum KeyError {
    #[error("the token key {path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error(
        "the token key {path} has {} of text, without white space around it; it should have {SECRET_BYTES_MIN} to {FILE_BYTES_MAX}. Put the key of before back, or remove the file to have a new one made, with which every login, token and ticket of before is void",
        if *.bytes == 0 { "nothing".to_owned() } else { format!("{} bytes", .bytes) }
    )]
    Length { path: PathBuf, bytes: u64 },
    #[error(
        "the token key {0} is no text in UTF-8; it should have {SECRET_BYTES_MIN} to {FILE_BYTES_MAX} bytes of that. Put the key of before back, or remove the file to have a new one made, with which every login, token and ticket of before is void"
    )]
    NoText(PathBuf),
    #[error("the token key {0} is no file. Move it away, and put the key of before back")]
    NoFile(PathBuf),
    #[error("the system gave no random bytes")]
    NoRandomness,
}

impl TokenKey {
    /// Reads the key in `data`; makes the folder (mode 0700) and the key (mode 0600) where there are none.
    pub fn open(data: &Path) -> Result<Self, KeyError> {
        match Self::begin(data)? {
            (key, None) => Ok(key),
            (key, Some(Unwritten { path, text })) => {
                if write(&path, &text).map_err(|error| KeyError::Io { path: path.clone(), error })? {
                    return Ok(key);
                }
                // Another process was faster.
                Self::read(&path)
            }
        }
    }

    /// The same, but that a key which is made is left to be written once there is nothing that may still be refused: another process may make
    /// one meanwhile, and copy one into its place.
    pub fn begin(data: &Path) -> Result<(Self, Option<Unwritten>), KeyError> {
        let path = data.join(FILE);
        let failed = |error| KeyError::Io { path: path.clone(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed)?;
        if let Some(key) = Self::look(data)? {
            return Ok((key, None));
        }
        let mut secret = [0; SECRET_BYTES_MIN];
        aws_lc_rs::rand::fill(&mut secret).map_err(|_| KeyError::NoRandomness)?;
        let text = URL_SAFE_NO_PAD.encode(secret);
        Ok((Self { made: true, ..Self::from_secret(text.as_bytes()) }, Some(Unwritten { path, text })))
    }

    /// The key in `data`, which is left as it is; nothing where there is none, and [`TokenKey::open`] would make one.
    pub fn look(data: &Path) -> Result<Option<Self>, KeyError> {
        let path = data.join(FILE);
        match fs::metadata(&path) {
            Ok(there) if there.is_file() => Self::read(&path).map(Some),
            Ok(_) => Err(KeyError::NoFile(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(KeyError::Io { path, error }),
        }
    }

    fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |error| KeyError::Io { path: path.to_owned(), error };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.permissions().mode() & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "others can read the token key; its mode should be 0600");
        }
        if metadata.len() > FILE_BYTES_MAX {
            return Err(KeyError::Length { path: path.to_owned(), bytes: metadata.len() });
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
        let Ok(text) = String::from_utf8(bytes) else { return Err(KeyError::NoText(path.to_owned())) };
        let secret = text.trim().as_bytes();
        if secret.len() < SECRET_BYTES_MIN {
            return Err(KeyError::Length { path: path.to_owned(), bytes: secret.len() as u64 });
        }
        Ok(Self::from_secret(secret))
    }

    /// Whether a start with this data folder has noted a key, be it that the note is damaged.
    pub fn was_known(data: &Path) -> bool {
        data.join(NOTED).exists()
    }

    /// What the last start with this data folder noted of its key.
    pub fn known(&self, data: &Path) -> Known {
        let text = match fs::read(data.join(NOTED)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Known::Never,
            Err(_) => return Known::Unreadable,
        };
        let noted = text.trim_ascii_end();
        match noted.split_at_checked(64) {
            _ if noted == self.noted().as_bytes() => Known::Same,
            Some((hash, sum)) if sum == sum_of(hash).as_bytes() => Known::Other,
            _ => Known::Unreadable,
        }
    }

    /// Notes that a start had this key.
    pub fn note(&self, data: &Path) -> io::Result<()> {
        let (path, unfinished) = (data.join(NOTED), data.join(format!("{NOTED}.new")));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        writeln!(file, "{}", self.noted())?;
        file.sync_all()?;
        fs::rename(unfinished, path)
    }

    /// What tells the key from another, in hexadecimal digits, and does not give it away.
    pub fn fingerprint(&self) -> String {
        hex(&self.fingerprint)
    }

    fn noted(&self) -> String {
        let hash = self.fingerprint();
        let sum = sum_of(hash.as_bytes());
        hash + &sum
    }

    pub(super) fn from_secret(secret: &[u8]) -> Self {
        Self {
            signing: EncodingKey::from_secret(secret),
            checking: DecodingKey::from_secret(secret),
            issuer: ISSUER.to_owned(),
            fingerprint: fingerprint(secret),
            made: false,
        }
    }
}

fn fingerprint(secret: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, FINGERPRINT_OF);
    tag.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn sum_of(hash: &[u8]) -> String {
    format!("{:08x}", crc32fast::hash(hash))
}

/// Writes the file, whole or not at all; `false` where there is one.
fn write(path: &Path, text: &str) -> io::Result<bool> {
    let unfinished = path.with_extension(format!("{}.new", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| writeln!(file, "{text}").and_then(|()| file.sync_all()))
        .and_then(|()| match fs::hard_link(&unfinished, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            linked => linked.map(|()| true),
        });
    // Where there is none it could not be made.
    let _ = fs::remove_file(&unfinished);
    written
}

/// Never shows the secret.
impl std::fmt::Debug for Unwritten {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unwritten").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Never shows the secret.
impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKey").field("made", &self.made).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyError, Known, TokenKey};
    use crate::auth::{Audience, Grantee};
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    #[test]
    fn a_key_that_is_begun_is_there_when_it_is_written_and_takes_no_others_place() {
        let data = tempfile::tempdir().unwrap();
        let (one, first) = TokenKey::begin(data.path()).unwrap();
        let (two, second) = TokenKey::begin(data.path()).unwrap();
        assert!(one.made && two.made && one.fingerprint() != two.fingerprint());
        assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "nothing is left by who never writes it");
        first.unwrap().write().unwrap();
        assert!(matches!(second.unwrap().write(), Err(KeyError::Io { .. })));
        let (read, third) = TokenKey::begin(data.path()).unwrap();
        assert!(!read.made && third.is_none() && read.fingerprint() == one.fingerprint());
    }

    #[test]
    fn is_made_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let first = TokenKey::open(&data).unwrap();
        let second = TokenKey::open(&data).unwrap();
        assert!(first.made && !second.made);
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&data), mode(&data.join("token.key"))), (0o700, 0o600));
        let grantee =
            Grantee { audience: Audience::Admin, subject: "a".into(), scopes: vec![], guest: false, sid: None };
        let (token, _) = first.mint(&grantee, Duration::from_mins(1));
        assert!(second.verify(&token).is_some());
    }

    #[test]
    fn what_is_no_key_is_refused_and_says_what_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token.key");
        let long = "x".repeat(5_000);
        let longer_than_a_start = [b'k'; 40].as_slice();
        let cases: [(&[u8], &str); 6] = [
            (b"", "nothing"),
            (b" \n\t\n", "nothing"),
            (b"short\n", "5 bytes"),
            (b"  one byte less than it should be  \n", "31 bytes"),
            (long.as_bytes(), "5000 bytes"),
            (&[longer_than_a_start, &[0xff, 0xfe]].concat(), "UTF-8"),
        ];
        for (bytes, what) in cases {
            std::fs::write(&path, bytes).unwrap();
            let said = TokenKey::open(folder.path()).unwrap_err().to_string();
            for what in [what, path.to_str().unwrap(), "32 to 4096", "Put the key of before back", "remove the file"] {
                assert!(said.contains(what), "{what:?} in {said}");
            }
            assert_eq!(std::fs::read(&path).unwrap(), bytes, "it is left");
        }
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(TokenKey::open(folder.path()), Err(KeyError::NoFile(_))));
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, "exactly as long as a key must be").unwrap();
        assert!(!TokenKey::open(folder.path()).unwrap().made);
    }

    #[test]
    fn another_one_is_noticed_and_what_is_noted_does_not_give_it_away() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        let first = TokenKey::open(data).unwrap();
        assert_eq!(first.known(data), Known::Never);
        first.note(data).unwrap();
        assert_eq!(first.known(data), Known::Same);
        let noted = data.join("token.fingerprint");
        assert_eq!(noted.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let secret = std::fs::read_to_string(data.join("token.key")).unwrap();
        let text = std::fs::read_to_string(&noted).unwrap();
        assert!(!text.contains(secret.trim()));
        std::fs::write(data.join("token.key"), format!(" {secret}\n")).unwrap();
        assert_eq!(TokenKey::open(data).unwrap().known(data), Known::Same, "white space is no part of it");
        std::fs::write(data.join("token.key"), secret.to_uppercase()).unwrap();
        let other = TokenKey::open(data).unwrap();
        assert_eq!(other.known(data), Known::Other);
        for at in 0..text.trim_end().len() {
            let mut bad = text.clone().into_bytes();
            bad[at] ^= 1;
            std::fs::write(&noted, bad).unwrap();
            assert_eq!((first.known(data), other.known(data)), (Known::Unreadable, Known::Unreadable), "byte {at}");
        }
        std::fs::write(&noted, "").unwrap();
        assert_eq!(other.known(data), Known::Unreadable);
        other.note(data).unwrap();
        assert_eq!((first.known(data), other.known(data)), (Known::Other, Known::Same));
    }
}
