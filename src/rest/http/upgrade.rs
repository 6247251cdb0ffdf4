//! `GET /ws`: from a request to a socket on its shard. Everything that can be refused is refused before the 101, with a plain
//! HTTP error; a ticket is used up last, so that a bad request does not cost one.

use std::sync::Arc;

use axum::body::HttpBody;
use axum::extract::{OriginalUri, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Extensions, Method, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tiltyard_protocol::{Encoding, Reason};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tungstenite::handshake::derive_accept_key;
use uuid::Uuid;

use crate::auth::ticket::Presented;
use crate::auth::{Admission, Operation};
use crate::clock;
use crate::records::Kept;
use crate::rest::error::ApiError;
use crate::rest::extract::Parameters;
use crate::rest::find::Found;
use crate::rest::forward::{Via, target_of};
use crate::rest::http::accept::Places;
use crate::rest::http::patience::HttpStream;
use crate::rest::http::relay::relay;
use crate::rest::{App, AppState, rate};
use crate::session::{Kind, Viewer};
use crate::shard::Attachment;
use crate::socket::ledger::{Pass, Turned};
use crate::socket::tls::Tls;

/// `?ticket=` or `?session=`.
#[derive(Debug)]
struct Asked {
    ticket: Option<String>,
    session: Option<Uuid>,
}

/// Whom the credentials admit to what.
#[derive(Debug)]
enum Credentials {
    Token(Admission),
    Ticket(Presented),
}

/// Upgrades a request.
pub async fn upgrade(
    State(app): State<App>,
    OriginalUri(target): OriginalUri,
    parameters: Result<Parameters, ApiError>,
    mut request: Request,
) -> Result<Response, ApiError> {
    let accept = check_handshake(&request)?;
    app.origins.check(request.headers())?;
    let (encoding, subprotocol) = choose_encoding(request.headers())?;
    let mut parameters = parameters?;
    let asked = Asked {
        ticket: parameters.named("ticket", "a ticket", |text| Some(text.to_owned())),
        session: parameters.uuid("session"),
    };
    parameters.finish()?;
    let credentials = authenticate(&app, (request.headers(), request.extensions()), &asked).await?;
    let admission = credentials.admission();
    // REST takes a token a few seconds longer than it says; a socket would be closed at once.
    let has_ended = admission.expires_at <= clock::now_ms();
    let lives = match admission.sid {
        Some(sid) => app.admits(sid, admission.player).await?,
        None => true,
    };
    if has_ended || !lives {
        return Err(Reason::Unauthorized.into());
    }
    let via = request.extensions().get::<Via>().cloned();
    // Whoever comes by way of another node is not sent on.
    let cluster = app.cluster.as_ref().filter(|_| via.is_none());
    if let Some(cluster) = cluster
        && let Some(answer) = Box::pin(relay(&app, cluster, &mut request, target_of(&target), admission)).await?
    {
        return Ok(answer);
    }
    match (check_seat(&app, admission, via.as_ref()).await, cluster) {
        // It was this node's when that was looked at last.
        (Err(error), Some(cluster)) if error.reason() == Reason::SessionElsewhere => {
            cluster.disown(admission.session);
            let relayed = Box::pin(relay(&app, cluster, &mut request, target_of(&target), admission)).await?;
            return relayed.ok_or(error);
        }
        (seat, _) => seat?,
    }
    // Nothing is waited for between this and the ticket, so that tries with a ticket that is used up take no place from others.
    let Budget { permit, pass } = Budget::take(&app, &request, admission.player, 1)?;
    if let Credentials::Ticket(ticket) = &credentials
        && !app.tickets.redeem(ticket)
    {
        rate::count(&app, request.headers(), request.extensions(), None)?;
        return Err(Reason::Unauthorized.into());
    }
    let attach = Attach { admission, encoding, only: matches!(credentials, Credentials::Ticket(_)), permit, pass };
    let upgraded = hyper::upgrade::on(&mut request);
    let serving = Arc::clone(&app);
    if let Some(Via(node)) = &via {
        tracing::debug!(session = %admission.session, node, "a socket by way of another node");
    }
    app.tasks.spawn(async move { attach.run(upgraded, &serving).await });
    Ok(switching(&accept, subprotocol))
}

/// Checks what RFC 6455, 4.2.1 asks of a handshake, and returns the answer to its key.
fn check_handshake(request: &Request) -> Result<String, ApiError> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(ApiError::new(Reason::MethodNotAllowed).header(header::ALLOW, HeaderValue::from_static("GET")));
    }
    if request.version() != Version::HTTP_11 {
        return Err(ApiError::new(Reason::BadRequest).message("A WebSocket opens over HTTP/1.1."));
    }
    // What followed would be read as frames.
    if !request.body().is_end_stream() {
        return Err(ApiError::new(Reason::BadRequest).message("A WebSocket handshake has no body."));
    }
    if !is_handshake(headers) {
        return Err(upgrade_required("This path takes WebSocket handshakes only."));
    }
    let single = |name| {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok())
    };
    if single(header::SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(upgrade_required("WebSocket version 13 is needed."));
    }
    match single(header::SEC_WEBSOCKET_KEY) {
        Some(key) if STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16) => Ok(derive_accept_key(key.as_bytes())),
        _ => Err(ApiError::new(Reason::BadRequest).message("Sec-WebSocket-Key must be 16 bytes in base64.")),
    }
}

/// Whether a request asks for a WebSocket.
pub fn is_handshake(headers: &HeaderMap) -> bool {
    has_token(headers, &header::CONNECTION, "upgrade") && has_token(headers, &header::UPGRADE, "websocket")
}

fn upgrade_required(message: &str) -> ApiError {
    ApiError::new(Reason::BadRequest)
        .status(StatusCode::UPGRADE_REQUIRED)
        .message(message)
        .header(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
        .header(header::UPGRADE, HeaderValue::from_static("websocket"))
        .header(header::CONNECTION, HeaderValue::from_static("Upgrade"))
}

/// The client's first choice among those we speak, and what is echoed: a client that offers none must get none.
fn choose_encoding(headers: &HeaderMap) -> Result<(Encoding, Option<&'static str>), ApiError> {
    if !headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
        return Ok((Encoding::Json, None));
    }
    let chosen = tokens(headers, &header::SEC_WEBSOCKET_PROTOCOL).find_map(Encoding::of_subprotocol);
    chosen.map(|(encoding, name)| (encoding, Some(name))).ok_or_else(|| {
        let names = Encoding::ALL.map(Encoding::subprotocol).join(" or ");
        ApiError::new(Reason::BadRequest).message(format!("The subprotocol must be {names}."))
    })
}

async fn authenticate(
    app: &AppState,
    (headers, extensions): (&HeaderMap, &Extensions),
    asked: &Asked,
) -> Result<Credentials, ApiError> {
    let count = |caller| rate::count(app, headers, extensions, caller);
    if headers.contains_key(header::AUTHORIZATION) {
        let caller = app.authenticate(headers).await?;
        count(caller.as_deref())?;
        let caller = caller.ok_or(Reason::Unauthorized)?;
        caller.may(Operation::Connect)?;
        let player = caller.player().ok_or(Reason::Forbidden)?;
        let session = asked.session.ok_or_else(|| ApiError::field("session", "must be a uuid"))?;
        return Ok(Credentials::Token(Admission::of(&caller, session, player, caller.sid)));
    }
    let ticket = asked.ticket.as_deref().and_then(|ticket| app.tickets.read(ticket));
    match ticket {
        Some(ticket) => Ok(Credentials::Ticket(ticket)),
        None => Err(count(None).err().unwrap_or_else(|| Reason::Unauthorized.into())),
    }
}

/// The session is there and the player has a seat, or is a member; no difference is made between the two. That sockets are not for a
/// session's type is told to those who may know of it.
async fn check_seat(app: &AppState, admission: Admission, via: Option<&Via>) -> Result<(), ApiError> {
    let Admission { session, player, .. } = admission;
    // Its shard has nearly every one: asked for no more than this, it is not kept from playing by those who come.
    match app.hub.seats(session, [player; 2]).await {
        Ok(seats) if seats.has_seat[0] => return Ok(()),
        Ok(_) => return Err(Reason::NoSession.into()),
        Err(refusal) if refusal.reason == Reason::NoSession => {}
        Err(refusal) => return Err(refusal.into()),
    }
    let viewer = Viewer::Player(player);
    let found = match via {
        None => app.look_up_young(viewer, session).await?,
        // Another node asks whoever may have it, one after the other: here it is, or is not.
        Some(_) => app.look_up(viewer, session).await?,
    };
    check_part(&found, player)?;
    if let Err(error) = found.expect_here() {
        return Err(found.node.as_ref().map_or(error, |node| app.go_there(node)));
    }
    if found.resident { Ok(()) } else { Err(Reason::SessionEnded.into()) }
}

/// Whether a player takes part in a session that sockets are for.
pub(super) fn check_part(found: &Found, player: Uuid) -> Result<(), ApiError> {
    let takes_part = match &found.kept {
        Kept::Fight(fight) => fight.takes_part(player),
        Kept::Record(record) if record.concerns(player) && record.kind() == Kind::Auth => {
            return Err(ApiError::new(Reason::WrongType).message("Sockets are not for auth sessions."));
        }
        Kept::Record(record) => record.concerns(player),
    };
    if takes_part { Ok(()) } else { Err(Reason::NoSession.into()) }
}

/// What a socket takes of what its node and its player may have of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Budget {
    permit: Option<OwnedSemaphorePermit>,
    pass: Pass,
}

impl Budget {
    /// Takes so many of the places that sockets may have, of which a few are kept for REST, and one of the player's connections.
    pub(super) fn take(app: &AppState, request: &Request, player: Uuid, places: u32) -> Result<Self, ApiError> {
        let permit = match request.extensions().get::<Places>().map(|all| all.take(places)) {
            Some(None) => {
                app.metrics.edge.refused_socket.increment(1);
                return Err(Reason::Overloaded.into());
            }
            permit => permit.flatten(),
        };
        let pass = app.ledger.admit(player).map_err(|turned| turn_away(app, turned))?;
        Ok(Self { permit, pass })
    }
}

/// The refusal of a player who has too many connections, or had one that was closed for a flood a moment ago.
fn turn_away(app: &AppState, turned: Turned) -> ApiError {
    app.metrics.turned_away(turned);
    match turned {
        Turned::TooMany => Reason::TooManyConnections.into(),
        Turned::Flooded { wait } => {
            let retry_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
            ApiError::new(Reason::TooManyRequests)
                .message("A connection of this player sent far more than it may; try again later.")
                .header(header::RETRY_AFTER, retry_ms.div_ceil(1_000).into())
                .with("retry_ms", json!(retry_ms))
        }
    }
}

impl Credentials {
    fn admission(&self) -> Admission {
        match self {
            Self::Token(admission) => *admission,
            Self::Ticket(ticket) => ticket.admission,
        }
    }
}

/// What is known of a socket before there is one.
#[derive(Debug)]
struct Attach {
    admission: Admission,
    encoding: Encoding,
    only: bool,
    permit: Option<OwnedSemaphorePermit>,
    pass: Pass,
}

impl Attach {
    /// Waits for the 101 to be sent and hands the socket over. Whatever fails, the socket is dropped and with it closed.
    async fn run(self, upgraded: OnUpgrade, app: &AppState) {
        let Admission { session, player, sid, .. } = self.admission;
        let attachment = match upgraded.await {
            Ok(upgraded) => self.attachment(upgraded),
            Err(error) => return tracing::debug!(%session, %error, "gone before the upgrade"),
        };
        match attachment {
            Ok(attachment) => match app.hub.attach(attachment) {
                Ok(()) => {
                    app.metrics.upgrades.increment(1);
                    // Its login may have ended while the socket was on its way to the shard, and so out of reach.
                    if let Some(sid) = sid
                        && !app.admits(sid, player).await.unwrap_or(true)
                    {
                        app.hub.revoke(sid);
                    }
                }
                Err(refusal) => tracing::debug!(%session, reason = %refusal.reason, "socket not taken"),
            },
            Err(error) => tracing::warn!(%session, error, "socket not taken from the runtime"),
        }
    }

    fn attachment(self, upgraded: Upgraded) -> Result<Attachment, String> {
        let Taken { socket, tls, leftover } = taken(upgraded)?;
        Ok(Attachment {
            stream: socket.into_std().map_err(|error| error.to_string())?,
            tls,
            leftover,
            player: self.admission.player,
            sid: self.admission.sid,
            expires_at: self.admission.expires_at,
            encoding: self.encoding,
            session: self.admission.session,
            only: self.only,
            writes: self.admission.writes,
            permit: self.permit,
            pass: Some(self.pass),
        })
    }
}

/// A connection that is no longer HTTP.
#[derive(Debug)]
pub(super) struct Taken {
    pub socket: TcpStream,
    pub tls: Option<Box<Tls>>,
    /// What was read of it behind the request.
    pub leftover: Vec<u8>,
}

/// Takes a connection from the runtime's HTTP.
pub(super) fn taken(upgraded: Upgraded) -> Result<Taken, String> {
    let parts =
        upgraded.downcast::<TokioIo<HttpStream>>().map_err(|_| "not the stream that was accepted".to_owned())?;
    let (socket, tls, held) = parts.io.into_inner().into_inner().map_err(|error| error.to_string())?;
    Ok(Taken { socket, tls, leftover: [&parts.read_buf[..], &held].concat() })
}

fn switching(accept: &str, subprotocol: Option<&'static str>) -> Response {
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(accept).expect("base64 is visible ASCII"));
    if let Some(subprotocol) = subprotocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol));
    }
    response
}

/// The comma-separated values of a header, given once or often.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|value| value.eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::{check_handshake, choose_encoding};
    use axum::body::Body;
    use axum::extract::Request;
    use axum::http::{HeaderMap, HeaderValue, Version, header};
    use axum::response::IntoResponse;
    use tiltyard_protocol::Encoding;

    fn handshake(change: impl FnOnce(&mut Request)) -> Result<String, u16> {
        let mut request = Request::get("/ws")
            .header(header::CONNECTION, "keep-alive, Upgrade")
            .header(header::UPGRADE, "WebSocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
            .body(Body::empty())
            .unwrap();
        change(&mut request);
        check_handshake(&request).map_err(|error| error.into_response().status().as_u16())
    }

    #[test]
    fn the_handshake_is_that_of_the_rfc() {
        assert_eq!(handshake(|_| ()).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let set = |name, value| {
            handshake(|request| drop(request.headers_mut().insert(name, HeaderValue::from_static(value))))
        };
        assert_eq!(set(header::CONNECTION, "keep-alive"), Err(426));
        assert_eq!(set(header::UPGRADE, "h2c"), Err(426));
        assert_eq!(set(header::SEC_WEBSOCKET_VERSION, "8"), Err(426));
        assert_eq!(set(header::SEC_WEBSOCKET_KEY, "short"), Err(400));
        assert_eq!(handshake(|request| *request.method_mut() = axum::http::Method::HEAD), Err(405));
        assert_eq!(handshake(|request| *request.version_mut() = Version::HTTP_10), Err(400));
        assert_eq!(handshake(|request| *request.body_mut() = Body::from("a")), Err(400));
        let twice = |request: &mut Request| {
            assert!(request.headers_mut().append(header::SEC_WEBSOCKET_KEY, HeaderValue::from_static("x")));
        };
        assert_eq!(handshake(twice), Err(400));
    }

    #[test]
    fn one_subprotocol_is_chosen() {
        let choose = |offers: &[&str]| {
            let mut headers = HeaderMap::new();
            for offer in offers {
                headers.append(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(offer).unwrap());
            }
            choose_encoding(&headers).ok()
        };
        assert_eq!(choose(&[]), Some((Encoding::Json, None)));
        let both = "graphql-ws, tiltyard.v2.msgpack, tiltyard.v2.json";
        assert_eq!(choose(&[both]), Some((Encoding::MsgPack, Some("tiltyard.v2.msgpack"))));
        assert_eq!(choose(&["soap", "tiltyard.v2.json"]), Some((Encoding::Json, Some("tiltyard.v2.json"))));
        for (former, encoding) in [("tiltyard.v1.json", Encoding::Json), ("tiltyard.v1.msgpack", Encoding::MsgPack)] {
            assert_eq!(choose(&[former]), Some((encoding, Some(former))), "under the name that it was offered by");
        }
        assert_eq!(choose(&["tiltyard.v3.json"]), None);
    }
}
