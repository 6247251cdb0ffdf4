//! New credentials of connections that go on: handed in over the socket, checked here, as at the upgrade and away from the shards.

use std::sync::Arc;

use smallvec::SmallVec;
use tiltyard_protocol::Reason;
use uuid::Uuid;

use crate::auth::Operation;
use crate::clock;
use crate::hub::Renewal;
use crate::limits;
use crate::rest::{App, AppState};
use crate::shard::connection::ConnKey;

/// The way from the shards to whoever checks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Renewals(flume::Sender<Asked>);

/// What a connection has handed in.
#[derive(Debug)]
pub struct Asked {
    pub shard: usize,
    pub connection: ConnKey,
    pub player: Uuid,
    /// The session that the connection's ticket was for; `None` where it had tokens alone.
    pub only: Option<Uuid>,
    /// The sessions that it has joined.
    pub joined: SmallVec<[Uuid; 2]>,
    pub credential: Credential,
}

/// Whose end is to be the connection's.
pub enum Credential {
    Token(String),
    Ticket(String),
}

/// Never shows it.
impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token",
            Self::Ticket(_) => "Ticket",
        })
    }
}

/// Both ends of the way.
pub fn renewals() -> (Renewals, flume::Receiver<Asked>) {
    let (sender, receiver) = flume::bounded(limits::RENEWALS_WAITING);
    (Renewals(sender), receiver)
}

impl Renewals {
    /// Has it checked. `false` where too many wait.
    pub fn send(&self, asked: Asked) -> bool {
        self.0.try_send(asked).is_ok()
    }
}

/// Checks what is handed in, one after the other, until the shards are gone.
pub async fn run(asked: flume::Receiver<Asked>, app: App) {
    while let Ok(asked) = asked.recv_async().await {
        let checked = check(&app, &asked);
        app.hub.renew(asked.shard, asked.connection, checked).await;
        // Its login may have ended meanwhile, when its shard did not know yet that the connection is of that.
        if let Ok(Renewal { sid: Some(sid), .. }) = checked
            && !app.records.admits(sid, asked.player)
        {
            app.hub.revoke(sid);
        }
        // Each may have cost a signature's check: others of this thread are not kept waiting for all of them.
        tokio::task::yield_now().await;
    }
}

fn check(app: &Arc<AppState>, asked: &Asked) -> Result<Renewal, Reason> {
    let renewal = match &asked.credential {
        Credential::Token(token) => {
            let caller = app.authenticate(token).ok_or(Reason::Unauthorized)?;
            caller.may(Operation::Connect).map_err(|_denial| Reason::Forbidden)?;
            if caller.player() != Some(asked.player) {
                return Err(Reason::Forbidden);
            }
            Renewal { sid: caller.sid, expires_at: caller.ends_at(), only: None }
        }
        Credential::Ticket(ticket) => {
            let ticket = app.tickets.read(ticket).ok_or(Reason::Unauthorized)?;
            let admission = ticket.admission;
            // It is good for one session, and so for a connection that has no other: after it, never for any other.
            let mut others = asked.only.iter().chain(&asked.joined);
            if admission.player != asked.player || others.any(|other| *other != admission.session) {
                return Err(Reason::Forbidden);
            }
            let lives = admission.sid.is_none_or(|sid| app.records.admits(sid, admission.player));
            if !lives || !app.tickets.redeem(&ticket) {
                return Err(Reason::Unauthorized);
            }
            Renewal { sid: admission.sid, expires_at: admission.expires_at, only: Some(admission.session) }
        }
    };
    if renewal.expires_at <= clock::now_ms() { Err(Reason::Unauthorized) } else { Ok(renewal) }
}
