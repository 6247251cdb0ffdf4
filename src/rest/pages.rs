//! The web pages, embedded in the binary, packed when it was built.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::response::{IntoResponse, Response};
use tiltyard_protocol::Reason;

use super::App;
use super::error::ApiError;
use super::packed::Packed;
use super::rate;

/// What the build script has made of a file.
struct File {
    name: &'static str,
    hash: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
    brotli: Option<&'static [u8]>,
}

const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// By name. Nothing is copied or packed here.
static PAGES: LazyLock<HashMap<&str, Packed>> = LazyLock::new(|| {
    let page =
        |file: &File| (file.name, Packed::new(content_type(file.name), file.hash, file.plain, file.brotli, file.gzip));
    FILES.iter().map(page).collect()
});

/// Pages load nothing from elsewhere, run no inline script and are shown in no frame.
const POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self'; \
    script-src 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Answers what no operation does: with a page, or with `no_route`.
pub async fn serve(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Reason::NoRoute.into());
    }
    let path = request.uri().path().trim_start_matches('/');
    let name = if path.is_empty() || path.ends_with('/') { format!("{path}index.html") } else { path.to_owned() };
    if let Some(page) = PAGES.get(name.as_str()) {
        rate::count_page(&app, request.headers(), request.extensions(), page.length(request.headers()))?;
        let mut response = page.answer(request.headers());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        return Ok(response);
    }
    if PAGES.contains_key(format!("{path}/index.html").as_str()) {
        return Ok((StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, format!("/{path}/"))]).into_response());
    }
    Err(Reason::NoRoute.into())
}

/// Every text is UTF-8.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("md") => "text/markdown; charset=utf-8",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
