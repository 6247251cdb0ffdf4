//! `/combat/sessions/{session_id}/replay`: a fight as a file, once it has ended; and what is read out of replays, for logs.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use tiltyard_combat::replay::{Cut, Mismatch, Replay};
use tiltyard_combat::{Ruleset, load};
use tiltyard_protocol::Reason;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::error::ApiError;
use super::extract::{Caller, NamedId, Parameters};
use super::find::Found;
use super::sessions::counted;
use super::{App, AppState};
use crate::auth::{Operation, Principal, Role};
use crate::records::Kept;
use crate::replays::stories::{Question, Silence, Source};
use crate::replays::story::{Page, Reader};
use crate::replays::turns::{Payer, Refused, Turn};
use crate::session::{FightInfo, NOBODY, Refusal};

/// Says whether a replay has the whole fight; if not, the one below says why.
pub const COMPLETE: HeaderName = HeaderName::from_static("replay-complete");
pub const CUT: HeaderName = HeaderName::from_static("replay-cut");

/// Hands out the replay of a fight that has ended.
pub async fn read(
    State(app): State<App>,
    Caller(caller): Caller,
    id: NamedId,
    query: Parameters,
) -> Result<Response, ApiError> {
    let found = app.find_alone(&caller, Operation::ReadReplay, id, query).await?;
    let Kept::Fight(fight) = &found.kept else { return Err(Reason::NoSession.into()) };
    let id = fight.id;
    if !fight.has_ended() {
        return Err(Reason::NoReplay.into());
    }
    let turn = app.turn(&caller).await?;
    let (source, ruleset, text) = app.source(&found, id).await?;
    let (file, cut) = off_the_runtime(move || {
        let _turn = turn;
        let mut replay = match source {
            Source::Replay(replay) => *replay,
            Source::Recording(recording) => recording.assemble(|| Some(ruleset)).map_err(|error| {
                tracing::warn!(session = %id, %error, "a fight's replay cannot be read");
                Reason::NoReplay
            })?,
        };
        replay.text = text;
        Ok((replay.encode(), replay.cut))
    })
    .await?;
    let name = format!("attachment; filename=\"{id}.replay\"");
    let headers = [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::CONTENT_DISPOSITION, name)];
    let mut response = (headers, file).into_response();
    say_how_much(&mut response, cut);
    Ok(counted(&found, response))
}

fn say_how_much(response: &mut Response, cut: Option<Cut>) {
    let complete = HeaderValue::from_static(if cut.is_none() { "true" } else { "false" });
    response.headers_mut().insert(COMPLETE, complete);
    if let Some(cut) = cut {
        response.headers_mut().insert(CUT, HeaderValue::from_static(cut.loss.name()));
    }
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
        let turn = self.turn(caller).await?;
        let path = self.stories.path(fight.id);
        let source = if path.has_ended() {
            None
        } else {
            match self.source(found, fight.id).await {
                Ok((source, ruleset, _)) => Some((source, ruleset)),
                Err(error) if error.reason() == Reason::NoReplay => return Ok(None),
                Err(error) => return Err(error),
            }
        };
        let question = Question { session: fight.id, reader: reader(caller, fight), before, limit };
        let (stories, stop) = (Arc::clone(&self.stories), CancellationToken::new());
        // Where the client goes away, this is dropped, and its telling stops.
        let _stops = stop.clone().drop_guard();
        off_the_runtime(move || {
            let _turn = turn;
            Ok(stories.page(&path, source, question, &stop).inspect_err(|silence| say(question.session, silence)).ok())
        })
        .await
    }

    /// Waits until it is the caller's turn to have a fight told.
    async fn turn(&self, caller: &Principal) -> Result<Turn, ApiError> {
        self.stories.turns.take(Payer::of(caller)).await.map_err(|refused| match refused {
            Refused::Backlog => ApiError::new(Reason::TooManyRequests)
                .message("This caller has as many logs and replays waiting as one may have; try again."),
            Refused::Busy => Reason::Overloaded.into(),
        })
    }

    /// The replay of a fight up to now, or up to its end, its ruleset, and the text of that.
    async fn source(&self, found: &Found, id: Uuid) -> Result<(Source, Arc<Ruleset>, String), ApiError> {
        if found.resident {
            match self.hub.recording(id).await {
                Ok(recording) => {
                    let text = self.library.text(&recording.hash).ok_or(Reason::Internal)?.to_owned();
                    let ruleset = self.ruleset(&recording.hash, &text)?;
                    return Ok((Source::Recording(Box::new(recording)), ruleset, text));
                }
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
        let ruleset = self.ruleset(&replay.hash, &kept.text)?;
        Ok((Source::Replay(Box::new(replay)), ruleset, kept.text))
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

/// Tells the operator why a fight is not told.
fn say(session: Uuid, silence: &Silence) {
    match silence {
        Silence::Cancelled => {}
        Silence::Mismatch(Mismatch::Revision { .. }) | Silence::Tape(_) => {
            tracing::warn!(%session, error = %silence, "the log of a fight has its newest events only");
        }
        Silence::Mismatch(mismatch) => tracing::error!(%session, error = %mismatch, "a replay is another fight"),
    }
}

/// What the caller may know: while it is going on, a player what its side sees.
pub fn reader(caller: &Principal, fight: &FightInfo) -> Reader {
    let Role::Player(player) = caller.role else { return Reader::All };
    if fight.has_ended() {
        return Reader::Players;
    }
    let seat = fight.participants.iter().find(|seat| seat.player == player);
    // Whoever has made the fight and does not take part in it is on nobody's side, and sees through no fog.
    Reader::Side(seat.map_or(NOBODY, |seat| seat.team))
}

async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Reason> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Reason::Internal)).map_err(ApiError::from)
}
