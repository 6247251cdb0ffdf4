//! New credentials of connections that go on: handed in over the socket, checked here, as at the upgrade and away from the shards.

use std::sync::Arc;

use tiltyard_protocol::Reason;

use crate::auth::Operation;
use crate::clock;
use crate::ops::beat::Beat;
use crate::rest::{App, AppState};
use crate::shard::{Asked, Credential, Renewal};

/// Checks what is handed in, one after the other, until the shards are gone.
pub async fn run(asked: flume::Receiver<Asked>, app: App, beat: Arc<Beat>) {
    while let Ok(asked) = beat.idle(asked.recv_async()).await {
        let checked = check(&app, &asked).await;
        app.hub.renew(asked.shard, asked.connection, checked).await;
        // Its login may have ended meanwhile, when its shard did not know yet that the connection is of that.
        if let Ok(Renewal { sid: Some(sid), .. }) = checked
            && !app.admits(sid, asked.player).await.unwrap_or(true)
        {
            app.hub.revoke(sid);
        }
        // Each may have cost a signature's check: others of this thread are not kept waiting for all of them.
        tokio::task::yield_now().await;
    }
}

async fn check(app: &Arc<AppState>, asked: &Asked) -> Result<Renewal, Reason> {
    let renewal = match &asked.credential {
        Credential::Token(token) => {
            let caller = app.who_has(token).await?.ok_or(Reason::Unauthorized)?;
            caller.may(Operation::Connect).map_err(|_denial| Reason::Forbidden)?;
            if caller.player() != Some(asked.player) {
                return Err(Reason::Forbidden);
            }
            Renewal {
                sid: caller.sid,
                expires_at: caller.ends_at(),
                only: None,
                writes: caller.may(Operation::PatchState).is_ok(),
            }
        }
        Credential::Ticket(ticket) => {
            let ticket = app.tickets.read(ticket).ok_or(Reason::Unauthorized)?;
            let admission = ticket.admission;
            // It is good for one session, and so for a connection that has no other: after it, never for any other.
            let mut others = asked.only.iter().chain(&asked.joined);
            if admission.player != asked.player || others.any(|other| *other != admission.session) {
                return Err(Reason::Forbidden);
            }
            let lives = match admission.sid {
                Some(sid) => app.admits(sid, admission.player).await?,
                None => true,
            };
            if !lives || !app.tickets.redeem(&ticket) {
                return Err(Reason::Unauthorized);
            }
            Renewal {
                sid: admission.sid,
                expires_at: admission.expires_at,
                only: Some(admission.session),
                writes: admission.writes,
            }
        }
    };
    if renewal.expires_at <= clock::now_ms() { Err(Reason::Unauthorized) } else { Ok(renewal) }
}
