//! `/sessions/{session_id}`: a combat session in the generic view - read, paused, resumed, completed, terminated.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tiltyard_combat::SessionStatus;
use tiltyard_protocol::Reason;
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use super::App;
use super::error::ApiError;
use super::extract::{Body, Caller, SessionId};
use super::shapes::{Session, generic_status};
use crate::auth::Operation;
use crate::hub::{Control, FightInfo};

/// Reads a session.
pub async fn read(
    State(app): State<App>,
    Caller(caller): Caller,
    SessionId(session): SessionId,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|_| Reason::BadRequest)?;
    let [logs, stats] = flags(&query, ["include_logs", "include_stats"])?;
    let fight = app.fight(&caller, Operation::ReadSession, session).await?;
    Ok(answer(&fight, Session::of(&fight).detailed(&fight, logs, stats)))
}

/// Pauses, resumes, completes or terminates a session.
pub async fn update(
    State(app): State<App>,
    Caller(caller): Caller,
    SessionId(session): SessionId,
    headers: HeaderMap,
    Body(mut body): Body,
) -> Result<Response, ApiError> {
    caller.may(Operation::UpdateSession)?;
    let wanted = body.text("status", "active, paused, completed or terminated", status);
    let version = body.whole("version", 0, u64::MAX);
    for name in ["metadata", "settings"] {
        if body.object(name).is_some() {
            body.fault(name, "of a combat session cannot be changed");
        }
    }
    body.finish()?;
    let _alone = app.updates.lock(session).await;
    let fight = app.fight(&caller, Operation::UpdateSession, session).await?;
    expect_version(&fight, &headers, version)?;
    let fight = match wanted.and_then(|wanted| transition(&fight, wanted)) {
        Some(control) => app.hub.control(session, control).await?,
        None => fight,
    };
    Ok(answer(&fight, Session::of(&fight)))
}

/// Terminates a session; a terminated one is left as it is.
pub async fn terminate(
    State(app): State<App>,
    Caller(caller): Caller,
    SessionId(session): SessionId,
    headers: HeaderMap,
    body: Option<Body>,
) -> Result<Response, ApiError> {
    caller.may(Operation::TerminateSession)?;
    let (mut reason, mut force) = (None, false);
    if let Some(Body(mut body)) = body {
        reason = body.text("reason", "a string", |text| Some(text.to_owned()));
        force = body.boolean("force").unwrap_or_default();
        body.finish()?;
    }
    let _alone = app.updates.lock(session).await;
    let fight = app.fight(&caller, Operation::TerminateSession, session).await?;
    expect_version(&fight, &headers, None)?;
    if fight.status == SessionStatus::Terminated {
        return Ok(answer(&fight, Session::of(&fight)));
    }
    let fight = app.hub.control(session, Control::Terminate { force }).await?;
    tracing::info!(%session, by = ?caller.role, reason = reason.as_deref(), force, "session terminated");
    Ok(answer(&fight, Session::of(&fight)))
}

/// Makes one update of a session wait for the other: between reading its version and changing it nothing else may. Striped,
/// so that it has a bound; two sessions on one stripe only wait for each other.
#[derive(Debug)]
pub struct UpdateLocks([Mutex<()>; 64]);

impl Default for UpdateLocks {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl UpdateLocks {
    async fn lock(&self, session: Uuid) -> MutexGuard<'_, ()> {
        self.0[crate::hub::shard_of(session, self.0.len())].lock().await
    }
}

/// The strong tag of a session's version.
pub fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

fn answer(fight: &FightInfo, session: Session) -> Response {
    ([(header::ETAG, etag(fight.version))], Json(session)).into_response()
}

fn status(name: &str) -> Option<SessionStatus> {
    Some(match name {
        "active" => SessionStatus::Active,
        "paused" => SessionStatus::Paused,
        "completed" => SessionStatus::Completed,
        "terminated" => SessionStatus::Terminated,
        _ => return None,
    })
}

/// What leads to `wanted`; nothing where a session that goes on is like that already. An ended one gets its command, so that
/// the fight itself refuses it.
fn transition(fight: &FightInfo, wanted: SessionStatus) -> Option<Control> {
    let goes_on = !matches!(fight.status, SessionStatus::Completed | SessionStatus::Terminated);
    if goes_on && generic_status(fight.status) == generic_status(wanted) {
        return None;
    }
    Some(match wanted {
        SessionStatus::Paused => Control::Pause,
        SessionStatus::Initializing | SessionStatus::Active => Control::Resume,
        SessionStatus::Completed => Control::Complete,
        SessionStatus::Terminated => Control::Terminate { force: false },
    })
}

/// `If-Match` that does not match is 412, a `version` of the body that does not is 409.
fn expect_version(fight: &FightInfo, headers: &HeaderMap, version: Option<u64>) -> Result<(), ApiError> {
    let conflict = || ApiError::new(Reason::VersionConflict).with("version", json!(fight.version));
    let mut tags =
        headers.get_all(header::IF_MATCH).iter().flat_map(|value| value.to_str().unwrap_or_default().split(','));
    let own = etag(fight.version);
    if headers.contains_key(header::IF_MATCH) && !tags.any(|tag| matches!(tag.trim(), "*") || tag.trim() == own) {
        return Err(conflict().status(StatusCode::PRECONDITION_FAILED));
    }
    if version.is_some_and(|version| version != fight.version) {
        return Err(conflict());
    }
    Ok(())
}

/// Boolean parameters of a query, false where they are absent.
fn flags<const N: usize>(query: &[(String, String)], names: [&str; N]) -> Result<[bool; N], ApiError> {
    let mut values = [false; N];
    for (name, value) in query {
        if let Some(index) = names.iter().position(|known| known == name) {
            values[index] = match value.as_str() {
                "true" => true,
                "false" => false,
                _ => return Err(ApiError::field(name.as_str(), "must be true or false")),
            };
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::flags;

    #[test]
    fn flags_are_true_or_false() {
        let query = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(flags(&query(&[("a", "true"), ("b", "false"), ("c", "9")]), ["a", "b"]).unwrap(), [true, false]);
        assert_eq!(flags(&[], ["a"]).unwrap(), [false]);
        for bad in ["1", "", "True"] {
            assert!(flags(&query(&[("a", bad)]), ["a"]).is_err(), "{bad}");
        }
    }
}
