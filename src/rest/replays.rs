//! `/combat/sessions/{session_id}/replay`: a fight as a file, once it has ended; and what is read out of replays, for logs.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use tiltyard_combat::{Audience, Replay, Ruleset, load};
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::error::ApiError;
use super::extract::{Caller, SessionId};
use super::find::Found;
use super::sessions::counted;
use super::{App, AppState};
use crate::auth::{Operation, Principal, Role};
use crate::hub::{FightInfo, Refusal};
use crate::limits;
use crate::records::Kept;
use crate::replays::Recording;
use crate::replays::story::{self, Page, Reader};
use crate::shard::OUTSIDERS;

/// Hands out the replay of a fight that has ended.
pub async fn read(
    State(app): State<App>,
    Caller(caller): Caller,
    SessionId(id): SessionId,
) -> Result<Response, ApiError> {
    let found = app.find(&caller, Operation::ReadReplay, id).await?;
    let Kept::Fight(fight) = &found.kept else { return Err(Reason::NoSession.into()) };
    if !fight.has_ended() {
        return Err(Reason::NoReplay.into());
    }
    let (mut replay, text) = app.replay(&found, id).await?;
    let file = off_the_runtime(move || {
        replay.text = text;
        Ok(replay.encode())
    })
    .await?;
    let name = format!("attachment; filename=\"{id}.replay\"");
    let headers = [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok(counted(&found, (headers, file).into_response()))
}

impl AppState {
    /// What happened in a fight, newest first, before the happening with number `before`: as much of it as the caller may
    /// know. `None` where there is no replay to read it from.
    pub async fn story(
        &self,
        caller: &Principal,
        found: &Found,
        fight: &FightInfo,
        before: u64,
        limit: usize,
    ) -> Result<Option<Page>, ApiError> {
        let waited = Duration::from_millis(limits::STORY_WAIT_MS);
        let turn = tokio::time::timeout(waited, self.stories.acquire()).await;
        let _turn = turn.ok().and_then(Result::ok).ok_or(Reason::Overloaded)?;
        let (replay, text) = match self.replay(found, fight.id).await {
            Ok(found) => found,
            Err(error) if error.reason() == Reason::NoReplay => return Ok(None),
            Err(error) => return Err(error),
        };
        let (ruleset, reader) = (self.ruleset(&replay.hash, &text)?, reader(caller, fight));
        let work = move || {
            let page = story::page(&replay, ruleset, reader, before, limit);
            page.inspect_err(|error| tracing::error!(session = %Uuid::from_u128(replay.session), %error, "a replay is another fight")).ok()
        };
        let told = off_the_runtime(move || Ok(work())).await?;
        Ok(told)
    }

    /// The replay of a fight up to now, or up to its end, without its ruleset's text, and that.
    async fn replay(&self, found: &Found, id: Uuid) -> Result<(Replay, String), ApiError> {
        if found.resident {
            match self.hub.recording(id).await {
                Ok(recording) => return self.assembled(recording).await,
                // It has left its shard since, and so the store has it.
                Err(refusal) if refusal.reason == Reason::NoSession => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
        let kept = self.records.store().replay(id).await.map_err(Refusal::from)?.ok_or(Reason::NoReplay)?;
        let replay = Replay::decode(&kept.data).map_err(|error| {
            tracing::error!(session = %id, %error, "the store has a replay that cannot be read");
            Reason::Internal
        })?;
        Ok((replay, kept.text))
    }

    async fn assembled(&self, recording: Recording) -> Result<(Replay, String), ApiError> {
        let text = self.library.text(&recording.hash).ok_or(Reason::Internal)?.to_owned();
        let replay = off_the_runtime(move || {
            let session = recording.session;
            recording.assemble().map_err(|error| {
                tracing::warn!(%session, %error, "a part of a fight's replay cannot be read");
                Reason::NoReplay
            })
        });
        Ok((replay.await?, text))
    }

    /// A ruleset, also one that only another node has, or that this one had before.
    fn ruleset(&self, hash: &[u8; 32], text: &str) -> Result<Arc<Ruleset>, ApiError> {
        if let Some(ruleset) = self.library.by_hash(hash) {
            return Ok(ruleset);
        }
        let read = load::load(text).map_err(|problems| {
            tracing::error!(problems = problems.count(), "this version does not understand the ruleset of a replay");
            Reason::Internal
        });
        Ok(Arc::new(read?))
    }
}

/// What the caller may know: while it is going on, a player what its side sees.
fn reader(caller: &Principal, fight: &FightInfo) -> Reader {
    let Role::Player(player) = caller.role else { return Reader::ALL };
    let seat = fight.participants.iter().position(|seat| seat.player == player);
    let audience = match seat.and_then(|seat| u8::try_from(seat).ok()) {
        _ if fight.has_ended() => Audience::All,
        Some(slot) => Audience::Own(slot),
        // Whoever has made the fight and does not take part in it is on nobody's side, and sees through no fog.
        None => OUTSIDERS,
    };
    Reader { audience, flags: false }
}

async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Reason> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Reason::Internal)).map_err(ApiError::from)
}
