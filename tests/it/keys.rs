//! Tokens of other issuers: taken as the JWKS says, and whatever else they say, the answer is the same 401.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::{Value, json};
use tempfile::TempDir;
use tiltyard_client::{Client, Error};
use tiltyard_protocol::Encoding;
use uuid::Uuid;

use crate::signer::serve::{Answer, Served};
use crate::signer::{ISSUER, Signer, attacks, claims, jwks};
use crate::support::{Node, plain_rules, soon};

/// A node that takes tokens signed with these keys, and the folder the keys are in.
fn node(signers: &[&Signer]) -> (Node, TempDir) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, jwks(signers)).unwrap();
    // Hundreds of bad tokens from one address are what is asked for here.
    let flags = ["--jwks", path.to_str().unwrap(), "--token-issuers", ISSUER, "--rate-limits", "off"];
    (Node::start_with(&flags), folder)
}

fn player(player: Uuid) -> Value {
    let mut claims = claims();
    claims["sub"] = json!(player);
    claims
}

/// What the request with this token is answered with: status, body, and whether it says what is needed instead.
async fn ask(client: &reqwest::Client, url: &str, token: &str) -> (u16, String, bool) {
    let answer = soon(client.get(url).bearer_auth(token).send()).await.unwrap();
    let challenged = answer.headers().get("www-authenticate").is_some_and(|value| value == "Bearer");
    (answer.status().as_u16(), answer.text().await.unwrap(), challenged)
}

/// With this token for a session that does not exist: 404 where it is good.
async fn status(node: &Node, token: &str) -> u16 {
    ask(&reqwest::Client::new(), &url_of_none(node), token).await.0
}

fn url_of_none(node: &Node) -> String {
    format!("{}/combat/sessions/{}/state", node.url, Uuid::nil())
}

#[tokio::test]
async fn forged_tokens_get_the_same_answer_and_nobody_else_is_asked() {
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let [ed, ec, rsa] = Signer::public();
    let secret = Signer::secret("shared");
    let (node, _folder) = node(&[&ed, &ec, &rsa, &secret]);
    let (client, url) = (reqwest::Client::new(), url_of_none(&node));
    let mut answers = HashSet::new();
    for signer in [&ed, &ec, &rsa, &secret] {
        assert_eq!(status(&node, &signer.sign(&claims())).await, 404, "{}: its good ones are taken", signer.alg());
        for (what, token) in attacks(signer, &format!("http://{}", canary.local_addr().unwrap())) {
            let answer = ask(&client, &url, &token).await;
            assert_eq!((answer.0, answer.2), (401, true), "{} {what}", signer.alg());
            answers.insert(answer.1);
        }
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(canary.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "nobody came");
    assert!(node.metric("tiltyard_tokens_refused_total").await > 400.0);
    assert!((node.metric("tiltyard_token_keys").await - 4.0).abs() < 0.1);
}

#[tokio::test]
async fn an_audience_s_token_is_no_other_s() {
    let ed = Signer::ed25519("ed");
    let (node, _folder) = node(&[&ed]);
    let audience = |name: &str, sub: &str| {
        let mut claims = claims();
        claims["aud"] = json!(name);
        claims["sub"] = json!(sub);
        claims["scope"] = json!("play ops:read sessions:write");
        ed.sign(&claims)
    };
    let (user, service) = (audience("tiltyard:player", &Uuid::nil().to_string()), audience("tiltyard:service", "shop"));
    let (client, metrics) = (reqwest::Client::new(), format!("{}/metrics", node.url));
    assert_eq!(ask(&client, &metrics, &service).await.0, 200);
    assert_eq!(ask(&client, &metrics, &user).await.0, 403);
    let seat = |token: String| {
        let url = format!("{}/arena/seats", node.url);
        async move {
            let body = json!({"kind": "duel"});
            let answer = reqwest::Client::new().post(url).bearer_auth(token).json(&body).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        }
    };
    assert_eq!(seat(user).await.0, 200);
    assert_eq!(seat(service).await.0, 403);
}

#[tokio::test]
async fn an_issuer_s_player_fights_over_a_socket() {
    let ed = Signer::ed25519("ed");
    let (node, _folder) = node(&[&ed]);
    let fight = node.fight(2, plain_rules()).await;
    let url = format!("{}/ws?session={}", node.url.replacen("http", "ws", 1), fight.id);
    let token = ed.sign(&player(fight.players[0]));
    Client::connect_with_token(&url, Encoding::Json, &token).await.expect("its token is good");
    let forged = Signer::ed25519("ed").sign(&player(fight.players[0]));
    let refused = Client::connect_with_token(&url, Encoding::Json, &forged).await;
    assert!(matches!(refused, Err(Error::Upgrade(401))));
}

// Starting a node waits for it: the issuer answers from another thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_is_fetched_when_a_token_names_it() {
    let (old, new) = (Signer::ed25519("old"), Signer::rsa("new"));
    let served = Served::start(Answer::json(&jwks(&[&old]))).await;
    let node = Node::start_with(&["--jwks", &served.url, "--token-issuers", ISSUER]);
    assert_eq!(status(&node, &old.sign(&claims())).await, 404, "fetched before the first request");
    served.say(Answer::json(&jwks(&[&new])));
    let token = new.sign(&claims());
    assert_eq!(status(&node, &token).await, 401, "nobody waits for the fetch");
    soon(async {
        while status(&node, &token).await != 404 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(status(&node, &old.sign(&claims())).await, 401, "it is not listed any more");
    assert!(node.metric("tiltyard_token_key_refreshes_total").await > 1.5);
    let hits = node.metric("tiltyard_token_cache_hits_total").await;
    assert_eq!(status(&node, &token).await, 404);
    assert!(node.metric("tiltyard_token_cache_hits_total").await > hits);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_starts_without_its_issuer_but_not_without_its_file() {
    let served = Served::start(Answer::status("503 Service Unavailable", "")).await;
    let node = Node::start_with(&["--jwks", &served.url, "--token-issuers", ISSUER]);
    assert_eq!(status(&node, &node.player(Uuid::nil())).await, 404, "its own tokens are good");
    let start = |flags: &[&str]| {
        let data = TempDir::new().unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tiltyard"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data.path()).args(flags);
        let output = command.output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let error = start(&["--jwks", "/nowhere/jwks.json", "--token-issuers", ISSUER]);
    assert!(error.contains("/nowhere/jwks.json") && error.contains("No such file"), "{error}");
    let error = start(&["--jwks", &served.url]);
    assert!(error.contains("--token-issuers"), "{error}");
}

#[tokio::test]
async fn a_usual_provider_s_player_fights_when_the_options_say_how_it_writes_its_tokens() {
    let rsa = Signer::rsa("rsa");
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("jwks.json");
    std::fs::write(&path, jwks(&[&rsa])).unwrap();
    let keys = ["--jwks", path.to_str().unwrap(), "--token-issuers", ISSUER];
    let speech =
        ["--token-audiences", "game", "--token-scope-claims", "realm_access.roles", "--token-player-claim", "player"];
    let node = Node::start_with(&[&keys[..], &speech[..]].concat());
    let fight = node.fight(2, plain_rules()).await;
    let mut token = json!({"iss": ISSUER, "aud": ["account", "game"], "sub": "f:1:bob", "player": fight.players[0],
        "exp": claims()["exp"], "scope": "openid", "realm_access": {"roles": ["offline_access", "play"]}});
    let url = format!("{}/ws?session={}", node.url.replacen("http", "ws", 1), fight.id);
    Client::connect_with_token(&url, Encoding::Json, &rsa.sign(&token)).await.expect("its token is good");
    for (name, value, reason) in [
        ("player", json!(null), "claim"),
        ("aud", json!("account"), "audience"),
        ("iss", json!("https://login.example/"), "issuer"),
        ("exp", json!(7), "expired"),
    ] {
        token[name] = value;
        let (code, body, _) = ask(&reqwest::Client::new(), &url_of_none(&node), &rsa.sign(&token)).await;
        assert!(code == 401 && body.contains(r#""reason":"unauthorized""#), "{body}");
        let counted = format!(r#"tiltyard_tokens_refused_total{{reason="{reason}"}} 1"#);
        assert!(node.metrics().await.contains(&counted), "{counted}");
    }
}

#[test]
fn a_scope_that_does_nothing_is_warned_of_when_a_token_is_made() {
    let data = TempDir::new().unwrap();
    let make = |grant: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tiltyard"));
        let output = command.args(["token", "--data"]).arg(data.path()).args(grant).output().unwrap();
        assert!(output.status.success() && output.stdout.starts_with(b"ey"), "the token is made all the same");
        String::from_utf8(output.stderr).unwrap()
    };
    let player = Uuid::nil().to_string();
    let said = make(&["--player", &player, "--scope", "play", "--scope", "ops:read"]);
    assert!(said.contains("ops:read does nothing for player tokens") && said.contains("play, play:arena"), "{said}");
    assert!(make(&["--admin", "--scope", "play"]).contains("may do everything without any"));
    for usual in
        [&["--player", &player][..], &["--service", "a"], &["--admin"], &["--service", "a", "--scope", "ops:read"]]
    {
        assert!(!make(usual).contains("warning"), "{usual:?}");
    }
}
