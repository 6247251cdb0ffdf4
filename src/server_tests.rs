//! What a server tells of its own loops.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::Server;
use crate::config::{Config, Flags};
use crate::rest::health;

async fn told(response: Response) -> (StatusCode, Value) {
    let (head, body) = response.into_parts();
    (head.status, serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap())
}

async fn server(data: &TempDir) -> Server {
    let flags =
        Flags { listen: Some("127.0.0.1:0".parse().unwrap()), data: Some(data.path().to_owned()), ..Flags::default() };
    Server::bind(Config::load(&flags, HashMap::new()).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_loop_that_hangs_is_named_and_one_that_goes_round_again_is_not() {
    let data = TempDir::new().unwrap();
    let server = server(&data).await;
    let app = || State(Arc::clone(&server.app));
    let asked =
        async || (told(health::health(app()).await).await, told(health::ready(app()).await.into_response()).await);
    let (health, ready) = asked().await;
    assert_eq!((health.0, &health.1["status"], ready.0), (StatusCode::OK, &json!("healthy"), StatusCode::OK));
    assert_eq!(health.1.get("hanging"), None);
    let there: Vec<&str> = server.app.beats.all().into_keys().collect();
    let all = [
        "accepting connections",
        "committer",
        "lost fights",
        "new tokens of sockets",
        "replays",
        "rooms",
        "time",
        "upkeep",
        "upkeep of the store",
    ];
    assert_eq!(there, all);
    for name in all {
        // One that goes round just then does not hang.
        let mut tries = 0..100;
        let (health, ready) = loop {
            server.app.beats.stop(name);
            let (health, ready) = asked().await;
            if health.1.get("hanging").is_some() && ready.0 != StatusCode::OK {
                break (health, ready);
            }
            tries.next().unwrap_or_else(|| panic!("{name} is not named"));
        };
        let named = |named: &Value| named.as_array().unwrap().contains(&json!(name));
        assert!(health.0 == StatusCode::OK && health.1["status"] == "degraded", "{name}: {health:?}");
        assert!(named(&health.1["hanging"]), "{name}: {health:?}");
        assert_eq!((ready.0, &ready.1["details"]["reason"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("timeout")));
        assert!(named(&ready.1["details"]["hanging"]) && ready.1["message"].as_str().unwrap().contains(name));
    }
    server.app.metrics.loops(&server.app.beats);
    let metrics = server.app.metrics.render(&server.app.hub.stats(), 0);
    assert!(
        metrics.contains("tiltyard_loops_hanging{loop=\"rooms\"") && metrics.contains("loop=\"committer\""),
        "{metrics}"
    );
    // Each goes round with the next that it has to do.
    let _one = TcpStream::connect(server.addr()).await.unwrap();
    let again = ["accepting connections", "committer", "upkeep", "upkeep of the store"];
    let patience = Instant::now() + Duration::from_secs(30);
    while server.app.beats.hanging().iter().any(|name| again.contains(name)) {
        assert!(Instant::now() < patience, "{:?}", server.app.beats.hanging());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.drain();
    server.join().await;
}
