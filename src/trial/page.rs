//! The page of the cluster: what there is, and buttons to kill a node or stop it where it is. No node has anything of the kind. It is served at
//! an address of this machine, to requests for that address alone, and what changes something takes the token that is in the page: a page
//! of another site, which can send requests here, can read neither.

use std::net::TcpListener;
use std::sync::Arc;

use anyhow::Context;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use uuid::Uuid;

use super::look::{Lookout, Sight};
use super::node::Deed;

const HTML: &str = include_str!("../../web/cluster/index.html");
const SCRIPT: &str = include_str!("../../web/cluster/cluster.js");
const STYLE: &str = include_str!("../../web/cluster/cluster.css");
const BASE: &str = include_str!("../../web/arena/base.css");
const LOGO: &str = include_str!("../../web/arena/art/logo.svg");
const ICON: &str = include_str!("../../web/arena/art/icon.svg");

/// Where the token stands in the page.
const TOKEN_HERE: &str = "{{token}}";
const TOKEN: HeaderName = HeaderName::from_static("cluster-token");

const POLICY: &str = "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/// Where the page is, and what a change takes.
#[derive(Debug, Clone)]
pub struct Place {
    pub url: String,
    pub token: String,
    /// What a request has to call it: its address, or `localhost`.
    hosts: [String; 2],
}

#[derive(Debug, Clone)]
struct Page {
    place: Place,
    lookout: Arc<Lookout>,
}

/// Serves it for as long as the runtime runs.
pub fn serve(listener: TcpListener, lookout: Arc<Lookout>) -> anyhow::Result<Place> {
    let address = listener.local_addr()?;
    let place = Place {
        url: format!("http://{address}"),
        token: Uuid::new_v4().simple().to_string(),
        hosts: [address.to_string(), format!("localhost:{}", address.port())],
    };
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener).context("the page's port")?;
    let page = Page { place: place.clone(), lookout };
    let text =
        |kind: &'static str, text: &'static str| get(move || async move { ([(header::CONTENT_TYPE, kind)], text) });
    let router = Router::new()
        .route("/", get(html))
        .route("/cluster.js", text("text/javascript; charset=utf-8", SCRIPT))
        .route("/cluster.css", text("text/css; charset=utf-8", STYLE))
        .route("/base.css", text("text/css; charset=utf-8", BASE))
        .route("/logo.svg", text("image/svg+xml", LOGO))
        .route("/icon.svg", text("image/svg+xml", ICON))
        .route("/state", get(state))
        .route("/nodes/{name}/{deed}", post(change))
        .layer(middleware::from_fn_with_state(place.clone(), guard))
        .with_state(page);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(place)
}

/// Refuses what was sent to another name, which a page of another site can have lead here, or by a page of another origin.
async fn guard(State(place): State<Place>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !place.is_meant(headers) {
        return (StatusCode::FORBIDDEN, "This page is for this machine alone.\n").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Place {
    fn is_meant(&self, headers: &HeaderMap) -> bool {
        let one = |name: HeaderName| -> Option<Option<&str>> {
            let mut all = headers.get_all(name).iter();
            let first = all.next().map(|value| value.to_str());
            match (first, all.next()) {
                (None, None) => Some(None),
                (Some(Ok(value)), None) => Some(Some(value)),
                _ => None,
            }
        };
        let is_host = |host: &str| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host));
        let host = matches!(one(header::HOST), Some(Some(host)) if is_host(host));
        let origin = match one(header::ORIGIN) {
            Some(None) => true,
            Some(Some(origin)) => origin.strip_prefix("http://").is_some_and(is_host),
            None => false,
        };
        host && origin
    }
}

async fn html(State(page): State<Page>) -> Response {
    let text = HTML.replace(TOKEN_HERE, &page.place.token);
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

async fn state(State(page): State<Page>) -> Json<Sight> {
    Json(page.lookout.look().await)
}

async fn change(
    State(page): State<Page>,
    Path((name, deed)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, (StatusCode, &'static str)> {
    let token = headers.get(TOKEN).and_then(|token| token.to_str().ok());
    if token != Some(&page.place.token) {
        return Err((StatusCode::FORBIDDEN, "Cluster-Token is missing, or another cluster's: reload the page.\n"));
    }
    let deed = match deed.as_str() {
        "kill" => Deed::Kill,
        "stop" => Deed::Stop,
        "go-on" => Deed::GoOn,
        "start" => Deed::Start,
        _ => return Err((StatusCode::NOT_FOUND, "There are kill, stop, go-on and start.\n")),
    };
    let node = page.lookout.nodes.iter().find(|node| node.name == name);
    let node = node.ok_or((StatusCode::NOT_FOUND, "There is no node of this name.\n"))?;
    page.lookout.do_to(node, deed).await;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::{HTML, Place, TOKEN_HERE};
    use axum::http::{HeaderMap, HeaderValue, header};

    #[test]
    fn the_page_is_for_its_own_address_alone() {
        let place = Place {
            url: "http://127.0.0.1:8079".to_owned(),
            token: String::new(),
            hosts: ["127.0.0.1:8079".to_owned(), "localhost:8079".to_owned()],
        };
        let may = |host: &str, origin: &str| {
            let mut headers = HeaderMap::new();
            for (name, value) in [(header::HOST, host), (header::ORIGIN, origin)] {
                if !value.is_empty() {
                    headers.insert(name, HeaderValue::from_str(value).unwrap());
                }
            }
            place.is_meant(&headers)
        };
        assert!(may("127.0.0.1:8079", "") && may("LOCALHOST:8079", "http://localhost:8079"));
        for (host, origin) in [
            ("", ""),
            ("evil.example:8079", ""),
            ("127.0.0.1:8080", ""),
            ("127.0.0.1:8079", "http://evil.example"),
            ("127.0.0.1:8079", "http://127.0.0.1:8080"),
            ("127.0.0.1:8079", "https://127.0.0.1:8079"),
            ("127.0.0.1:8079", "null"),
        ] {
            assert!(!may(host, origin), "{host} {origin}");
        }
    }

    #[test]
    fn the_page_has_a_place_for_its_token() {
        assert_eq!(HTML.matches(TOKEN_HERE).count(), 1);
    }
}
