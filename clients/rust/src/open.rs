//! From an address to an open socket.

use std::sync::Arc;

use rustls::ClientConfig;
use tiltyard_protocol::Encoding;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use crate::Error;

/// Asks for a socket at `url` that speaks `encoding`.
pub(crate) fn request(url: &str, encoding: Encoding) -> Result<Request, Error> {
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(encoding.subprotocol()));
    Ok(request)
}

/// Messages are written as they are said, and read in parts of this size.
pub(crate) fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0)
}

/// The host and the port of a request.
pub(crate) fn address(request: &Request) -> (String, u16) {
    let uri = request.uri();
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("wss") { 443 } else { 80 });
    (uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned(), port)
}

/// TLS where the request says so, and the upgrade.
pub(crate) async fn handshake<S>(
    request: Request,
    stream: S,
    tls: Option<Arc<ClientConfig>>,
) -> Result<WebSocketStream<MaybeTlsStream<S>>, Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let opened = client_async_tls_with_config(request, stream, Some(config()), tls.map(Connector::Rustls));
    let (socket, _response) = opened.await?;
    Ok(socket)
}
