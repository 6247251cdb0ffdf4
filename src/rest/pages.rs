//! The web pages and the documents beside them, embedded in the binary, packed when it was built.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tiltyard_protocol::Reason;

use super::error::ApiError;
use super::packed::Packed;
use super::{App, AppState, rate};

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

/// Documents that are served under another name than they have in the sources, where others link to them, and where they are.
const ELSEWHERE: &[(&str, &str)] = &[
    ("protocol/asyncapi.yaml", "/asyncapi.yaml"),
    ("protocol/messages.schema.json", "/messages.schema.json"),
    ("protocol/openapi.yaml", "/openapi.yaml"),
];

/// Pages load nothing from elsewhere and talk to nobody else, sockets included; they run no inline script, send no form and are shown in
/// no frame.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'; object-src 'none'; \
    form-action 'none'; frame-ancestors 'none'; base-uri 'none'; connect-src 'self'";

/// Answers what no operation does: with a page, or with `no_route`.
pub async fn serve(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let path = request.uri().path().trim_start_matches('/');
    let name = if path.is_empty() || path.ends_with('/') { format!("{path}index.html") } else { path.to_owned() };
    let page = PAGES.get(name.as_str()).ok_or_else(|| elsewhere(path));
    if matches!(page, Err(None)) {
        return Err(Reason::NoRoute.into());
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let allowed = HeaderValue::from_static("GET,HEAD");
        return Err(ApiError::new(Reason::MethodNotAllowed).header(header::ALLOW, allowed));
    }
    if let Ok(page) = page {
        rate::count_page(&app, request.headers(), request.extensions(), page.length(request.headers()))?;
        let mut response = page.answer(request.headers());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy(&app));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        return Ok(response);
    }
    let there = page.err().flatten().unwrap_or_default();
    Ok((StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, there)]).into_response())
}

/// Where there is what nothing of this name is.
fn elsewhere(path: &str) -> Option<String> {
    let document = ELSEWHERE.iter().find(|(name, _)| *name == path).map(|(_, there)| (*there).to_owned());
    let is_folder = || PAGES.contains_key(format!("{path}/index.html").as_str());
    document.or_else(|| is_folder().then(|| format!("/{path}/")))
}

/// Where sockets are reached by another name than pages, they may be opened there; and pages may go on at the cluster's other nodes.
fn policy(app: &AppState) -> HeaderValue {
    let places = app.advertised.then_some(&app.own_url).into_iter().chain(&app.also_at).filter_map(|url| {
        let url = url.parse::<Uri>().ok()?;
        let (scheme, authority) = (url.scheme_str()?, url.authority()?);
        let socket = if scheme == "https" { "wss" } else { "ws" };
        Some(format!("{scheme}://{authority} {socket}://{authority}"))
    });
    let policy: Vec<String> = std::iter::once(POLICY.to_owned()).chain(places).collect();
    HeaderValue::from_str(&policy.join(" ")).unwrap_or(HeaderValue::from_static(POLICY))
}

/// Every text is UTF-8.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("md") => "text/markdown; charset=utf-8",
        Some("txt" | "py" | "rs" | "ts" | "cs" | "toml") => "text/plain; charset=utf-8",
        Some("json") => "application/json",
        Some("yaml") => "application/yaml",
        _ => "application/octet-stream",
    }
}
