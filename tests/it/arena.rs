//! The arena's seats: nobody waits for a player who does not come, and a player has so many.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use tiltyard_client::{Client, Update};
use tiltyard_combat::Replay;
use tiltyard_protocol::Encoding;
use uuid::Uuid;

use crate::contract::case::Case;
use crate::support::{soon, until};

/// A server with a ruleset `brisk`, in which seats are kept for a moment only.
struct Arena {
    case: Case,
    rules: TempDir,
}

impl Arena {
    fn start() -> Self {
        let rules = TempDir::new().unwrap();
        let brisk = "name = \"brisk\"\ntitle = \"Nobody is waited for\"\n[settings]\narrival_ms = 700\nreconnect_ms = 700\n\
                     preparation_ms = 1_000\ncooldown_ms = 0\nhealth = 10\narmor = 0\n[modes.pvp]\n";
        fs::write(rules.path().join("brisk.toml"), brisk).unwrap();
        let case = Case::with(&["--rules", rules.path().to_str().unwrap(), "--rate-limits", "off"]);
        Self { case, rules }
    }

    /// A seat for the player who has this token.
    async fn seat(&self, kind: &str, token: &str) -> Seat {
        let wish = json!({ "kind": kind, "ruleset": "brisk" });
        let reply = self.case.post("/arena/seats", &wish).by(token).expect(200).await;
        let slot = usize::try_from(reply.body["slot"].as_u64().unwrap()).unwrap();
        Seat { session: reply.text("session_id").parse().unwrap(), slot, url: reply.text("url").to_owned() }
    }

    async fn state(&self, session: Uuid) -> Value {
        self.case.get(&format!("/combat/sessions/{session}/state")).expect(200).await.body
    }

    /// Waits until the state is as wanted.
    async fn until(&self, session: Uuid, wanted: impl Fn(&Value) -> bool) -> Value {
        soon(async {
            loop {
                let state = self.state(session).await;
                if wanted(&state) {
                    return state;
                }
            }
        })
        .await
    }

    /// Why a fight has ended.
    async fn end_reason(&self, session: Uuid) -> String {
        self.case.get(&format!("/sessions/{session}")).expect(200).await.text("end_reason").to_owned()
    }

    /// How many fights wait with a player, by the list.
    async fn listed(&self, token: &str) -> u64 {
        let reply = self.case.get("/combat/sessions?status=initializing&limit=50").by(token).expect(200).await;
        reply.body["total_count"].as_u64().unwrap()
    }

    /// The replay, once there is one.
    async fn replay(&self, session: Uuid) -> Vec<u8> {
        let (http, url) = (reqwest::Client::new(), format!("{}/combat/sessions/{session}/replay", self.case.node.url));
        soon(async {
            loop {
                let answer = http.get(&url).bearer_auth(&self.case.service).send().await.unwrap();
                if answer.status() == 200 {
                    return answer.bytes().await.unwrap().to_vec();
                }
            }
        })
        .await
    }

    fn player(&self) -> (Uuid, String) {
        let player = Uuid::new_v4();
        (player, self.case.node.player(player))
    }
}

struct Seat {
    session: Uuid,
    slot: usize,
    url: String,
}

impl Seat {
    async fn come(&self) -> Client {
        let mut client = Client::connect(&self.url, Encoding::Json).await.unwrap();
        client.join(self.session).await.unwrap();
        until(&mut client, |update| matches!(update, Update::Snapshot)).await;
        client
    }
}

#[tokio::test]
async fn nobody_is_led_to_a_fight_in_which_nobody_is() {
    let arena = Arena::start();
    let ((_, ghost), (_, next)) = (arena.player(), arena.player());
    let first = arena.seat("duel", &ghost).await;
    assert_eq!(arena.seat("duel", &ghost).await.session, first.session, "asked again it is the same seat");
    arena.until(first.session, |state| state["status"] == "terminated").await;
    assert_eq!(arena.end_reason(first.session).await, "abandoned");
    let second = arena.seat("duel", &next).await;
    assert!(second.session != first.session && second.slot == 0);
    // Who never came gets a seat when it asks, with the one who waits.
    let _waits = second.come().await;
    assert_eq!(arena.seat("duel", &ghost).await.session, second.session);
}

#[tokio::test]
async fn a_seat_that_nobody_comes_for_is_taken_by_the_next() {
    let mut arena = Arena::start();
    let ((_, waits), (gone, ghost), (came, next)) = (arena.player(), arena.player(), arena.player());
    // The first to sit down does not come, so that it is one the fight was begun with.
    let first = arena.seat("brawl", &ghost).await;
    let second = arena.seat("brawl", &waits).await;
    let mut there = second.come().await;
    arena.until(first.session, |state| state["participants"][first.slot]["status"] == "eliminated").await;
    let third = arena.seat("brawl", &next).await;
    assert_eq!((third.session, third.slot), (first.session, first.slot), "its seat is free");
    let comes = third.come().await;
    let sits = |client: &Client, player: Uuid| client.view().participants[first.slot].player == player;
    while !sits(&there, came) {
        soon(there.next()).await.unwrap();
    }
    assert!(!sits(&there, gone) && sits(&comes, came));
    arena.case.node.crash_and_restart();
    let ghost = arena.case.node.player(gone);
    arena.case.get(&format!("/combat/sessions/{}", first.session)).by(&ghost).refused(404, "no_session").await;
    assert_eq!(arena.listed(&ghost).await, 0, "it has no seat any more");
    assert_eq!(arena.listed(&next).await, 1);

    // The recording knows who sat there first, and that the seat has changed hands.
    arena.case.delete(&format!("/sessions/{}", first.session)).json(&json!({ "force": true })).expect(200).await;
    let replay = arena.replay(first.session).await;
    assert_eq!(Replay::decode(&replay).unwrap().setup.participants, [gone.as_u128()]);
    let file = arena.rules.path().join("fight.replay");
    fs::write(&file, replay).unwrap();
    let told = Command::new(env!("CARGO_BIN_EXE_tiltyard")).arg("replay").arg(&file).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
}

/// A new connection of one who has a seat.
async fn again(arena: &Arena, seat: &Seat, token: &str) -> Client {
    let url = format!("{}/ws?session={}", arena.case.node.url.replacen("http", "ws", 1), seat.session);
    let mut client = Client::connect_with_token(&url, Encoding::Json, token).await.unwrap();
    client.join(seat.session).await.unwrap();
    until(&mut client, |update| matches!(update, Update::Snapshot)).await;
    client
}

#[tokio::test]
async fn who_drops_while_waiting_is_met_by_the_next() {
    let arena = Arena::start();
    let ((_, ann), (_, bob)) = (arena.player(), arena.player());
    let first = arena.seat("duel", &ann).await;
    drop(first.come().await);
    arena.until(first.session, |state| state["participants"][0]["status"] == "disconnected").await;
    let second = arena.seat("duel", &bob).await;
    assert_eq!(second.session, first.session, "it may come back");
    let _bob = second.come().await;
    let _ann = again(&arena, &first, &ann).await;
    arena.until(first.session, |state| state["status"] == "active").await;
}

#[tokio::test]
async fn who_waits_is_met_by_the_next_also_after_a_restart() {
    let mut arena = Arena::start();
    let ((ann, _), (bob, _)) = (arena.player(), arena.player());
    let wish = json!({ "kind": "duel", "difficulty": "hard" });
    let seat = async |arena: &Arena, player| {
        let token = arena.case.node.player(player);
        arena.case.post("/arena/seats", &wish).by(&token).expect(200).await.text("session_id").to_owned()
    };
    let first = seat(&arena, ann).await;
    soon(async { while arena.listed(&arena.case.node.player(ann)).await == 0 {} }).await;
    arena.case.node.crash_and_restart();
    assert_eq!(seat(&arena, bob).await, first);
}

#[tokio::test]
async fn who_meets_one_that_does_not_come_has_won_soon() {
    let arena = Arena::start();
    let ((_, ghost), (bob, token)) = (arena.player(), arena.player());
    arena.seat("duel", &ghost).await;
    let second = arena.seat("duel", &token).await;
    assert_eq!(second.slot, 1);
    let _bob = second.come().await;
    arena.until(second.session, |state| state["status"] == "completed").await;
    assert_eq!(arena.end_reason(second.session).await, "forfeit");
    let fight = arena.case.get(&format!("/combat/sessions/{}", second.session)).expect(200).await;
    assert_eq!(fight.body["stats"]["winner"], json!(bob));
}

#[tokio::test]
async fn who_plays_over_rest_alone_is_there_when_it_says_something() {
    let arena = Arena::start();
    let ((_, ann), (_, bob)) = (arena.player(), arena.player());
    let seat = arena.seat("duel", &ann).await;
    let path = format!("/combat/sessions/{}", seat.session);
    arena.case.post(&format!("{path}/ready"), &json!({})).by(&ann).expect(200).await;
    arena.seat("duel", &bob).await;
    let began = arena.case.post(&format!("{path}/ready"), &json!({})).by(&bob).expect(200).await;
    assert_eq!(began.body["status"], "active");
    // Longer than a seat is kept for those of whom nothing is heard.
    let later = arena.until(seat.session, |state| state["time_remaining"].as_u64() < Some(898)).await;
    assert_eq!(later["status"], "active");
}

#[tokio::test]
async fn a_request_that_is_given_up_leaves_no_fight_that_nobody_is_led_to() {
    let arena = Arena::start();
    let (player, token) = arena.player();
    let kinds = ["duel", "brawl", "coop", "arena"];
    let difficulties = ["easy", "normal"];
    let host = arena.case.node.url.strip_prefix("http://").unwrap().to_owned();
    for round in 0..6 {
        for kind in kinds {
            for difficulty in difficulties {
                let body = json!({ "kind": kind, "difficulty": difficulty }).to_string();
                let mut socket = TcpStream::connect(&host).unwrap();
                let head = format!(
                    "POST /arena/seats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
                     Content-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                socket.write_all(head.as_bytes()).unwrap();
                // Where in its way the request is, is different each time.
                for _ in 0..round * 40 {
                    std::thread::yield_now();
                }
            }
        }
    }
    let mut seats = Vec::new();
    for kind in kinds {
        for difficulty in difficulties {
            let wish = json!({ "kind": kind, "difficulty": difficulty });
            seats.push(
                arena.case.post("/arena/seats", &wish).by(&token).expect(200).await.text("session_id").to_owned(),
            );
        }
    }
    // The list is the store's, which is told a moment later.
    let waits = soon(async {
        loop {
            let listed = arena.listed(&token).await;
            if listed >= seats.len() as u64 {
                return listed;
            }
        }
    });
    assert_eq!(waits.await, seats.len() as u64, "{player} waits where it is led to, and nowhere else");
}

#[tokio::test]
async fn a_player_has_so_many_seats_and_gets_others_when_fights_end() {
    let mut arena = Arena::start();
    let ((_, ann), (_, bob)) = (arena.player(), arena.player());
    let ask = |arena: &Arena, token: &str| arena.case.post("/arena/seats", &json!({ "kind": "solo" })).by(token);
    let mut first = None;
    for _ in 0..8 {
        let seat = ask(&arena, &ann).expect(200).await;
        first.get_or_insert(seat);
    }
    let refused = ask(&arena, &ann).refused(409, "quota_exceeded").await;
    let details = &refused.body["details"];
    assert_eq!((&details["quota"], &details["limit"], &details["used"]), (&json!("arena_seats"), &json!(8), &json!(8)));
    ask(&arena, &bob).expect(200).await;
    arena.case.node.crash_and_restart();
    ask(&arena, &ann).refused(409, "quota_exceeded").await;
    let path = format!("/sessions/{}", first.unwrap().text("session_id"));
    arena.case.delete(&path).json(&json!({ "force": true })).expect(200).await;
    ask(&arena, &ann).expect(200).await;
    ask(&arena, &ann).refused(409, "quota_exceeded").await;
}
