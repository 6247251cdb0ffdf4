//! Every cell of the table of who may do what, over HTTP: route by route, role by role, to foreign and own sessions.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::case::Case;
use super::reply::Reply;

/// A cell has a sign for a foreign session, one the caller takes part in, and its own: `+` admitted, whatever comes of it,
/// `-` forbidden (403), `?` hidden (404), `x` without a token (401), `!` not well-formed when this caller says it (400), `.` not a case there is.
const OF_SESSIONS: &str = "
    operation             guest  player noscope read   write  ops    stats  admin  nobody
    combat GET            ?++    ?++    ---     +++    ---    ---    ---    +++    xxx
    combat GET:logs       ?++    ?++    ---     +++    ---    ---    ---    +++    xxx
    combat GET:combat     ?++    ?++    ---     +++    ---    ---    ---    +++    xxx
    combat GET:fight      ?++    ?++    ---     +++    ---    ---    ---    +++    xxx
    combat GET:replay     ?++    ?++    ---     +++    ---    ---    ---    +++    xxx
    combat PUT            ---    ?-+    ---     ---    +++    ---    ---    +++    xxx
    combat DELETE         ---    ?-+    ---     ---    +++    ---    ---    +++    xxx
    combat POST:actions   ?++    ?++    ---     ---    +++    ---    ---    +++    xxx
    combat POST:ready     ?++    ?++    ---     ---    +++    ---    ---    +++    xxx
    combat POST:tickets   ?++    ?++    ---     ---    +++    ---    ---    +++    xxx
    combat POST:hand-over ---    ---    ---     ---    ---    ---    ---    +++    xxx
    custom GET            ?++    ?++    ---     +++    ---    ---    ---    +++    xxx
    custom GET:logs       ?++    ?++    ---     +++    ---    ---    ---    +++    xxx
    custom PUT            ---    ?-+    ---     ---    +++    ---    ---    +++    xxx
    custom DELETE         ---    ?-+    ---     ---    +++    ---    ---    +++    xxx
    custom GET:state      ?++    ?++    ---     +++    ---    ---    ---    +++    xxx
    custom PATCH:state    ---    ?++    ---     ---    +++    ---    ---    +++    xxx
    custom POST:members   ---    +++    ---     ---    +++    ---    ---    +++    xxx
    custom DELETE:members ---    ?++    ---     ---    +++    ---    ---    +++    xxx
    player GET            ?.+    ?.+    -.-     +.+    -.-    -.-    -.-    +.+    x.x
    player PUT            -.-    ?.+    -.-     -.-    +.+    -.-    -.-    +.+    x.x
    player DELETE         -.-    ?.+    -.-     -.-    +.+    -.-    -.-    +.+    x.x
    player POST:members   -.-    ?.+    -.-     -.-    +.+    -.-    -.-    +.+    x.x
    player POST:heartbeat ?.+    ?.+    -.-     -.-    +.+    -.-    -.-    +.+    x.x
    auth GET              ?.+    ?.+    -.-     +.+    -.-    -.-    -.-    +.+    x.x
    auth PUT              -.-    ?.+    -.-     -.-    +.+    -.-    -.-    +.+    x.x
    auth DELETE           -.-    ?.+    -.-     -.-    +.+    -.-    -.-    +.+    x.x
    auth POST:heartbeat   ?.+    ?.+    -.-     -.-    +.+    -.-    -.-    +.+    x.x
";

/// What is about no session that is there already; making one is for another player, and for the caller.
const OF_NONE: &str = "
    operation             guest  player noscope read   write  ops    stats  admin  nobody
    create:combat         --     !+     --      --     ++     --     --     ++     xx
    create:player         --     -+     --      --     ++     --     --     ++     xx
    create:auth           --     --     --      --     ++     --     --     ++     xx
    create:custom         --     -+     --      --     ++     --     --     ++     xx
    fight                 --     !+     --      --     ++     --     --     ++     xx
    list                  +      +      -       +      -      -      -      +      x
    fights                +      +      -       +      -      -      -      +      x
    analytics             -      -      -       -      -      -      +      +      x
    metrics               -      -      -       -      -      +      -      +      x
    revoke                -      -      -       -      +      -      -      +      x
    arena                 +      +      -       -      -      -      -      -      x
    health                +      +      +       +      +      +      +      +      +
    openapi               +      +      +       +      +      +      +      +      +
";

/// A column: the player whose relation counts, and the token.
fn caller(case: &Case, column: &str) -> (Uuid, Option<String>) {
    let player = Uuid::new_v4();
    let id = player.to_string();
    let grant: &[&str] = match column {
        "guest" => &["--player", &id, "--scope", "play:arena"],
        "player" => &["--player", &id],
        // Scopes of another role do nothing.
        "noscope" => &["--player", &id, "--scope", "sessions:read", "--scope", "sessions:write", "--scope", "ops:read"],
        "read" => &["--service", "shop", "--scope", "sessions:read", "--scope", "play"],
        "write" => &["--service", "shop", "--scope", "sessions:write"],
        "ops" => &["--service", "shop", "--scope", "ops:read"],
        "stats" => &["--service", "shop", "--scope", "analytics:read"],
        "admin" => &["--admin"],
        "nobody" => return (player, None),
        other => panic!("{other}"),
    };
    (player, Some(case.node.token(grant)))
}

async fn every_cell_about_a_session(case: Case) {
    let mut wrong = Vec::new();
    for Cell { row, column, expected } in cells(OF_SESSIONS) {
        let (kind, operation) = row.split_once(' ').unwrap();
        let (player, token) = caller(&case, &column);
        for (index, sign) in expected.chars().enumerate().filter(|(_, sign)| *sign != '.') {
            let session = session(&case, kind, player, index).await;
            let got = sign_of(&to_session(&case, operation, &session, player, token.as_deref()).await);
            if got != sign {
                wrong.push(format!("{row} by {column}, relation {index}: {got}, not {sign}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn who_is_forbidden_is_told_what_is_lacking(case: Case) {
    let session = case.create("custom", Uuid::new_v4()).await;
    let details = |reply: &Reply, name: &str| {
        assert_eq!((reply.status, reply.reason()), (403, "forbidden"), "{}: {}", reply.line, reply.body);
        let names = &reply.body["details"][name];
        let names: Vec<&str> = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert!(names.iter().all(|name| reply.text("message").contains(name)), "{}", reply.body);
        names.join(" ")
    };
    for (operation, column, scopes) in
        [("GET", "write", "sessions:read"), ("PUT", "read", "sessions:write"), ("DELETE", "guest", "play")]
    {
        let (player, token) = caller(&case, column);
        let reply = to_session(&case, operation, &session, player, token.as_deref()).await;
        assert_eq!(details(&reply, "scopes"), scopes, "{operation} by {column}");
    }
    for (row, column, name, lacking) in [
        ("analytics", "write", "scopes", "analytics:read"),
        ("list", "noscope", "scopes", "play play:arena"),
        ("analytics", "player", "roles", "service admin"),
        ("metrics", "player", "roles", "service admin"),
        ("revoke", "guest", "roles", "service admin"),
        ("create:auth", "player", "roles", "service admin"),
        ("arena", "write", "roles", "player"),
    ] {
        let (player, token) = caller(&case, column);
        let reply = to_none(&case, row, player, token.as_deref()).await;
        assert_eq!(details(&reply, name), lacking, "{row} by {column}");
    }
}

/// Bodies that are wrong each in its own way, with their media types.
const WRONG: [(&str, &str); 6] = [
    ("application/json", "{"),
    ("application/json", "[]"),
    ("application/json", r#"{"type":7,"mode":7,"player_id":7,"status":7,"reason":7,"kind":7,"version":"x"}"#),
    ("application/json", ""),
    ("application/merge-patch+json", "nonsense"),
    ("text/plain", "nonsense"),
];

async fn who_may_not_is_told_so_whatever_the_body_says(case: Case) {
    let document = reqwest::get(format!("{}/openapi.json", case.node.url)).await.unwrap();
    let document: Value = document.json().await.unwrap();
    let (_, lacking) = caller(&case, "noscope");
    let (member, stranger) = (Uuid::new_v4(), case.node.player(Uuid::new_v4()));
    let fight = session(&case, "combat", member, 1).await;
    let custom = session(&case, "custom", member, 1).await;
    let member = case.node.player(member);
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(_, it)| it["requestBody"].is_object()) {
            // These need no token: a refresh token is in the body.
            if ["createGuest", "refreshTokens"].iter().any(|open| operation["operationId"] == *open) {
                continue;
            }
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let about = path.contains("{session_id}").then(|| if path.contains("combat") { &fight } else { &custom });
            let real = about.map_or(path.clone(), |about| path.replace("{session_id}", &about.id().to_string()));
            for (media_type, body) in WRONG {
                let ask = || case.ask(method.clone(), &real).text(media_type, body);
                ask().anonymous().refused(401, "unauthorized").await;
                ask().by("nonsense").refused(401, "unauthorized").await;
                ask().by(lacking.as_ref().unwrap()).refused(403, "forbidden").await;
                let for_anybody = ["/sessions/{session_id}/members", "/combat/sessions/{session_id}/hand-over"];
                if about.is_some() && !for_anybody.contains(&path.as_str()) {
                    ask().by(&stranger).refused(404, "no_session").await;
                }
                if path == "/sessions/{session_id}" {
                    ask().by(&member).refused(403, "forbidden").await;
                }
            }
            tried += 1;
        }
    }
    assert!(tried >= 11, "{tried}");
    // Nothing is said of the id either.
    for (method, path) in [(Method::POST, "heartbeat"), (Method::PATCH, "state"), (Method::GET, "state?x=1")] {
        let ask = case.ask(method, &format!("/sessions/bob/{path}")).by(lacking.as_ref().unwrap());
        ask.refused(403, "forbidden").await;
    }
}

async fn every_cell_about_none(case: Case) {
    let mut wrong = Vec::new();
    for Cell { row, column, expected } in cells(OF_NONE) {
        for (index, sign) in expected.chars().enumerate() {
            let (player, token) = caller(&case, &column);
            let whom = if index == 0 && expected.len() == 2 { Uuid::new_v4() } else { player };
            let got = sign_of(&to_none(&case, &row, whom, token.as_deref()).await);
            if got != sign {
                wrong.push(format!("{row} by {column}, relation {index}: {got}, not {sign}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// One cell of a table.
struct Cell {
    row: String,
    column: String,
    expected: String,
}

fn cells(table: &str) -> Vec<Cell> {
    let mut lines = table.trim().lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let columns: Vec<&str> = lines.next().unwrap().split_off(1);
    let mut cells = Vec::new();
    for mut line in lines {
        let row = line.drain(..line.len() - columns.len()).collect::<Vec<_>>().join(" ");
        for (column, expected) in columns.iter().zip(line) {
            cells.push(Cell { row: row.clone(), column: (*column).to_owned(), expected: expected.to_owned() });
        }
    }
    cells
}

fn sign_of(reply: &Reply) -> char {
    match reply.status {
        400 => '!',
        401 => 'x',
        403 => '-',
        404 => '?',
        status if status < 500 && status != 429 => '+',
        _ => panic!("{}: {}", reply.line, reply.body),
    }
}

/// A session that `player` stands to as the index says: foreign, taken part in, own.
async fn session(case: &Case, kind: &str, player: Uuid, relation: usize) -> Reply {
    let other = Uuid::new_v4();
    let owner = if relation == 2 { player } else { other };
    let second = if relation == 1 { player } else { Uuid::new_v4() };
    let settings = match kind {
        "combat" => json!({ "participants": [owner, second] }),
        "custom" => json!({ "members": [second] }),
        _ => json!({}),
    };
    case.create_with(kind, owner, settings).await
}

async fn to_session(case: &Case, operation: &str, session: &Reply, player: Uuid, token: Option<&str>) -> Reply {
    let id = session.id();
    let fights = format!("/combat/sessions/{id}");
    let named = json!({ "player_id": player });
    let action = json!({ "action_type": "defend", "player_id": player });
    let ask = match operation {
        "GET" => case.get(&session.path("")),
        "GET:logs" => case.get(&session.path("/logs")),
        "GET:state" => case.get(&session.path("/state")),
        "GET:combat" => case.get(&fights),
        "GET:fight" => case.get(&format!("{fights}/state")),
        "GET:replay" => {
            // There is one once it has ended.
            case.delete(&session.path("")).json(&json!({ "force": true })).expect(200).await;
            case.get(&format!("{fights}/replay"))
        }
        "PUT" => case.put(&session.path(""), &json!({ "metadata": { "n": 1 } })),
        "DELETE" => case.delete(&session.path("")),
        "PATCH:state" => case.patch(session, &json!({ "n": 1 })),
        "POST:ready" => case.post(&format!("{fights}/ready"), &json!({ "player_id": player })),
        "POST:hand-over" => case.post(&format!("{fights}/hand-over"), &json!({ "shard": 0 })),
        "POST:actions" => case.post(&format!("{fights}/actions"), &action),
        "POST:tickets" => case.post(&session.path("/tickets"), &named),
        "POST:members" => case.post(&session.path("/members"), &named),
        "DELETE:members" => case.delete(&session.path(&format!("/members/{player}"))),
        "POST:heartbeat" => case.ask(Method::POST, &session.path("/heartbeat")),
        other => panic!("{other}"),
    };
    match token {
        Some(token) => ask.by(token).await,
        None => ask.anonymous().await,
    }
}

async fn to_none(case: &Case, row: &str, whom: Uuid, token: Option<&str>) -> Reply {
    let create = |kind: &str| case.post("/sessions", &json!({ "type": kind, "player_id": whom }));
    let fight: Value = json!({ "mode": "pvp", "participants": [whom] });
    let ask = match row.split_once(':').unwrap_or((row, "")) {
        ("create", kind) => create(kind),
        ("fight", _) => case.post("/combat/sessions", &fight),
        ("list", _) => case.get("/sessions"),
        ("fights", _) => case.get("/combat/sessions"),
        ("analytics", _) => case.get("/analytics/sessions"),
        ("metrics", _) => case.get("/metrics"),
        ("revoke", _) => case.post("/tokens/revocations", &json!({ "player_id": whom })),
        ("arena", _) => case.post("/arena/seats", &json!({ "kind": "duel" })),
        ("health", _) => case.get("/health"),
        ("openapi", _) => case.get("/openapi.json"),
        (other, _) => panic!("{other}"),
    };
    match token {
        Some(token) => ask.by(token).await,
        None => ask.anonymous().await,
    }
}

on_both_stores!(
    every_cell_about_a_session,
    every_cell_about_none,
    who_is_forbidden_is_told_what_is_lacking,
    who_may_not_is_told_so_whatever_the_body_says,
);
