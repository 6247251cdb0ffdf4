//! The web pages, embedded in the binary.

use axum::extract::Request;
use axum::http::header::{self, HeaderMap, HeaderName};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_embed::{EmbeddedFile, RustEmbed};
use tiltyard_protocol::Reason;

use super::conditional::not_modified;
use super::error::ApiError;

#[derive(RustEmbed)]
#[folder = "web/"]
struct Files;

/// Pages load nothing from elsewhere, run no inline script and are shown in no frame.
const POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self'; \
    script-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Answers what no operation does: with a page, or with `no_route`.
pub async fn serve(request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return ApiError::new(Reason::NoRoute).into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    let name = if path.is_empty() || path.ends_with('/') { format!("{path}index.html") } else { path.to_owned() };
    if let Some(file) = Files::get(&name) {
        return page(&name, file, request.headers());
    }
    if Files::get(&format!("{path}/index.html")).is_some() {
        return (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, format!("/{path}/"))]).into_response();
    }
    ApiError::new(Reason::NoRoute).into_response()
}

fn page(name: &str, file: EmbeddedFile, request: &HeaderMap) -> Response {
    let tag = tag(&file.metadata.sha256_hash());
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, content_type(name, file.metadata.mimetype())),
        (header::ETAG, &tag),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    if not_modified(request, &tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, file.data).into_response()
}

/// The table's type, with the charset where there is text: every file is UTF-8.
fn content_type<'a>(name: &str, guessed: &'a str) -> &'a str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        _ => guessed,
    }
}

fn tag(hash: &[u8; 32]) -> String {
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash[..16]))
}
