//! Who plays by the rules is refused nothing, however many do and however fast the rules let them.

use std::time::{Duration, Instant};

use serde_json::json;
use tiltyard_client::{Client, Order, Update};
use tiltyard_protocol::view::ParticipantView;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::support::{Node, answer, until};

/// Between two moves of a player: twenty a second.
const MOVE_EVERY: Duration = Duration::from_millis(50);

/// What one move goes, in centimetres: less than anybody runs in that time, whatever modifiers the round has.
const STRIDE_CM: i32 = 30;

/// So many moves of each, of which about sixty lead to where the teams see each other.
const MOVES: usize = 100;

/// Where the team of the left side goes before it spreads, past its wall; the other's way is the same from the right.
const GATE: (i32, i32) = (1_800, 1_260);

/// One who walks to its place, goes to and fro there, and shoots whom it sees as often as the rules have it.
struct Honest {
    client: Client,
    /// The places still to walk to.
    way: Vec<(i32, i32)>,
    /// Since when it knows that its last attack was taken.
    attacked: Option<Instant>,
}

impl Honest {
    fn new(client: Client, nth: i32) -> Self {
        let slot = usize::from(client.slot().unwrap());
        let team = client.view().participants[slot].team;
        let side = |(x, y)| if team == 0 { (x, y) } else { (5_000 - x, y) };
        let place = |x| side((x, 800 + 80 * nth));
        // From the right there is no wall in the way.
        let gate = (team == 0).then_some(GATE);
        let to_and_fro = (0..MOVES).map(|turn| place(if turn % 2 == 0 { 2_000 } else { 1_900 }));
        let way = gate.into_iter().chain(to_and_fro).collect();
        Self { client, way, attacked: None }
    }

    fn slot(&self) -> usize {
        usize::from(self.client.slot().unwrap())
    }

    /// The next step of its way.
    fn step(&mut self) -> Order {
        let own = &self.client.view().participants[self.slot()];
        let at = (own.x, own.y);
        if self.way[0] == at && self.way.len() > 1 {
            self.way.remove(0);
        }
        let (x, y) = (self.way[0].0 - at.0, self.way[0].1 - at.1);
        let far = (x * x + y * y).isqrt();
        // Rounded to where it is, so that no step is longer than a stride.
        let part = |of: i32| if far <= STRIDE_CM { of } else { of * STRIDE_CM / far };
        Order::walk(at.0 + part(x), at.1 + part(y))
    }

    /// An attack, if the rules let it and somebody of the others is in sight.
    fn shot(&self, every: Duration) -> Option<Order> {
        let (view, slot) = (self.client.view(), self.slot());
        let own = &view.participants[slot];
        let is_ready = self.attacked.is_none_or(|at| at.elapsed() >= every) && own.ammo > 0 && own.reload_at == 0;
        // What a team sees is not what each of it can hit: between these two there is no wall.
        let is_in_the_open = |one: &ParticipantView| !one.hidden && (1_700..=3_300).contains(&one.x) && one.y < 1_290;
        let is_target = |other: &ParticipantView| other.team != own.team && is_in_the_open(other);
        let target = (0..).zip(&view.participants).find(|(_, other)| is_target(other))?.0;
        (is_ready && is_in_the_open(own)).then(|| Order::attack(target))
    }

    /// Has seen what the server had said up to now.
    async fn catch_up(&mut self) {
        self.client.ping(1).await.unwrap();
        until(&mut self.client, |update| matches!(update, Update::Pong(_))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_who_move_twenty_times_a_second_and_shoot_as_often_as_they_may_are_refused_nothing() {
    // One shard, as the busiest there is.
    let node = Node::start_with(&["--shards", "1"]);
    let players: Vec<Uuid> = (0..10).map(|_| Uuid::new_v4()).collect();
    // What is set otherwise is that nobody falls, and that a slow machine has the time it needs.
    let rules = json!({ "preparation_ms": 0, "health": 1_000_000, "max_duration_ms": 600_000 });
    let settings = json!({ "ruleset": "arena-fast", "rules": rules });
    let mut fight = node.fight_of("arena", players, settings).await;
    fight.begin().await;
    let every = Duration::from_millis(fight.clients[0].rules().unwrap().attack_interval_ms.into());
    assert_eq!(every, Duration::from_millis(200));
    let mut all: Vec<_> =
        (0..).zip(fight.clients.drain(..)).map(|(nth, client)| Honest::new(client, nth / 2)).collect();
    let (mut pace, mut shots) = (interval(MOVE_EVERY), 0);
    // Who is late does not hurry: that is what nobody may.
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..MOVES {
        pace.tick().await;
        let mut asked = Vec::with_capacity(all.len());
        for one in &mut all {
            let step = one.step();
            asked.push(one.client.act(step).await.unwrap());
        }
        for (one, id) in all.iter_mut().zip(asked) {
            answer(&mut one.client, id).await.unwrap_or_else(|refused| panic!("a move: {refused:?}"));
        }
        // Nobody shoots at where somebody was.
        for one in &mut all {
            one.catch_up().await;
        }
        let mut shot = Vec::new();
        for (place, one) in all.iter_mut().enumerate() {
            if let Some(order) = one.shot(every) {
                shot.push((place, one.client.act(order).await.unwrap()));
            }
        }
        shots += shot.len();
        for (place, id) in shot {
            let one = &mut all[place];
            answer(&mut one.client, id).await.unwrap_or_else(|refused| panic!("a shot: {refused:?}"));
            one.attacked = Some(Instant::now());
        }
    }
    assert!(shots >= 50, "they have seen each other: {shots}");
}
