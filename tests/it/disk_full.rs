//! The disk is full: what cannot be kept is refused and says so, what was answered is there, and once there is room again
//! everything goes on by itself.

use std::fs;
use std::io::Write;
use std::time::Instant;

use reqwest::Method;
use serde_json::json;
use tiltyard_client::Order;
use uuid::Uuid;

use crate::support::{Node, PATIENCE, answer, attack, plain_rules, soon};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn what_cannot_be_kept_is_refused_until_there_is_room() {
    let mut node = Node::start_on_small_disk(24 * MIB, 16 * MIB);
    let service = node.service();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    attack(&mut fight.clients[0], 1).await.unwrap();

    let rest = node.rest();
    let create = |n: usize| {
        let body =
            json!({ "type": "custom", "player_id": Uuid::new_v4(), "metadata": { "n": n, "text": "x".repeat(8_000) } });
        let (rest, service) = (&rest, &service);
        async move { rest.call(Method::POST, "/sessions", Some(service), Some(&body)).await.unwrap() }
    };
    let mut created = Vec::new();
    let refused = loop {
        let answer = create(created.len()).await;
        if answer.status != 201 {
            break answer;
        }
        created.push(answer.body["session_id"].as_str().unwrap().to_owned());
        assert!(created.len() < 2_000, "the disk is never full");
    };
    assert_eq!(
        (refused.status.as_u16(), &refused.body["details"]["reason"]),
        (507, &json!("storage_full")),
        "{}",
        refused.body
    );
    assert!(created.len() > 20 && node.is_alive(), "after {}", created.len());
    assert_eq!(create(0).await.status, 507, "and again");
    // Reading needs no room.
    let path = format!("/sessions/{}", created[0]);
    assert_eq!(rest.call(Method::GET, &path, Some(&service), None).await.unwrap().status, 200);

    fs::remove_file(node.file("ballast")).unwrap();
    let since = Instant::now();
    let after = loop {
        let answer = create(0).await;
        if answer.status == 201 {
            break answer.body["session_id"].as_str().unwrap().to_owned();
        }
        assert!(since.elapsed() < PATIENCE, "{}", answer.body);
    };
    for id in created.iter().chain([&after]) {
        let answer = rest.call(Method::GET, &format!("/sessions/{id}"), Some(&service), None).await.unwrap();
        assert_eq!(answer.status, 200, "{id} was answered");
    }
    let listed = rest.call(Method::GET, "/sessions?type=custom&limit=1", Some(&service), None).await.unwrap();
    assert_eq!(listed.body["total_count"], created.len() + 1);
    attack(&mut fight.clients[1], 0).await.unwrap();
}

#[tokio::test]
async fn nobody_is_sent_to_a_server_that_cannot_write_its_log() {
    let node = Node::start_on_small_disk(24 * MIB, 0);
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000);
    let mut fight = node.fight(2, rules).await;
    fight.begin().await;
    let http = reqwest::Client::new();
    let get = |path: &str| http.get(format!("{}{path}", node.url)).send();
    assert_eq!(get("/readyz").await.unwrap().status(), 200);
    let mut fill = fs::File::create(node.file("fill")).unwrap();
    while fill.write_all(&[1; 4_096]).is_ok() {}
    // Until the room that the log has already is used up, too.
    let since = Instant::now();
    let mut sent = 0;
    let refused = loop {
        sent = fight.clients[0].act(Order::attack(1)).await.unwrap().max(sent);
        let ready = get("/readyz").await.unwrap();
        if ready.status() != 200 {
            break ready;
        }
        assert!(since.elapsed() < PATIENCE, "after {sent} blows");
    };
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    let why: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(why["details"]["reason"], "log_unavailable");
    let health = get("/health").await.unwrap();
    assert_eq!(health.status(), 503);
    assert!(health.headers().contains_key("retry-after"));
    assert_eq!(health.json::<serde_json::Value>().await.unwrap()["status"], "unhealthy");

    fs::remove_file(node.file("fill")).unwrap();
    drop(fill);
    soon(async { while get("/readyz").await.unwrap().status() != 200 {} }).await;
    assert_eq!(get("/health").await.unwrap().status(), 200);
    answer(&mut fight.clients[0], sent).await.expect("what was sent meanwhile is answered");
}

/// On a disk of its own, with this much room in turn: a start, which may fail, and when there is room again one that may not.
const STARTS: &str = r#"
disk=$1 server=$2 out=$3/out pid=$3/pid && shift 3 && mount -t tmpfs -o size=8m none "$disk" || exit 1
start() {
    : >"$out"
    (
        sh -c 'echo $$ >"$0"; exec "$@"' "$pid" "$server" serve --listen 127.0.0.1:0 --shards 2 --log warn --data "$disk/data" >>"$out" 2>&1
        echo ended >>"$out"
    ) &
    for _ in $(seq 400); do
        grep -q '^listening' "$out" && return 0
        grep -q '^ended' "$out" && return 1
        sleep 0.05
    done
    return 1
}
stop() {
    kill -9 "$(cat "$pid")"
    wait
} 2>/dev/null
for kib in "$@"; do
    free=$(df -k --output=avail "$disk" | tail -1) room=${kib#+}
    head -c $(((free - room) * 1024)) /dev/zero >"$disk/ballast"
    start && echo served
    stop
    rm "$disk/ballast"
    start || { echo "not after a start with $kib KiB: $(cat "$out")"; exit 1; }
    stop
    [ "$kib" = "$room" ] || rm -r "$disk/data"
done
"#;

fn starts_with(rooms: &[&str]) -> usize {
    let (disk, notes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let output = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", STARTS, "sh"])
        .args([disk.path(), std::path::Path::new(env!("CARGO_BIN_EXE_tiltyard")), notes.path()])
        .args(rooms)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said.lines().filter(|line| *line == "served").count()
}

#[test]
fn a_first_start_on_a_full_disk_leaves_nothing_that_refuses_the_next() {
    // A plus has the data folder removed afterwards.
    let served = starts_with(&["+0", "+4", "+8", "+12", "+16", "+32", "+64", "+128", "+256", "+1024"]);
    assert!((1..10).contains(&served), "{served} of 10");
}

#[test]
fn a_start_on_a_full_disk_leaves_nothing_that_refuses_the_next() {
    let served = starts_with(&["1024", "4", "8", "12", "16", "24", "32", "64", "128", "1024"]);
    assert!((1..10).contains(&served), "{served} of 10");
}
