//! The `bare-http` command: the smallest HTTP server that could do the same as reading or creating a session - no
//! authentication, no store - with the libraries and settings the real one has.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use crate::cli::BareHttpArgs;

/// The settings of the real one.
const HEADER_TIME_MAX: Duration = Duration::from_millis(4_500);
const HEAD_BYTES_MAX: usize = 80 * 1024;
const HEADERS_MAX: usize = 200;

pub fn command(args: &BareHttpArgs) -> Result<ExitCode> {
    let session = match &args.session {
        Some(file) => std::fs::read(file).with_context(|| format!("read {}", file.display()))?,
        None => br#"{"session_id":"00000000-0000-0000-0000-000000000000"}"#.to_vec(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(args.listen).await.with_context(|| format!("listen on {}", args.listen))?;
        writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
        let serving = serve(listener, router(Bytes::from(session)));
        // It stops by itself, should nobody end it.
        tokio::time::timeout(Duration::from_secs_f64(args.seconds), serving).await.unwrap_or(Ok(()))
    });
    served.map(|()| ExitCode::SUCCESS)
}

fn router(session: Bytes) -> Router {
    Router::new().route("/sessions/{session_id}", get(read)).route("/sessions", post(create)).with_state(session)
}

async fn read(State(session): State<Bytes>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], session)
}

async fn create(Json(body): Json<Map<String, Value>>) -> impl IntoResponse {
    (StatusCode::CREATED, Json(body))
}

async fn serve(listener: TcpListener, router: Router) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await.context("accept a connection")?;
        // A connection that breaks is its client's affair.
        drop(tokio::spawn(connection(stream, router.clone())));
    }
}

async fn connection(stream: TcpStream, router: Router) -> Result<()> {
    stream.set_nodelay(true)?;
    let service = service_fn(move |request: Request<Incoming>| router.clone().oneshot(request.map(Body::new)));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await
        .context("serve a connection")
}
