//! The node's token key: one file in the data folder that only its owner can read.
//!
//! The file's text, without white space around it, is the HS256 secret as it stands, so that a login service can sign
//! tokens with the same text.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use thiserror::Error;

use super::token::ISSUER;

/// The file's name in the data folder.
const FILE: &str = "token.key";

/// Bytes a secret has at least, the width of the hash: RFC 7518, 3.2.
const SECRET_BYTES_MIN: usize = 32;

/// Bytes a key file has at most; a longer one is some other file.
const FILE_BYTES_MAX: u64 = 4096;

/// The secret, ready to sign and to check.
#[derive(Clone)]
pub struct TokenKey {
    pub(super) signing: EncodingKey,
    pub(super) checking: DecodingKey,
    /// `iss` of what it signs.
    pub(super) issuer: String,
    /// Whether [`TokenKey::open`] made the file.
    pub made: bool,
}

/// Why there is no key.
#[derive(Debug, Error)]
pub enum KeyError {
    #[error("the token key {path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error("the token key {0} holds less than {SECRET_BYTES_MIN} bytes")]
    TooShort(PathBuf),
    #[error("the system gave no random bytes")]
    NoRandomness,
}

impl TokenKey {
    /// Reads the key in `data`; makes the folder (mode 0700) and the key (mode 0600) where there are none.
    pub fn open(data: &Path) -> Result<Self, KeyError> {
        let path = data.join(FILE);
        let failed = |error| KeyError::Io { path: path.clone(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed)?;
        // An empty one is what a full disk has left of a first start.
        let made = match fs::metadata(&path) {
            Ok(there) if there.len() > 0 => false,
            Ok(_empty) => {
                fs::remove_file(&path).map_err(failed)?;
                make(&path)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path)?,
            Err(error) => return Err(failed(error)),
        };
        let mut text = String::new();
        let file = File::open(&path).map_err(failed)?;
        if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "others can read the token key; its mode should be 0600");
        }
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
        if text.trim().len() < SECRET_BYTES_MIN {
            return Err(KeyError::TooShort(path));
        }
        Ok(Self { made, ..Self::from_secret(text.trim().as_bytes()) })
    }

    pub(super) fn from_secret(secret: &[u8]) -> Self {
        Self {
            signing: EncodingKey::from_secret(secret),
            checking: DecodingKey::from_secret(secret),
            issuer: ISSUER.to_owned(),
            made: false,
        }
    }
}

/// Makes the file, whole or not at all; `false` where another process was faster.
fn make(path: &Path) -> Result<bool, KeyError> {
    let mut secret = [0; SECRET_BYTES_MIN];
    aws_lc_rs::rand::fill(&mut secret).map_err(|_| KeyError::NoRandomness)?;
    let unfinished = path.with_extension(format!("{}.new", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| writeln!(file, "{}", URL_SAFE_NO_PAD.encode(secret)).and_then(|()| file.sync_all()))
        .and_then(|()| match fs::hard_link(&unfinished, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            linked => linked.map(|()| true),
        });
    // Where there is none it could not be made.
    let _ = fs::remove_file(&unfinished);
    written.map_err(|error| KeyError::Io { path: path.to_owned(), error })
}

/// Never shows the secret.
impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKey").field("made", &self.made).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyError, TokenKey};
    use crate::auth::{Audience, Grantee};
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

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
    fn an_empty_one_is_made_anew_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token.key"), "").unwrap();
        assert!(TokenKey::open(folder.path()).unwrap().made);
        assert!(!TokenKey::open(folder.path()).unwrap().made);
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, ["token.key"]);
    }

    #[test]
    fn a_short_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token.key"), "short\n").unwrap();
        assert!(matches!(TokenKey::open(folder.path()), Err(KeyError::TooShort(_))));
    }
}
