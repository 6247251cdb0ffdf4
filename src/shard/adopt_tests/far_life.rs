//! What ends a connection, and what keeps it, where its session is another shard's.

use tiltyard_combat::Rules;
use tiltyard_protocol::{CloseCode, Reason};
use uuid::Uuid;

use super::follow::{Three, acked};
use super::{Client, attachment, attack_of, handle_of, new_fight};
use crate::clock;
use crate::limits;
use crate::shard::{Asked, Attachment, Command, Renewal};

/// What the tokens here are good for: their clients are asked at the half of it.
const LEFT_MS: u64 = 20_000;

impl Three {
    /// A fight, where that is, the shard of a connection that is in nothing else, and that connection, as `change` has it.
    fn only_elsewhere(&mut self, change: impl FnOnce(&mut Attachment)) -> (Uuid, usize, usize, Client) {
        let (id, home) = self.create();
        let socket = (home + 1) % 3;
        let (mut attachment, stream) = attachment(None);
        change(&mut attachment);
        self.handles[socket].send(Command::Attach(Box::new(attachment))).unwrap();
        let mut client = Client { stream, seen: String::new() };
        self.join_too(&mut client, id);
        assert_eq!((self.workers[home].far.len(), self.workers[socket].far.len()), (1, 0));
        (id, home, socket, client)
    }

    /// Lets the time of all shards pass.
    fn skip_all(&mut self, ms: u64) {
        (0..3).for_each(|shard| self.skip(shard, ms));
        (0..3).for_each(|shard| self.turn(shard));
    }

    /// Nothing is left of a connection, and its session has heard of it.
    fn is_gone(&mut self, shard: usize, session: Uuid) {
        self.until("that it is lost", |three| !three.is_connected(shard, session));
        self.until("that nothing is left of it", |three| three.workers.iter().all(|worker| worker.far.is_empty()));
    }

    fn credentials(&mut self) -> Asked {
        let mut asked = None;
        self.until("credentials", |three| {
            asked = three.handed_in.try_recv().ok();
            asked.is_some()
        });
        asked.unwrap()
    }

    fn renew(&self, asked: &Asked, answer: Result<Renewal, Reason>) {
        self.handles[asked.shard].send(Command::Renew(asked.connection, answer)).unwrap();
    }
}

/// The end of a token of now, where so much time was skipped.
fn token_end(skipped: u64) -> u64 {
    clock::now_ms() + skipped + LEFT_MS
}

#[test]
fn the_end_of_a_login_closes_a_connection_whose_session_is_elsewhere() {
    let mut three = Three::start();
    let sid = Uuid::now_v7();
    let (id, home, _, mut client) = three.only_elsewhere(|attachment| attachment.sid = Some(sid));
    client.news();
    for handle in &three.handles {
        handle.send(Command::Revoke(sid)).unwrap();
    }
    three.is_gone(home, id);
    assert_eq!(client.closed(), CloseCode::Unauthorized.code());
    // Somebody else's login is nothing to it.
    let (id, home, _, mut client) = three.only_elsewhere(|attachment| attachment.sid = Some(Uuid::now_v7()));
    three.handles[home].send(Command::Revoke(sid)).unwrap();
    client.say(&attack_of(id, 1));
    three.until("an answer", |_| acked(&mut client, id) == [1]);
}

#[test]
fn the_end_of_a_token_closes_it_and_a_new_one_keeps_it() {
    let mut three = Three::start();
    let (id, home, socket, mut client) = three.only_elsewhere(|attachment| attachment.expires_at = token_end(0));
    let sid = Uuid::now_v7();
    for round in 1..=2 {
        three.skip_all(LEFT_MS / 2);
        three.until("that it is asked", |_| client.count("expiring") == round);
        client.say(r#"{"t":"renew","d":{"token":"a.token"}}"#);
        let asked = three.credentials();
        assert_eq!((asked.shard, asked.joined.as_slice()), (socket, &[id][..]), "that it is in is said");
        let expires_at = token_end(u64::try_from(round).unwrap() * LEFT_MS / 2);
        three.renew(&asked, Ok(Renewal { sid: Some(sid), expires_at, only: None, writes: true }));
        three.until("that it is renewed", |_| client.count("renewed") == round);
    }
    client.say(&attack_of(id, 1));
    three.until("an answer", |_| acked(&mut client, id) == [1]);
    // A ticket for another session is not one for a connection that is in this.
    client.say(r#"{"t":"renew","d":{"ticket":"a"}}"#);
    let asked = three.credentials();
    three.renew(
        &asked,
        Ok(Renewal { sid: None, expires_at: token_end(LEFT_MS), only: Some(Uuid::nil()), writes: true }),
    );
    three.until("a refusal", |_| client.count("error") == 1);
    assert!(client.seen.contains(Reason::Forbidden.name()), "{}", client.seen);
    assert!(three.is_connected(home, id));

    three.skip_all(LEFT_MS);
    client.news();
    three.is_gone(home, id);
    assert_eq!(three.workers[socket].stats.closed_expired, 1);
}

#[test]
fn who_is_in_a_session_elsewhere_is_not_taken_for_one_in_none() {
    let mut three = Three::start();
    let (id, home, socket, mut client) = three.only_elsewhere(|_| ());
    three.skip_all(limits::UNJOINED_MS);
    client.say(&attack_of(id, 1));
    three.until("an answer", |_| acked(&mut client, id) == [1]);
    assert_eq!(three.workers[socket].stats.closed_unjoined, 0);
    // From when it leaves it is in none.
    client.say(&format!(r#"{{"t":"leave","d":{{"s":{}}}}}"#, handle_of(id)));
    three.until("that it left", |_| client.count("left") == 1);
    three.skip_all(limits::UNJOINED_MS / 2);
    assert_eq!(three.workers[socket].stats.closed_unjoined, 0, "as long as any other");
    three.skip_all(limits::UNJOINED_MS / 2);
    three.until("that it is closed", |three| three.workers[socket].stats.closed_unjoined == 1);
    assert_eq!(client.closed(), CloseCode::NoSession.code());
    three.is_gone(home, id);
}

#[test]
fn a_silent_client_is_closed_whatever_its_session_elsewhere_says() {
    let mut three = Three::start();
    let (id, home, socket, mut client) = three.only_elsewhere(|_| ());
    // What stands for it there has no time of its own.
    assert!(three.workers[home].connections.values().all(|of| of.wake_at == u64::MAX));
    let mut attack = three.attack(home, id);
    three.answer("an attack", &mut attack).unwrap();
    three.until("what it did", |_| client.count("delta") > 0);
    client.news();
    three.skip(socket, limits::IDLE_CLOSE_MS);
    three.turn(socket);
    three.is_gone(home, id);
    assert_eq!(client.closed(), CloseCode::Idle.code());
}

#[test]
fn a_connection_does_not_join_two_sessions_whose_ids_end_alike_wherever_they_are() {
    let mut three = Three::start();
    let (one, home) = three.create();
    let mut fight = new_fight(&Rules::default(), Uuid::from_u128(1), 2);
    fight.id = Uuid::from_u128(one.as_u128() ^ 1 << 40);
    let other = three.create_this(fight).0;
    assert_eq!(handle_of(one), handle_of(other));
    let socket = (home + 1) % 3;
    let mut at = home;
    // Both elsewhere in one place, one here, both elsewhere in two places.
    for to in [home, socket, (home + 2) % 3] {
        three.hand_over(at, one, to).unwrap();
        at = to;
        for (first, second) in [(one, other), (other, one)] {
            let mut client = three.attach(socket, first, None);
            three.join_too(&mut client, first);
            client.say(&format!(r#"{{"t":"join","d":{{"session":"{second}"}}}}"#));
            three.until("a refusal", |_| client.count("error") == 1);
            assert!(client.seen.contains(Reason::SessionElsewhere.name()), "{}", client.seen);
            assert_eq!(client.count("joined"), 1);
            let of_first = if first == one { at } else { home };
            assert!(three.is_connected(of_first, first), "it is still in the first");
            drop(client);
            three.until("that it is gone", |three| three.workers.iter().all(|worker| worker.connections.is_empty()));
        }
    }
}
