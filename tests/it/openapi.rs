//! The document and the server say the same: every operation is described and every described one answers, with the
//! parameters, statuses, fields and values that clients are generated from.

use std::collections::BTreeSet;

use reqwest::{Client, Method, Response};
use serde_json::Value;
use uuid::Uuid;

use crate::support::Node;

const BASES: [&str; 3] = ["", "/v1/session", "/api/v1/session"];

/// The methods of a path, as the document names them.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Every operation: its method, path and id, the statuses it declares besides the shared `default`, and who may call:
/// `*` anybody, `b` a player or administrator, `s` a service too, `t` who has a ticket.
const OPERATIONS: &str = "
    get    /health                                    getHealth              200 429 503             *
    post   /sessions                                  createSession          201 400 401 409         bs
    get    /sessions                                  listSessions           200 400 401             bs
    get    /sessions/{session_id}                     getSession             200 304 401 404         bs
    put    /sessions/{session_id}                     updateSession          200 400 401 404 409     bs
    delete /sessions/{session_id}                     terminateSession       200 401 404             bs
    post   /combat/sessions                           createCombatSession    201 400 401 409         bs
    get    /combat/sessions                           listCombatSessions     200 400 401             bs
    post   /combat/sessions/{session_id}/actions      executeCombatAction    200 400 401 404 409     bs
    post   /combat/sessions/{session_id}/ready        readyForCombat         200 400 401 404 409     bs
    get    /combat/sessions/{session_id}/state        getCombatSessionState  200 401 404             bs
    get    /combat/sessions/{session_id}/replay       getCombatReplay        200 401 404             bs
    post   /combat/sessions/{session_id}/hand-over    handOverCombatSession  200 400 401 404 409     b
    get    /analytics/sessions                        getSessionAnalytics    200 400 401             bs
    get    /combat/sessions/{session_id}              getCombatSession       200 401 404             bs
    get    /sessions/{session_id}/logs                listSessionLogs        200 400 401 404         bs
    post   /sessions/{session_id}/members             joinSession            200 400 401 404 409     bs
    delete /sessions/{session_id}/members/{player_id} leaveSession           200 400 401 404 409     bs
    get    /sessions/{session_id}/state               getSessionState        200 304 401 404 409     bs
    patch  /sessions/{session_id}/state               patchSessionState      200 400 401 404 409 412 413 bs
    post   /sessions/{session_id}/heartbeat           heartbeatSession       200 401 404 409         bs
    post   /sessions/{session_id}/refresh             refreshTokens          200 400 401             *
    post   /sessions/{session_id}/tickets             createTicket           201 400 401 404 409     bs
    post   /tokens/revocations                        revokeTokens           200 400 401             bs
    post   /guest                                     createGuest            201 403                 *
    post   /arena/seats                               takeArenaSeat          200 400 401 409         b
    get    /rulesets                                  listRulesets           200 429                 *
    get    /ws                                        openSocket             101 400 401 403 404     tb
    get    /livez                                     getLiveness            200 429                 *
    get    /readyz                                    getReadiness           200 429 503             *
    get    /metrics                                   getMetrics             200 401                 bs
    get    /openapi.json                              getOpenapiJson         200 304 429             *
    get    /openapi.yaml                              getOpenapiYaml         200 304 429             *
";

/// Every parameter of a query: of which operation, its name, and its values or range, with the default last.
const PARAMETERS: &str = "
    listSessions        type          combat|player|auth|custom
    listSessions        status        active|paused|completed|terminated
    listSessions        player_id     uuid
    listSessions        limit         1..100 20
    listSessions        cursor        string
    getSession          include_logs  boolean false
    getSession          include_stats boolean false
    listSessionLogs     limit         1..100 20
    listSessionLogs     cursor        string
    listCombatSessions  status        initializing|active|paused|completed|terminated active
    listCombatSessions  mode          pvp|pve|arena|tournament|custom
    listCombatSessions  limit         1..50 10
    listCombatSessions  cursor        string
    getSessionAnalytics timeframe     1h|6h|24h|7d|30d 24h
    getSessionAnalytics session_type  combat|player|auth|custom|all all
    getSessionAnalytics metric        count|duration|performance|errors|all all
    openSocket          session       uuid
";

/// Every value list and range of a body: its schema, its field (none where the schema is the list).
const VALUES: &str = "
    SessionType                         combat|player|auth|custom
    SessionStatus                       active|paused|completed|terminated
    CombatMode                          pvp|pve|arena|tournament
    CombatStatus                        initializing|active|paused|completed|terminated
    CombatPhase                         preparation|active|cooldown|finished
    Timeframe                           1h|6h|24h|7d|30d 24h
    HealthResponse.status               healthy|degraded|unhealthy
    CombatParticipant.status            active|eliminated|disconnected
    CombatActionRequest.action_type     attack|defend|ability|move|item_use
    CombatSettings.difficulty           easy|normal|hard|expert
    CombatSettings.max_duration         60..3600
    Session.presence                    online|away|offline
    SessionTokens.token_type            Bearer
    ArenaKind                           duel|brawl|solo|coop|arena
    TakeArenaSeatRequest.difficulty     easy|normal|hard|expert
    CombatSettings.seats                1..100
    CombatActionParameters.body_part    head|torso|limb
    CombatActionParameters.cover        0..255
    CombatActionParameters.hazard       0..255
    CombatCover.kind                    soft|hard|wall
    CombatEnemy.status                  active|eliminated|disconnected
    TerminateSessionRequest.force       boolean false
    Error.code                          100..599
";

/// What the contract's schemas must have.
const REQUIRED: &str = "
    CreateSessionRequest: type player_id
    Session: session_id type player_id status created_at
    SessionListResponse: sessions total_count
    SessionLogEntry: timestamp event_type
    CreateCombatSessionRequest: mode participants
    CombatSession: session_id mode status participants created_at
    CombatParticipant: player_id joined_at status
    CombatSessionListResponse: sessions total_count
    CombatActionRequest: action_type player_id
    CombatActionResult: action_id success timestamp
    CombatSessionState: session_id phase
    RulesetListResponse: rulesets
    SessionAnalytics: timeframe total_sessions
    HealthResponse: status timestamp
    Error: code message
";

/// One line of [`OPERATIONS`].
struct Line<'a> {
    method: &'a str,
    path: &'a str,
    id: &'a str,
    statuses: BTreeSet<&'a str>,
    callers: &'a str,
}

fn lines(table: &str) -> impl Iterator<Item = Vec<&str>> {
    table.trim().lines().map(|line| line.split_whitespace().collect())
}

fn operations() -> Vec<Line<'static>> {
    let parse = |cells: Vec<&'static str>| {
        let [method, path, id, statuses @ .., callers] = &cells[..] else { panic!("{cells:?}") };
        Line { method, path, id, statuses: statuses.iter().copied().collect(), callers }
    };
    lines(OPERATIONS).map(parse).collect()
}

async fn document(node: &Node) -> Value {
    reqwest::get(format!("{}/openapi.json", node.url)).await.unwrap().json().await.unwrap()
}

/// What `value` stands for, where it is a reference.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).expect(reference),
        None => value,
    }
}

/// A schema in the tables' words.
fn summary(document: &Value, schema: &Value) -> String {
    let schema = resolved(document, schema);
    let values = match (schema["enum"].as_array(), schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        (Some(values), ..) => values.iter().map(|value| value.as_str().unwrap()).collect::<Vec<_>>().join("|"),
        (None, Some(least), Some(most)) => format!("{least}..{most}"),
        _ => schema["format"].as_str().or(schema["type"].as_str()).unwrap().to_owned(),
    };
    match &schema["default"] {
        Value::Null => values,
        Value::String(default) => format!("{values} {default}"),
        default => format!("{values} {default}"),
    }
}

async fn ask(client: &Client, node: &Node, method: &str, path: &str) -> Response {
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
    let id = Uuid::now_v7().to_string();
    let path = path.replace("{session_id}", &id).replace("{player_id}", &id);
    client.request(method, format!("{}{path}", node.url)).send().await.unwrap()
}

#[tokio::test]
async fn every_route_is_described_and_every_description_is_routed() {
    let node = Node::start();
    let document = document(&node).await;
    let described: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let routes = tiltyard::rest::operations();
    assert_eq!(routes.paths().iter().copied().collect::<BTreeSet<_>>(), described);

    let client = Client::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let mut methods: BTreeSet<String> =
            METHODS.iter().filter(|method| item.get(**method).is_some()).map(|method| method.to_uppercase()).collect();
        if methods.contains("GET") {
            methods.insert("HEAD".to_owned());
        }
        for base in BASES {
            let answer = ask(&client, &node, "PROPFIND", &format!("{base}{path}")).await;
            assert_eq!(answer.status(), 405, "{base}{path}");
            let allowed = answer.headers()["allow"].to_str().unwrap().split(',').map(|name| name.trim().to_owned());
            assert_eq!(allowed.collect::<BTreeSet<_>>(), methods, "{base}{path}");
            let error: Value = answer.json().await.unwrap();
            assert_eq!(error["code"], 405, "{error}");
            assert_eq!(error["details"]["reason"], "method_not_allowed", "{error}");
        }
    }
}

#[tokio::test]
async fn operations_are_what_clients_were_generated_from() {
    let node = Node::start();
    let document = document(&node).await;
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        described.extend(METHODS.iter().filter(|method| item.get(**method).is_some()).map(|method| (*method, &**path)));
    }
    let listed: BTreeSet<(&str, &str)> = operations().iter().map(|line| (line.method, line.path)).collect();
    assert_eq!(described, listed);

    let client = Client::new();
    for Line { method, path, id, statuses, callers } in operations() {
        let operation = &document["paths"][path][method];
        assert_eq!(operation["operationId"], id);
        let responses = operation["responses"].as_object().unwrap();
        let declared: BTreeSet<&str> = responses.keys().map(String::as_str).filter(|code| *code != "default").collect();
        assert_eq!(declared, statuses, "{id}");
        assert_eq!(responses["default"]["$ref"], "#/components/responses/Error", "{id}");
        for code in ["400", "401", "403", "404", "409", "412", "413", "429"] {
            let Some(response) = responses.get(code) else { continue };
            let body = &resolved(&document, response)["content"]["application/json"]["schema"]["$ref"];
            assert_eq!(body, "#/components/schemas/Error", "{id} {code}");
        }
        let schemes: String = operation["security"].as_array().expect(id).iter().fold(String::new(), |all, scheme| {
            let name = scheme.as_object().unwrap().keys().next().unwrap();
            all + match name.as_str() {
                "BearerAuth" => "b",
                "ServiceAuth" => "s",
                "SessionTicket" => "t",
                other => panic!("{other}"),
            }
        });
        assert_eq!(if schemes.is_empty() { "*" } else { &schemes }, callers, "{id}");

        let answer = ask(&client, &node, method, path).await;
        let status = answer.status().as_u16();
        match callers {
            "*" => assert_ne!(status, 401, "{id}"),
            // A request that is no handshake is told so first.
            "tb" => assert_eq!(status, 426, "{id}"),
            _ => {
                assert_eq!(status, 401, "{id}");
                assert_eq!(answer.headers()["www-authenticate"], "Bearer");
                assert_eq!(answer.json::<Value>().await.unwrap()["code"], 401);
            }
        }
    }
}

#[tokio::test]
async fn parameters_and_bodies_have_the_contracts_values() {
    let node = Node::start();
    let document = document(&node).await;
    let mut parameters = BTreeSet::new();
    for Line { method, path, id, .. } in operations() {
        let item = &document["paths"][path];
        let own = [&item["parameters"], &item[method]["parameters"]].into_iter().filter_map(Value::as_array).flatten();
        for parameter in own.map(|parameter| resolved(&document, parameter)) {
            let name = parameter["name"].as_str().unwrap();
            match parameter["in"].as_str().unwrap() {
                "path" => assert_eq!(parameter["schema"]["format"], "uuid", "{id}"),
                "header" => assert!(["If-Match", "If-None-Match", "Idempotency-Key"].contains(&name), "{id} {name}"),
                _ => {
                    assert_ne!(parameter["required"], true, "{id} {name}");
                    parameters.insert(format!("{id} {name} {}", summary(&document, &parameter["schema"])));
                }
            }
        }
    }
    assert_eq!(parameters, lines(PARAMETERS).map(|cells| cells.join(" ")).collect());

    let schemas = &document["components"]["schemas"];
    for cells in lines(VALUES) {
        let schema = match cells[0].split_once('.') {
            Some((name, field)) => &schemas[name]["properties"][field],
            None => &schemas[cells[0]],
        };
        assert_eq!(summary(&document, schema), cells[1..].join(" "), "{}", cells[0]);
    }
    for cells in lines(REQUIRED) {
        let name = cells[0].trim_end_matches(':');
        let required = schemas[name]["required"].as_array().expect(name).iter().map(|field| field.as_str().unwrap());
        assert_eq!(required.collect::<Vec<_>>(), cells[1..], "{name}");
    }
}
