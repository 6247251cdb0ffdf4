//! Custom sessions, and players' own, on the socket: every member has the same state whoever changes it, what is relayed comes in order, and
//! nobody costs the others anything.

use reqwest::Method;
use serde_json::{Value, json};
use tiltyard::session::shard_of;
use tiltyard_client::{Client, Error, Record, Update};
use tiltyard_protocol::room::{Presence, PresenceWhy, Relayed};
use tiltyard_protocol::server::{Ack, LeftWhy, Refused};
use tiltyard_protocol::{CloseCode, Encoding, Reason};
use uuid::Uuid;

use crate::support::{Node, close_code, soon, until};

const SHARDS: usize = 2;

/// What one member may relay at once.
const RELAYS: u64 = 60;

/// A custom session and its members; the first owns it.
struct Party {
    id: Uuid,
    players: Vec<Uuid>,
}

async fn call(node: &Node, method: Method, path: &str, body: Option<&Value>) -> Value {
    let answer = node.rest().call(method, path, Some(&node.service()), body).await.unwrap();
    assert!(answer.status.is_success(), "{path}: {}", answer.body);
    answer.body
}

async fn create(node: &Node, body: Value) -> Uuid {
    call(node, Method::POST, "/sessions", Some(&body)).await["session_id"].as_str().unwrap().parse().unwrap()
}

impl Party {
    async fn of(node: &Node, count: usize) -> Self {
        let players: Vec<Uuid> = (0..count).map(|_| Uuid::new_v4()).collect();
        let body = json!({ "type": "custom", "player_id": players[0], "settings": { "members": players } });
        Self { id: create(node, body).await, players }
    }

    /// A connection of a member, joined.
    async fn join(&self, node: &Node, member: usize, encoding: Encoding) -> Client {
        let ticket = node.rest().ticket(&node.service(), self.id, self.players[member]).await.unwrap();
        let mut client = Client::connect(&ticket.url, encoding).await.unwrap();
        client.join(self.id).await.unwrap();
        until(&mut client, |update| matches!(update, Update::Joined(_))).await;
        client
    }

    /// The same over a socket of the other shard.
    async fn join_from_afar(&self, node: &Node, member: usize) -> Client {
        let player = self.players[member];
        let elsewhere = loop {
            let other = create(node, json!({ "type": "custom", "player_id": player })).await;
            if shard_of(other, SHARDS) != shard_of(self.id, SHARDS) {
                break other;
            }
        };
        let url = format!("{}/ws?session={elsewhere}", node.url.replacen("http", "ws", 1));
        let mut client = Client::connect_with_token(&url, Encoding::Json, &node.player(player)).await.unwrap();
        client.join(self.id).await.unwrap();
        until(&mut client, |update| matches!(update, Update::Joined(_))).await;
        client
    }

    async fn state(&self, node: &Node) -> (Value, u64) {
        let session = call(node, Method::GET, &format!("/sessions/{}", self.id), None).await;
        let state = call(node, Method::GET, &format!("/sessions/{}/state", self.id), None).await;
        (state, session["version"].as_u64().unwrap())
    }
}

/// Waits for the answer to that very message.
async fn answer(client: &mut Client, id: u64) -> Result<Ack, Refused> {
    let is_answer = |update: &Update| match update {
        Update::Ack(ack) => ack.id == id,
        Update::Refused(refused) => refused.id == id,
        _ => false,
    };
    match until(client, is_answer).await {
        Update::Ack(ack) => Ok(ack),
        Update::Refused(refused) => Err(refused),
        other => panic!("no answer: {other:?}"),
    }
}

async fn relayed(client: &mut Client) -> Relayed {
    match until(client, |update| matches!(update, Update::Relayed(_))).await {
        Update::Relayed(relayed) => relayed,
        other => panic!("nothing relayed: {other:?}"),
    }
}

async fn presence(client: &mut Client) -> Presence {
    match until(client, |update| matches!(update, Update::Presence(_))).await {
        Update::Presence(presence) => presence,
        other => panic!("nobody: {other:?}"),
    }
}

async fn notice(client: &mut Client) -> Reason {
    soon(async {
        loop {
            match client.next().await {
                Err(Error::Notice { reason, .. }) => return reason,
                Ok(Some(_)) => {}
                other => panic!("no notice: {other:?}"),
            }
        }
    })
    .await
}

/// Counts a member's own number up, so many times, and a common one with the version it was read at.
async fn count(mut client: Client, name: String, times: u64) -> (Client, u64) {
    let mut commons = 0;
    for n in 1..=times {
        let id = client.patch(&json!({ name.as_str(): n }), None).await.unwrap();
        let ack = answer(&mut client, id).await.expect("nobody else has this name");
        let room = client.room().unwrap();
        assert!(room.version >= ack.version.unwrap(), "the change comes before its answer");
        assert_eq!(room.state[name.as_str()], n);
        let (common, version) = (room.state["common"].as_u64().unwrap_or_default(), room.version);
        let id = client.patch(&json!({ "common": common + 1 }), Some(version)).await.unwrap();
        match answer(&mut client, id).await {
            Ok(_) => commons += 1,
            Err(refused) => {
                assert_eq!(refused.reason, Reason::VersionConflict);
                assert!(refused.version.unwrap() > version);
            }
        }
    }
    (client, commons)
}

async fn writes_at_once(node: &Node) {
    let party = Party::of(node, 3).await;
    let clients = [
        party.join(node, 0, Encoding::Json).await,
        party.join(node, 1, Encoding::MsgPack).await,
        party.join_from_afar(node, 2).await,
    ];
    let counting: Vec<_> =
        clients.into_iter().enumerate().map(|(n, client)| tokio::spawn(count(client, format!("m{n}"), 8))).collect();
    let url = format!("{}/sessions/{}/state", node.url, party.id);
    let (http, service) = (node.trust.http().unwrap(), node.service());
    for n in 1..=20 {
        let patch = json!({ "rest": n, "list": [n, null] }).to_string();
        let patched = http.patch(&url).bearer_auth(&service).header("content-type", "application/merge-patch+json");
        assert_eq!(patched.body(patch).send().await.unwrap().status(), 200);
    }
    let (mut clients, mut commons) = (Vec::new(), 0);
    for counted in counting {
        let (client, common) = soon(counted).await.unwrap();
        clients.push(client);
        commons += common;
    }
    let (state, version) = party.state(node).await;
    assert_eq!((&state["rest"], &state["list"]), (&json!(20), &json!([20, null])));
    assert!((0..3).all(|n| state[format!("m{n}")] == 8), "{state}");
    assert_eq!(state["common"].as_u64().unwrap_or_default(), commons, "each that was acknowledged counts once");
    for client in &mut clients {
        while client.room().unwrap().version < version {
            soon(client.next()).await.unwrap();
        }
        let room = client.room().unwrap();
        assert_eq!((&room.state, room.version), (&state, version));
    }
}

#[tokio::test]
async fn members_and_a_rest_writer_change_a_state_at_once_and_all_end_at_the_same() {
    let node = Node::start();
    writes_at_once(&node).await;
}

#[tokio::test]
async fn the_same_with_postgres() {
    let postgres = crate::postgres::Postgres::start();
    let node = Node::start_with(&["--database", &postgres.url()]);
    writes_at_once(&node).await;
}

#[tokio::test]
async fn what_is_relayed_is_numbered_and_comes_in_order() {
    let node = Node::start();
    let party = Party::of(&node, 3).await;
    let mut one = party.join(&node, 0, Encoding::Json).await;
    let mut two = party.join(&node, 1, Encoding::MsgPack).await;
    let mut three = party.join_from_afar(&node, 2).await;
    for n in 0..25 {
        one.relay(&json!({ "n": n, "of": 1 }), None).await.unwrap();
        two.relay(&json!([n]), None).await.unwrap();
    }
    let (mut of_one, mut of_two) = (0, 0);
    for n in 1..=50 {
        let relayed = relayed(&mut three).await;
        assert_eq!(relayed.n, n, "numbered in the session");
        if relayed.from == party.players[0] {
            assert_eq!(relayed.data, json!({ "n": of_one, "of": 1 }));
            of_one += 1;
        } else {
            assert_eq!((relayed.from, &relayed.data), (party.players[1], &json!([of_two])));
            of_two += 1;
        }
    }
    assert_eq!((of_one, of_two), (25, 25));
    assert_eq!(answer(&mut one, 25).await.unwrap().to, Some(2), "to all others");
    // To one alone.
    let id = three.relay(&json!("psst"), Some(party.players[1])).await.unwrap();
    assert_eq!(answer(&mut three, id).await.unwrap().to, Some(1));
    let id = three.relay(&json!("all"), None).await.unwrap();
    assert_eq!(answer(&mut three, id).await.unwrap().to, Some(2));
    let last = |relayed: &Relayed| relayed.data == "all";
    let mut heard = [Vec::new(), Vec::new()];
    for (client, heard) in [&mut one, &mut two].into_iter().zip(&mut heard) {
        while heard.last().is_none_or(|relayed| !last(relayed)) {
            heard.push(relayed(client).await);
        }
    }
    assert!(heard[0].iter().all(|relayed| relayed.data != "psst"));
    assert_eq!(heard[1].iter().filter(|relayed| relayed.data == "psst").count(), 1);
    // To nobody who is here, and to itself.
    for (to, reason) in [(Uuid::new_v4(), Reason::NotHere), (party.players[2], Reason::InvalidTarget)] {
        let id = three.relay(&json!(1), Some(to)).await.unwrap();
        assert_eq!(answer(&mut three, id).await.unwrap_err().reason, reason);
    }
    let id = three.relay(&json!("x".repeat(16 * 1024)), None).await.unwrap();
    assert_eq!(answer(&mut three, id).await.unwrap_err().reason, Reason::BodyTooLarge);
}

#[tokio::test]
async fn who_sends_too_much_is_refused_and_nobody_else() {
    let node = Node::start();
    let party = Party::of(&node, 3).await;
    let mut flood = party.join(&node, 0, Encoding::Json).await;
    let mut other = party.join(&node, 1, Encoding::Json).await;
    let mut third = party.join(&node, 2, Encoding::Json).await;
    let mut last = 0;
    for n in 0..150 {
        last = flood.relay(&json!(n), None).await.unwrap();
    }
    for n in 0..30 {
        last = flood.patch(&json!({ "n": n }), None).await.unwrap().max(last);
    }
    let (mut acks, mut refusals) = ([0; 2], [0; 2]);
    for _ in 0..180 {
        let is_answer = |update: &Update| matches!(update, Update::Ack(_) | Update::Refused(_));
        match until(&mut flood, is_answer).await {
            Update::Ack(ack) => acks[usize::from(ack.id > 150)] += 1,
            Update::Refused(refused) => {
                assert_eq!(refused.reason, Reason::RateLimited);
                assert!(refused.retry_ms.is_some_and(|ms| ms > 0));
                refusals[usize::from(refused.id > 150)] += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(refusals.iter().all(|&count| count > 0), "{refusals:?}");
    assert!(acks[0] >= 60 && acks[1] >= 15, "what one may do at once is done: {acks:?}");
    let id = other.relay(&json!("mine"), None).await.unwrap();
    assert_eq!(answer(&mut other, id).await.unwrap().to, Some(2));
    let id = other.patch(&json!({ "mine": true }), None).await.unwrap();
    answer(&mut other, id).await.unwrap();
    while relayed(&mut third).await.data != "mine" {}
}

#[tokio::test]
async fn who_does_not_read_is_told_what_it_missed_and_gets_the_state_once() {
    let node = Node::start_with(&["--rate-connection", "off"]);
    let party = Party::of(&node, 3).await;
    let mut slow = party.join(&node, 0, Encoding::Json).await;
    let mut sender = party.join(&node, 1, Encoding::Json).await;
    let mut reader = party.join(&node, 2, Encoding::Json).await;
    let large = "x".repeat(16 * 1024 - 8);
    for n in 1..=RELAYS {
        let id = sender.relay(&json!(large), None).await.unwrap();
        answer(&mut sender, id).await.unwrap();
        assert_eq!(relayed(&mut reader).await.n, n, "nobody waits for the slow one");
    }
    assert!(node.metric("tiltyard_relays_missed_total").await > 0.0, "it was more than one may have waiting");
    for n in 0..10 {
        let id = sender.patch(&json!({ "n": n }), None).await.unwrap();
        answer(&mut sender, id).await.unwrap();
    }
    let (state, version) = party.state(&node).await;
    let (mut next, mut wholes) = (1, 0);
    while slow.room().unwrap().version < version || next <= RELAYS {
        match soon(slow.next()).await.unwrap().unwrap() {
            Update::Relayed(relayed) => {
                assert_eq!(relayed.n, next, "in order, and nothing is left out unsaid");
                next += 1;
            }
            Update::Missed(gap) => {
                assert!(gap.from == next && gap.to >= gap.from, "{gap:?} at {next}");
                next = gap.to + 1;
            }
            Update::State(state) => wholes += usize::from(state.state.is_some()),
            Update::Presence(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(next, RELAYS + 1);
    assert!(wholes <= 2, "latest wins: {wholes}");
    assert_eq!(slow.room().unwrap().state, state);
}

#[tokio::test]
async fn who_comes_and_goes_is_told_with_the_reason() {
    let node = Node::start();
    let party = Party::of(&node, 3).await;
    let [owner, second, third] = party.players[..] else { panic!("three") };
    let mut one = party.join(&node, 0, Encoding::Json).await;
    assert_eq!((one.room().unwrap().members.len(), &one.room().unwrap().here), (3, &vec![owner]));
    let mut two = party.join(&node, 1, Encoding::MsgPack).await;
    let of = |player, why, here| {
        move |told: Presence| {
            assert_eq!((told.player, told.why, told.members_here), (player, why, Some(here)));
        }
    };
    of(second, PresenceWhy::Joined, 2)(presence(&mut one).await);
    two.leave().await.unwrap();
    assert_eq!(until(&mut two, |update| matches!(update, Update::Left(_))).await, Update::Left(LeftWhy::Asked));
    of(second, PresenceWhy::Left, 1)(presence(&mut one).await);
    two.join(party.id).await.unwrap();
    of(second, PresenceWhy::Returned, 2)(presence(&mut one).await);
    // The newest connection wins, from another shard as well.
    let mut newer = party.join_from_afar(&node, 1).await;
    of(second, PresenceWhy::Replaced, 2)(presence(&mut one).await);
    assert_eq!(close_code(&mut two).await, CloseCode::Replaced.code());
    drop(newer);
    of(second, PresenceWhy::Lost, 1)(presence(&mut one).await);
    newer = party.join_from_afar(&node, 1).await;
    of(second, PresenceWhy::Returned, 2)(presence(&mut one).await);
    let mut last = party.join(&node, 2, Encoding::Json).await;
    of(third, PresenceWhy::Joined, 3)(presence(&mut one).await);
    let mut sorted = last.room().unwrap().here.clone();
    sorted.sort_unstable();
    let mut all = party.players.clone();
    all.sort_unstable();
    assert_eq!(sorted, all);

    // Who is removed is told, and may not come back.
    for (player, client) in [(second, &mut newer), (third, &mut last)] {
        call(&node, Method::DELETE, &format!("/sessions/{}/members/{player}", party.id), None).await;
        assert_eq!(until(client, |update| matches!(update, Update::Left(_))).await, Update::Left(LeftWhy::Removed));
        assert_eq!(presence(&mut one).await.why, PresenceWhy::Left);
        assert!(!one.room().unwrap().members.contains(&player));
        client.join(party.id).await.unwrap();
        assert_eq!(notice(client).await, Reason::NoSession);
    }
    // And who joins over REST may come.
    let joined = json!({ "player_id": third });
    call(&node, Method::POST, &format!("/sessions/{}/members", party.id), Some(&joined)).await;
    last.join(party.id).await.unwrap();
    until(&mut last, |update| matches!(update, Update::Joined(_))).await;
    assert_eq!(last.room().unwrap().members, [owner, third]);
    call(&node, Method::DELETE, &format!("/sessions/{}", party.id), None).await;
    for client in [&mut one, &mut last] {
        assert_eq!(close_code(client).await, CloseCode::SessionEnded.code());
    }
    // The figures are those of the turn before.
    soon(async { while node.metric("tiltyard_rooms").await > 0.0 {} }).await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_the_server() {
    let mut node = Node::start();
    let party = Party::of(&node, 2).await;
    let mut client = party.join(&node, 0, Encoding::Json).await;
    let mut acknowledged = 0;
    for n in 1..=15 {
        let id = client.patch(&json!({ "n": n }), None).await.unwrap();
        acknowledged = answer(&mut client, id).await.unwrap().version.unwrap();
    }
    node.crash_and_restart();
    let again = party.join(&node, 0, Encoding::Json).await;
    assert_eq!((again.room().unwrap().version, &again.room().unwrap().state), (acknowledged, &json!({ "n": 15 })));
}

#[tokio::test]
async fn a_player_session_lives_by_beats() {
    let node = Node::start();
    let player = Uuid::new_v4();
    let new = json!({ "type": "player", "player_id": player });
    let id = create(&node, new.clone()).await;
    let party = Party { id, players: vec![player] };
    for encoding in Encoding::ALL {
        let mut client = party.join(&node, 0, encoding).await;
        let expires_at = |update: Update| match update {
            Update::Joined(joined) => joined.expires_at,
            other => panic!("{other:?}"),
        };
        client.join(id).await.unwrap();
        let before = expires_at(until(&mut client, |update| matches!(update, Update::Joined(_))).await).unwrap();
        let beat = client.beat().await.unwrap();
        let after = answer(&mut client, beat).await.unwrap().expires_at.unwrap();
        assert!(after >= before && after > 0);
        let patch = client.patch(&json!({}), None).await.unwrap();
        assert_eq!(answer(&mut client, patch).await.unwrap_err().reason, Reason::WrongType);
    }
    let mut client = party.join(&node, 0, Encoding::Json).await;
    let replaced = json!({ "type": "player", "player_id": player, "settings": { "replace": true } });
    create(&node, replaced).await;
    assert_eq!(close_code(&mut client).await, CloseCode::SessionEnded.code());
}

#[tokio::test]
async fn a_socket_may_do_what_its_token_may_over_rest() {
    let node = Node::start();
    let party = Party::of(&node, 1).await;
    let player = party.players[0];
    let url = format!("{}/ws?session={}", node.url.replacen("http", "ws", 1), party.id);
    let guest = node.token(&["--player", &player.to_string(), "--scope", "play:arena"]);
    let mut client = Client::connect_with_token(&url, Encoding::Json, &guest).await.unwrap();
    client.join(party.id).await.unwrap();
    until(&mut client, |update| matches!(update, Update::Joined(_))).await;
    let patch = client.patch(&json!({ "n": 1 }), None).await.unwrap();
    assert_eq!(answer(&mut client, patch).await.unwrap_err().reason, Reason::Forbidden);
    client.renew(&node.player(player)).await.unwrap();
    until(&mut client, |update| matches!(update, Update::Renewed(_))).await;
    for (merge, reason) in [(json!([1]), Some(Reason::BadFields)), (json!({ "n": 1 }), None)] {
        let patch = client.patch(&merge, None).await.unwrap();
        assert_eq!(answer(&mut client, patch).await.err().map(|refused| refused.reason), reason, "{merge}");
    }
    // An id that was used is not used again, and one of a message that cannot be read is answered by it.
    let s = tiltyard_protocol::view::player_word(party.id);
    client.send_raw(format!(r#"{{"t":"patch","d":{{"s":{s},"id":1,"merge":{{}}}}}}"#)).await.unwrap();
    assert_eq!(answer(&mut client, 1).await.unwrap_err().reason, Reason::StaleActionId);
    client.send_raw(format!(r#"{{"t":"relay","d":{{"s":{s},"id":99}}}}"#)).await.unwrap();
    assert_eq!(answer(&mut client, 99).await.unwrap_err().reason, Reason::BadFields);
    let act = client.act(tiltyard_client::Order::attack(0)).await.unwrap();
    assert_eq!(answer(&mut client, act).await.unwrap_err().reason, Reason::WrongType);
    let beat = client.beat().await.unwrap();
    assert_eq!(answer(&mut client, beat).await.unwrap_err().reason, Reason::WrongType);
    let login = create(&node, json!({ "type": "auth", "player_id": player })).await;
    client.join(login).await.unwrap();
    assert_eq!(notice(&mut client).await, Reason::WrongType);
    client.join(Uuid::now_v7()).await.unwrap();
    assert_eq!(notice(&mut client).await, Reason::NoSession);
    assert_eq!(client.room().map(|room: &Record| &room.state), Some(&json!({ "n": 1 })));
}

#[tokio::test]
async fn numbers_keep_their_digits() {
    let node = Node::start();
    let party = Party::of(&node, 1).await;
    let mut client = party.join(&node, 0, Encoding::Json).await;
    let s = tiltyard_protocol::view::player_word(party.id);
    client
        .send_raw(format!(r#"{{"d":{{"merge":{{"n":12345678901234567890.123}},"id":1,"s":{s}}},"t":"patch"}}"#))
        .await
        .unwrap();
    answer(&mut client, 1).await.unwrap();
    let path = format!("{}/sessions/{}/state", node.url, party.id);
    let text = node.trust.http().unwrap().get(path).bearer_auth(node.service()).send().await.unwrap().text().await;
    assert_eq!(text.unwrap(), r#"{"n":12345678901234567890.123}"#);
}
