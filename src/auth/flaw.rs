//! Why a token is not good. Its bearer is told no more than that it is not; the operator finds the reason in the log and the metrics.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jsonwebtoken::errors::{Error, ErrorKind};

use crate::limits;

/// What is wrong with a token: the first of it that was found. What stands behind the signature in this list is only found out
/// of tokens with a good one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// It is no token, too long, or its head asks for what this server does not do.
    Malformed,
    /// Its algorithm is none of ours, or not that of its key.
    Algorithm,
    /// There is no key of that id, or none that would go without one.
    KeyUnknown,
    Signature,
    Expired,
    NotYet,
    Issuer,
    /// It is for none, or for two of our audiences.
    Audience,
    /// A claim is missing, or not what it must be.
    Claim(String),
    /// Its auth session has ended.
    Login,
}

impl Flaw {
    /// How many kinds there are.
    pub const COUNT: usize = 10;

    /// Their names in the metrics and in the log.
    pub const NAMES: [&str; Self::COUNT] = [
        "malformed",
        "algorithm",
        "key_unknown",
        "signature",
        "expired",
        "not_yet",
        "issuer",
        "audience",
        "claim",
        "login",
    ];

    /// Its place among the names.
    pub const fn number(&self) -> usize {
        match self {
            Self::Malformed => 0,
            Self::Algorithm => 1,
            Self::KeyUnknown => 2,
            Self::Signature => 3,
            Self::Expired => 4,
            Self::NotYet => 5,
            Self::Issuer => 6,
            Self::Audience => 7,
            Self::Claim(_) => 8,
            Self::Login => 9,
        }
    }

    pub const fn name(&self) -> &'static str {
        Self::NAMES[self.number()]
    }
}

impl From<Error> for Flaw {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidSignature => Self::Signature,
            ErrorKind::InvalidAlgorithm => Self::Algorithm,
            ErrorKind::ExpiredSignature => Self::Expired,
            ErrorKind::ImmatureSignature => Self::NotYet,
            ErrorKind::InvalidIssuer => Self::Issuer,
            ErrorKind::InvalidAudience => Self::Audience,
            ErrorKind::MissingRequiredClaim(name) => Self::Claim(format!("missing field `{name}`")),
            ErrorKind::InvalidClaimFormat(name) => Self::Claim(format!("`{name}` is not what it must be")),
            // Whoever has the key has signed it: what cannot be read is a claim.
            ErrorKind::Json(error) => Self::Claim(error.to_string()),
            _ => Self::Malformed,
        }
    }
}

/// When each kind was last told of, and how often it was not since then.
#[derive(Debug, Default)]
pub(super) struct LogThrottle(Mutex<[(Option<Instant>, u64); Flaw::COUNT]>);

impl LogThrottle {
    /// Whether to tell of one now: then of how many it was not told.
    pub(super) fn may_tell(&self, flaw: &Flaw, now: Instant) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, silent) = &mut told[flaw.number()];
        if last.is_some_and(|last| now.duration_since(last) < Duration::from_millis(limits::TOKEN_FLAW_TOLD_MS)) {
            *silent += 1;
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(silent))
    }
}

#[cfg(test)]
mod tests {
    use super::{Flaw, LogThrottle};
    use crate::limits;
    use std::time::{Duration, Instant};

    #[test]
    fn each_kind_is_told_of_now_and_then() {
        let (told, start) = (LogThrottle::default(), Instant::now());
        let later = start + Duration::from_millis(limits::TOKEN_FLAW_TOLD_MS);
        assert_eq!(told.may_tell(&Flaw::Expired, start), Some(0));
        for _ in 0..1_000 {
            assert_eq!(told.may_tell(&Flaw::Expired, start), None);
        }
        assert_eq!(told.may_tell(&Flaw::Issuer, start), Some(0), "another kind");
        assert_eq!(told.may_tell(&Flaw::Expired, later), Some(1_000));
        assert_eq!(told.may_tell(&Flaw::Expired, later), None);
    }
}
