//! What a caller changes of a session by hand, and the version that it believes the session to have.

use tiltyard_protocol::Reason;

use super::kind::Status;
use super::refusal::Refusal;

/// What an update changes; `None` is left as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    pub status: Option<Status>,
    /// JSON objects.
    pub metadata: Option<Box<str>>,
    pub settings: Option<Box<str>>,
}

/// The version a caller believes the session to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Versions of `If-Match`; `None` where there is none, or a `*`.
    pub tags: Option<Vec<u64>>,
    /// `version` of the body.
    pub version: Option<u64>,
    /// Versions of `If-None-Match` that it must not have; `None` where it must have none at all: a `*`.
    pub unlike: Option<Vec<u64>>,
}

impl Default for Expected {
    /// Any.
    fn default() -> Self {
        Self { tags: None, version: None, unlike: Some(Vec::new()) }
    }
}

impl Expected {
    /// Whether `current` is as expected.
    pub fn check(&self, current: u64) -> Result<(), Refusal> {
        let refused = |reason| Err(Refusal { version: Some(current), ..Refusal::from(reason) });
        let is_unlike = self.unlike.as_ref().is_some_and(|unlike| !unlike.contains(&current));
        if !is_unlike || self.tags.as_ref().is_some_and(|tags| !tags.contains(&current)) {
            return refused(Reason::PreconditionFailed);
        }
        if self.version.is_some_and(|version| version != current) {
            return refused(Reason::VersionConflict);
        }
        Ok(())
    }
}

impl Update {
    /// Without what is so already: a change to what a session has is none.
    #[must_use]
    pub fn beyond(mut self, status: Status, metadata: &str, settings: &str) -> Self {
        self.status.take_if(|given| *given == status);
        self.metadata.take_if(|given| **given == *metadata);
        self.settings.take_if(|given| **given == *settings);
        self
    }

    /// Whether it leaves everything as it is.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Expected, Update};
    use crate::session::Status;
    use tiltyard_protocol::Reason;

    #[test]
    fn what_is_so_already_is_no_change() {
        let of = |status, metadata: &str| {
            let update = Update { status: Some(status), metadata: Some(metadata.into()), settings: None };
            update.beyond(Status::Active, "{}", "")
        };
        assert!(of(Status::Active, "{}").is_empty());
        assert_eq!(of(Status::Paused, "{}"), Update { status: Some(Status::Paused), ..Update::default() });
        let other = r#"{"a":1}"#;
        assert_eq!(of(Status::Active, other), Update { metadata: Some(other.into()), ..Update::default() });
    }

    #[test]
    fn versions_are_compared() {
        let reason = |tags: Option<&[u64]>, version| {
            let expected = Expected { tags: tags.map(<[u64]>::to_vec), version, ..Expected::default() };
            expected.check(3).err().map(|refusal| (refusal.reason, refusal.version))
        };
        assert_eq!(reason(None, None), None);
        assert_eq!(reason(Some(&[2, 3]), Some(3)), None);
        assert_eq!(reason(Some(&[]), Some(3)), Some((Reason::PreconditionFailed, Some(3))));
        assert_eq!(reason(Some(&[2]), Some(3)), Some((Reason::PreconditionFailed, Some(3))));
        assert_eq!(reason(None, Some(2)), Some((Reason::VersionConflict, Some(3))));
    }
}
